import { auditEntry } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import { objectPort } from "../platform/rpc.ts";
import { type AuditPolicy, auditPolicy, DEFAULT_AUDIT_POLICY } from "../policy/audit-policy.ts";
import type { PolicyVersion } from "../policy/document.ts";
import type { PrunedLine, RecordLine } from "../protocol/audit-export.ts";
import type { AuditEntry } from "../protocol/audit-record.ts";
import { base64, utf8 } from "../protocol/encoding.ts";
import { edgeNodes } from "../protocol/merkle.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import { publishEvent, publishPorts } from "../webhooks/publish.ts";
import { AuditLog } from "./audit-log.ts";
import { AUDIT_MIGRATIONS, AUDIT_RESTORING, type AuditQuery, AuditStore } from "./audit-store.ts";
import { AuditUpkeep } from "./audit-upkeep.ts";
import type { ExportPlan } from "./audit-view.ts";
import { type AuditRecord, exportLine, presentRecord } from "./audit-view.ts";
import { CheckpointKey } from "./checkpoint-key.ts";
import { REFUSAL_SCHEMA, RefusalStore } from "./refusal-store.ts";
import { entryBundle, joined, TILE_HEIGHT, TILE_WIDTH, type TileAddress } from "./tile.ts";

const NO_TILE = problem("not_found", "The log is not that long yet.");
const PRUNED = problem(
  "gone",
  "Retention has taken the text of these records; their hashes are in the tiles.",
);

type RegistryPort = { activePolicy(): Promise<Result<PolicyVersion>> };

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
  /** The log's name in its checkpoints: the URL that it is read under, without the scheme. */
  readonly #origin: string;
  readonly #store: AuditStore;
  readonly #durable: Durable;
  readonly #key: CheckpointKey;
  readonly #log: AuditLog;
  readonly #upkeep: AuditUpkeep;
  readonly #registry: RegistryPort;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env, AUDIT_RESTORING);
    this.#store = new AuditStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: [...AUDIT_MIGRATIONS, REFUSAL_SCHEMA],
      deliver: {
        "kv.put": (row) => putNote(env.KV, row.payload as { key: string; note: string }),
        "webhook.publish": (row) =>
          publishEvent(row.payload as WebhookEvent & { type: EventType }, publishPorts(env)),
      },
      nextDueMs: () => this.#upkeep.nextDueMs(),
      onDue: (nowMs) => this.#onDue(nowMs),
    });
    this.#registry = objectPort<RegistryPort>(env.REGISTRY, "main", { log: consoleLogger });
    this.#origin = `${env.ISSUER.replace(/^https?:\/\//, "")}/v1/audit`;
    this.#key = new CheckpointKey(this.#store, env, this.#origin);
    const store = this.#store;
    const commit = (change: () => void) => this.#durable.commit(() => change());
    this.#log = new AuditLog({ store, key: this.#key, origin: this.#origin, commit });
    this.#upkeep = new AuditUpkeep({
      ...{ store, log: this.#log, commit },
      refusals: new RefusalStore(ctx.storage.sql),
      policy: () => store.state<AuditPolicy>("policy") ?? DEFAULT_AUDIT_POLICY,
      entry: (note, nowMs) => auditEntry(note, "audit", newId("evt", nowMs), epochSeconds(nowMs)),
      put: (row) => this.#durable.outbox.put(row),
    });
  }

  /** Adds entries in their order, once for each id. */
  async append(entries: AuditEntry[]): Promise<Result<null>> {
    await this.#log.append(() => entries);
    // What the audit log is told of first, it need not wait for its next alarm to learn.
    if (entries.some(({ type }) => type === "policy.activated")) this.ctx.waitUntil(this.#adopt());
    return ok(null);
  }

  /** Records a refused call of the control plane; the same one again within a minute is counted. */
  async refused(entry: AuditEntry): Promise<Result<null>> {
    await this.#upkeep.refused(entry, this.#now());
    return ok(null);
  }

  /** Erases everything that records say of a subject; `not_found` where none names it. */
  erase(subject: string, reason: string): Promise<Result<{ records: number }>> {
    return this.#upkeep.erase(subject, reason, this.#clock());
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

  /** What an export from a record on begins with, and the checkpoints that stand between its records. */
  async exportFrom(from: number): Promise<Result<ExportPlan>> {
    const made = await this.#log.checkpoint(this.#now());
    if (!made.ok) return made;
    const { size } = made.value;
    if (from > size) return err(problem("not_found", `The log has ${size} records.`));
    const key = await this.#key.verifier();
    if (!key.ok) return key;
    const edge = edgeNodes(from).map(({ level, index }) => base64(this.#store.node(level, index)));
    const origin = this.#origin;
    const header = { audit_log: 1, origin, from, size, verifier_key: key.value } as const;
    const checkpoints = this.#store.checkpoints(from, size).map(({ size: at, note }) => ({ size: at, note }));
    return ok({ header: { ...header, checkpoints: checkpoints.length, edge }, checkpoints });
  }

  /** Records as an export has them, oldest first. */
  lines(from: number, limit: number): Result<(RecordLine | PrunedLine)[]> {
    return ok(this.#store.range(from, limit).map((row) => exportLine(row, this.#store.node(0, row.seq))));
  }

  /** The hashes of a tile: those of complete nodes at eight times the level. */
  tile(level: number, { index, width }: TileAddress): Result<Uint8Array> {
    const hashes = this.#store.nodes(level * TILE_HEIGHT, index * TILE_WIDTH, width);
    return hashes.length === width ? ok(joined(hashes)) : err(NO_TILE);
  }

  /** The leaves of a tile. */
  entries({ index, width }: TileAddress): Result<Uint8Array> {
    const rows = this.#store.range(index * TILE_WIDTH, width);
    if (rows.length < width) return err(NO_TILE);
    if (rows.some(({ leaf }) => leaf === null)) return err(PRUNED);
    return ok(entryBundle(rows.map(({ leaf }) => utf8(leaf!))));
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

  async #onDue(nowMs: number): Promise<void> {
    if ((this.#upkeep.nextDueMs() ?? Infinity) > nowMs) return;
    await this.#adopt();
    await this.#upkeep.onDue(nowMs);
  }

  /** Learns what the policy in force says; where the registry does not answer, what was known holds. */
  async #adopt(): Promise<void> {
    const policy = await this.#registry.activePolicy();
    if (!policy.ok) return;
    const wanted = auditPolicy(policy.value.document);
    this.#durable.commit(() => this.#store.setState("policy", wanted));
  }

  #now(): number {
    return epochSeconds(this.#clock());
  }
}

function putNote(kv: KVNamespace, { key, note }: { key: string; note: string }): Promise<void> {
  return kv.put(key, note);
}
