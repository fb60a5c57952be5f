import type { FilterPartRef } from "./filter.ts";
import { BUCKET_BITS } from "./token-hash.ts";

export const FILTER_MIGRATIONS = [
  `CREATE TABLE parts (
     build INTEGER PRIMARY KEY AUTOINCREMENT,
     bits INTEGER NOT NULL,
     partition INTEGER NOT NULL,
     built_change INTEGER NOT NULL,
     count INTEGER NOT NULL,
     removed INTEGER NOT NULL DEFAULT 0,
     next_expiry_at INTEGER,
     superseded_at_ms INTEGER,
     digest TEXT NOT NULL,
     body BLOB NOT NULL
   );`,
];

export type PartRow = FilterPartRef & {
  built_change: number;
  removed: number;
  next_expiry_at: number | null;
};

const COLUMNS = "build, partition, built_change, count, removed, next_expiry_at, digest";

/** All SQL of the filter's parts. */
export class FilterStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  insertPart(
    part: Omit<PartRow, "build" | "removed" | "digest"> & { bits: number },
    bodyOf: (build: number) => { body: Uint8Array; digest: string },
  ): number {
    const { build } = this.#sql
      .exec<{ build: number }>(
        `INSERT INTO parts (bits, partition, built_change, count, next_expiry_at, digest, body)
         VALUES (?, ?, ?, ?, ?, '', x'') RETURNING build`,
        part.bits,
        part.partition,
        part.built_change,
        part.count,
        part.next_expiry_at,
      )
      .one();
    const { body, digest } = bodyOf(build);
    this.#sql.exec("UPDATE parts SET digest = ?, body = ? WHERE build = ?", digest, body, build);
    return build;
  }

  /** The last number that was given to a part. */
  newestBuild(): number {
    const row = this.#sql
      .exec<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'parts'")
      .toArray()[0];
    return row?.seq ?? 0;
  }

  /** The newest part of each partition, in order. */
  parts(bits: number): PartRow[] {
    return this.#sql
      .exec<PartRow & { newest: number }>(
        `SELECT ${COLUMNS}, MAX(build) AS newest FROM parts WHERE bits = ? AND superseded_at_ms IS NULL
         GROUP BY partition ORDER BY partition`,
        bits,
      )
      .toArray();
  }

  partBody(build: number): Uint8Array | undefined {
    const row = this.#sql
      .exec<{ body: ArrayBuffer }>("SELECT body FROM parts WHERE build = ?", build)
      .toArray()[0];
    return row && new Uint8Array(row.body);
  }

  noteExpired(build: number, removed: number, nextExpiryAt: number | null): void {
    this.#sql.exec(
      "UPDATE parts SET removed = removed + ?, next_expiry_at = ? WHERE build = ?",
      removed,
      nextExpiryAt,
      build,
    );
  }

  /** Marks parts that no manifest can name any more. */
  supersede(published: readonly number[], nowMs: number): void {
    this.#sql.exec(
      `UPDATE parts SET superseded_at_ms = ? WHERE superseded_at_ms IS NULL AND build < ?
       AND build NOT IN (SELECT value FROM json_each(?))`,
      nowMs,
      Math.max(0, ...published),
      JSON.stringify(published),
    );
  }

  earliestSuperseded(): number | undefined {
    const { at } = this.#sql
      .exec<{ at: number | null }>("SELECT MIN(superseded_at_ms) AS at FROM parts")
      .one();
    return at ?? undefined;
  }

  deleteSupersededBefore(momentMs: number): number[] {
    return this.#sql
      .exec<{ build: number }>("DELETE FROM parts WHERE superseded_at_ms < ? RETURNING build", momentMs)
      .toArray()
      .map(({ build }) => build);
  }

  /** The build up to which everything in the bucket is in some part. */
  newestBuildOver(bucket: number): number {
    const { build } = this.#sql
      .exec<{ build: number | null }>(
        "SELECT MAX(build) AS build FROM parts WHERE partition = ? >> (? - bits)",
        bucket,
        BUCKET_BITS,
      )
      .one();
    return build ?? 0;
  }

  earliestExpiry(): number | undefined {
    const { at } = this.#sql
      .exec<{ at: number | null }>(
        "SELECT MIN(next_expiry_at) AS at FROM parts WHERE superseded_at_ms IS NULL",
      )
      .one();
    return at ?? undefined;
  }
}
