import type { Revocation } from "../revocation/rule.ts";
import type { DeniedKey, Direction } from "./drift.ts";

const IN_FORCE = "lifted_at IS NULL AND (expires_at IS NULL OR expires_at > ?)";

/** The SQL of the drift check, on the tables of the log. */
export class DriftStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Keys with rules in force that sort after one, in order. */
  keysAfter(after: string, limit: number, nowSeconds: number): DeniedKey[] {
    return this.#sql
      .exec<{ file_key: string }>(
        `SELECT DISTINCT file_key FROM revocations WHERE file_key > ? AND ${IN_FORCE} ORDER BY file_key LIMIT ?`,
        after,
        nowSeconds,
        limit,
      )
      .toArray()
      .map(({ file_key }) => this.under(file_key, nowSeconds));
  }

  under(key: string, nowSeconds: number): DeniedKey {
    const rules = this.#sql
      .exec<{ rule: string }>(
        `SELECT rule FROM revocations WHERE file_key = ? AND ${IN_FORCE}`,
        key,
        nowSeconds,
      )
      .toArray()
      .map(({ rule }): Revocation => JSON.parse(rule));
    const { changed } = this.#sql
      .exec<{ changed: number | null }>(
        // An entry that is no longer kept was accepted long ago.
        `SELECT MAX(MAX(COALESCE(accepted_at_ms / 1000, 0), COALESCE(lifted_at, 0))) AS changed
         FROM revocations LEFT JOIN entries USING (seq) WHERE file_key = ?`,
        key,
      )
      .one();
    return { key, rules, changed_at: changed ?? 0 };
  }

  cursor(direction: Direction): string {
    const row = this.#sql
      .exec<{ value: string }>("SELECT value FROM state WHERE name = ?", `drift:${direction}`)
      .toArray()[0];
    return row?.value ?? "";
  }

  setCursor(direction: Direction, cursor: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO state VALUES (?, ?)", `drift:${direction}`, cursor);
  }
}
