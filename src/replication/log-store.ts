import type { StoredPolicy } from "../policy/document.ts";
import { EMPTY_POLICY } from "../policy/stored-policy.ts";
import type { PublicKeyRecord } from "../protocol/jwk.ts";
import { namesOneToken } from "../revocation/denied-token.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { LoggedRevocation } from "../revocation/record.ts";
import { fileKey, PROBE_ACTOR, type Revocation } from "../revocation/rule.ts";
import { type BoundsState, INITIAL_BOUNDS } from "./bounds.ts";
import { COMPACTION_SCHEMA } from "./compaction-store.ts";
import type { LogEntry, SequencedEntry, Snapshot } from "./entry.ts";
import { ManifestStore } from "./manifest-store.ts";
import { PENDING_SCHEMA, type Position } from "./pending-store.ts";
import { RESTORATION_SCHEMA } from "./restoration-store.ts";

export const LOG_MIGRATIONS = [
  `CREATE TABLE entries (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     body TEXT NOT NULL,
     accepted_at_ms INTEGER NOT NULL,
     receipt TEXT
   );
   CREATE TABLE revocations (
     id TEXT PRIMARY KEY,
     file_key TEXT NOT NULL,
     rule TEXT NOT NULL,
     seq INTEGER NOT NULL,
     expires_at INTEGER,
     lifted_at INTEGER,
     lifted_by TEXT
   );
   CREATE INDEX revocations_file_key ON revocations (file_key);
   CREATE INDEX revocations_expires_at ON revocations (expires_at);
   CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL);`,
  `ALTER TABLE revocations ADD COLUMN lift_reason TEXT;
   ALTER TABLE revocations ADD COLUMN receipt TEXT;
   CREATE INDEX revocations_seq ON revocations (seq);`,
  PENDING_SCHEMA,
  COMPACTION_SCHEMA,
  RESTORATION_SCHEMA,
];

/** Further than any log gets between a backup and its loss: at a thousand entries a second, 31 years. */
const EPOCH_STEP = 1_000_000_000_000;

/**
 * A log that was restored is behind whom it has told more, and beside who knows an empty one. It goes on above both,
 * without entries to catch up by, so that everybody takes its snapshot; and KV is told all of it anew.
 */
export const LOG_RESTORING = [
  `UPDATE sqlite_sequence SET seq = seq + ${EPOCH_STEP} WHERE name = 'entries'`,
  "DELETE FROM entries",
  "DELETE FROM state WHERE name LIKE 'drift:%'",
  `INSERT OR IGNORE INTO outbox (id, lane, kind, payload, next_at_ms)
   VALUES ('kv:snapshot', 'kv:snapshot', 'kv.snapshot', 'null', 1)`,
  `INSERT OR IGNORE INTO outbox (id, lane, kind, payload, next_at_ms)
   SELECT DISTINCT 'kv:deny:' || file_key, 'kv:deny:' || (unicode(substr(file_key, -1)) % 8), 'kv.deny',
     json_quote(file_key), 1 FROM revocations WHERE lifted_at IS NULL`,
];

/** Entries that stay readable as a delta; an edge that is further behind takes the snapshot. */
const KEPT_ENTRIES = 5_000;
const KEPT_MS = 10 * 60_000;

type RevocationRow = {
  rule: string;
  seq: number;
  lifted_at: number | null;
  lifted_by: string | null;
  lift_reason: string | null;
};

