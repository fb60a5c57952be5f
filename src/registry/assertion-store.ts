export const ASSERTION_SCHEMA = `
  CREATE TABLE used_assertions (
    client_id TEXT NOT NULL,
    jti_hash TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
  ) WITHOUT ROWID;
  CREATE INDEX used_assertions_end ON used_assertions (expires_at);
`;

/** All SQL of the client assertions that were used and are not over: the request rate bounds how many there are. */
export class AssertionStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** False where the client has used it before. */
  use(clientId: string, jtiHash: string, expiresAt: number): boolean {
    const inserted = this.#sql
      .exec(
        "INSERT OR IGNORE INTO used_assertions VALUES (?, ?, ?) RETURNING 1 AS used",
        clientId,
        jtiHash,
        expiresAt,
      )
      .toArray();
    return inserted.length === 1;
  }

  deleteEnded(nowSeconds: number): void {
    this.#sql.exec("DELETE FROM used_assertions WHERE expires_at <= ?", nowSeconds);
  }
}
