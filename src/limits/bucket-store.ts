import type { Bucket } from "./token-bucket.ts";

export const BUCKET_MIGRATIONS = [
  `CREATE TABLE buckets (
    bucket TEXT PRIMARY KEY,
    credit INTEGER NOT NULL,
    period_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    full_at_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX buckets_full ON buckets (full_at_ms);`,
];

/** All SQL of the exact limits: one row for each caller that is not at rest, by a hash of who it is. */
export class BucketStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  find(name: string): Bucket | undefined {
    const row = this.#sql
      .exec<{ credit: number; period_ms: number; at_ms: number }>(
        "SELECT credit, period_ms, at_ms FROM buckets WHERE bucket = ?",
        name,
      )
      .toArray()[0];
    return row && { credit: row.credit, periodMs: row.period_ms, atMs: row.at_ms };
  }

  put(name: string, { credit, periodMs, atMs }: Bucket, fullAtMs: number): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO buckets (bucket, credit, period_ms, at_ms, full_at_ms) VALUES (?, ?, ?, ?, ?)",
      name,
      credit,
      periodMs,
      atMs,
      fullAtMs,
    );
  }

  /** When the first bucket is full again, epoch milliseconds. */
  earliestFullMs(): number | undefined {
    const { at } = this.#sql.exec<{ at: number | null }>("SELECT MIN(full_at_ms) AS at FROM buckets").one();
    return at ?? undefined;
  }

  /** A bucket that is full is one that is not known. */
  prune(nowMs: number): void {
    this.#sql.exec("DELETE FROM buckets WHERE full_at_ms <= ?", nowMs);
  }
}
