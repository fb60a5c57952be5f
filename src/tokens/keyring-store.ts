import type { KeyPurpose, PublicJwk } from "../protocol/jwk.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { RingKey } from "./key-ring.ts";

export const KEYRING_MIGRATIONS = [
  `CREATE TABLE signing_keys (
     kid TEXT PRIMARY KEY,
     purpose TEXT NOT NULL,
     public_jwk TEXT NOT NULL,
     private_sealed TEXT,
     created_at INTEGER NOT NULL,
     published_at INTEGER,
     signs_from INTEGER,
     signs_until INTEGER,
     last_token_ends_at INTEGER,
     retired_at INTEGER,
     compromised_at INTEGER,
     expedited INTEGER NOT NULL DEFAULT 0,
     revocation_id TEXT,
     receipt TEXT
   );
   CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);`,
];

/** `privateSealed` is the private JWK, wrapped: there until the key stops signing. */
export type SigningKeyRow = RingKey & {
  publicJwk: PublicJwk;
  privateSealed?: string;
  /** The revocation of what it signed, where it was compromised, and the log's receipt of that. */
  revocationId?: string;
  receipt?: Receipt;
};

type StoredKey = {
  kid: string;
  purpose: string;
  public_jwk: string;
  private_sealed: string | null;
  created_at: number;
  published_at: number | null;
  signs_from: number | null;
  signs_until: number | null;
  last_token_ends_at: number | null;
  retired_at: number | null;
  compromised_at: number | null;
  expedited: number;
  revocation_id: string | null;
  receipt: string | null;
};

type Setting = "policy" | "overdue_told" | "last_rotation";

/** All SQL of the key ring. */
export class KeyringStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Inserts a key, or replaces what is known of it. */
  save(key: SigningKeyRow): void {
    this.#sql.exec(
      `INSERT OR REPLACE INTO signing_keys (kid, purpose, public_jwk, private_sealed, created_at, published_at,
         signs_from, signs_until, last_token_ends_at, retired_at, compromised_at, expedited, revocation_id, receipt)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      key.kid,
      key.purpose,
      JSON.stringify(key.publicJwk),
      key.privateSealed ?? null,
      key.createdAt,
      key.publishedAt ?? null,
      key.signsFrom ?? null,
      key.signsUntil ?? null,
      key.lastTokenEndsAt ?? null,
      key.retiredAt ?? null,
      key.compromisedAt ?? null,
      key.expedited ? 1 : 0,
      key.revocationId ?? null,
      key.receipt ? JSON.stringify(key.receipt) : null,
    );
  }

  delete(kid: string): void {
    this.#sql.exec("DELETE FROM signing_keys WHERE kid = ?", kid);
  }

  /** All, also those that are over; oldest first. */
  all(): SigningKeyRow[] {
    return this.#read("");
  }

  /** Those that sign, will sign, or still verify; oldest first. */
  living(): SigningKeyRow[] {
    return this.#read("WHERE retired_at IS NULL AND compromised_at IS NULL");
  }

  find(kid: string): SigningKeyRow | undefined {
    const row = this.#sql.exec<StoredKey>("SELECT * FROM signing_keys WHERE kid = ?", kid).toArray()[0];
    return row && toKey(row);
  }

  markPublished(kids: readonly string[], nowSeconds: number): void {
    for (const kid of kids) {
      this.#sql.exec(
        "UPDATE signing_keys SET published_at = ? WHERE kid = ? AND published_at IS NULL",
        nowSeconds,
        kid,
      );
    }
  }

  /** Remembers that the key signed a token that ends then. */
  extendUse(kid: string, tokenEndsAt: number): void {
    this.#sql.exec(
      "UPDATE signing_keys SET last_token_ends_at = ? WHERE kid = ? AND coalesce(last_token_ends_at, 0) < ?",
      tokenEndsAt,
      kid,
      tokenEndsAt,
    );
  }

  saveReceipt(revocationId: string, receipt: Receipt): void {
    this.#sql.exec(
      "UPDATE signing_keys SET receipt = ? WHERE revocation_id = ?",
      JSON.stringify(receipt),
      revocationId,
    );
  }

  rewrap(kid: string, from: string, to: string): void {
    this.#sql.exec(
      "UPDATE signing_keys SET private_sealed = ? WHERE kid = ? AND private_sealed = ?",
      to,
      kid,
      from,
    );
  }

  /** Forgets keys that were retired or compromised up to that moment. */
  deleteEndedBefore(momentSeconds: number): void {
    this.#sql.exec(
      "DELETE FROM signing_keys WHERE max(coalesce(retired_at, 0), coalesce(compromised_at, 0)) BETWEEN 1 AND ?",
      momentSeconds,
    );
  }

  setting<T>(name: Setting): T | undefined {
    const row = this.#sql
      .exec<{ value: string }>("SELECT value FROM settings WHERE name = ?", name)
      .toArray()[0];
    return row && JSON.parse(row.value);
  }

  setSetting(name: Setting, value: unknown): void {
    this.#sql.exec("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, JSON.stringify(value));
  }

  #read(where: string): SigningKeyRow[] {
    return this.#sql
      .exec<StoredKey>(`SELECT * FROM signing_keys ${where} ORDER BY created_at, kid`)
      .toArray()
      .map(toKey);
  }
}

function toKey(row: StoredKey): SigningKeyRow {
  return {
    kid: row.kid,
    purpose: row.purpose as KeyPurpose,
    publicJwk: JSON.parse(row.public_jwk),
    createdAt: row.created_at,
    expedited: row.expedited === 1,
    ...(row.private_sealed === null ? {} : { privateSealed: row.private_sealed }),
    ...(row.published_at === null ? {} : { publishedAt: row.published_at }),
    ...(row.signs_from === null ? {} : { signsFrom: row.signs_from }),
    ...(row.signs_until === null ? {} : { signsUntil: row.signs_until }),
    ...(row.last_token_ends_at === null ? {} : { lastTokenEndsAt: row.last_token_ends_at }),
    ...(row.retired_at === null ? {} : { retiredAt: row.retired_at }),
    ...(row.compromised_at === null ? {} : { compromisedAt: row.compromised_at }),
    ...(row.revocation_id === null ? {} : { revocationId: row.revocation_id }),
    ...(row.receipt === null ? {} : { receipt: JSON.parse(row.receipt) }),
  };
}
