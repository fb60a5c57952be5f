import type { Change, Detector, WatchedState } from "./detector.ts";

export const DETECTOR_MIGRATIONS = [
  `CREATE TABLE watched (
     name TEXT NOT NULL,
     key TEXT NOT NULL,
     weight INTEGER NOT NULL,
     touched_at INTEGER NOT NULL,
     state TEXT NOT NULL,
     PRIMARY KEY (name, key)
   ) WITHOUT ROWID;
   CREATE INDEX watched_touched ON watched (touched_at);
   CREATE TABLE reports (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
   CREATE INDEX reports_at ON reports (at_ms);`,
];

type Row = { name: string; key: string; weight: number; touched_at: number; state: string };

/** All SQL of a detector: what it has in memory, so that it is not lost with it. */
export class DetectorStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  load(detector: Detector): void {
    for (const { name, key, weight, touched_at, state } of this.#sql.exec<Row>("SELECT * FROM watched")) {
      detector.restore(name, key, { state: JSON.parse(state) as WatchedState, weight, touched_at });
    }
  }

  /** What is kept goes in one statement: each of its own costs several times what it writes. */
  save(changes: readonly Change[]): void {
    const kept: unknown[][] = [];
    for (const { table, key, entry } of changes) {
      if (!entry) this.#sql.exec("DELETE FROM watched WHERE name = ? AND key = ?", table, key);
      else kept.push([table, key, entry.weight, entry.touched_at, JSON.stringify(entry.state)]);
    }
    if (kept.length === 0) return;
    this.#sql.exec(
      `INSERT OR REPLACE INTO watched (name, key, weight, touched_at, state)
       SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?)`,
      JSON.stringify(kept),
    );
  }

  /** Whether the report is new: a repeat must not count twice. */
  insertReport(id: string, nowMs: number): boolean {
    const written = this.#sql.exec("INSERT OR IGNORE INTO reports (id, at_ms) VALUES (?, ?)", id, nowMs);
    return written.rowsWritten > 0;
  }

  pruneReports(beforeMs: number): void {
    this.#sql.exec("DELETE FROM reports WHERE at_ms < ?", beforeMs);
  }

  earliestReportMs(): number | undefined {
    return this.#earliest("SELECT MIN(at_ms) AS at FROM reports");
  }

  /** Epoch seconds. */
  earliestTouchedAt(): number | undefined {
    return this.#earliest("SELECT MIN(touched_at) AS at FROM watched");
  }

  #earliest(query: string): number | undefined {
    return this.#sql.exec<{ at: number | null }>(query).one().at ?? undefined;
  }
}
