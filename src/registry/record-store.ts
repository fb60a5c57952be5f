type Table = "clients" | "webhook_endpoints" | "streams";

/** The last trace of a deleted record: who removed it, when (epoch seconds), and what ended its tokens. */
export type Deletion = { at: number; by?: string; revocation_id?: string };

export type RecordPage<T> = { items: T[]; next_cursor?: string };

/** `record` is JSON; `deletion`, JSON too, is null while the record stands. */
export const RECORD_SCHEMAS = (["clients", "webhook_endpoints"] satisfies Table[]).map(recordSchema);
export const STREAM_RECORD_SCHEMA = recordSchema("streams");

function recordSchema(table: Table): string {
  return `CREATE TABLE ${table} (id TEXT PRIMARY KEY, record TEXT NOT NULL, deletion TEXT);`;
}

type StoredRecord = { record: string; deletion: string | null };

/**
 * All SQL of the records that the registry keeps by id. A deleted one leaves its row, so that its id never
 * comes back.
 */
export class RecordStore<T extends { id: string }> {
  readonly #sql: SqlStorage;
  readonly #table: Table;

  constructor(sql: SqlStorage, table: Table) {
    this.#sql = sql;
    this.#table = table;
  }

  insert(record: T): void {
    this.#sql.exec(
      `INSERT INTO ${this.#table} (id, record) VALUES (?, ?)`,
      record.id,
      JSON.stringify(record),
    );
  }

  update(record: T): void {
    this.#sql.exec(`UPDATE ${this.#table} SET record = ? WHERE id = ?`, JSON.stringify(record), record.id);
  }

  /** `last` is what stays readable of the record, for those who look into the storage. */
  delete(last: T, deletion: Deletion): void {
    this.#sql.exec(
      `UPDATE ${this.#table} SET record = ?, deletion = ? WHERE id = ?`,
      JSON.stringify(last),
      JSON.stringify(deletion),
      last.id,
    );
  }

  find(id: string): T | undefined {
    const row = this.#row(id);
    return row && row.deletion === null ? JSON.parse(row.record) : undefined;
  }

  deletion(id: string): Deletion | undefined {
    const deletion = this.#row(id)?.deletion;
    return deletion ? JSON.parse(deletion) : undefined;
  }

  /** Newest first; `cursor` is the last id of the page before. */
  list(limit: number, cursor: string | undefined): RecordPage<T> {
    const rows = this.#sql
      .exec<StoredRecord>(
        `SELECT record, deletion FROM ${this.#table}
         WHERE deletion IS NULL AND (?1 IS NULL OR id < ?1) ORDER BY id DESC LIMIT ?2`,
        cursor ?? null,
        limit + 1,
      )
      .toArray();
    const items: T[] = rows.slice(0, limit).map((row) => JSON.parse(row.record));
    const last = items.at(-1);
    return rows.length > limit && last ? { items, next_cursor: last.id } : { items };
  }

  #row(id: string): StoredRecord | undefined {
    return this.#sql
      .exec<StoredRecord>(`SELECT record, deletion FROM ${this.#table} WHERE id = ?`, id)
      .toArray()[0];
  }
}
