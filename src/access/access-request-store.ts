import type { AccessRequest } from "./access-request.ts";

export const ACCESS_REQUEST_MIGRATIONS = [
  `CREATE TABLE access_request (
     id TEXT PRIMARY KEY,
     body TEXT NOT NULL,
     version INTEGER NOT NULL
   );
   CREATE TABLE events (
     id TEXT PRIMARY KEY,
     type TEXT NOT NULL,
     at INTEGER NOT NULL
   );
   CREATE TABLE access_tokens (
     jti TEXT PRIMARY KEY,
     issued_at INTEGER NOT NULL
   );`,
];

/** One transition: what it was, and when (epoch seconds). */
export type EventRow = { id: string; type: string; at: number };

/** All SQL of one access request. `version` counts its changes, so that a late copy of an old one is known. */
export class AccessRequestStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  read(): { request: AccessRequest; version: number } | undefined {
    const row = this.#sql
      .exec<{ body: string; version: number }>("SELECT body, version FROM access_request")
      .toArray()[0];
    return row && { request: JSON.parse(row.body), version: row.version };
  }

  /** Answers the new version. */
  write(request: AccessRequest): number {
    return this.#sql
      .exec<{ version: number }>(
        `INSERT INTO access_request VALUES (?, ?, 1)
         ON CONFLICT (id) DO UPDATE SET body = excluded.body, version = version + 1 RETURNING version`,
        request.id,
        JSON.stringify(request),
      )
      .one().version;
  }

  addEvent(id: string, type: string, at: number): void {
    this.#sql.exec("INSERT INTO events VALUES (?, ?, ?)", id, type, at);
  }

  /** The events after the one that is named, oldest first; all of them where it is not known. */
  eventsAfter(id: string | null): EventRow[] {
    return this.#sql
      .exec<EventRow>(
        `SELECT id, type, at FROM events
         WHERE rowid > COALESCE((SELECT rowid FROM events WHERE id = ?), 0) ORDER BY rowid`,
        id,
      )
      .toArray();
  }

  addToken(jti: string, issuedAt: number): void {
    this.#sql.exec("INSERT INTO access_tokens VALUES (?, ?)", jti, issuedAt);
  }
}
