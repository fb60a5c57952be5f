/**
 * Numbered, append-only migrations of one object's SQLite. Number n is the n-th statement list; it is never
 * edited once released. The only thing that a Durable Object's constructor does.
 */
export function migrate(storage: DurableObjectStorage, migrations: readonly string[]): void {
  storage.transactionSync(() => {
    storage.sql.exec("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)");
    const row = storage.sql.exec<{ version: number }>("SELECT version FROM schema_version").toArray()[0];
    const from = row?.version ?? 0;
    if (from > migrations.length) {
      throw new Error(
        `storage is at schema ${from}, this code knows ${migrations.length}: deploy the newer code`,
      );
    }
    for (const statements of migrations.slice(from)) storage.sql.exec(statements);
    if (row === undefined) storage.sql.exec("INSERT INTO schema_version VALUES (?)", migrations.length);
    else if (from < migrations.length)
      storage.sql.exec("UPDATE schema_version SET version = ?", migrations.length);
  });
}
