import { type AttemptError, type AttemptOutcome, type DeliveryState, LEASE_MS } from "./delivery.ts";
import type { EndpointConfig } from "./endpoint.ts";

export const DELIVERY_SCHEMA = `
  CREATE TABLE endpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    url TEXT NOT NULL,
    secrets_sealed TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    revision INTEGER NOT NULL
  );
  CREATE TABLE removal (removed_at_ms INTEGER NOT NULL);
  CREATE TABLE delivery (
    id TEXT PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    event_type TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead_letter')),
    tries INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL,
    next_at_ms INTEGER,
    finished_at_ms INTEGER,
    CHECK ((state = 'pending') = (next_at_ms IS NOT NULL)),
    CHECK ((state = 'pending') = (finished_at_ms IS NULL))
  );
  CREATE INDEX delivery_due ON delivery (next_at_ms) WHERE next_at_ms IS NOT NULL;
  CREATE INDEX delivery_finished ON delivery (finished_at_ms) WHERE finished_at_ms IS NOT NULL;
  CREATE TABLE attempt (
    delivery_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status INTEGER,
    error TEXT,
    PRIMARY KEY (delivery_id, number)
  ) WITHOUT ROWID;
`;

const MAX_ATTEMPTS_SHOWN = 20;
const PRUNE_ROWS = 500;

/** What is sent, and which delivery it belongs to. `body` is serialised once: every attempt has the same bytes. */
export type Delivery = { id: string; event_id: string; event_type: string; body: string };

