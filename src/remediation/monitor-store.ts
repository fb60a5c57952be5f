import type { PropagationSample } from "./propagation.ts";

export const MONITOR_MIGRATIONS = [
  `CREATE TABLE samples (
     id TEXT PRIMARY KEY,
     tier TEXT NOT NULL,
     promise_ms INTEGER NOT NULL,
     latency_ms INTEGER NOT NULL,
     broken INTEGER NOT NULL,
     at_ms INTEGER NOT NULL
   );
   CREATE INDEX samples_at ON samples (at_ms);
   CREATE TABLE reports (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL);
   CREATE INDEX reports_at ON reports (at_ms);
   CREATE TABLE counters (name TEXT PRIMARY KEY, value REAL NOT NULL);
   CREATE TABLE gauges (name TEXT PRIMARY KEY, value REAL NOT NULL, at_ms INTEGER NOT NULL);`,
];

type SampleRow = Omit<PropagationSample, "broken"> & { broken: number };

/** All SQL of the monitor. */
export class MonitorStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Whether the sample is new. */
  insertSample({ id, tier, promise_ms, latency_ms, broken, at_ms }: PropagationSample): boolean {
    return (
      this.#sql.exec(
        "INSERT OR IGNORE INTO samples (id, tier, promise_ms, latency_ms, broken, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        id,
        tier,
        promise_ms,
        latency_ms,
        Number(broken),
        at_ms,
      ).rowsWritten > 0
    );
  }

  samplesSince(momentMs: number): PropagationSample[] {
    return this.#sql
      .exec<SampleRow>("SELECT * FROM samples WHERE at_ms >= ?", momentMs)
      .toArray()
      .map((row) => ({ ...row, broken: row.broken === 1 }));
  }

  /** Whether the report is new: a repeat must not count twice. */
  insertReport(id: string, nowMs: number): boolean {
    const written = this.#sql.exec("INSERT OR IGNORE INTO reports (id, at_ms) VALUES (?, ?)", id, nowMs);
    return written.rowsWritten > 0;
  }

  addToCounter(name: string, amount: number): void {
    this.#sql.exec(
      "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
      name,
      amount,
    );
  }

  setGauge(name: string, value: number, nowMs: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO gauges VALUES (?, ?, ?)", name, value, nowMs);
  }

  counters(): Record<string, number> {
    return this.#values("SELECT name, value FROM counters ORDER BY name");
  }

  gaugesSince(momentMs: number): Record<string, number> {
    return this.#values("SELECT name, value FROM gauges WHERE at_ms >= ? ORDER BY name", momentMs);
  }

  earliestSampleMs(): number | undefined {
    const row = this.#sql.exec<{ at: number | null }>("SELECT MIN(at_ms) AS at FROM samples").one();
    return row.at ?? undefined;
  }

  earliestReportMs(): number | undefined {
    const row = this.#sql.exec<{ at: number | null }>("SELECT MIN(at_ms) AS at FROM reports").one();
    return row.at ?? undefined;
  }

  /** Forgets samples and gauges from before one moment and ids of reports from before another. */
  prune(samplesBeforeMs: number, reportsBeforeMs: number): void {
    this.#sql.exec("DELETE FROM samples WHERE at_ms < ?", samplesBeforeMs);
    this.#sql.exec("DELETE FROM gauges WHERE at_ms < ?", samplesBeforeMs);
    this.#sql.exec("DELETE FROM reports WHERE at_ms < ?", reportsBeforeMs);
  }

  #values(query: string, ...bindings: number[]): Record<string, number> {
    const rows = this.#sql.exec<{ name: string; value: number }>(query, ...bindings).toArray();
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  }
}
