/**
 * `taken` counts what was ever handed out and not given back. A lease is `open` while its isolate may still give
 * back what it did not use.
 */
export const USE_SCHEMA = `
  CREATE TABLE use_leases (
    id TEXT PRIMARY KEY,
    uses INTEGER NOT NULL,
    taken_at INTEGER NOT NULL,
    open INTEGER NOT NULL
  );
  CREATE TABLE use_count (taken INTEGER NOT NULL);
  INSERT INTO use_count VALUES (0);
`;

/** Some uses of a grant that one isolate may spend. `uses`: none where it was given back before it was taken. */
export type UseLease = { uses: number; open: boolean };

/** All SQL of the counted uses of one grant. */
export class UseStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  taken(): number {
    return this.#sql.exec<{ taken: number }>("SELECT taken FROM use_count").one().taken;
  }

  lease(id: string): UseLease | undefined {
    const row = this.#sql
      .exec<{ uses: number; open: number }>("SELECT uses, open FROM use_leases WHERE id = ?", id)
      .toArray()[0];
    return row && { uses: row.uses, open: row.open === 1 };
  }

  take(id: string, uses: number, now: number): void {
    this.#sql.exec("INSERT INTO use_leases VALUES (?, ?, ?, 1)", id, uses, now);
    this.#sql.exec("UPDATE use_count SET taken = taken + ?", uses);
  }

  /** Closes the lease for good; what was not used can be taken again. */
  settle(id: string, unused: number, now: number): void {
    // One that is settled before it is known is never taken: its call is still under way, or was lost.
    this.#sql.exec(
      "INSERT INTO use_leases VALUES (?, 0, ?, 0) ON CONFLICT (id) DO UPDATE SET open = 0",
      id,
      now,
    );
    this.#sql.exec("UPDATE use_count SET taken = taken - ?", unused);
  }

  /** Closes leases from before this moment, as used: nobody can tell that they were not. */
  closeBefore(takenBefore: number): void {
    this.#sql.exec("UPDATE use_leases SET open = 0 WHERE open = 1 AND taken_at < ?", takenBefore);
  }

  forgetBefore(takenBefore: number): void {
    this.#sql.exec("DELETE FROM use_leases WHERE open = 0 AND taken_at < ?", takenBefore);
  }

  /** When the oldest open lease was taken, epoch seconds. */
  oldestOpen(): number | undefined {
    const row = this.#sql
      .exec<{ at: number | null }>("SELECT MIN(taken_at) AS at FROM use_leases WHERE open = 1")
      .one();
    return row.at ?? undefined;
  }
}
