import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import type { AuditEntry } from "../protocol/audit-record.ts";
import { base64 } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { AuditLog } from "./audit-log.ts";
import { AUDIT_MIGRATIONS, type AuditQuery, AuditStore, type StoredRecord } from "./audit-store.ts";
import { type AuditRecord, presentRecord } from "./audit-view.ts";
import { CheckpointKey } from "./checkpoint-key.ts";

export type AuditPage = { items: AuditRecord[]; next_cursor?: string };

/** Hashes are base64, the leaf's neighbour first (RFC 6962 §2.1.1). */
export type InclusionProof = {
  seq: number;
  leaf_hash: string;
  size: number;
  root_hash: string;
  hashes: string[];
  checkpoint: string;
};

export type ConsistencyProof = {
  from: number;
  to: number;
  from_root_hash: string;
  to_root_hash: string;
  hashes: string[];
  checkpoint: string;
};

/** The audit log of the deployment (`main`): records that are only added, in a Merkle tree (RFC 6962). */
export class AuditObject extends CausedObject {
  readonly #clock = systemClock;
  readonly #store: AuditStore;
  readonly #durable: Durable;
  readonly #key: CheckpointKey;
  readonly #log: AuditLog;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new AuditStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: AUDIT_MIGRATIONS,
      deliver: {},
    });
    const origin = `${env.ISSUER.replace(/^https?:\/\//, "")}/v1/audit`;
    this.#key = new CheckpointKey(this.#store, env, origin);
    this.#log = new AuditLog({
      store: this.#store,
      key: this.#key,
      origin,
      commit: (change) => this.#durable.commit(() => change()),
    });
  }

  /** Adds entries in their order, once for each id. */
  async append(entries: AuditEntry[]): Promise<Result<null>> {
    await this.#log.append(() => entries);
    return ok(null);
  }

  /** Newest first. */
  events(query: AuditQuery): Result<AuditPage> {
    const rows = this.#store.list({ ...query, limit: query.limit + 1 });
    const items = rows.slice(0, query.limit).map(presentRecord);
    const last = items.at(-1);
    return ok(rows.length > query.limit && last ? { items, next_cursor: String(last.seq) } : { items });
  }

  /** The signed checkpoint of the log as it is now. */
  async checkpoint(): Promise<Result<string>> {
    const made = await this.#log.checkpoint(this.#now());
    return made.ok ? ok(made.value.note) : made;
  }

  /** The key that verifies checkpoints, as C2SP signed-note writes it. */
  verifierKey(): Promise<Result<string>> {
    return this.#key.verifier();
  }

  /** Proves that a record is in the log as the checkpoint has it. */
  async inclusion(seq: number): Promise<Result<InclusionProof>> {
    const made = await this.#log.checkpoint(this.#now());
    if (!made.ok) return made;
    const { size, note } = made.value;
    if (seq >= size) return err(problem("not_found", `The log has ${size} records, numbered from 0.`));
    const { tree } = this.#log;
    return ok({
      seq,
      leaf_hash: base64(this.#store.node(0, seq)),
      size,
      root_hash: base64(await tree.root(size)),
      hashes: (await tree.inclusion(seq, size)).map(base64),
      checkpoint: note,
    });
  }

  /** Proves that the log as it is begins with the log as it was when it had `from` records. */
  async consistency(from: number): Promise<Result<ConsistencyProof>> {
    const made = await this.#log.checkpoint(this.#now());
    if (!made.ok) return made;
    const { size: to, note } = made.value;
    if (from > to) return err(problem("not_found", `The log has ${to} records.`));
    const { tree } = this.#log;
    return ok({
      from,
      to,
      from_root_hash: base64(await tree.root(from)),
      to_root_hash: base64(await tree.root(to)),
      hashes: (await tree.consistency(from, to)).map(base64),
      checkpoint: note,
    });
  }

  /** Records as they are kept, oldest first. */
  range(from: number, limit: number): Result<StoredRecord[]> {
    return ok(this.#store.range(from, limit));
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    const rewrapped = await this.#key.rewrap();
    const swept = await this.#durable.sweep();
    const gauges = {
      portcullis_audit_records: this.#store.size(),
      'portcullis_previous_secret_values{object="audit"}': rewrapped,
    };
    return ok({ ...swept, gauges });
  }

  #now(): number {
    return epochSeconds(this.#clock());
  }
}
