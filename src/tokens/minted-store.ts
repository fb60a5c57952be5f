import type { LiveToken } from "../revocation/live-token.ts";

export const MINTED_SCHEMA = `
  CREATE TABLE minted (seq INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL);
`;

/** All SQL of the tokens that were minted and that the directory has not been told of yet. */
export class MintedStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  add(tokens: readonly LiveToken[]): void {
    this.#sql.exec("INSERT INTO minted (token) SELECT value FROM json_each(?)", JSON.stringify(tokens));
  }

  lastSeq(): number {
    return this.#sql.exec<{ seq: number | null }>("SELECT MAX(seq) AS seq FROM minted").one().seq ?? 0;
  }

  /** The oldest ones, up to and with `upToSeq`. */
  oldest(upToSeq: number, limit: number): { lastSeq: number; tokens: LiveToken[] } | undefined {
    const rows = this.#sql
      .exec<{ seq: number; token: string }>(
        "SELECT seq, token FROM minted WHERE seq <= ? ORDER BY seq LIMIT ?",
        upToSeq,
        limit,
      )
      .toArray();
    const last = rows.at(-1);
    return last && { lastSeq: last.seq, tokens: rows.map((row) => JSON.parse(row.token)) };
  }

  /** Nobody needs to be told of a token that is over. */
  deleteEnded(nowSeconds: number): void {
    this.#sql.exec("DELETE FROM minted WHERE token ->> 'exp' <= ?", nowSeconds);
  }

  deleteUpTo(seq: number): void {
    this.#sql.exec("DELETE FROM minted WHERE seq <= ?", seq);
  }
}
