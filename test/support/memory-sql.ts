import { DatabaseSync, type SQLInputValue } from "node:sqlite";

/** SQL of a Durable Object in memory, in Node: what the stores use of it, and nothing else. */
export function memorySql(migrations: readonly string[]): SqlStorage {
  const db = new DatabaseSync(":memory:");
  for (const statements of migrations) db.exec(statements);
  const exec = (query: string, ...bindings: unknown[]) => {
    const rows = db
      .prepare(query)
      .all(
        ...bindings.map((value) =>
          value instanceof ArrayBuffer ? new Uint8Array(value) : (value as SQLInputValue),
        ),
      )
      .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, shown(value)])));
    return {
      toArray: () => rows,
      one: () => rows[0],
      raw: () => rows.map((row) => Object.values(row)).values(),
      [Symbol.iterator]: () => rows.values(),
    };
  };
  return { exec } as unknown as SqlStorage;
}

/** Bytes come as an ArrayBuffer there. */
function shown(value: unknown): unknown {
  return value instanceof Uint8Array ? value.slice().buffer : value;
}
