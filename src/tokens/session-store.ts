import type { Session } from "./session.ts";

export const SESSION_MIGRATIONS = [
  `CREATE TABLE session (
     id TEXT PRIMARY KEY,
     body TEXT NOT NULL,
     version INTEGER NOT NULL,
     indexed_at INTEGER NOT NULL DEFAULT 0
   );
   CREATE TABLE events (
     id TEXT PRIMARY KEY,
     type TEXT NOT NULL,
     at INTEGER NOT NULL
   );`,
];

/** All SQL of one session. `version` counts its changes, so that a late copy of an old one is known. */
export class SessionStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  read(): { session: Session; version: number; indexedAt: number } | undefined {
    const row = this.#sql
      .exec<{ body: string; version: number; indexed_at: number }>(
        "SELECT body, version, indexed_at FROM session",
      )
      .toArray()[0];
    return row && { session: JSON.parse(row.body), version: row.version, indexedAt: row.indexed_at };
  }

  write(session: Session): void {
    this.#sql.exec(
      `INSERT INTO session (id, body, version) VALUES (?, ?, 1)
       ON CONFLICT (id) DO UPDATE SET body = excluded.body, version = version + 1`,
      session.id,
      JSON.stringify(session),
    );
  }

  /** When the directory was last told, epoch seconds. */
  setIndexedAt(at: number): void {
    this.#sql.exec("UPDATE session SET indexed_at = ?", at);
  }

  addEvent(id: string, type: string, at: number): void {
    this.#sql.exec("INSERT INTO events VALUES (?, ?, ?)", id, type, at);
  }

  clear(): void {
    this.#sql.exec("DELETE FROM events");
    this.#sql.exec("DELETE FROM session");
  }
}
