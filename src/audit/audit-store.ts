import type { AuditLeaf, DisclosedMember, Disclosures } from "../protocol/audit-record.ts";
import type { TreeNode } from "../protocol/merkle.ts";

export const AUDIT_MIGRATIONS = [
  `CREATE TABLE records (
     seq INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     at INTEGER NOT NULL,
     type TEXT NOT NULL,
     source TEXT NOT NULL,
     request_id TEXT,
     leaf TEXT,
     disclosures TEXT
   );
   CREATE INDEX records_type ON records (type, seq);
   CREATE INDEX records_source ON records (source, seq);
   CREATE INDEX records_request ON records (request_id, seq) WHERE request_id IS NOT NULL;
   CREATE INDEX records_at ON records (at, seq);
   CREATE TABLE persons (
     subject TEXT NOT NULL,
     seq INTEGER NOT NULL,
     member TEXT NOT NULL,
     PRIMARY KEY (subject, seq, member)
   ) WITHOUT ROWID;
   CREATE INDEX persons_seq ON persons (seq);
   CREATE TABLE nodes (
     level INTEGER NOT NULL,
     idx INTEGER NOT NULL,
     hash BLOB NOT NULL,
     PRIMARY KEY (level, idx)
   ) WITHOUT ROWID;
   CREATE TABLE checkpoints (
     size INTEGER PRIMARY KEY,
     at INTEGER NOT NULL,
     note TEXT NOT NULL
   );
   CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL);`,
];

const SIZE = "(SELECT COALESCE(MAX(seq) + 1, 0) FROM records)";

/** Records may have come while the log was read: what was read later is taken back to where the records end. */
export const AUDIT_RESTORING = [
  `DELETE FROM persons WHERE seq >= ${SIZE}`,
  `DELETE FROM nodes WHERE ((idx + 1) << level) > ${SIZE}`,
  `DELETE FROM checkpoints WHERE size > ${SIZE}`,
];

/** A record as it is kept: the leaf's exact text; both null once retention has taken them. */
export type StoredRecord = { seq: number; leaf: string | null; disclosures: string | null };

export type NewRecord = {
  leaf: AuditLeaf;
  leafText: string;
  disclosures: Disclosures;
  persons: { subject: string; member: DisclosedMember }[];
  nodes: TreeNode[];
};

/** What a list filters by; newest first, below `before`. Times are epoch seconds. */
export type AuditQuery = {
  limit: number;
  before?: number;
  /** One type, or a family: `grant.*`. */
  type?: string;
  actor?: string;
  about?: string;
  source?: string;
  request_id?: string;
  since?: number;
  until?: number;
};

export type CheckpointRow = { size: number; at: number; note: string };

