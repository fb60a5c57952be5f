/** Names of objects that no other table has: without them nobody could tell which there are. */
export const ROSTER_SCHEMA = `
  CREATE TABLE roster (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (kind, name)
  ) WITHOUT ROWID;
`;

/** Objects that are told of as they begin to hold something; the others are in the index by themselves. */
const ENROLLED = ["passkeys", "signal_inboxes"] as const;
export type Enrolled = (typeof ENROLLED)[number];

/** Whose names the directory knows. */
export type NamedObjects = Enrolled | "access_requests" | "sessions";

/** A page of names in their order, after one and not above another; both may be empty. */
export type NamesQuery = { of: NamedObjects; after: string; until: string; limit: number };

/** All SQL of the names of objects. */
export class RosterStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  enrol(kind: Enrolled, name: string): void {
    this.#sql.exec("INSERT OR IGNORE INTO roster VALUES (?, ?)", kind, name);
  }

  strike(kind: Enrolled, name: string): void {
    this.#sql.exec("DELETE FROM roster WHERE kind = ? AND name = ?", kind, name);
  }

  names({ of, after, until, limit }: NamesQuery): string[] {
    const enrolled = ENROLLED.some((kind) => kind === of);
    const [column, from] = enrolled ? ["name", `roster WHERE kind = '${of}' AND`] : ["id", `${of} WHERE`];
    return this.#sql
      .exec<{ name: string }>(
        `SELECT ${column} AS name FROM ${from} ${column} > ?1 AND (?2 = '' OR ${column} <= ?2)
         ORDER BY ${column} LIMIT ?3`,
        ...[after, until, limit],
      )
      .toArray()
      .map(({ name }) => name);
  }
}
