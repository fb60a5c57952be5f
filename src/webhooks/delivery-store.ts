import { type AttemptOutcome, type DeadReason, LEASE_MS } from "./delivery.ts";
import type { EndpointConfig } from "./endpoint.ts";

export const DELIVERY_SCHEMA = `
  CREATE TABLE endpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    url TEXT NOT NULL,
    secrets_sealed TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    slack TEXT
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
    dead_reason TEXT,
    CHECK ((state = 'pending') = (next_at_ms IS NOT NULL)),
    CHECK ((state = 'pending') = (finished_at_ms IS NULL)),
    CHECK ((state = 'dead_letter') = (dead_reason IS NOT NULL))
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

const PRUNE_ROWS = 500;

/** What is sent, and which delivery it belongs to. `body` is serialised once: every attempt has the same bytes. */
export type Delivery = { id: string; event_id: string; event_type: string; body: string };

/** All SQL of one endpoint's object. The caller opens the transaction. */
export class DeliveryStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  config(): EndpointConfig | undefined {
    const row = this.#sql
      .exec<{
        id: string;
        url: string;
        secrets_sealed: string;
        enabled: number;
        revision: number;
        slack: string | null;
      }>("SELECT id, url, secrets_sealed, enabled, revision, slack FROM endpoint")
      .toArray()[0];
    if (!row) return undefined;
    const { slack, ...rest } = row;
    return {
      ...rest,
      secrets_sealed: JSON.parse(row.secrets_sealed),
      enabled: row.enabled === 1,
      ...(slack === null ? {} : { slack: JSON.parse(slack) }),
    };
  }

  /** Replaces what is sealed, unless the endpoint was changed meanwhile. */
  rewrap(
    revision: number,
    { secrets_sealed, slack }: Pick<EndpointConfig, "secrets_sealed" | "slack">,
  ): void {
    this.#sql.exec(
      "UPDATE endpoint SET secrets_sealed = ?, slack = ? WHERE revision = ?",
      JSON.stringify(secrets_sealed),
      slack ? JSON.stringify(slack) : null,
      revision,
    );
  }

  /** Takes a configuration that is newer than the one at hand; false where it is not. */
  configure(c: EndpointConfig): boolean {
    const { rowsWritten } = this.#sql.exec(
      `INSERT INTO endpoint VALUES (1, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (one) DO UPDATE SET url = excluded.url, secrets_sealed = excluded.secrets_sealed,
         enabled = excluded.enabled, revision = excluded.revision, slack = excluded.slack
       WHERE excluded.revision > endpoint.revision`,
      c.id,
      c.url,
      JSON.stringify(c.secrets_sealed),
      c.enabled ? 1 : 0,
      c.revision,
      c.slack ? JSON.stringify(c.slack) : null,
    );
    return rowsWritten > 0;
  }

  /** Stops sending: what was under way becomes dead letters, which can be asked for again. */
  disable(nowMs: number): void {
    this.#sql.exec("UPDATE endpoint SET enabled = 0");
    this.#sql.exec(
      `UPDATE delivery SET state = 'dead_letter', dead_reason = 'endpoint_disabled', next_at_ms = NULL,
         finished_at_ms = ? WHERE next_at_ms IS NOT NULL`,
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

  /** `dueMs`: when it is sent first. */
  add(d: Delivery, nowMs: number, dueMs = nowMs): void {
    this.#sql.exec(
      `INSERT INTO delivery (id, event_id, event_type, body, state, created_at_ms, next_at_ms)
       VALUES (?, ?, ?, ?, 'pending', ?, ?)`,
      d.id,
      d.event_id,
      d.event_type,
      d.body,
      nowMs,
      dueMs,
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

  deliver(id: string, nowMs: number): void {
    this.#sql.exec(
      `UPDATE delivery SET state = 'delivered', next_at_ms = NULL, finished_at_ms = ?, dead_reason = NULL
       WHERE id = ?`,
      nowMs,
      id,
    );
  }

  bury(id: string, reason: DeadReason, nowMs: number): void {
    this.#sql.exec(
      `UPDATE delivery SET state = 'dead_letter', dead_reason = ?, next_at_ms = NULL, finished_at_ms = ?
       WHERE id = ?`,
      reason,
      nowMs,
      id,
    );
  }

  /** How many deliveries wait for their next attempt. */
  waiting(): number {
    return this.#sql
      .exec<{ n: number }>("SELECT COUNT(*) AS n FROM delivery WHERE next_at_ms IS NOT NULL")
      .one().n;
  }

  postpone(id: string, nextAtMs: number): void {
    this.#sql.exec("UPDATE delivery SET next_at_ms = ? WHERE id = ? AND state = 'pending'", nextAtMs, id);
  }

  /** The same for all that wait. */
  postponeAll(nextAtMs: number): void {
    this.#sql.exec("UPDATE delivery SET next_at_ms = ? WHERE state = 'pending'", nextAtMs);
  }

  /** Those that wait, oldest first. */
  pending(limit: number): Delivery[] {
    return this.#sql
      .exec<Delivery>(
        `SELECT id, event_id, event_type, body FROM delivery WHERE next_at_ms IS NOT NULL
         ORDER BY created_at_ms, id LIMIT ?`,
        limit,
      )
      .toArray();
  }

  /** Gives up what is due and is not to be sent. */
  buryDue(reason: DeadReason, nowMs: number): void {
    this.#sql.exec(
      `UPDATE delivery SET state = 'dead_letter', dead_reason = ?, next_at_ms = NULL, finished_at_ms = ?
       WHERE next_at_ms <= ?`,
      reason,
      nowMs,
      nowMs,
    );
  }

  /** Starts the schedule again from now. */
  restart(id: string, nowMs: number): void {
    this.#sql.exec(
      `UPDATE delivery SET state = 'pending', tries = 0, next_at_ms = ?, finished_at_ms = NULL,
         dead_reason = NULL WHERE id = ?`,
      nowMs,
      id,
    );
  }

  /** Starts the schedule again for what became a dead letter at the moment or later, oldest first; how many did. */
  restartDead(sinceMs: number, limit: number, nowMs: number): number {
    return this.#sql
      .exec(
        `UPDATE delivery SET state = 'pending', tries = 0, next_at_ms = ?, finished_at_ms = NULL, dead_reason = NULL
       WHERE id IN (SELECT id FROM delivery WHERE finished_at_ms >= ? AND state = 'dead_letter'
         ORDER BY finished_at_ms, id LIMIT ?) RETURNING id`,
        nowMs,
        sinceMs,
        limit,
      )
      .toArray().length;
  }

  /** How many dead letters there are from the moment on. */
  deadSince(sinceMs: number): number {
    return this.#sql
      .exec<{ n: number }>(
        "SELECT COUNT(*) AS n FROM delivery WHERE finished_at_ms >= ? AND state = 'dead_letter'",
        sinceMs,
      )
      .one().n;
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
}
