import type { Detection } from "../protocol/detection.ts";
import type { RuleHistory } from "./remediate.ts";
import type { Remediation } from "./remediation.ts";

export const REMEDIATION_MIGRATIONS = [
  `CREATE TABLE detections (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     kind TEXT NOT NULL,
     at INTEGER NOT NULL,
     received_at INTEGER NOT NULL,
     body TEXT NOT NULL,
     outcomes TEXT NOT NULL
   );
   CREATE INDEX detections_kind ON detections (kind, seq);
   CREATE INDEX detections_received_at ON detections (received_at);
   CREATE TABLE matches (
     rule_id TEXT NOT NULL,
     target TEXT NOT NULL,
     at INTEGER NOT NULL
   );
   CREATE INDEX matches_rule ON matches (rule_id, target, at);
   CREATE INDEX matches_at ON matches (at);
   CREATE TABLE remediations (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     rule_id TEXT NOT NULL,
     target TEXT NOT NULL,
     detection_id TEXT NOT NULL,
     at INTEGER NOT NULL,
     shadow INTEGER NOT NULL,
     state TEXT NOT NULL,
     body TEXT NOT NULL
   );
   CREATE INDEX remediations_rule ON remediations (rule_id, shadow, at);
   CREATE INDEX remediations_target ON remediations (rule_id, target, shadow, at);
   CREATE INDEX remediations_detection ON remediations (detection_id);
   CREATE INDEX remediations_at ON remediations (at);`,
];

/** What each rule that it is one of made of a detection. */
export type Outcome = { rule_id: string; outcome: string; remediation_id?: string };
export type StoredDetection = { detection: Detection; received_at: number; outcomes: Outcome[] };

export type DetectionQuery = {
  limit: number;
  cursor?: number;
  kind?: string;
  since?: number;
  /** Members of `about` that have to be so. */
  about: Record<string, string>;
};
export type RemediationQuery = { limit: number; cursor?: number; rule?: string; state?: string };
export type Page<T> = { items: T[]; next_cursor?: string };

type DetectionRow = { seq: number; body: string; received_at: number; outcomes: string };

/** About 50 MB each. Beyond it the oldest go. */
const MAX_ROWS = 50_000;
const ABOUT_PATH = /^[a-z_]{1,32}$/;

/** All SQL of detections and of what was done about them. */
export class RemediationStore implements RuleHistory {
  readonly #sql: SqlStorage;
  readonly #most: number;

  constructor(sql: SqlStorage, most = MAX_ROWS) {
    this.#sql = sql;
    this.#most = most;
  }

