import type { Denial, DeniedToken } from "./denied-token.ts";
import { BUCKET_BITS, BUCKETS, bucketOf, hashToken, tokenHash } from "./token-hash.ts";

export const DENYLIST_MIGRATIONS = [
  `CREATE TABLE denied (
     hi INTEGER NOT NULL,
     lo INTEGER NOT NULL,
     iss TEXT NOT NULL,
     jti TEXT NOT NULL,
     expires_at INTEGER NOT NULL,
     reason TEXT,
     change INTEGER NOT NULL,
     PRIMARY KEY (hi, lo, iss, jti)
   ) WITHOUT ROWID;
   CREATE TABLE changes (
     change INTEGER PRIMARY KEY,
     kind TEXT NOT NULL,
     tokens INTEGER NOT NULL,
     actor TEXT NOT NULL,
     at INTEGER NOT NULL
   );
   CREATE TABLE state (name TEXT PRIMARY KEY, value NOT NULL);`,
];

/** A half-open range of the first half of the hash. */
export type HashRange = { from: number; to: number };

type TokenRow = { iss: string; jti: string; expires_at: number; reason: string | null };

export function rangeOfPart(bits: number, partition: number): HashRange {
  const size = 2 ** (32 - bits);
  return { from: partition * size, to: (partition + 1) * size };
}

