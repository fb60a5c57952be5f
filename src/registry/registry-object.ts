import { auditSink, type TakeNote } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { objectPort } from "../platform/rpc.ts";
import type { PolicyDocument, PolicyVersion } from "../policy/document.ts";
import { SCHEMA_FINGERPRINT } from "../policy/schema-fingerprint.ts";
import { currentDocument } from "../policy/stored-policy.ts";
import { sha256Hex, utf8 } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { EndpointPatch, EndpointRecord } from "../webhooks/endpoint.ts";
import { type EventType, matchesEvent } from "../webhooks/event.ts";
import { ASSERTION_SCHEMA } from "./assertion-store.ts";
import type { ClientRecord } from "./client.ts";
import {
  type AssertionUse,
  type Authentication,
  type ClientChange,
  type ClientDeletion,
  ClientRegister,
  type ClientUpdate,
  type SecretCheck,
  type SecretReplacement,
} from "./client-register.ts";
import { EndpointRegister } from "./endpoint-register.ts";
import type { LogPort, RegistryLogEntry } from "./log-port.ts";
import { MAX_DOCUMENT_BYTES, noVersion, otherVersion, tooLarge } from "./policy-fault.ts";
import {
  POLICY_SCHEMA,
  PolicyStore,
  type PolicyVersionPage,
  type PolicyVersionRecord,
} from "./policy-store.ts";
import { RECEIPT_SCHEMA, ReceiptStore } from "./receipt-store.ts";
import { RECORD_SCHEMAS, type RecordPage, STREAM_RECORD_SCHEMA } from "./record-store.ts";
import { type StreamEntry, StreamRegister } from "./stream-register.ts";

/** `id` is the log entry's, chosen by the caller: a repeated call answers what the first one did. */
export type PolicyChange = { id: string; document: PolicyDocument; if_match: number; actor: string };
export type PolicyActivation = { version: number; receipt: Receipt };
/** `id` is the log entry's. */
type Activating = { id: string; version: number; actor: string };
type PageQuery = { limit: number; cursor?: string };

/** What waits in the outbox. A document is read when its row is delivered: it may be large, and never changes. */
type PendingEntry =
  | { id: string; kind: "policy.activated"; version: number }
  | Exclude<RegistryLogEntry, { kind: "policy.activated" }>;

const LANE = "log";

/**
 * What operators have registered: policy versions, OAuth clients, webhook endpoints. One for a deployment
 * (`main`). What edges must know of a change leaves through the outbox, and is acknowledged with the log's receipt.
 */
