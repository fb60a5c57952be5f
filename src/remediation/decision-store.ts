import type { DecisionQuery, DecisionRecord } from "../protocol/decision-trace.ts";

export const DECISION_SCHEMA = `
  CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY,
    first_id TEXT NOT NULL,
    last_id TEXT NOT NULL,
    last_at_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    records INTEGER NOT NULL,
    body TEXT NOT NULL
  );
  CREATE INDEX decisions_first ON decisions (first_id);
  CREATE INDEX decisions_last ON decisions (last_id);
  CREATE INDEX decisions_until ON decisions (until_ms);`;

/** Records that one shard keeps; beyond that the oldest go before their time. */
export const MAX_RECORDS = 20_000;
/** Reports are of seconds: so many may hold an id between their first and their last. */
const MAX_OVERLAPPING = 1_000;
/** Above every id. */
const LAST_ID = "~";

type Row = { last_id: string; body: string };

/** Records of decisions, a row for each report: ids sort by time, so that a row holds one stretch of it. */
export class DecisionStore {
  readonly #sql: SqlStorage;
  #kept: number | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  add(records: readonly DecisionRecord[], nowMs: number, keptMs: number): void {
    if (records.length === 0) return;
    const sorted = records.toSorted(byId);
    this.#kept = this.#count() + records.length;
    this.#sql.exec(
      "INSERT INTO decisions (first_id, last_id, last_at_ms, until_ms, records, body) VALUES (?, ?, ?, ?, ?, ?)",
      sorted[0]!.decision_id,
      sorted.at(-1)!.decision_id,
      nowMs,
      nowMs + keptMs,
      records.length,
      JSON.stringify(sorted),
    );
    while (this.#kept > MAX_RECORDS) this.#kept -= this.#dropOldest();
  }

  /** The latest word on it, where there is more than one: an origin's fault comes after the acceptance. */
  find(id: string, nowMs: number): DecisionRecord | undefined {
    const rows = this.#sql.exec<Row & { until_ms: number }>(
      "SELECT last_id, body, until_ms FROM decisions WHERE first_id <= ? ORDER BY first_id DESC LIMIT ?",
      id,
      MAX_OVERLAPPING,
    );
    let latest: DecisionRecord | undefined;
    for (const { last_id, body, until_ms } of rows) {
      if (last_id < id || until_ms <= nowMs) continue;
      const found = recordsIn(body).findLast(({ decision_id }) => decision_id === id);
      if (found && (!latest || found.at > latest.at)) latest = found;
    }
    return latest;
  }

  /** Newest first, one more than the limit where there are more. */
  list(query: DecisionQuery, nowMs: number): DecisionRecord[] {
    const { limit, cursor = LAST_ID, since = 0 } = query;
    const found: DecisionRecord[] = [];
    const rows = this.#sql.exec<Row>(
      `SELECT last_id, body FROM decisions WHERE first_id < ? AND until_ms > ? AND last_at_ms >= ?
       ORDER BY last_id DESC`,
      cursor,
      nowMs,
      since * 1000,
    );
    for (const { last_id, body } of rows) {
      // Whatever comes now is older than all that is wanted.
      if (found.length > limit && last_id < found[limit]!.decision_id) break;
      const wanted = recordsIn(body).filter((record) => record.decision_id < cursor && fits(record, query));
      if (wanted.length === 0) continue;
      found.push(...wanted);
      found.sort((a, b) => byId(b, a));
      found.length = Math.min(found.length, limit + 1);
    }
    return found;
  }

  earliestEndMs(): number | undefined {
    const row = this.#sql.exec<{ at: number | null }>("SELECT MIN(until_ms) AS at FROM decisions").one();
    return row.at ?? undefined;
  }

  prune(nowMs: number): void {
    this.#sql.exec("DELETE FROM decisions WHERE until_ms <= ?", nowMs);
    this.#kept = undefined;
  }

  #count(): number {
    this.#kept ??=
      this.#sql.exec<{ n: number | null }>("SELECT SUM(records) AS n FROM decisions").one().n ?? 0;
    return this.#kept;
  }

  #dropOldest(): number {
    return this.#sql
      .exec<{ records: number }>(
        "DELETE FROM decisions WHERE seq = (SELECT MIN(seq) FROM decisions) RETURNING records",
      )
      .one().records;
  }
}

function recordsIn(body: string): DecisionRecord[] {
  return JSON.parse(body) as DecisionRecord[];
}

function byId(a: DecisionRecord, b: DecisionRecord): number {
  if (a.decision_id === b.decision_id) return a.at - b.at;
  return a.decision_id < b.decision_id ? -1 : 1;
}

function fits(record: DecisionRecord, { outcome, reason, route, sub, jti, since }: DecisionQuery): boolean {
  return (
    (outcome === undefined || record.outcome === outcome) &&
    (reason === undefined || record.reason === reason) &&
    (route === undefined || record.route === route) &&
    (sub === undefined || record.token?.sub === sub) &&
    (jti === undefined || record.token?.jti === jti) &&
    (since === undefined || record.at >= since)
  );
}
