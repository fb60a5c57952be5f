import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";

/** What is to be opened, and the limits of its rule. */
export type Admission = {
  id: string;
  requester: string;
  rule_id: string;
  resource: string;
  cool_down_seconds?: number;
  max_parallel?: number;
  /** Emergency access: one at a time, until it has been reviewed. */
  emergency: boolean;
};

/** What was taken in and is not in the index yet. */
export const ADMISSION_SCHEMA = `
  CREATE TABLE admissions (
    id TEXT PRIMARY KEY,
    requester TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    emergency INTEGER NOT NULL,
    admitted_at INTEGER NOT NULL
  );`;

/** A request that was admitted and is not in the index after this was never opened. */
const OPENING_SECONDS = 60;

/** Limits of access rules over many requests of one person: all SQL of them. The caller opens the transaction. */
export class AdmissionStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Idempotent by id. Counts what is in the index together with what is on its way there. */
  admit(admission: Admission, now: number): Result<null> {
    const { id, requester, rule_id: ruleId, emergency } = admission;
    this.#sql.exec("DELETE FROM admissions WHERE admitted_at < ?", now - OPENING_SECONDS);
    if (this.#isKnown(id)) return ok(null);
    const allowed = this.#check(admission, now);
    if (!allowed.ok) return allowed;
    const row = [id, requester, ruleId, emergency ? 1 : 0, now];
    this.#sql.exec("INSERT INTO admissions VALUES (?, ?, ?, ?, ?)", ...row);
    return ok(null);
  }

  #check(admission: Admission, now: number): Result<null> {
    const { requester, rule_id: ruleId, max_parallel: max, emergency } = admission;
    if (emergency) {
      const open = this.#openEmergency(requester);
      if (open === undefined) return ok(null);
      const detail =
        "Your last emergency access has not been reviewed yet: have that done, or ask the usual way.";
      return err(problem("conflict", detail, { access_request: open }));
    }
    const again = this.#coolDownEnd(admission);
    if (again !== undefined && now < again) {
      const detail = "This was denied a short while ago. Ask again later, or talk to who denied it.";
      return err(problem("conflict", detail, { retry_at: again }));
    }
    if (max !== undefined && this.#parallel(requester, ruleId, now) >= max) {
      const detail = `You may have ${max} open requests and live grants by this rule: cancel or return one.`;
      return err(problem("conflict", detail, { max_parallel: max }));
    }
    return ok(null);
  }

  #isKnown(id: string): boolean {
    return (
      this.#count(
        "SELECT id FROM admissions WHERE id = ? UNION SELECT id FROM access_requests WHERE id = ?",
        id,
        id,
      ) > 0
    );
  }

  #openEmergency(requester: string): string | undefined {
    return this.#sql
      .exec<{ id: string }>(
        `SELECT id FROM access_requests WHERE requester = ? AND unreviewed_emergency = 1
         UNION SELECT id FROM admissions WHERE requester = ? AND emergency = 1
           AND id NOT IN (SELECT id FROM access_requests) LIMIT 1`,
        requester,
        requester,
      )
      .toArray()[0]?.id;
  }

  #coolDownEnd({ requester, rule_id: ruleId, resource, cool_down_seconds: pause }: Admission) {
    if (pause === undefined) return undefined;
    const { at } = this.#sql
      .exec<{ at: number | null }>(
        `SELECT MAX(decided_at) AS at FROM access_requests
         WHERE requester = ? AND rule_id = ? AND resource = ? AND decided = 'denied'`,
        requester,
        ruleId,
        resource,
      )
      .one();
    return at === null ? undefined : at + pause;
  }

  #parallel(requester: string, ruleId: string, now: number): number {
    return this.#count(
      `SELECT id FROM access_requests WHERE requester = ? AND rule_id = ? AND (
         (decided = 'pending' AND review_deadline > ?)
         OR (decided = 'approved' AND ended IS NULL AND access_expiry > ?))
       UNION SELECT id FROM admissions WHERE requester = ? AND rule_id = ?
         AND id NOT IN (SELECT id FROM access_requests)`,
      requester,
      ruleId,
      now,
      now,
      requester,
      ruleId,
    );
  }

  #count(select: string, ...bindings: (string | number)[]): number {
    return this.#sql.exec<{ n: number }>(`SELECT COUNT(*) AS n FROM (${select})`, ...bindings).one().n;
  }
}
