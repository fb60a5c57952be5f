import { type FilterManifest, manifestBuild } from "../revocation/filter.ts";
import type { LogEntry } from "./entry.ts";

type Stored = { seq: number; id: string; manifest: FilterManifest };

/** SQL of the filter in force, of which the log keeps one: each manifest names all parts. */
export class ManifestStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  current(): FilterManifest | undefined {
    return this.#stored()?.manifest;
  }

  /** The newest build in force where it is a later one: a late repeat must not bring back what misses it. */
  laterThan(manifest: FilterManifest): number | undefined {
    const current = this.current();
    const build = current && manifestBuild(current);
    return build !== undefined && manifestBuild(manifest) < build ? build : undefined;
  }

  /** Puts the manifest in force; the entry of the one before shrinks to a mark, for it is of no use to anyone. */
  put(id: string, manifest: FilterManifest, seq: number): void {
    const before = this.#stored();
    if (before) {
      const mark: LogEntry = { id: before.id, kind: "filter.superseded" };
      this.#sql.exec("UPDATE entries SET body = ? WHERE seq = ?", JSON.stringify(mark), before.seq);
    }
    const stored: Stored = { seq, id, manifest };
    this.#sql.exec("INSERT OR REPLACE INTO state VALUES ('filter', ?)", JSON.stringify(stored));
  }

  #stored(): Stored | undefined {
    const row = this.#sql
      .exec<{ value: string }>("SELECT value FROM state WHERE name = 'filter'")
      .toArray()[0];
    return row && JSON.parse(row.value);
  }
}
