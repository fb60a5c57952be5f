import type { Receipt } from "../revocation/receipt.ts";

export const RECEIPT_SCHEMA = `
  CREATE TABLE log_receipts (
    entry_id TEXT PRIMARY KEY,
    receipt TEXT NOT NULL
  );
`;

/** All SQL of the log's receipts: an entry has one as soon as the log has taken it. */
export class ReceiptStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  find(entryId: string): Receipt | undefined {
    const row = this.#sql
      .exec<{ receipt: string }>("SELECT receipt FROM log_receipts WHERE entry_id = ?", entryId)
      .toArray()[0];
    return row && JSON.parse(row.receipt);
  }

  save(entryId: string, receipt: Receipt): void {
    this.#sql.exec(
      "INSERT OR IGNORE INTO log_receipts (entry_id, receipt) VALUES (?, ?)",
      entryId,
      JSON.stringify(receipt),
    );
  }
}