/** All SQL of the audit log. */
export class AuditStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  size(): number {
    const row = this.#sql.exec<{ size: number | null }>("SELECT MAX(seq) + 1 AS size FROM records").one();
    return row.size ?? 0;
  }

  has(id: string): boolean {
    return this.#sql.exec("SELECT 1 FROM records WHERE id = ?", id).toArray().length > 0;
  }

  insert({ leaf, leafText, disclosures, persons, nodes }: NewRecord): void {
    const { seq, id, at, type, source, request_id: requestId = null } = leaf;
    this.#sql.exec(
      "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      ...[seq, id, at, type, source, requestId, leafText, JSON.stringify(disclosures)],
    );
    for (const { subject, member } of persons) {
      this.#sql.exec("INSERT OR IGNORE INTO persons VALUES (?, ?, ?)", subject, seq, member);
    }
    for (const { level, index, hash } of nodes) {
      this.#sql.exec("INSERT INTO nodes VALUES (?, ?, ?)", level, index, hash);
    }
  }

  /** The hash of a complete node. */
  node(level: number, index: number): Uint8Array {
    const row = this.#sql
      .exec<{ hash: ArrayBuffer }>("SELECT hash FROM nodes WHERE level = ? AND idx = ?", level, index)
      .one();
    return new Uint8Array(row.hash);
  }

  /** Hashes of neighbours in one level, as many as there are. */
  nodes(level: number, from: number, count: number): Uint8Array[] {
    return this.#sql
      .exec<{ hash: ArrayBuffer }>(
        "SELECT hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx",
        ...[level, from, from + count],
      )
      .toArray()
      .map(({ hash }) => new Uint8Array(hash));
  }

  /** Oldest first. */
  range(from: number, limit: number): StoredRecord[] {
    return this.#sql
      .exec<StoredRecord>(
        "SELECT seq, leaf, disclosures FROM records WHERE seq >= ? ORDER BY seq LIMIT ?",
        from,
        limit,
      )
      .toArray();
  }

  /** Records whose text is there still, newest first. */
  list(query: AuditQuery): StoredRecord[] {
    const { clauses, bindings } = conditionsOf(query);
    return this.#sql
      .exec<StoredRecord>(
        `SELECT seq, leaf, disclosures FROM records WHERE ${clauses.join(" AND ")} ORDER BY seq DESC LIMIT ?`,
        ...bindings,
        query.limit,
      )
      .toArray();
  }

  addCheckpoint({ size, at, note }: CheckpointRow): void {
    this.#sql.exec("INSERT OR IGNORE INTO checkpoints VALUES (?, ?, ?)", size, at, note);
  }

  /** The newest at or below the size. */
  checkpoint(size = Number.MAX_SAFE_INTEGER): CheckpointRow | undefined {
    return this.#sql
      .exec<CheckpointRow>("SELECT * FROM checkpoints WHERE size <= ? ORDER BY size DESC LIMIT 1", size)
      .toArray()[0];
  }

  /** Those after `from` and that of `to`, oldest first. */
  checkpoints(from: number, to: number): CheckpointRow[] {
    return this.#sql
      .exec<CheckpointRow>(
        "SELECT * FROM checkpoints WHERE (size > ? AND size < ?) OR size = ? ORDER BY size",
        ...[from, to, to],
      )
      .toArray();
  }

  /** Of days that are over, only the last checkpoint of each is kept. */
  thinCheckpoints(before: number): void {
    this.#sql.exec(
      `DELETE FROM checkpoints WHERE at < ?
         AND size NOT IN (SELECT MAX(size) FROM checkpoints GROUP BY at / 86400)`,
      before,
    );
  }

  /** Takes the text of the records below the seq; their hashes stay. */
  prune(from: number, before: number): void {
    this.#sql.exec(
      "UPDATE records SET leaf = NULL, disclosures = NULL WHERE seq >= ? AND seq < ?",
      from,
      before,
    );
    this.#sql.exec("DELETE FROM persons WHERE seq >= ? AND seq < ?", from, before);
  }

  /** When the record was made; undefined where there is none. */
  atOf(seq: number): number | undefined {
    return this.#sql.exec<{ at: number }>("SELECT at FROM records WHERE seq = ?", seq).toArray()[0]?.at;
  }

  /** The first record at or above `from` that is not older than the moment, but at most `limit` further on. */
  firstSince(from: number, moment: number, limit: number): number {
    const end = Math.min(from + limit, this.size());
    const row = this.#sql
      .exec<{ seq: number | null }>(
        "SELECT MIN(seq) AS seq FROM records WHERE seq >= ? AND seq < ? AND at >= ?",
        ...[from, end, moment],
      )
      .one();
    return row.seq ?? end;
  }

  /** Where the subject is named. */
  naming(subject: string, limit: number): { seq: number; member: DisclosedMember }[] {
    return this.#sql
      .exec<{ seq: number; member: DisclosedMember }>(
        "SELECT seq, member FROM persons WHERE subject = ? ORDER BY seq LIMIT ?",
        subject,
        limit,
      )
      .toArray();
  }

  /** Which of the members say something. */
  disclosed(seq: number, members: readonly DisclosedMember[]): DisclosedMember[] {
    const disclosures = this.#disclosures(seq);
    return members.filter((member) => disclosures[member]);
  }

  /** Forgets what the record's members said. */
  erase(seq: number, members: readonly DisclosedMember[]): void {
    const disclosures = this.#disclosures(seq);
    for (const member of members) {
      delete disclosures[member];
      this.#sql.exec("DELETE FROM persons WHERE seq = ? AND member = ?", seq, member);
    }
    this.#sql.exec("UPDATE records SET disclosures = ? WHERE seq = ?", JSON.stringify(disclosures), seq);
  }

  #disclosures(seq: number): Disclosures {
    const row = this.#sql
      .exec<{ disclosures: string | null }>("SELECT disclosures FROM records WHERE seq = ?", seq)
      .one();
    return JSON.parse(row.disclosures ?? "{}");
  }

  state<T>(name: string): T | undefined {
    const row = this.#sql
      .exec<{ value: string }>("SELECT value FROM state WHERE name = ?", name)
      .toArray()[0];
    return row && JSON.parse(row.value);
  }

  setState(name: string, value: unknown): void {
    this.#sql.exec(
      "INSERT INTO state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      name,
      JSON.stringify(value),
    );
  }
}

function conditionsOf(query: AuditQuery): { clauses: string[]; bindings: (string | number)[] } {
  const clauses = ["leaf IS NOT NULL"];
  const bindings: (string | number)[] = [];
  const where = (clause: string, ...values: (string | number | undefined)[]) => {
    if (values.includes(undefined)) return;
    clauses.push(clause);
    bindings.push(...(values as (string | number)[]));
  };
  const { type, actor, about, source, request_id, since, until, before } = query;
  if (type?.endsWith(".*")) where("type >= ? AND type < ?", type.slice(0, -1), `${type.slice(0, -2)}/`);
  else where("type = ?", type);
  where("seq IN (SELECT seq FROM persons WHERE subject = ? AND member = 'actor')", actor);
  where("seq IN (SELECT seq FROM persons WHERE subject = ? AND member = 'about')", about);
  where("source = ?", source);
  where("request_id = ?", request_id);
  where("at >= ?", since);
  where("at < ?", until);
  where("seq < ?", before);
  return { clauses, bindings };
}
