import type { AttemptError, DeadReason, DeliveryState } from "./delivery.ts";
import type { Delivery } from "./delivery-store.ts";

const MAX_ATTEMPTS_SHOWN = 20;

type DeliveryRow = Delivery & {
  state: DeliveryState;
  /** Attempts since the delivery was made or asked for again: its place in the schedule. */
  tries: number;
  created_at_ms: number;
  next_at_ms: number | null;
  finished_at_ms: number | null;
  dead_reason: DeadReason | null;
};

type AttemptRow = {
  number: number;
  at_ms: number;
  duration_ms: number;
  status: number | null;
  error: AttemptError | null;
};

/** A delivery as the API shows it, without its body. Times are epoch seconds with milliseconds as the fraction. */
export type DeliveryView = {
  id: string;
  event_id: string;
  event_type: string;
  state: DeliveryState;
  created_at: number;
  next_attempt_at?: number;
  finished_at?: number;
  dead_reason?: DeadReason;
  /** The latest ones, newest first. */
  attempts: AttemptView[];
};

type AttemptView = {
  number: number;
  at: number;
  duration_seconds: number;
  status?: number;
  error?: AttemptError;
};

/** `cursor` is the last id of the page before. */
export type DeliveryQuery = { limit: number; cursor?: string; state?: DeliveryState };

export type DeliveryPage = { items: DeliveryView[]; next_cursor?: string };

/** The delivery log of one endpoint, as the API reads it. */
export class DeliveryLog {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** How many of each state are kept, and how many of their attempts failed, as metrics say it. */
  gauges(endpointId: string): Record<string, number> {
    const states = this.#sql
      .exec<{ state: string; n: number }>("SELECT state, COUNT(*) AS n FROM delivery GROUP BY state")
      .toArray();
    const { failed } = this.#sql
      .exec<{ failed: number }>(
        "SELECT COUNT(*) AS failed FROM attempt WHERE status IS NULL OR status NOT BETWEEN 200 AND 299",
      )
      .one();
    const counts = { pending: 0, delivered: 0, dead_letter: 0 };
    for (const { state, n } of states) counts[state as keyof typeof counts] = n;
    return {
      ...Object.fromEntries(
        Object.entries(counts).map(([state, n]) => [
          `portcullis_deliveries{endpoint="${endpointId}",state="${state}"}`,
          n,
        ]),
      ),
      [`portcullis_delivery_failed_attempts{endpoint="${endpointId}"}`]: failed,
    };
  }

  view(id: string): DeliveryView | undefined {
    const row = this.#sql.exec<DeliveryRow>("SELECT * FROM delivery WHERE id = ?", id).toArray()[0];
    return row && this.#view(row);
  }

  /** Newest first. */
  page({ limit, cursor, state }: DeliveryQuery): DeliveryPage {
    const rows = this.#sql
      .exec<DeliveryRow>(
        "SELECT * FROM delivery WHERE id < ?1 AND (?2 IS NULL OR state = ?2) ORDER BY id DESC LIMIT ?3",
        cursor ?? "dlv_~",
        state ?? null,
        limit + 1,
      )
      .toArray();
    const items = rows.slice(0, limit).map((row) => this.#view(row));
    const last = items.at(-1);
    return rows.length > limit && last ? { items, next_cursor: last.id } : { items };
  }

  #view(row: DeliveryRow): DeliveryView {
    const attempts = this.#sql
      .exec<AttemptRow>(
        `SELECT number, at_ms, duration_ms, status, error FROM attempt WHERE delivery_id = ?
         ORDER BY number DESC LIMIT ?`,
        row.id,
        MAX_ATTEMPTS_SHOWN,
      )
      .toArray();
    return {
      id: row.id,
      event_id: row.event_id,
      event_type: row.event_type,
      state: row.state,
      created_at: row.created_at_ms / 1000,
      ...(row.next_at_ms === null ? {} : { next_attempt_at: row.next_at_ms / 1000 }),
      ...(row.finished_at_ms === null ? {} : { finished_at: row.finished_at_ms / 1000 }),
      ...(row.dead_reason === null ? {} : { dead_reason: row.dead_reason }),
      attempts: attempts.map(attemptView),
    };
  }
}

function attemptView(row: AttemptRow): AttemptView {
  return {
    number: row.number,
    at: row.at_ms / 1000,
    duration_seconds: row.duration_ms / 1000,
    ...(row.status === null ? {} : { status: row.status }),
    ...(row.error === null ? {} : { error: row.error }),
  };
}