export class RegistryObject extends CausedObject {
  readonly #clock = systemClock;
  readonly #policies: PolicyStore;
  readonly #clients: ClientRegister;
  readonly #endpoints: EndpointRegister;
  readonly #streams: StreamRegister;
  readonly #receipts: ReceiptStore;
  readonly #durable: Durable;
  readonly #log: LogPort;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { sql } = ctx.storage;
    this.#policies = new PolicyStore(sql);
    this.#receipts = new ReceiptStore(sql);
    this.#log = objectPort<LogPort>(env.LOG, "main", { log: consoleLogger });
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: [POLICY_SCHEMA, ...RECORD_SCHEMAS, RECEIPT_SCHEMA, ASSERTION_SCHEMA, STREAM_RECORD_SCHEMA],
      deliver: { "log.append": (row) => this.#append(row) },
      audit: auditSink(env, () => "registry"),
    });
    this.#endpoints = new EndpointRegister({ sql, durable: this.#durable, clock: this.#clock, secrets: env });
    this.#clients = new ClientRegister({
      sql,
      durable: this.#durable,
      clock: this.#clock,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      operatorSecret: env.PORTCULLIS_OPERATOR_SECRET,
      enqueue: (entry) => this.#enqueue(entry),
      receiptOf: (entryId, whatStands) => this.#receiptOf(entryId, whatStands),
    });
    this.#streams = new StreamRegister({
      sql,
      durable: this.#durable,
      isLive: (clientId) => {
        const client = this.#clients.find(clientId);
        return client.ok && !client.value.disabled;
      },
    });
  }

  /** The policy in force; version 0, which refuses everything, where none was ever put. */
  async activePolicy(): Promise<Result<PolicyVersion>> {
    const active = this.#policies.active();
    return ok({ version: active.version, document: await currentDocument(active) });
  }

  async policyVersion(version: number): Promise<Result<PolicyVersionRecord>> {
    const record = this.#policies.find(version);
    if (!record) return err(noVersion(version));
    return ok({ ...record, document: await currentDocument(this.#policies.stored(version)) });
  }

  /** Newest first; `before` is the last version of the page before. */
  policyVersions({ limit, before }: { limit: number; before?: number }): Result<PolicyVersionPage> {
    return ok(this.#policies.list(limit, before));
  }

  /** Stores a checked document as the next version and brings it into force, if `if_match` is in force now. */
  async putPolicy({ id, document, if_match, actor }: PolicyChange): Promise<Result<PolicyActivation>> {
    const text = JSON.stringify(document);
    const digest = await sha256Hex(text);
    if (!this.#policies.activation(id)) {
      const current = this.#policies.current()?.version ?? 0;
      if (current !== if_match) return err(otherVersion(current, if_match));
      const bytes = utf8(text).length;
      if (bytes > MAX_DOCUMENT_BYTES) return err(tooLarge(bytes));
      this.#durable.commit((note) => {
        const version = this.#policies.insert(text, actor, this.#now());
        note({ type: "policy.put", by: actor, data: { version, sha256: digest } });
        this.#activate({ id, version, actor }, note);
      });
    }
    return this.#activated(id);
  }

  /** Brings a stored version into force again; where it is in force, the receipt of that is answered again. */
  async activatePolicyVersion(change: Activating): Promise<Result<PolicyActivation>> {
    const { id, version } = change;
    if (!this.#policies.find(version)) return err(noVersion(version));
    const current = this.#policies.current();
    if (current?.version === version) return this.#activated(current.entryId);
    if (!this.#policies.activation(id)) this.#durable.commit((note) => this.#activate(change, note));
    return this.#activated(id);
  }

  createClient(client: ClientRecord): Result<ClientRecord> {
    return this.#clients.create(client);
  }

  client(id: string): Result<ClientRecord> {
    return this.#clients.find(id);
  }

  listClients({ limit, cursor }: PageQuery): Result<RecordPage<ClientRecord>> {
    return ok(this.#clients.list(limit, cursor));
  }

  rotateClientSecret({ id, secret_hash }: { id: string; secret_hash: string }): Result<ClientRecord> {
    return this.#clients.rotateSecret(id, secret_hash);
  }

  replaceClientSecret({ id, secret_hash, actor }: SecretReplacement): Promise<Result<ClientChange>> {
    return this.#clients.replaceSecret(id, secret_hash, actor);
  }

  updateClient(change: ClientUpdate): Promise<Result<ClientChange>> {
    return this.#clients.update(change);
  }

  deleteClient({ id, actor }: { id: string; actor: string }): Promise<Result<ClientDeletion>> {
    return this.#clients.delete(id, actor);
  }

  async authenticateSecret(check: SecretCheck): Promise<Result<Authentication>> {
    return ok(await this.#clients.authenticateSecret(check));
  }

  clientForAssertion(id: string, address: string): Result<Authentication> {
    return ok(this.#clients.clientForAssertion(id, address));
  }

  useAssertion(use: AssertionUse): Result<Authentication> {
    return ok(this.#clients.useAssertion(use));
  }

  authenticationFailed(id: string, address: string): Result<Authentication> {
    return ok(this.#clients.failed(id, address));
  }

  createEndpoint(endpoint: EndpointRecord): Result<EndpointRecord> {
    return this.#endpoints.create(endpoint);
  }

  endpoint(id: string): Result<EndpointRecord> {
    return this.#endpoints.find(id);
  }

  listEndpoints({ limit, cursor }: PageQuery): Result<RecordPage<EndpointRecord>> {
    return ok(this.#endpoints.list(limit, cursor));
  }

  updateEndpoint(id: string, patch: EndpointPatch, ifMatch?: number): Result<EndpointRecord> {
    return this.#endpoints.update(id, patch, ifMatch);
  }

  deleteEndpoint(id: string): Result<{ id: string }> {
    return this.#endpoints.delete(id);
  }

  rotateEndpointSecret(id: string, sealed: string): Result<EndpointRecord> {
    return this.#endpoints.rotateSecret(id, sealed);
  }

  /** The enabled endpoints that subscribe to the type. */
  endpointsFor(type: EventType): Result<EndpointRecord[]> {
    return ok(this.#endpoints.all().filter((each) => each.enabled && matchesEvent(each.events, type)));
  }

  /** The enabled endpoints whose signed decisions count. */
  decisionEndpoints(): Result<EndpointRecord[]> {
    return ok(this.#endpoints.all().filter((each) => each.enabled && each.reviews_as));
  }

  /** The client's stream: the one that it has, or this one. */
  openStream(entry: StreamEntry): Result<StreamEntry> {
    return this.#streams.open(entry);
  }

  closeStream(id: string): Result<null> {
    this.#streams.close(id, this.#now());
    return ok(null);
  }

  streamOf(clientId: string): Result<StreamEntry | null> {
    return ok(this.#streams.ofClient(clientId) ?? null);
  }

  /** Of clients that may act, or of all. */
  streamIds(ofAll = false): Result<string[]> {
    return ok((ofAll ? this.#streams.all() : this.#streams.live()).map(({ id }) => id));
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    const rewrapped = await this.#endpoints.rewrapSecrets();
    const swept = await this.#durable.sweep();
    return ok({ ...swept, gauges: { 'portcullis_previous_secret_values{object="registry"}': rewrapped } });
  }

  #now(): number {
    return epochSeconds(this.#clock());
  }

  #activate({ id: entryId, version, actor }: Activating, note: TakeNote): void {
    this.#policies.activate({ entryId, version }, actor, this.#now());
    note({ type: "policy.activated", by: actor, data: { version, log_entry: entryId } });
    this.#enqueue({ id: entryId, kind: "policy.activated", version });
  }

  #enqueue(entry: PendingEntry): void {
    this.#durable.outbox.put({ id: entry.id, lane: LANE, kind: "log.append", payload: entry });
  }

  async #append(row: OutboxRow): Promise<void> {
    const pending = row.payload as PendingEntry;
    const entry: RegistryLogEntry =
      pending.kind === "policy.activated"
        ? {
            ...pending,
            document: await currentDocument(this.#policies.stored(pending.version)),
            schema: SCHEMA_FINGERPRINT,
          }
        : pending;
    const receipt = await this.#log.append(entry);
    if (!receipt.ok) throw new Error(receipt.error.detail);
    this.#receipts.save(entry.id, receipt.value);
  }

  async #activated(entryId: string): Promise<Result<PolicyActivation>> {
    const version = this.#policies.activation(entryId)!.version;
    const receipt = await this.#receiptOf(entryId, `The policy is stored as version ${version}.`);
    return receipt.ok ? ok({ version, receipt: receipt.value }) : receipt;
  }

  /** The log's receipt, waited for once; without it the change stands, but no bound can be promised yet. */
  async #receiptOf(entryId: string, whatStands: string): Promise<Result<Receipt>> {
    if (!this.#receipts.find(entryId)) await this.#durable.flush(LANE);
    const receipt = this.#receipts.find(entryId);
    if (receipt) return ok(receipt);
    const detail = `${whatStands} The log does not answer, so the edges do not know yet: it takes effect when the log does, without another call.`;
    return err(problem("unavailable", detail));
  }
}
