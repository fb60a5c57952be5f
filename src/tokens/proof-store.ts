export const PROOF_MIGRATIONS = [
  `CREATE TABLE used_proofs (
    proof TEXT PRIMARY KEY,
    use_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX used_proofs_expiry ON used_proofs (expires_at);`,
];

/** All SQL of the proofs that were used. */
export class ProofStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Which call used the proof, if any did. */
  usedBy(proof: string): string | undefined {
    return this.#sql
      .exec<{ use_id: string }>("SELECT use_id FROM used_proofs WHERE proof = ?", proof)
      .toArray()[0]?.use_id;
  }

  add(proof: string, useId: string, expiresAt: number): void {
    this.#sql.exec("INSERT INTO used_proofs VALUES (?, ?, ?)", proof, useId, expiresAt);
  }

  /** When the first row may go, epoch seconds. */
  earliestEnd(): number | undefined {
    const { at } = this.#sql
      .exec<{ at: number | null }>("SELECT MIN(expires_at) AS at FROM used_proofs")
      .one();
    return at ?? undefined;
  }

  prune(nowSeconds: number): void {
    this.#sql.exec("DELETE FROM used_proofs WHERE expires_at <= ?", nowSeconds);
  }
}
