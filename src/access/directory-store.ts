import type { AccessRequest } from "./access-request.ts";
import { nextChange } from "./agenda.ts";
import { awaiting } from "./awaiting.ts";
import type { GrantState } from "./grant.ts";
import type { RequestState } from "./round.ts";

export const DIRECTORY_MIGRATIONS = [
  `CREATE TABLE access_requests (
     id TEXT PRIMARY KEY,
     version INTEGER NOT NULL,
     requester TEXT NOT NULL,
     resource TEXT NOT NULL,
     rule_id TEXT NOT NULL,
     decided TEXT NOT NULL,
     decided_at INTEGER,
     review_deadline INTEGER NOT NULL,
     access_start INTEGER,
     access_expiry INTEGER,
     ended TEXT,
     unreviewed_emergency INTEGER NOT NULL,
     due_at INTEGER,
     body TEXT NOT NULL
   );
   CREATE INDEX access_requests_requester ON access_requests (requester, id);
   CREATE INDEX access_requests_rule ON access_requests (rule_id, id);
   CREATE INDEX access_requests_due ON access_requests (due_at);
   CREATE INDEX access_requests_expiry ON access_requests (access_expiry) WHERE access_expiry IS NOT NULL;
   CREATE INDEX access_requests_pending ON access_requests (review_deadline) WHERE decided = 'pending';
   CREATE TABLE awaiting (
     key TEXT NOT NULL,
     id TEXT NOT NULL,
     until INTEGER,
     PRIMARY KEY (key, id)
   ) WITHOUT ROWID;
   CREATE INDEX awaiting_id ON awaiting (id);
   CREATE TABLE reservations (
     key TEXT PRIMARY KEY,
     body_hash TEXT NOT NULL,
     id TEXT NOT NULL,
     reserved_at INTEGER NOT NULL
   );
   CREATE INDEX reservations_reserved_at ON reservations (reserved_at);`,
];

/** A page of a list, newest first. All members that are given must hold. */
export type DirectoryQuery = {
  limit: number;
  /** The id after which the page begins. */
  cursor?: string;
  requester?: string;
  notRequester?: string;
  resource?: string;
  /** Only requests that wait for a review by somebody with one of these (`awaitingKey`). */
  awaiting?: string[];
  state?: RequestState;
  /** Only requests that have a grant; in this state where one is named. */
  grant?: GrantState | "any";
};

/** Conditions over `:now`, so that a list never shows a state that time has ended. */
const REQUEST_STATES: Record<RequestState, string> = {
  pending: "decided = 'pending' AND review_deadline > :now",
  expired: "(decided = 'expired' OR (decided = 'pending' AND review_deadline <= :now))",
  approved: "decided = 'approved'",
  denied: "decided = 'denied'",
  cancelled: "decided = 'cancelled'",
};

const GRANT_STATES: Record<GrantState | "any", string> = {
  any: "access_start IS NOT NULL",
  scheduled: "ended IS NULL AND access_start > :now",
  active: "ended IS NULL AND access_start <= :now AND access_expiry > :now",
  expired: "ended IS NULL AND access_expiry <= :now",
  revoked: "ended = 'revoked'",
  used_up: "ended = 'used_up'",
};

const LIVE_GRANTS = ["scheduled", "active", "revoked", "used_up"] as const;

const RESERVED_SECONDS = 86_400;

