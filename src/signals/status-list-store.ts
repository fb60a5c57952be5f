export const STATUS_LIST_MIGRATIONS = [
  `CREATE TABLE allotments (
     n INTEGER PRIMARY KEY AUTOINCREMENT,
     grant_id TEXT NOT NULL,
     sub TEXT NOT NULL,
     client_id TEXT NOT NULL,
     until INTEGER NOT NULL,
     current INTEGER NOT NULL DEFAULT 1
   );
   CREATE UNIQUE INDEX allotments_current ON allotments (grant_id) WHERE current = 1;
   CREATE INDEX allotments_grant ON allotments (grant_id);
   CREATE INDEX allotments_sub ON allotments (sub);
   CREATE INDEX allotments_client ON allotments (client_id);
   CREATE INDEX allotments_until ON allotments (until);
   CREATE TABLE hits (
     n INTEGER NOT NULL,
     rule_id TEXT NOT NULL,
     expires_at INTEGER,
     PRIMARY KEY (n, rule_id)
   ) WITHOUT ROWID;
   CREATE INDEX hits_rule ON hits (rule_id);`,
];

/** Whose tokens have an index, and until when one of them can be alive (epoch seconds). */
export type Allotment = { grant: string; sub: string; client_id: string; until: number };
/** Members that a rule names; each that is there must be the same. */
export type AllotmentMatch = { grant?: string; sub?: string; client_id?: string };

/** All SQL of the status lists: `n` counts indices over all lists. The caller opens the transaction. */
export class StatusListStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** The grant's index: the one that it has, or a new one. */
  allot({ grant, sub, client_id, until }: Allotment): number {
    return this.#sql
      .exec<{ n: number }>(
        `INSERT INTO allotments (grant_id, sub, client_id, until) VALUES (?, ?, ?, ?)
         ON CONFLICT (grant_id) WHERE current = 1 DO UPDATE SET until = MAX(until, excluded.until) RETURNING n`,
        grant,
        sub,
        client_id,
        until,
      )
      .one().n;
  }

  /** What the rule hits is invalid while it lasts. `spent`: those grants get another index with their next token. */
  hit(
    { grant, sub, client_id }: AllotmentMatch,
    rule: { id: string; expires_at?: number },
    spent: boolean,
  ): void {
    this.#sql.exec(
      `INSERT OR IGNORE INTO hits SELECT n, ?1, ?2 FROM allotments
       WHERE (?3 IS NULL OR grant_id = ?3) AND (?4 IS NULL OR sub = ?4) AND (?5 IS NULL OR client_id = ?5)`,
      ...[rule.id, rule.expires_at ?? null, grant ?? null, sub ?? null, client_id ?? null],
    );
    if (!spent) return;
    this.#sql.exec(
      "UPDATE allotments SET current = 0 WHERE n IN (SELECT n FROM hits WHERE rule_id = ?)",
      rule.id,
    );
  }

  lift(ruleId: string): void {
    this.#sql.exec("DELETE FROM hits WHERE rule_id = ?", ruleId);
  }

  /** The invalid ones from `first` on, before `end`. */
  invalid(first: number, end: number, now: number): number[] {
    return this.#sql
      .exec<{ n: number }>(
        "SELECT DISTINCT n FROM hits WHERE n >= ? AND n < ? AND (expires_at IS NULL OR expires_at > ?)",
        first,
        end,
        now,
      )
      .toArray()
      .map(({ n }) => n);
  }

  /** How many indices were ever given. */
  given(): number {
    const row = this.#sql
      .exec<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'allotments'")
      .toArray()[0];
    return row?.seq ?? 0;
  }

  earliestEnd(): number | undefined {
    return (
      this.#sql.exec<{ at: number | null }>("SELECT MIN(until) AS at FROM allotments").one().at ?? undefined
    );
  }

  /** Forgets what no living token has; an index never comes back. */
  deleteEndedBefore(moment: number): void {
    this.#sql.exec("DELETE FROM hits WHERE n IN (SELECT n FROM allotments WHERE until < ?)", moment);
    this.#sql.exec("DELETE FROM allotments WHERE until < ?", moment);
  }
}
