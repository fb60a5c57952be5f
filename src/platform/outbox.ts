import { causedBy, currentCause } from "./cause.ts";
import type { Clock } from "./clock.ts";
import { faultText, type Logger } from "./log.ts";
import { withTimeout } from "./rpc.ts";

/** Appended to an object's migrations: the rows of its outbox. */
export const OUTBOX_SCHEMA = `
  CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    lane TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at_ms INTEGER NOT NULL,
    not_before_ms INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    cause TEXT
  );
  CREATE INDEX outbox_lane ON outbox (lane, seq);
`;

/**
 * An effect that must happen because state was committed. Rows of one lane leave in order, one after the
 * other; lanes do not wait for each other. `id` makes the effect idempotent for its receiver.
 */
export type OutboxRow = { id: string; lane: string; kind: string; payload: unknown };

/** What carries out the rows of each kind. Throwing or rejecting means: try again later. */
export type Deliver = Record<string, (row: OutboxRow) => Promise<void>>;

type StoredRow = Omit<OutboxRow, "payload"> & {
  seq: number;
  payload: string;
  version: number;
  attempts: number;
  next_at_ms: number;
  cause: string | null;
};

export type OutboxOptions = {
  clock: Clock;
  random?: () => number;
  log: Logger;
  deliver: Deliver;
  timeoutMs?: number;
  /** Rows that one pass tries at most. */
  maxAttempts?: number;
  /** The longest pause between two attempts, before jitter: what waits behind it waits as long. */
  longestRetryMs?: number;
};

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 5 * 60_000;
const DELIVERY_TIMEOUT_MS = 30_000;
/** An invocation may make 1,000 operations on KV; the rest is for what the object does beside its outbox. */
const MAX_ATTEMPTS_A_PASS = 900;

/** What one pass may still try, shared by its lanes. */
type Budget = { left: number };

const HELD_BACK =
  ", not_before_ms = excluded.not_before_ms, next_at_ms = MAX(next_at_ms, excluded.not_before_ms)";

/** Every lane by one seek in the index each, however many rows wait. */
const LANES = `
  WITH RECURSIVE lanes (lane) AS (
    SELECT MIN(lane) FROM outbox
    UNION ALL
    SELECT (SELECT MIN(lane) FROM outbox WHERE lane > lanes.lane) FROM lanes WHERE lane IS NOT NULL
  )`;

/** Delay before attempt n + 1: doubles from one second to the longest (five minutes), with ±50 % jitter. */
export function retryDelayMs(attempts: number, random: () => number, longestMs = LONGEST_RETRY_MS): number {
  return Math.min(FIRST_RETRY_MS * 2 ** Math.max(0, attempts - 1), longestMs) * (0.5 + random());
}

/**
 * The transactional outbox. `put` runs inside the transaction that changes the state; `drain` tries every
 * row that is due. A crash between the two loses nothing: the alarm finds the row.
 */
export class Outbox {
  readonly #sql: SqlStorage;
  readonly #o: Required<OutboxOptions>;
  readonly #running = new Map<string, Promise<void>>();
  /** Ids of rows whose effect is being tried. */
  readonly #onTheWay = new Set<string>();

