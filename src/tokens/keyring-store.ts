import type { KeyPurpose, PublicJwk } from "../protocol/jwk.ts";

export const KEYRING_MIGRATIONS = [
  `CREATE TABLE signing_keys (
     kid TEXT PRIMARY KEY,
     purpose TEXT NOT NULL,
     public_jwk TEXT NOT NULL,
     private_sealed TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     published_at INTEGER
   );`,
];

/** `privateSealed` is the private JWK, wrapped; `publishedAt` is when the log took the public half. */
export type SigningKeyRow = {
  kid: string;
  purpose: KeyPurpose;
  publicJwk: PublicJwk;
  privateSealed: string;
  createdAt: number;
  publishedAt?: number;
};

type StoredKey = {
  kid: string;
  purpose: string;
  public_jwk: string;
  private_sealed: string;
  created_at: number;
  published_at: number | null;
};

/** All SQL of the key ring. */
export class KeyringStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  insert(key: SigningKeyRow): void {
    this.#sql.exec(
      "INSERT INTO signing_keys (kid, purpose, public_jwk, private_sealed, created_at) VALUES (?, ?, ?, ?, ?)",
      key.kid,
      key.purpose,
      JSON.stringify(key.publicJwk),
      key.privateSealed,
      key.createdAt,
    );
  }

  /** Oldest first. */
  all(): SigningKeyRow[] {
    return this.#sql
      .exec<StoredKey>("SELECT * FROM signing_keys ORDER BY created_at, kid")
      .toArray()
      .map(toKey);
  }

  current(purpose: KeyPurpose): SigningKeyRow | undefined {
    return this.all().findLast((key) => key.purpose === purpose);
  }

  markPublished(kids: readonly string[], nowSeconds: number): void {
    for (const kid of kids) {
      this.#sql.exec(
        "UPDATE signing_keys SET published_at = coalesce(published_at, ?) WHERE kid = ?",
        nowSeconds,
        kid,
      );
    }
  }
}

function toKey(row: StoredKey): SigningKeyRow {
  const key: SigningKeyRow = {
    kid: row.kid,
    purpose: row.purpose as KeyPurpose,
    publicJwk: JSON.parse(row.public_jwk),
    privateSealed: row.private_sealed,
    createdAt: row.created_at,
  };
  if (row.published_at !== null) key.publishedAt = row.published_at;
  return key;
}
