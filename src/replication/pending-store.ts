import type { Proposal } from "../revocation/record.ts";

export const PENDING_SCHEMA = `
  CREATE TABLE proposals (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    position INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    closed INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX proposals_position ON proposals (position, id);
  CREATE INDEX proposals_open ON proposals (expires_at) WHERE closed = 0;
`;

/** Where a proposal stands in a list: after the log entry `seq`, among others by id. */
export type Position = { seq: number; id: string };

/** All SQL of revocations that a second person has not confirmed. */
export class PendingStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  insert(proposal: Proposal, position: number): void {
    this.#sql.exec(
      "INSERT INTO proposals (id, body, position, expires_at) VALUES (?, ?, ?, ?)",
      proposal.rule.id,
      JSON.stringify(proposal),
      position,
      proposal.expires_at,
    );
  }

  read(id: string): Proposal | undefined {
    const row = this.#sql.exec<{ body: string }>("SELECT body FROM proposals WHERE id = ?", id).toArray()[0];
    return row && JSON.parse(row.body);
  }

  cancel(id: string, cancelled: NonNullable<Proposal["cancelled"]>): void {
    const proposal = this.read(id);
    if (!proposal) return;
    this.#sql.exec(
      "UPDATE proposals SET body = ?, closed = 1 WHERE id = ?",
      JSON.stringify({ ...proposal, cancelled }),
      id,
    );
  }

  /** Once it is confirmed, the log has it. */
  remove(id: string): void {
    this.#sql.exec("DELETE FROM proposals WHERE id = ?", id);
  }

  countOpen(now: number): number {
    return this.#sql
      .exec<{ n: number }>("SELECT COUNT(*) AS n FROM proposals WHERE closed = 0 AND expires_at > ?", now)
      .one().n;
  }

  /** Newest first, those before the position. */
  list(limit: number, before: Position): { seq: number; proposal: Proposal }[] {
    return this.#sql
      .exec<{ body: string; position: number }>(
        "SELECT body, position FROM proposals WHERE (position, id) < (?, ?) ORDER BY position DESC, id DESC LIMIT ?",
        before.seq,
        before.id,
        limit,
      )
      .toArray()
      .map((row) => ({ seq: row.position, proposal: JSON.parse(row.body) }));
  }

  deleteExpiredBefore(moment: number): void {
    this.#sql.exec("DELETE FROM proposals WHERE expires_at < ?", moment);
  }
}
