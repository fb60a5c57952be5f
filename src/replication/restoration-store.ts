import type { RestorationState, ToWake } from "../protocol/backup.ts";

/** Tables of these names are in no backup, and survive the loading of one. */
export const RESTORATION_SCHEMA = `
  CREATE TABLE restoration (backup TEXT NOT NULL, state TEXT NOT NULL);
  CREATE TABLE restoration_wake (
    binding TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (binding, name)
  ) WITHOUT ROWID;
`;

/** All SQL of a restoration. */
export class RestorationStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  read(): RestorationState | undefined {
    const row = this.#sql.exec<{ state: string }>("SELECT state FROM restoration").toArray()[0];
    return row && JSON.parse(row.state);
  }

  write(state: RestorationState): void {
    this.#sql.exec("DELETE FROM restoration");
    this.#sql.exec("INSERT INTO restoration VALUES (?, ?)", state.backup, JSON.stringify(state));
  }

  addToWake(objects: readonly ToWake[]): void {
    for (const { binding, name } of objects) {
      this.#sql.exec("INSERT OR IGNORE INTO restoration_wake VALUES (?, ?)", binding, name);
    }
  }

  toWake(limit: number): ToWake[] {
    return this.#sql
      .exec<ToWake>("SELECT binding, name FROM restoration_wake ORDER BY binding, name LIMIT ?", limit)
      .toArray();
  }

  woken(objects: readonly ToWake[]): void {
    for (const { binding, name } of objects) {
      this.#sql.exec("DELETE FROM restoration_wake WHERE binding = ? AND name = ?", binding, name);
    }
  }
}