type DeliveryRow = Delivery & {
  state: DeliveryState;
  /** Attempts since the delivery was made or asked for again: its place in the schedule. */
  tries: number;
  created_at_ms: number;
  next_at_ms: number | null;
  finished_at_ms: number | null;
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

export type DeliveryPage = { items: DeliveryView[]; next_cursor?: string };

/** All SQL of one endpoint's object. The caller opens the transaction. */
export class DeliveryStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  config(): EndpointConfig | undefined {
    const row = this.#sql
      .exec<{ id: string; url: string; secrets_sealed: string; enabled: number; revision: number }>(
        "SELECT id, url, secrets_sealed, enabled, revision FROM endpoint",
      )
      .toArray()[0];
    return row && { ...row, secrets_sealed: JSON.parse(row.secrets_sealed), enabled: row.enabled === 1 };
  }

  /** Replaces the sealed secrets, unless they were changed meanwhile. */
  rewrap(from: readonly string[], to: readonly string[]): void {
    this.#sql.exec(
      "UPDATE endpoint SET secrets_sealed = ? WHERE secrets_sealed = ?",
      JSON.stringify(to),
      JSON.stringify(from),
    );
  }

  /** Takes a configuration that is newer than the one at hand; false where it is not. */
  configure(c: EndpointConfig): boolean {
    const { rowsWritten } = this.#sql.exec(
      `INSERT INTO endpoint VALUES (1, ?, ?, ?, ?, ?)
       ON CONFLICT (one) DO UPDATE SET url = excluded.url, secrets_sealed = excluded.secrets_sealed,
         enabled = excluded.enabled, revision = excluded.revision
       WHERE excluded.revision > endpoint.revision`,
      c.id,
      c.url,
      JSON.stringify(c.secrets_sealed),
      c.enabled ? 1 : 0,
      c.revision,
    );
    return rowsWritten > 0;
  }

  /** Stops sending: what was under way becomes dead letters, which can be asked for again. */
  disable(nowMs: number): void {
    this.#sql.exec("UPDATE endpoint SET enabled = 0");
    this.#sql.exec(
      "UPDATE delivery SET state = 'dead_letter', next_at_ms = NULL, finished_at_ms = ? WHERE next_at_ms IS NOT NULL",
      nowMs,
    );
  }

  isRemoved(): boolean {
    return this.#sql.exec("SELECT 1 FROM removal").toArray().length > 0;
  }

  /** Forgets everything but that the endpoint is gone: a late event must not bring it back. */
  remove(nowMs: number): void {
    if (this.isRemoved()) return;
    this.#sql.exec("DELETE FROM endpoint");
    this.#sql.exec("DELETE FROM delivery");
    this.#sql.exec("DELETE FROM attempt");
    this.#sql.exec("INSERT INTO removal VALUES (?)", nowMs);
  }

  add(d: Delivery, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO delivery (id, event_id, event_type, body, state, created_at_ms, next_at_ms)
       VALUES (?, ?, ?, ?, 'pending', ?, ?)`,
      d.id,
      d.event_id,
      d.event_type,
      d.body,
      nowMs,
      nowMs,
    );
  }

  idOfEvent(eventId: string): string | undefined {
    return this.#sql.exec<{ id: string }>("SELECT id FROM delivery WHERE event_id = ?", eventId).toArray()[0]
      ?.id;
  }

  /** Takes the delivery that has been due longest and leases it to the caller. */
  claim(nowMs: number): Delivery | undefined {
    return this.#sql
      .exec<Delivery>(
        `UPDATE delivery SET next_at_ms = ? WHERE id =
           (SELECT id FROM delivery WHERE next_at_ms <= ? ORDER BY next_at_ms, id LIMIT 1)
         RETURNING id, event_id, event_type, body`,
        nowMs + LEASE_MS,
        nowMs,
      )
      .toArray()[0];
  }

  /** Adds an attempt to the log; the number of tries since the start, or undefined where the delivery is over. */
  recordAttempt(id: string, outcome: AttemptOutcome, atMs: number, durationMs: number): number | undefined {
    this.#sql.exec(
      `INSERT INTO attempt SELECT id, 1 + (SELECT COALESCE(MAX(number), 0) FROM attempt WHERE delivery_id = ?1),
         ?2, ?3, ?4, ?5 FROM delivery WHERE id = ?1`,
      id,
      atMs,
      durationMs,
      outcome.status ?? null,
      outcome.error ?? null,
    );
    return this.#sql
      .exec<{ tries: number }>(
        "UPDATE delivery SET tries = tries + 1 WHERE id = ? AND state = 'pending' RETURNING tries",
        id,
      )
      .toArray()[0]?.tries;
  }

  finish(id: string, state: "delivered" | "dead_letter", nowMs: number): void {
    this.#sql.exec(
      "UPDATE delivery SET state = ?, next_at_ms = NULL, finished_at_ms = ? WHERE id = ?",
      state,
      nowMs,
      id,
    );
  }

  postpone(id: string, nextAtMs: number): void {
    this.#sql.exec("UPDATE delivery SET next_at_ms = ? WHERE id = ? AND state = 'pending'", nextAtMs, id);
  }

  /** Starts the schedule again from now. */
  restart(id: string, nowMs: number): void {
    this.#sql.exec(
      "UPDATE delivery SET state = 'pending', tries = 0, next_at_ms = ?, finished_at_ms = NULL WHERE id = ?",
      nowMs,
      id,
    );
  }

  nextDueMs(keepMs: number): number | undefined {
    const { due, finished } = this.#sql
      .exec<{ due: number | null; finished: number | null }>(
        `SELECT (SELECT MIN(next_at_ms) FROM delivery WHERE next_at_ms IS NOT NULL) AS due,
           (SELECT MIN(finished_at_ms) FROM delivery WHERE finished_at_ms IS NOT NULL) AS finished`,
      )
      .one();
    if (finished === null) return due ?? undefined;
    return Math.min(due ?? Number.POSITIVE_INFINITY, finished + keepMs);
  }

  /** Deletes deliveries that were over before the moment, with their attempts; a bounded number at a time. */
  prune(finishedBeforeMs: number): void {
    const old = this.#sql
      .exec<{ id: string }>(
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE finished_at_ms <= ? LIMIT ?) RETURNING id",
        finishedBeforeMs,
        PRUNE_ROWS,
      )
      .toArray();
    for (const { id } of old) this.#sql.exec("DELETE FROM attempt WHERE delivery_id = ?", id);
  }

  view(id: string): DeliveryView | undefined {
    const row = this.#sql.exec<DeliveryRow>("SELECT * FROM delivery WHERE id = ?", id).toArray()[0];
    return row && this.#view(row);
  }

  /** Newest first; `cursor` is the last id of the page before. */
  page(limit: number, cursor?: string): DeliveryPage {
    const rows = this.#sql
      .exec<DeliveryRow>(
        "SELECT * FROM delivery WHERE id < ? ORDER BY id DESC LIMIT ?",
        cursor ?? "dlv_~",
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
