import type { Polling } from "./polling.ts";

export const POLLING_SCHEMA = `
  CREATE TABLE polling (only INTEGER PRIMARY KEY CHECK (only = 1), body TEXT NOT NULL);
`;

/** All SQL of the polling of one access request; no row where nobody may poll. */
export class PollingStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  read(): Polling | undefined {
    const row = this.#sql.exec<{ body: string }>("SELECT body FROM polling").toArray()[0];
    return row && JSON.parse(row.body);
  }

  write(polling: Polling): void {
    this.#sql.exec("INSERT OR REPLACE INTO polling VALUES (1, ?)", JSON.stringify(polling));
  }
}
