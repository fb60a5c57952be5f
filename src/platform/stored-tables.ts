import { base64url, canonicalBase64url, sha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";

/** A value as JSON holds it: bytes are base64url under `bytes`. */
export type StoredValue = string | number | null | { bytes: string };
/** A row: the table's name and its values, in the order of the table's columns. */
export type StoredRow = [table: string, values: StoredValue[]];

/** Where a page ended: the table, and the key of the last row that was read. */
export type TableCursor = { table: string; after: (string | number)[] };

/** A page of what an object stores. The first one comes with the shape, the last one with the sequences. */
export type TablePage = {
  rows: StoredRow[];
  /** SHA-256 of the statements that made the tables and indexes. */
  schema: string;
  columns: Record<string, string[]>;
  /** The last number that each AUTOINCREMENT has given. */
  sequences: Record<string, number>;
  next?: TableCursor;
};

/** A part of a page that is put back. `schema` comes with the first part of an object: it empties the object. */
export type LoadedPart = { schema?: string; rows: StoredRow[]; sequences?: Record<string, number> };

type Table = { name: string; columns: string[]; key: string[] };

/** What SQLite and the platform keep, the number of the schema, and the restoration that goes on itself. */
const NOT_CONTENT = /^(?:sqlite_|_cf_|schema_version$|restoration)/;

/** Reads the rows after a cursor, until they have this many characters; in one step, so that a page is of one moment. */
export async function readTables(
  sql: SqlStorage,
  cursor: TableCursor | undefined,
  maxChars: number,
): Promise<TablePage> {
  const tables = tablesOf(sql);
  const rows: StoredRow[] = [];
  let chars = 0;
  let next: TableCursor | undefined;
  const from = cursor ? tables.findIndex(({ name }) => name === cursor.table) : 0;
  for (const [i, table] of tables.slice(from).entries()) {
    for (const values of rowsAfter(sql, table, i === 0 ? cursor?.after : undefined)) {
      rows.push([table.name, values]);
      chars += JSON.stringify(values).length;
      if (chars < maxChars) continue;
      next = { table: table.name, after: keyOf(table, values) };
      break;
    }
    if (next) break;
  }
  const sequences = sequencesOf(sql);
  const columns = Object.fromEntries(tables.map(({ name, columns: names }) => [name, names]));
  return { rows, schema: await schemaOf(sql), columns, sequences, ...(next ? { next } : {}) };
}

/** Names the schema: what was read from another one does not fit. */
export function schemaOf(sql: SqlStorage): Promise<string> {
  const statements = sql
    .exec<{ name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name",
    )
    .toArray()
    .filter(({ name }) => !NOT_CONTENT.test(name));
  return sha256Hex(statements.map(({ sql: statement }) => statement.replaceAll(/\s+/g, " ")).join(";\n"));
}

/** Empties every table. */
export function clearTables(sql: SqlStorage): void {
  for (const { name } of tablesOf(sql)) sql.exec(`DELETE FROM "${name}"`);
  sql.exec("DELETE FROM sqlite_sequence");
}

/** Writes rows, each once: the same again changes nothing. */
export function writeRows(sql: SqlStorage, rows: readonly StoredRow[]): Result<null> {
  const tables = new Map(tablesOf(sql).map((table) => [table.name, table]));
  for (const [name, values] of rows) {
    const table = tables.get(name);
    if (table?.columns.length !== values.length) {
      return err(problem("unprocessable", `There is no table "${name}" with ${values.length} columns here.`));
    }
    const bound = values.map(boundOf);
    if (bound.includes(undefined)) return err(problem("unprocessable", `A row of "${name}" cannot be read.`));
    const columns = table.columns.map((column) => `"${column}"`).join();
    sql.exec(
      `INSERT OR REPLACE INTO "${name}" (${columns}) VALUES (${values.map(() => "?").join()})`,
      ...(bound as SqlStorageValue[]),
    );
  }
  return ok(null);
}

/** Goes on numbering where the object that was read has stopped. */
export function writeSequences(sql: SqlStorage, sequences: Record<string, number>): void {
  sql.exec("DELETE FROM sqlite_sequence");
  for (const [name, last] of Object.entries(sequences)) {
    sql.exec("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", name, last);
  }
}

/** In the order in which they were made. */
function tablesOf(sql: SqlStorage): Table[] {
  return sql
    .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    .toArray()
    .filter(({ name }) => !NOT_CONTENT.test(name))
    .map(({ name }) => tableOf(sql, name));
}

function tableOf(sql: SqlStorage, name: string): Table {
  const infos = sql
    .exec<{ name: string; type: string; pk: number }>("SELECT name, type, pk FROM pragma_table_info(?)", name)
    .toArray();
  const { wr } = sql.exec<{ wr: number }>("SELECT wr FROM pragma_table_list WHERE name = ?", name).one();
  const columns = infos.map((info) => info.name);
  const primary = infos.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  const key = primary.map((info) => info.name);
  if (wr === 1) return { name, columns, key };
  // Rows are read in the order of their row ids, and keep them: it is the order in which they were written.
  const isAlias = primary.length === 1 && primary[0]!.type.toUpperCase() === "INTEGER";
  return isAlias ? { name, columns, key } : { name, columns: ["rowid", ...columns], key: ["rowid"] };
}

/** One row at a time: some have a megabyte. */
function* rowsAfter(
  sql: SqlStorage,
  { name, columns, key }: Table,
  after?: (string | number)[],
): Generator<StoredValue[]> {
  const names = (list: readonly string[]) => list.map((each) => `"${each}"`).join();
  const where = after ? `WHERE (${names(key)}) > (${key.map(() => "?").join()})` : "";
  const query = `SELECT ${names(columns)} FROM "${name}" ${where} ORDER BY ${names(key)}`;
  for (const row of sql.exec(query, ...(after ?? [])).raw()) yield row.map(storedOf);
}

function keyOf({ columns, key }: Table, values: readonly StoredValue[]): (string | number)[] {
  return key.map((name) => values[columns.indexOf(name)] as string | number);
}

function sequencesOf(sql: SqlStorage): Record<string, number> {
  const rows = sql.exec<{ name: string; seq: number }>("SELECT name, seq FROM sqlite_sequence").toArray();
  return Object.fromEntries(
    rows.flatMap(({ name, seq }) => (NOT_CONTENT.test(name) ? [] : [[name, seq] as const])),
  );
}

function storedOf(value: SqlStorageValue): StoredValue {
  return value instanceof ArrayBuffer ? { bytes: base64url(new Uint8Array(value)) } : value;
}

/** Undefined where it is no value of a table. */
function boundOf(value: StoredValue): SqlStorageValue | undefined {
  if (value === null || typeof value === "string" || Number.isFinite(value)) return value as SqlStorageValue;
  if (typeof value !== "object" || typeof value.bytes !== "string") return undefined;
  return canonicalBase64url(value.bytes)?.buffer;
}