/** All SQL of the log. */
export class LogStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** The entry under an id. That of a revocation is known for as long as the revocation, others for a while. */
  entry(id: string): { body: string; receipt: Receipt } | undefined {
    const row = this.#sql
      .exec<{ body: string; receipt: string }>("SELECT body, receipt FROM entries WHERE id = ?", id)
      .toArray()[0];
    if (row) return { body: row.body, receipt: JSON.parse(row.receipt) };
    const receipt = this.revocationReceipt(id);
    const rule = receipt && this.revocation(id)?.rule;
    return rule && { body: JSON.stringify({ id, kind: "revocation.added", rule }), receipt };
  }

  insertEntry(entry: LogEntry, nowMs: number): number {
    const { seq } = this.#sql
      .exec<{ seq: number }>(
        "INSERT INTO entries (id, body, accepted_at_ms) VALUES (?, ?, ?) RETURNING seq",
        entry.id,
        JSON.stringify(entry),
        nowMs,
      )
      .one();
    this.#sql.exec(
      "DELETE FROM entries WHERE seq <= ? AND accepted_at_ms < ?",
      seq - KEPT_ENTRIES,
      nowMs - KEPT_MS,
    );
    return seq;
  }

  setReceipt(seq: number, receipt: Receipt): void {
    this.#sql.exec("UPDATE entries SET receipt = ? WHERE seq = ?", JSON.stringify(receipt), seq);
  }

  headSeq(): number {
    const row = this.#sql
      .exec<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'entries'")
      .toArray()[0];
    return row?.seq ?? 0;
  }

  /** Entries after `seq`, or undefined where some of them are no longer kept. */
  since(seq: number, limit: number): SequencedEntry[] | undefined {
    const head = this.headSeq();
    if (seq > head) return undefined;
    const rows = this.#sql
      .exec<{ seq: number; body: string }>(
        "SELECT seq, body FROM entries WHERE seq > ? ORDER BY seq LIMIT ?",
        seq,
        limit,
      )
      .toArray();
    if (seq < head && rows[0]?.seq !== seq + 1) return undefined;
    return rows.map((row) => ({ seq: row.seq, entry: JSON.parse(row.body) }));
  }

  /** True where the rule may leave the replicas for the list of denied tokens later. */
  insertRevocation(rule: Revocation, seq: number): boolean {
    if (rule.actor === PROBE_ACTOR) this.#forgetProbes(rule.created_at);
    const movable = rule.expires_at !== undefined && namesOneToken(rule);
    this.#sql.exec(
      "INSERT OR IGNORE INTO revocations (id, file_key, rule, seq, expires_at, place) VALUES (?, ?, ?, ?, ?, ?)",
      rule.id,
      fileKey(rule.match),
      JSON.stringify(rule),
      seq,
      rule.expires_at ?? null,
      movable ? "replicas" : null,
    );
    return movable;
  }

  /** False where there is none, or it was lifted before. */
  liftRevocation(id: string, by: string, reason: string | undefined, nowSeconds: number): boolean {
    const lifted = this.#sql.exec(
      `UPDATE revocations SET lifted_at = ?, lifted_by = ?, lift_reason = ?
       WHERE id = ? AND lifted_at IS NULL RETURNING id`,
      nowSeconds,
      by,
      reason ?? null,
      id,
    );
    return lifted.toArray().length > 0;
  }

  revocation(id: string): LoggedRevocation | undefined {
    const row = this.#sql.exec<RevocationRow>("SELECT * FROM revocations WHERE id = ?", id).toArray()[0];
    return row && toLogged(row);
  }

  /** What acknowledged the revocation; kept as long as it, while the log's entries go sooner. */
  revocationReceipt(id: string): Receipt | undefined {
    const row = this.#sql
      .exec<{ receipt: string | null }>("SELECT receipt FROM revocations WHERE id = ?", id)
      .toArray()[0];
    return row?.receipt ? JSON.parse(row.receipt) : undefined;
  }

  setRevocationReceipt(id: string, receipt: Receipt): void {
    this.#sql.exec("UPDATE revocations SET receipt = ? WHERE id = ?", JSON.stringify(receipt), id);
  }

  /** Newest first, those before the position. */
  listRevocations(limit: number, before: Position): LoggedRevocation[] {
    return this.#sql
      .exec<RevocationRow>(
        `SELECT * FROM revocations WHERE (seq, id) < (?, ?) AND json_extract(rule, '$.actor') <> ?
         ORDER BY seq DESC, id DESC LIMIT ?`,
        before.seq,
        before.id,
        PROBE_ACTOR,
        limit,
      )
      .toArray()
      .map(toLogged);
  }

  /** Rules in force that replicas hold themselves. */
  #rulesOfReplicas(nowSeconds: number): Revocation[] {
    return this.#rules(
      `SELECT rule FROM revocations WHERE lifted_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
       AND place IS NOT 'denylist'`,
      nowSeconds,
    );
  }

  rulesUnder(key: string, nowSeconds: number): Revocation[] {
    return this.#rules(
      "SELECT rule FROM revocations WHERE lifted_at IS NULL AND (expires_at IS NULL OR expires_at > ?) AND file_key = ?",
      nowSeconds,
      key,
    );
  }

  /** Those under the key that are in force, or were made since: what they hit may have grown into something longer. */
  rulesSince(key: string, since: number, nowSeconds: number): Revocation[] {
    return this.#rules(
      `SELECT rule FROM revocations WHERE lifted_at IS NULL AND file_key = ?
       AND (expires_at IS NULL OR expires_at > ? OR json_extract(rule, '$.created_at') >= ?)`,
      key,
      nowSeconds,
      since,
    );
  }

  deleteExpiredBefore(momentSeconds: number): void {
    this.#sql.exec("DELETE FROM revocations WHERE expires_at < ?", momentSeconds);
  }

  earliestExpiry(): number | undefined {
    return (
      this.#sql.exec<{ at: number | null }>("SELECT MIN(expires_at) AS at FROM revocations").one().at ??
      undefined
    );
  }

  policy(): StoredPolicy {
    return this.#state("policy") ?? EMPTY_POLICY;
  }

  keys(): PublicKeyRecord[] {
    return this.#state("keys") ?? [];
  }

  bounds(): BoundsState {
    return this.#state("bounds") ?? INITIAL_BOUNDS;
  }

  setState(name: "policy" | "keys" | "bounds", value: StoredPolicy | PublicKeyRecord[] | BoundsState): void {
    this.#sql.exec("INSERT OR REPLACE INTO state VALUES (?, ?)", name, JSON.stringify(value));
  }

  snapshot(nowMs: number): Snapshot {
    const filter = new ManifestStore(this.#sql).current();
    return {
      seq: this.headSeq(),
      at_ms: nowMs,
      policy: this.policy(),
      keys: this.keys(),
      rules: this.#rulesOfReplicas(Math.floor(nowMs / 1000)),
      ...(filter ? { filter } : {}),
    };
  }

  /** There is one a minute: those whose tokens are dead go with the next one. */
  #forgetProbes(nowSeconds: number): void {
    this.#sql.exec(
      "DELETE FROM revocations WHERE expires_at BETWEEN ? AND ? AND json_extract(rule, '$.actor') = ?",
      nowSeconds - 3_600,
      nowSeconds,
      PROBE_ACTOR,
    );
  }

  #state<T>(name: string): T | undefined {
    const row = this.#sql
      .exec<{ value: string }>("SELECT value FROM state WHERE name = ?", name)
      .toArray()[0];
    return row && JSON.parse(row.value);
  }

  #rules(query: string, ...bindings: (string | number)[]): Revocation[] {
    return this.#sql
      .exec<{ rule: string }>(query, ...bindings)
      .toArray()
      .map((row) => JSON.parse(row.rule));
  }
}

function toLogged(row: RevocationRow): LoggedRevocation {
  const logged: LoggedRevocation = { rule: JSON.parse(row.rule), seq: row.seq };
  if (row.lifted_at !== null) {
    logged.lifted = { at: row.lifted_at, by: row.lifted_by ?? "" };
    if (row.lift_reason !== null) logged.lifted.reason = row.lift_reason;
  }
  return logged;
}