  insertDetection(detection: Detection, outcomes: Outcome[], now: number): void {
    this.#sql.exec(
      "INSERT INTO detections (id, kind, at, received_at, body, outcomes) VALUES (?, ?, ?, ?, ?, ?)",
      detection.id,
      detection.kind,
      detection.at,
      now,
      JSON.stringify(detection),
      JSON.stringify(outcomes),
    );
    this.#keepNewest("detections");
  }

  detection(id: string): StoredDetection | undefined {
    const row = this.#sql.exec<DetectionRow>("SELECT * FROM detections WHERE id = ?", id).toArray()[0];
    return row && toDetection(row);
  }

  /** Newest first. */
  detections({ limit, cursor, kind, since, about }: DetectionQuery): Page<StoredDetection> {
    const parts = ["seq < ?"];
    const bindings: (string | number)[] = [cursor ?? Number.MAX_SAFE_INTEGER];
    if (kind !== undefined) {
      parts.push("kind = ?");
      bindings.push(kind);
    }
    if (since !== undefined) {
      parts.push("at >= ?");
      bindings.push(since);
    }
    for (const [member, value] of Object.entries(about)) {
      if (!ABOUT_PATH.test(member)) continue;
      parts.push(`json_extract(body, '$.about.${member}') = ?`);
      bindings.push(value);
    }
    const rows = this.#sql
      .exec<DetectionRow>(
        `SELECT * FROM detections WHERE ${parts.join(" AND ")} ORDER BY seq DESC LIMIT ?`,
        ...bindings,
        limit + 1,
      )
      .toArray();
    return pageOf(rows, limit, toDetection);
  }

  /** The newest ones since a moment, oldest first. */
  recorded(since: number, limit: number): Detection[] {
    return this.#sql
      .exec<{ body: string }>(
        "SELECT body FROM (SELECT seq, body FROM detections WHERE at >= ? ORDER BY seq DESC LIMIT ?) ORDER BY seq",
        since,
        limit,
      )
      .toArray()
      .map(({ body }) => JSON.parse(body));
  }

  insertMatch(ruleId: string, group: string, at: number): void {
    this.#sql.exec("INSERT INTO matches VALUES (?, ?, ?)", ruleId, group, at);
  }

  matches(ruleId: string, group: string, since: number): number {
    return this.#sql
      .exec<{ n: number }>(
        "SELECT COUNT(*) AS n FROM matches WHERE rule_id = ? AND target = ? AND at > ?",
        ruleId,
        group,
        since,
      )
      .one().n;
  }

  lastFired(ruleId: string, group: string, shadow: boolean): number | undefined {
    const { at } = this.#sql
      .exec<{ at: number | null }>(
        "SELECT MAX(at) AS at FROM remediations WHERE rule_id = ? AND target = ? AND shadow = ?",
        ruleId,
        group,
        Number(shadow),
      )
      .one();
    return at ?? undefined;
  }

  firedSince(ruleId: string, since: number, shadow: boolean): number {
    return this.#sql
      .exec<{ n: number }>(
        "SELECT COUNT(*) AS n FROM remediations WHERE rule_id = ? AND shadow = ? AND at > ?",
        ruleId,
        Number(shadow),
        since,
      )
      .one().n;
  }

  putRemediation(remediation: Remediation): void {
    const { id, rule_id, group, detection_id, at, state } = remediation;
    this.#sql.exec(
      `INSERT INTO remediations (id, rule_id, target, detection_id, at, shadow, state, body)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body`,
      id,
      rule_id,
      group,
      detection_id,
      at,
      Number(state === "shadow"),
      state,
      JSON.stringify(remediation),
    );
    this.#keepNewest("remediations");
  }

  remediation(id: string): Remediation | undefined {
    const row = this.#sql
      .exec<{ body: string }>("SELECT body FROM remediations WHERE id = ?", id)
      .toArray()[0];
    return row && JSON.parse(row.body);
  }

  /** Newest first. */
  remediations({ limit, cursor, rule, state }: RemediationQuery): Page<Remediation> {
    const parts = ["seq < ?"];
    const bindings: (string | number)[] = [cursor ?? Number.MAX_SAFE_INTEGER];
    if (rule !== undefined) {
      parts.push("rule_id = ?");
      bindings.push(rule);
    }
    if (state !== undefined) {
      parts.push("state = ?");
      bindings.push(state);
    }
    const rows = this.#sql
      .exec<{ seq: number; body: string }>(
        `SELECT seq, body FROM remediations WHERE ${parts.join(" AND ")} ORDER BY seq DESC LIMIT ?`,
        ...bindings,
        limit + 1,
      )
      .toArray();
    return pageOf(rows, limit, ({ body }) => JSON.parse(body));
  }

  /** When the first detection was received, epoch seconds. */
  earliest(): number | undefined {
    const { at } = this.#sql
      .exec<{ at: number | null }>("SELECT MIN(received_at) AS at FROM detections")
      .one();
    return at ?? undefined;
  }

  /** Forgets what came before these moments. */
  prune(before: { detections: number; matches: number; remediations: number }): void {
    this.#sql.exec("DELETE FROM detections WHERE received_at < ?", before.detections);
    this.#sql.exec("DELETE FROM matches WHERE at < ?", before.matches);
    this.#sql.exec("DELETE FROM remediations WHERE at < ?", before.remediations);
  }

  #keepNewest(table: "detections" | "remediations"): void {
    this.#sql.exec(`DELETE FROM ${table} WHERE seq <= (SELECT MAX(seq) FROM ${table}) - ?`, this.#most);
  }
}

function toDetection({ body, received_at, outcomes }: DetectionRow): StoredDetection {
  return { detection: JSON.parse(body), received_at, outcomes: JSON.parse(outcomes) };
}

function pageOf<R extends { seq: number }, T>(rows: R[], limit: number, read: (row: R) => T): Page<T> {
  const shown = rows.slice(0, limit);
  const items = shown.map(read);
  const last = shown.at(-1);
  return rows.length > limit && last ? { items, next_cursor: String(last.seq) } : { items };
}
