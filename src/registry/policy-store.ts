import type { PolicyDocument, StoredPolicy } from "../policy/document.ts";
import { SCHEMA_FINGERPRINT } from "../policy/schema-fingerprint.ts";
import { EMPTY_POLICY } from "../policy/stored-policy.ts";

export const POLICY_SCHEMA = `
  CREATE TABLE policy_versions (
    version INTEGER PRIMARY KEY,
    document TEXT NOT NULL,
    schema TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
  );
  CREATE TABLE policy_activations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    entry_id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL REFERENCES policy_versions (version),
    activated_at INTEGER NOT NULL,
    activated_by TEXT NOT NULL
  );
`;

/** A version as lists show it. Times are epoch seconds. */
type PolicyVersionInfo = { version: number; created_at: number; created_by: string; active: boolean };
export type PolicyVersionPage = { items: PolicyVersionInfo[]; next_cursor?: string };
export type PolicyVersionRecord = PolicyVersionInfo & { document: PolicyDocument };

/** That a version came into force; the newest activation is the one that counts. */
export type Activation = { entryId: string; version: number };

type VersionRow = { version: number; created_at: number; created_by: string };

/** All SQL of the policy: versions never change, activations are only added. */
export class PolicyStore {
  readonly #sql: SqlStorage;
  /** The one that was read last: versions never change, and the one in force is read with every grant. */
  #read: StoredPolicy | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Adds the next version; its number is one more than the highest, active or not. */
  insert(documentText: string, actor: string, nowSeconds: number): number {
    return this.#sql
      .exec<{ version: number }>(
        `INSERT INTO policy_versions (version, document, schema, created_at, created_by)
         VALUES ((SELECT COALESCE(MAX(version), 0) + 1 FROM policy_versions), ?, ?, ?, ?) RETURNING version`,
        documentText,
        SCHEMA_FINGERPRINT,
        nowSeconds,
        actor,
      )
      .one().version;
  }

  activate({ entryId, version }: Activation, actor: string, nowSeconds: number): void {
    this.#sql.exec(
      "INSERT INTO policy_activations (entry_id, version, activated_at, activated_by) VALUES (?, ?, ?, ?)",
      entryId,
      version,
      nowSeconds,
      actor,
    );
  }

  activation(entryId: string): Activation | undefined {
    return this.#activation("WHERE entry_id = ?", entryId);
  }

  current(): Activation | undefined {
    return this.#activation("ORDER BY seq DESC LIMIT 1");
  }

  active(): StoredPolicy {
    const version = this.current()?.version;
    return version === undefined ? EMPTY_POLICY : this.stored(version);
  }

  /** A version that exists, as it was put. */
  stored(version: number): StoredPolicy {
    if (this.#read?.version === version) return this.#read;
    const { document, schema } = this.#sql
      .exec<{ document: string; schema: string }>(
        "SELECT document, schema FROM policy_versions WHERE version = ?",
        version,
      )
      .one();
    const stored = { version, document: JSON.parse(document), schema };
    this.#read = stored;
    return stored;
  }

  find(version: number): PolicyVersionInfo | undefined {
    const row = this.#sql
      .exec<VersionRow>(
        "SELECT version, created_at, created_by FROM policy_versions WHERE version = ?",
        version,
      )
      .toArray()[0];
    return row && withState(row, this.current());
  }

  /** Newest first, below `before`. */
  list(limit: number, before = Number.MAX_SAFE_INTEGER): PolicyVersionPage {
    const rows = this.#sql
      .exec<VersionRow>(
        `SELECT version, created_at, created_by FROM policy_versions
         WHERE version < ? ORDER BY version DESC LIMIT ?`,
        before,
        limit + 1,
      )
      .toArray();
    const current = this.current();
    const items = rows.slice(0, limit).map((row) => withState(row, current));
    const last = items.at(-1);
    return rows.length > limit && last ? { items, next_cursor: String(last.version) } : { items };
  }

  #activation(clause: string, ...bindings: string[]): Activation | undefined {
    const row = this.#sql
      .exec<{ entry_id: string; version: number }>(
        `SELECT entry_id, version FROM policy_activations ${clause}`,
        ...bindings,
      )
      .toArray()[0];
    return row && { entryId: row.entry_id, version: row.version };
  }
}

function withState(row: VersionRow, current: Activation | undefined): PolicyVersionInfo {
  return { ...row, active: row.version === current?.version };
}