  constructor(sql: SqlStorage, options: OutboxOptions) {
    this.#sql = sql;
    this.#o = {
      random: Math.random,
      timeoutMs: DELIVERY_TIMEOUT_MS,
      maxAttempts: MAX_ATTEMPTS_A_PASS,
      longestRetryMs: LONGEST_RETRY_MS,
      ...options,
    };
  }

  /**
   * Adds a row, to be called in the transaction of the change that causes it. A row whose id is still waiting
   * is replaced in its place (projections of current state are coalesced this way). `notBeforeMs` holds it back,
   * also where it is on its way at this moment and must leave again; one that waits already, no longer than it is.
   */
  put(row: OutboxRow, notBeforeMs = 0): void {
    const now = this.#o.clock();
    this.#sql.exec(
      `INSERT INTO outbox (id, lane, kind, payload, next_at_ms, not_before_ms, cause) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, cause = excluded.cause, version = version + 1
         ${this.#onTheWay.has(row.id) ? HELD_BACK : ""}`,
      row.id,
      row.lane,
      row.kind,
      JSON.stringify(row.payload),
      // The alarm is the second try: the first follows the commit at once.
      Math.max(now + FIRST_RETRY_MS, notBeforeMs),
      notBeforeMs,
      causeText(),
    );
  }

  /** When the alarm must look again, or undefined where nothing waits. What is behind a lane's head waits with it. */
  nextDueMs(): number | undefined {
    const row = this.#sql
      .exec<{ at: number | null }>(
        `${LANES} SELECT MIN((SELECT next_at_ms FROM outbox WHERE lane = lanes.lane ORDER BY seq LIMIT 1)) AS at
         FROM lanes WHERE lane IS NOT NULL`,
      )
      .one();
    return row.at ?? undefined;
  }

  size(): number {
    return this.#sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM outbox").one().n;
  }

  /**
   * Tries all lanes that have something due; resolves when each has been tried. Never rejects. Where more is
   * due than one invocation may do, the rest is due at once for the alarm.
   */
  async drain(): Promise<void> {
    const lanes = this.#sql
      .exec<{ lane: string }>(`${LANES} SELECT lane FROM lanes WHERE lane IS NOT NULL`)
      .toArray();
    const budget = this.#newBudget();
    await Promise.all(lanes.map(({ lane }) => this.#pass(lane, false, budget)));
  }

  /**
   * Tries the rows of one lane in order until it is empty or its head fails. Never rejects. `now` tries the
   * head even where its next attempt is not due: somebody waits for it.
   */
  async flush(lane: string, now = false): Promise<void> {
    await this.#pass(lane, now, this.#newBudget());
  }

  #newBudget(): Budget {
    return { left: this.#o.maxAttempts };
  }

  async #pass(lane: string, early: boolean, budget: Budget): Promise<void> {
    for (let running = this.#running.get(lane); running; running = this.#running.get(lane)) await running;
    const pass = this.#runLane(lane, early, budget).finally(() => this.#running.delete(lane));
    this.#running.set(lane, pass);
    await pass;
  }

  async #runLane(lane: string, early: boolean, budget: Budget): Promise<void> {
    for (let row = this.#head(lane, early); row; row = this.#head(lane, early)) {
      if (budget.left-- <= 0) return this.#makeDue(row);
      if (!(await this.#attempt(row))) return;
    }
  }

  /** The budget is spent: the alarm, which is an invocation of its own, takes the row up at once. */
  #makeDue(row: StoredRow): void {
    this.#sql.exec(
      "UPDATE outbox SET next_at_ms = MIN(next_at_ms, ?) WHERE seq = ?",
      this.#o.clock(),
      row.seq,
    );
  }

  /** The oldest row of the lane if it may be tried now. */
  #head(lane: string, early: boolean): StoredRow | undefined {
    const now = this.#o.clock();
    const row = this.#sql
      .exec<StoredRow & { not_before_ms: number }>(
        "SELECT * FROM outbox WHERE lane = ? ORDER BY seq LIMIT 1",
        lane,
      )
      .toArray()[0];
    if (!row || row.not_before_ms > now) return undefined;
    return early || row.attempts === 0 || row.next_at_ms <= now ? row : undefined;
  }

  async #attempt(row: StoredRow): Promise<boolean> {
    const { id, lane, kind } = row;
    this.#onTheWay.add(id);
    try {
      const deliver = this.#o.deliver[kind];
      if (!deliver) throw new Error(`no delivery for kind "${kind}"`);
      const effect = { id, lane, kind, payload: JSON.parse(row.payload) };
      // Whatever call this pass runs in: the effect belongs to the one that caused its row.
      const cause = row.cause === null ? undefined : JSON.parse(row.cause);
      await withTimeout(
        causedBy(cause, () => deliver(effect)),
        this.#o.timeoutMs,
      );
    } catch (fault) {
      this.#postpone(row, faultText(fault));
      return false;
    } finally {
      this.#onTheWay.delete(id);
    }
    // A row replaced meanwhile keeps its place and is tried again with its new payload.
    this.#sql.exec("DELETE FROM outbox WHERE seq = ? AND version = ?", row.seq, row.version);
    return true;
  }

  #postpone(row: StoredRow, fault: string): void {
    const attempts = row.attempts + 1;
    const nextAt = this.#o.clock() + retryDelayMs(attempts, this.#o.random, this.#o.longestRetryMs);
    this.#sql.exec(
      // A row that was put again while it was on its way may be held back for longer: the alarm waits for that.
      "UPDATE outbox SET attempts = ?, next_at_ms = MAX(?, not_before_ms), last_error = ? WHERE seq = ?",
      attempts,
      Math.ceil(nextAt),
      fault,
      row.seq,
    );
    this.#o.log("warn", "outbox.attempt_failed", { kind: row.kind, id: row.id, attempts, fault });
  }
}

function causeText(): string | null {
  const cause = currentCause();
  return cause ? JSON.stringify(cause) : null;
}
