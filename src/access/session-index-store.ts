import type { SessionQuery, SessionRecord } from "../revocation/session-record.ts";

export const SESSION_INDEX_SCHEMA = `
  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    subject TEXT NOT NULL,
    client_id TEXT NOT NULL,
    state TEXT NOT NULL,
    absolute_end INTEGER NOT NULL,
    provider_session TEXT,
    forget_at INTEGER NOT NULL,
    body TEXT NOT NULL
  );
  CREATE INDEX sessions_subject ON sessions (subject, id);
  CREATE INDEX sessions_client ON sessions (client_id, id);
  CREATE INDEX sessions_provider_session ON sessions (provider_session, id) WHERE provider_session IS NOT NULL;
  CREATE INDEX sessions_end ON sessions (state, absolute_end);
  CREATE INDEX sessions_forget_at ON sessions (forget_at);
`;

/** How long a session that is over is still listed. */
const KEPT_SECONDS = 7 * 86_400;
/** About 1 GB with its indexes. Beyond it those go that would be forgotten first. */
const MAX_SESSIONS = 1_000_000;

const STATES: Record<SessionRecord["state"], string> = {
  active: "state = 'active' AND absolute_end > ?",
  expired: "(state = 'expired' OR (state = 'active' AND absolute_end <= ?))",
  revoked: "state = 'revoked' AND ? > 0",
};

/** All SQL of the index of sessions. */
export class SessionIndexStore {
  readonly #sql: SqlStorage;
  readonly #max: number;

  constructor(sql: SqlStorage, max = MAX_SESSIONS) {
    this.#sql = sql;
    this.#max = max;
  }

  /** An older version than the one that is held changes nothing. */
  put(session: SessionRecord, version: number): void {
    const { id, subject, client_id, state, absolute_end, provider_session, ended } = session;
    this.#sql.exec(
      `INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state,
         absolute_end = excluded.absolute_end, provider_session = excluded.provider_session, forget_at = excluded.forget_at, body = excluded.body
       WHERE excluded.version > sessions.version`,
      id,
      version,
      subject,
      client_id,
      state,
      absolute_end,
      provider_session ?? null,
      (ended?.at ?? absolute_end) + KEPT_SECONDS,
      JSON.stringify(session),
    );
  }

  list(query: SessionQuery, now: number): SessionRecord[] {
    const conditions: string[] = [];
    const bindings: (string | number)[] = [];
    const add = (condition: string, value: string | number | undefined) => {
      if (value === undefined) return;
      conditions.push(condition);
      bindings.push(value);
    };
    add("id < ?", query.cursor);
    add("subject = ?", query.subject);
    add("client_id = ?", query.client_id);
    add("provider_session = ?", query.provider_session);
    if (query.state) add(STATES[query.state], now);
    const where = conditions.length ? `WHERE ${conditions.join(" AND ")}` : "";
    return this.#sql
      .exec<{ body: string }>(
        `SELECT body FROM sessions ${where} ORDER BY id DESC LIMIT ?`,
        ...bindings,
        query.limit,
      )
      .toArray()
      .map(({ body }) => endedByTime(JSON.parse(body), now));
  }

  /** Sessions whose alarm should have told of their end before this moment. */
  overdue(before: number, limit: number): string[] {
    return this.#sql
      .exec<{ id: string }>(
        "SELECT id FROM sessions WHERE state = 'active' AND absolute_end < ? ORDER BY absolute_end LIMIT ?",
        before,
        limit,
      )
      .toArray()
      .map(({ id }) => id);
  }

  /** When the first session is to be forgotten, epoch seconds. */
  earliestForgotten(): number | undefined {
    return (
      this.#sql.exec<{ at: number | null }>("SELECT MIN(forget_at) AS at FROM sessions").one().at ?? undefined
    );
  }

  /** Forgets at most `limit` sessions that were over long ago, or are too many; answers how many. */
  prune(now: number, limit: number): number {
    const first = "SELECT id FROM sessions ORDER BY forget_at LIMIT ?";
    const excess = Math.min(limit, Math.max(0, this.#count() - this.#max));
    this.#sql.exec(`DELETE FROM sessions WHERE id IN (${first}) AND forget_at <= ?`, limit, now);
    const over = this.#changes();
    if (excess > over) this.#sql.exec(`DELETE FROM sessions WHERE id IN (${first})`, excess - over);
    return Math.max(over, excess);
  }

  #count(): number {
    return this.#sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM sessions").one().n;
  }

  #changes(): number {
    return this.#sql.exec<{ n: number }>("SELECT changes() AS n").one().n;
  }
}

/** The index follows the session's own object; time is not waited for. */
function endedByTime(session: SessionRecord, now: number): SessionRecord {
  return session.state === "active" && session.absolute_end <= now
    ? { ...session, state: "expired" }
    : session;
}
