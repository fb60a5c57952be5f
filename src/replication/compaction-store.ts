import type { Revocation } from "../revocation/rule.ts";

/**
 * Where a rule that names one token is held beside the log: `replicas`, by each of them; `moving`, by them and perhaps
 * by the list of denied tokens; `denylist`, by that list alone. Null for every other rule.
 */
export const COMPACTION_SCHEMA = `
  ALTER TABLE revocations ADD COLUMN place TEXT;
  CREATE INDEX revocations_place ON revocations (place, seq) WHERE place IS NOT NULL;
`;

/** All SQL of the rules that leave the replicas. */
export class CompactionStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Rules in force that may leave the replicas. */
  countInReplicas(nowSeconds: number): number {
    return this.#sql
      .exec<{ n: number }>(
        "SELECT COUNT(*) AS n FROM revocations WHERE place = 'replicas' AND lifted_at IS NULL AND expires_at > ?",
        nowSeconds,
      )
      .one().n;
  }

  isMoving(): boolean {
    return this.#sql.exec("SELECT 1 FROM revocations WHERE place = 'moving' LIMIT 1").toArray().length > 0;
  }

  /** Begins to move the oldest ones; answers where each stands in the log, in order. */
  beginToMove(count: number, nowSeconds: number): number[] {
    return this.#sql
      .exec<{ seq: number }>(
        `UPDATE revocations SET place = 'moving' WHERE id IN (
           SELECT id FROM revocations WHERE place = 'replicas' AND lifted_at IS NULL AND expires_at > ?
           ORDER BY seq LIMIT ?) RETURNING seq`,
        nowSeconds,
        count,
      )
      .toArray()
      .map(({ seq }) => seq)
      .sort((a, b) => a - b);
  }

  /** Those that are moving, of a range of the log. */
  moving(fromSeq = 0, toSeq = Number.MAX_SAFE_INTEGER): Revocation[] {
    return this.#sql
      .exec<{ rule: string }>(
        "SELECT rule FROM revocations WHERE place = 'moving' AND seq BETWEEN ? AND ? ORDER BY seq",
        fromSeq,
        toSeq,
      )
      .toArray()
      .map(({ rule }) => JSON.parse(rule));
  }

  /** The move is done. */
  endMove(): void {
    this.#sql.exec("UPDATE revocations SET place = 'denylist' WHERE place = 'moving'");
  }

  /** Whether the list of denied tokens holds the rule, or is about to. */
  hasLeft(id: string): boolean {
    const found = this.#sql.exec(
      "SELECT 1 FROM revocations WHERE id = ? AND place IN ('moving', 'denylist')",
      id,
    );
    return found.toArray().length > 0;
  }
}
