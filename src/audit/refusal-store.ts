import type { AuditEntry } from "../protocol/audit-record.ts";

export const REFUSAL_SCHEMA = `
   CREATE TABLE refusals (
     key TEXT PRIMARY KEY,
     entry TEXT NOT NULL,
     repeats INTEGER NOT NULL,
     until INTEGER NOT NULL
   );`;

/** SQL of the refused calls of the last moment: who repeats one is counted, not recorded again each time. */
export class RefusalStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Counts the refusal where the same was recorded a moment ago; false where it was not. */
  repeat(key: string, nowSeconds: number): boolean {
    return (
      this.#sql
        .exec(
          "UPDATE refusals SET repeats = repeats + 1 WHERE key = ? AND until > ? RETURNING 1",
          key,
          nowSeconds,
        )
        .toArray().length > 0
    );
  }

  open(key: string, entry: AuditEntry, until: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO refusals VALUES (?, ?, 0, ?)", key, JSON.stringify(entry), until);
  }

  nextEnd(): number | undefined {
    return (
      this.#sql.exec<{ at: number | null }>("SELECT MIN(until) AS at FROM refusals").one().at ?? undefined
    );
  }

  ended(nowSeconds: number): { entry: AuditEntry; repeats: number }[] {
    return this.#sql
      .exec<{ entry: string; repeats: number }>(
        "SELECT entry, repeats FROM refusals WHERE until <= ?",
        nowSeconds,
      )
      .toArray()
      .map(({ entry, repeats }) => ({ entry: JSON.parse(entry), repeats }));
  }

  close(nowSeconds: number): void {
    this.#sql.exec("DELETE FROM refusals WHERE until <= ?", nowSeconds);
  }
}
