import type { Stream } from "./stream.ts";

export const STREAM_SCHEMA = `
  CREATE TABLE stream (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL
  );
  CREATE TABLE excluded_subjects (subject TEXT PRIMARY KEY) WITHOUT ROWID;
`;

/** How many subjects a receiver may take out of its stream. */
const MAX_EXCLUDED = 100_000;

/** All SQL of what one stream is; its deliveries are `DeliveryStore`'s. The caller opens the transaction. */
export class StreamStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  read(): Stream | undefined {
    const row = this.#sql.exec<{ body: string }>("SELECT body FROM stream").toArray()[0];
    return row && JSON.parse(row.body);
  }

  write(stream: Stream): void {
    this.#sql.exec("INSERT OR REPLACE INTO stream VALUES (1, ?)", JSON.stringify(stream));
  }

  clear(): void {
    this.#sql.exec("DELETE FROM stream");
    this.#sql.exec("DELETE FROM excluded_subjects");
  }

  /** False where there is no room. */
  exclude(subject: string): boolean {
    const { n } = this.#sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM excluded_subjects").one();
    if (n >= MAX_EXCLUDED) return false;
    this.#sql.exec("INSERT OR IGNORE INTO excluded_subjects VALUES (?)", subject);
    return true;
  }

  include(subject: string): void {
    this.#sql.exec("DELETE FROM excluded_subjects WHERE subject = ?", subject);
  }

  isExcluded(subject: string): boolean {
    return this.#sql.exec("SELECT 1 FROM excluded_subjects WHERE subject = ?", subject).toArray().length > 0;
  }
}