/** All SQL of the denied tokens. */
export class DenylistStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /**
   * Adds tokens, or makes them last longer. Answers, for what it changed, the buckets and how many tokens are
   * new. Rows go over in one JSON text, in the order in which they are stored.
   */
  add(
    denials: readonly Denial[],
    change: number,
    nowSeconds: number,
  ): { changed: number; added: number; buckets: Set<number> } {
    const outcome = { changed: 0, added: 0, buckets: new Set<number>() };
    for (const extend of [true, false]) {
      const rows = denials.filter((denial) => denial.extend === extend).map(toRow);
      if (rows.length === 0) continue;
      const written = this.#sql.exec<{ hi: number; change: number }>(
        `INSERT INTO denied (hi, lo, iss, jti, expires_at, reason, change)
         SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, ?2 FROM json_each(?1) WHERE true
         ON CONFLICT (hi, lo, iss, jti) DO UPDATE SET expires_at = excluded.expires_at
         WHERE excluded.expires_at > denied.expires_at AND denied.expires_at <= ?3
         RETURNING hi, change`,
        JSON.stringify(rows.sort((a, b) => a[0] - b[0])),
        change,
        extend ? Number.MAX_SAFE_INTEGER : nowSeconds,
      );
      for (const row of written) {
        outcome.changed++;
        if (row.change === change) outcome.added++;
        outcome.buckets.add(bucketOf(row.hi));
      }
    }
    return outcome;
  }

  /** Takes tokens off the list; answers the buckets that held them, and how many there were. */
  remove(tokens: readonly Pick<DeniedToken, "iss" | "jti">[]): { removed: number; buckets: Set<number> } {
    const rows = tokens.map(({ iss = "", jti }) => {
      hashToken(iss, jti);
      return [tokenHash.hi, tokenHash.lo, iss, jti];
    });
    return this.#gone(
      `DELETE FROM denied WHERE (hi, lo, iss, jti) IN (
         SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?)) RETURNING hi`,
      JSON.stringify(rows),
    );
  }

  removeExpired(range: HashRange, nowSeconds: number): { removed: number; buckets: Set<number> } {
    return this.#gone(
      "DELETE FROM denied WHERE hi >= ? AND hi < ? AND expires_at <= ? RETURNING hi",
      range.from,
      range.to,
      nowSeconds,
    );
  }

  /** Until when the entry denies, in epoch seconds; 0 where there is none. */
  deniedUntil(iss: string, jti: string): number {
    hashToken(iss, jti);
    const row = this.#sql
      .exec<{ expires_at: number }>(
        "SELECT expires_at FROM denied WHERE hi = ? AND lo = ? AND iss = ? AND jti = ?",
        tokenHash.hi,
        tokenHash.lo,
        iss,
        jti,
      )
      .toArray()[0];
    return row?.expires_at ?? 0;
  }

  tokensInBucket(bucket: number): DeniedToken[] {
    const { from, to } = rangeOfPart(BUCKET_BITS, bucket);
    return this.#sql
      .exec<TokenRow>("SELECT iss, jti, expires_at, reason FROM denied WHERE hi >= ? AND hi < ?", from, to)
      .toArray()
      .map(toToken);
  }

  /** Distinct hashes of a range in order, and the earliest end among their entries. */
  keys(range: HashRange): { hi: Uint32Array; lo: Uint32Array; nextExpiryAt: number | null } {
    const { n, next } = this.#sql
      .exec<{ n: number; next: number | null }>(
        "SELECT COUNT(*) AS n, MIN(expires_at) AS next FROM denied WHERE hi >= ? AND hi < ?",
        range.from,
        range.to,
      )
      .one();
    const hi = new Uint32Array(n);
    const lo = new Uint32Array(n);
    let count = 0;
    const rows = this.#sql
      .exec("SELECT hi, lo FROM denied WHERE hi >= ? AND hi < ? ORDER BY hi, lo", range.from, range.to)
      .raw<[number, number]>();
    for (const row of rows) {
      if (count > 0 && hi[count - 1] === row[0] && lo[count - 1] === row[1]) continue;
      hi[count] = row[0];
      lo[count++] = row[1];
    }
    return { hi: hi.subarray(0, count), lo: lo.subarray(0, count), nextExpiryAt: next };
  }

  nextExpiry(range: HashRange): number | null {
    return this.#sql
      .exec<{ next: number | null }>(
        "SELECT MIN(expires_at) AS next FROM denied WHERE hi >= ? AND hi < ?",
        range.from,
        range.to,
      )
      .one().next;
  }

  /** A page of entries in the order of their hashes, after the one that is named. */
  page(after: Cursor | undefined, limit: number): TokenPage {
    const { hi, lo, iss, jti } = after ?? { hi: -1, lo: 0, iss: "", jti: "" };
    const rows = this.#sql
      .exec<TokenRow & Cursor>(
        `SELECT hi, lo, iss, jti, expires_at, reason FROM denied
         WHERE (hi, lo, iss, jti) > (?, ?, ?, ?) ORDER BY hi, lo, iss, jti LIMIT ?`,
        hi,
        lo,
        iss,
        jti,
        limit,
      )
      .toArray();
    const last = rows.length === limit ? rows.at(-1) : undefined;
    const next = last && { hi: last.hi, lo: last.lo, iss: last.iss, jti: last.jti };
    return { tokens: rows.map(toToken), ...(next ? { next } : {}) };
  }

  recordChange(
    change: number,
    kind: "added" | "removed" | "expired",
    tokens: number,
    actor: string,
    at: number,
  ): void {
    this.#sql.exec("INSERT INTO changes VALUES (?, ?, ?, ?, ?)", change, kind, tokens, actor, at);
  }

  /** In which change each bucket changed last. */
  bucketChanges(): Uint32Array {
    const stored = this.state<ArrayBuffer>("bucket_changes");
    return stored ? new Uint32Array(stored) : new Uint32Array(BUCKETS);
  }

  setBucketChanges(changes: Uint32Array): void {
    this.setState("bucket_changes", changes.slice().buffer);
  }

  state<T>(name: string): T | undefined {
    const row = this.#sql
      .exec<{ value: SqlStorageValue }>("SELECT value FROM state WHERE name = ?", name)
      .toArray()[0];
    if (!row) return undefined;
    return (typeof row.value === "string" ? JSON.parse(row.value) : row.value) as T;
  }

  /** Bytes are kept as they are, everything else as JSON. */
  setState(name: string, value: unknown): void {
    const stored = value instanceof ArrayBuffer ? value : JSON.stringify(value);
    this.#sql.exec("INSERT OR REPLACE INTO state VALUES (?, ?)", name, stored);
  }

  #gone(query: string, ...bindings: SqlStorageValue[]): { removed: number; buckets: Set<number> } {
    const buckets = new Set<number>();
    let removed = 0;
    for (const row of this.#sql.exec<{ hi: number }>(query, ...bindings)) {
      removed++;
      buckets.add(bucketOf(row.hi));
    }
    return { removed, buckets };
  }
}

/** Where a page of entries ended. */
export type Cursor = { hi: number; lo: number; iss: string; jti: string };
export type TokenPage = { tokens: DeniedToken[]; next?: Cursor };

function toToken({ iss, jti, expires_at, reason }: TokenRow): DeniedToken {
  return { jti, ...(iss ? { iss } : {}), expires_at, ...(reason === null ? {} : { reason }) };
}

function toRow({ token: { iss = "", jti, expires_at, reason } }: Denial) {
  hashToken(iss, jti);
  return [tokenHash.hi, tokenHash.lo, iss, jti, expires_at, reason ?? null] as const;
}
