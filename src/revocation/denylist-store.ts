import type { Denial, DeniedToken } from "./denied-token.ts";
import { BUCKET_BITS, BUCKETS, bucketOf, hashToken, tokenHash } from "./token-hash.ts";

export const DENYLIST_MIGRATIONS = [
  `CREATE TABLE denied (
     hi INTEGER NOT NULL,
     lo INTEGER NOT NULL,
     jti TEXT NOT NULL,
     iss TEXT NOT NULL,
     rule TEXT NOT NULL,
     expires_at INTEGER NOT NULL,
     reason TEXT,
     change INTEGER NOT NULL,
     PRIMARY KEY (hi, lo, jti, iss, rule)
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

/** The filter is built anew from the tokens, in builds above all that anybody knows, and published. */
export const DENYLIST_RESTORING = [
  "DELETE FROM parts",
  "DELETE FROM state WHERE name IN ('published', 'handed_over', 'lost_build')",
  "INSERT OR REPLACE INTO state SELECT 'count', CAST(COUNT(*) AS TEXT) FROM denied",
  `INSERT OR REPLACE INTO state SELECT 'wanted',
     json_object('change', CAST(value AS INTEGER), 'since_ms', 1, 'due_ms', 1)
   FROM state WHERE name = 'changes' AND CAST(value AS INTEGER) > 0`,
];

const MAX_JSON_CHARS = 512 * 1024;

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
   * new. Rows go over as JSON texts, in the order in which they are stored: of many at once, several share a page.
   */
  add(
    denials: readonly Denial[],
    change: number,
    nowSeconds: number,
  ): { changed: number; added: number; buckets: Set<number> } {
    const outcome = { changed: 0, added: 0, buckets: new Set<number>() };
    for (const extend of [true, false]) {
      const rows = denials.filter((denial) => denial.extend === extend).map(toRow);
      for (const text of jsonTexts(rows.sort((a, b) => a[0] - b[0]))) {
        const replaceable = extend ? Number.MAX_SAFE_INTEGER : nowSeconds;
        for (const row of this.#write(text, change, replaceable)) {
          outcome.changed++;
          if (row.change === change) outcome.added++;
          outcome.buckets.add(bucketOf(row.hi));
        }
      }
    }
    return outcome;
  }

  /** @param replaceable an entry that ends later than this stays as it is */
  #write(rows: string, change: number, replaceable: number): Iterable<{ hi: number; change: number }> {
    return this.#sql.exec<{ hi: number; change: number }>(
      `INSERT INTO denied (hi, lo, jti, iss, rule, expires_at, reason, change)
       SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, ?2
       FROM json_each(?1) WHERE true
       ON CONFLICT (hi, lo, jti, iss, rule) DO UPDATE SET expires_at = excluded.expires_at
       WHERE excluded.expires_at > denied.expires_at AND denied.expires_at <= ?3
       RETURNING hi, change`,
      rows,
      change,
      replaceable,
    );
  }

  /** Takes tokens off the list; answers the buckets that held them, and how many there were. */
  remove(tokens: readonly Pick<DeniedToken, "iss" | "jti" | "rule">[]): {
    removed: number;
    buckets: Set<number>;
  } {
    const rows = tokens.map(({ iss = "", jti, rule = "" }) => {
      hashToken(jti);
      return [tokenHash.hi, tokenHash.lo, jti, iss, rule];
    });
    const outcome = { removed: 0, buckets: new Set<number>() };
    for (const text of jsonTexts(rows)) {
      const { removed, buckets } = this.#gone(
        `DELETE FROM denied WHERE (hi, lo, jti, iss, rule) IN (
           SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?)) RETURNING hi`,
        text,
      );
      outcome.removed += removed;
      for (const bucket of buckets) outcome.buckets.add(bucket);
    }
    return outcome;
  }

  removeExpired(range: HashRange, nowSeconds: number): { removed: number; buckets: Set<number> } {
    return this.#gone(
      "DELETE FROM denied WHERE hi >= ? AND hi < ? AND expires_at <= ? RETURNING hi",
      range.from,
      range.to,
      nowSeconds,
    );
  }

  /** Until when the token is denied, by its issuer and id or by its id alone (epoch seconds); 0: it is not. */
  deniedUntil(iss: string, jti: string): number {
    hashToken(jti);
    const { until } = this.#sql
      .exec<{ until: number | null }>(
        `SELECT MAX(expires_at) AS until FROM denied
         WHERE hi = ? AND lo = ? AND jti = ? AND iss IN (?, '')`,
        tokenHash.hi,
        tokenHash.lo,
        jti,
        iss,
      )
      .one();
    return until ?? 0;
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

  /** A page of entries that no rule stands for, in the order of their hashes, after the one that is named. */
  page(after: Cursor | undefined, limit: number): TokenPage {
    const { hi, lo, jti, iss } = after ?? { hi: -1, lo: 0, jti: "", iss: "" };
    const rows = this.#sql
      .exec<TokenRow & Cursor>(
        `SELECT hi, lo, jti, iss, expires_at, reason FROM denied
         WHERE (hi, lo, jti, iss) > (?, ?, ?, ?) AND rule = '' ORDER BY hi, lo, jti, iss LIMIT ?`,
        hi,
        lo,
        jti,
        iss,
        limit,
      )
      .toArray();
    const last = rows.length === limit ? rows.at(-1) : undefined;
    const next = last && { hi: last.hi, lo: last.lo, jti: last.jti, iss: last.iss };
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
export type Cursor = { hi: number; lo: number; jti: string; iss: string };
export type TokenPage = { tokens: DeniedToken[]; next?: Cursor };

/** The rows as JSON arrays, none of them near the 2 MB that one value of SQL may have. */
function* jsonTexts(rows: readonly (readonly unknown[])[]): Generator<string> {
  let texts: string[] = [];
  let chars = 0;
  for (const row of rows) {
    const text = JSON.stringify(row);
    if (chars + text.length > MAX_JSON_CHARS) {
      yield `[${texts.join(",")}]`;
      texts = [];
      chars = 0;
    }
    texts.push(text);
    chars += text.length;
  }
  if (texts.length > 0) yield `[${texts.join(",")}]`;
}

function toToken({ iss, jti, expires_at, reason }: TokenRow): DeniedToken {
  return { jti, ...(iss ? { iss } : {}), expires_at, ...(reason === null ? {} : { reason }) };
}

function toRow({ token: { iss = "", jti, rule = "", expires_at, reason } }: Denial) {
  hashToken(jti);
  return [tokenHash.hi, tokenHash.lo, jti, iss, rule, expires_at, reason ?? null] as const;
}