/** All SQL of the directory. */
export class DirectoryStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** An older version than the one that is held changes nothing. */
  put(request: AccessRequest, version: number): void {
    const { grant, break_glass: glass } = request;
    const written = this.#sql.exec(
      `INSERT INTO access_requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET version = excluded.version, decided = excluded.decided,
         decided_at = excluded.decided_at, access_start = excluded.access_start,
         access_expiry = excluded.access_expiry, ended = excluded.ended,
         unreviewed_emergency = excluded.unreviewed_emergency, due_at = excluded.due_at, body = excluded.body
       WHERE excluded.version > access_requests.version RETURNING id`,
      request.id,
      version,
      request.requester.subject,
      request.ask.resource,
      request.rule_id,
      request.decided,
      request.decided_at ?? null,
      request.review_deadline,
      grant?.access_start ?? null,
      grant?.access_expiry ?? null,
      endOf(grant),
      glass && !glass.review ? 1 : 0,
      nextChange(request) ?? null,
      JSON.stringify(request),
    );
    if (written.toArray().length > 0) this.#putAwaiting(request);
  }

  list(query: DirectoryQuery, now: number): AccessRequest[] {
    const conditions: string[] = [];
    const bindings: (string | number)[] = [];
    const add = (condition: string, ...values: (string | number)[]) => {
      conditions.push(condition);
      bindings.push(...values);
    };
    const addTimed = (condition: string) =>
      add(condition.replaceAll(":now", "?"), ...countNow(condition, now));
    if (query.cursor !== undefined) add("id < ?", query.cursor);
    if (query.requester !== undefined) add("requester = ?", query.requester);
    if (query.notRequester !== undefined) add("requester <> ?", query.notRequester);
    if (query.resource !== undefined) add("resource = ?", query.resource);
    // One JSON parameter, since SQLite limits how many there may be.
    if (query.awaiting) {
      const keys = "SELECT value FROM json_each(?)";
      const open = `SELECT id FROM awaiting WHERE key IN (${keys}) AND (until IS NULL OR until > ?)`;
      add(`id IN (${open})`, JSON.stringify(query.awaiting), now);
    }
    if (query.state) addTimed(REQUEST_STATES[query.state]);
    if (query.grant) addTimed(GRANT_STATES[query.grant]);
    const where = conditions.length ? `WHERE ${conditions.join(" AND ")}` : "";
    return this.#sql
      .exec<{ body: string }>(
        `SELECT body FROM access_requests ${where} ORDER BY id DESC LIMIT ?`,
        ...bindings,
        query.limit,
      )
      .toArray()
      .map((row) => JSON.parse(row.body));
  }

  /** Metrics of what is under way: what is over is not counted, and nothing is read for it. */
  gauges(now: number): Record<string, number> {
    const { pending } = this.#sql
      .exec<{ pending: number }>(
        `SELECT COUNT(*) AS pending FROM access_requests WHERE ${REQUEST_STATES.pending.replaceAll(":now", "?")}`,
        now,
      )
      .one();
    const grants = this.#sql
      .exec<Record<(typeof LIVE_GRANTS)[number], number>>(
        `SELECT ${LIVE_GRANTS.map((state) => `COUNT(*) FILTER (WHERE ${GRANT_STATES[state]}) AS ${state}`).join(", ")}
         FROM access_requests WHERE access_expiry > :now`.replaceAll(":now", String(now)),
      )
      .one();
    const states = LIVE_GRANTS.map(
      (state) => [`portcullis_grants{state="${state}"}`, grants[state]] as const,
    );
    return { portcullis_access_requests_pending: pending, ...Object.fromEntries(states) };
  }

  #putAwaiting(request: AccessRequest): void {
    const { keys, until } = awaiting(request);
    this.#sql.exec("DELETE FROM awaiting WHERE id = ?", request.id);
    this.#sql.exec(
      "INSERT OR IGNORE INTO awaiting SELECT value, ?, ? FROM json_each(?)",
      request.id,
      until ?? null,
      JSON.stringify(keys),
    );
  }

  /** Requests whose alarm should have changed them before this moment. */
  overdue(before: number, limit: number): string[] {
    return this.#sql
      .exec<{ id: string }>(
        "SELECT id FROM access_requests WHERE due_at < ? ORDER BY due_at LIMIT ?",
        before,
        limit,
      )
      .toArray()
      .map((row) => row.id);
  }

  reservation(key: string): { bodyHash: string; id: string } | undefined {
    const row = this.#sql
      .exec<{ body_hash: string; id: string }>("SELECT body_hash, id FROM reservations WHERE key = ?", key)
      .toArray()[0];
    return row && { bodyHash: row.body_hash, id: row.id };
  }

  reserve(key: string, bodyHash: string, id: string, now: number): void {
    this.#sql.exec("DELETE FROM reservations WHERE reserved_at < ?", now - RESERVED_SECONDS);
    this.#sql.exec("INSERT INTO reservations VALUES (?, ?, ?, ?)", key, bodyHash, id, now);
  }
}

function countNow(condition: string, now: number): number[] {
  return Array.from(condition.matchAll(/:now/g), () => now);
}

/** How a grant ended before its time. */
function endOf(grant: AccessRequest["grant"]): "revoked" | "used_up" | null {
  if (grant?.revoked) return "revoked";
  return grant?.used_up_at === undefined ? null : "used_up";
}
