import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import type { WrappingSecrets } from "../platform/secret-box.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { type EndpointPatch, type EndpointRecord, MAX_ENDPOINTS } from "../webhooks/endpoint.ts";
import { EndpointRewrapper } from "../webhooks/rewrap-endpoint.ts";
import { checkRoom, patched, withSealedSecret } from "./endpoint.ts";
import { type RecordPage, RecordStore } from "./record-store.ts";

export type EndpointRegisterOptions = {
  sql: SqlStorage;
  durable: Durable;
  clock: Clock;
  secrets: WrappingSecrets;
};

/** The webhook endpoints of a deployment. Every change is one commit. */
export class EndpointRegister {
  readonly #o: EndpointRegisterOptions;
  readonly #records: RecordStore<EndpointRecord>;
  readonly #rewrapper: EndpointRewrapper;

  constructor(options: EndpointRegisterOptions) {
    this.#o = options;
    this.#records = new RecordStore(options.sql, "webhook_endpoints");
    this.#rewrapper = new EndpointRewrapper(options.secrets);
  }

  all(): EndpointRecord[] {
    return this.#records.list(MAX_ENDPOINTS, undefined).items;
  }

  list(limit: number, cursor: string | undefined): RecordPage<EndpointRecord> {
    return this.#records.list(limit, cursor);
  }

  find(id: string): Result<EndpointRecord> {
    const endpoint = this.#records.find(id);
    return endpoint ? ok(endpoint) : err(problem("not_found", "There is no such webhook endpoint."));
  }

  create(endpoint: EndpointRecord): Result<EndpointRecord> {
    const known = this.#records.find(endpoint.id);
    if (known) return ok(known);
    if (this.#records.deletion(endpoint.id)) return err(problem("gone", "This endpoint was deleted."));
    const room = checkRoom(endpoint, this.all());
    if (!room.ok) return room;
    this.#o.durable.commit(() => this.#records.insert(endpoint));
    return ok(endpoint);
  }

  update(id: string, patch: EndpointPatch): Result<EndpointRecord> {
    const endpoint = this.find(id);
    if (!endpoint.ok) return endpoint;
    const updated = patched(endpoint.value, patch);
    const room = checkRoom(updated, this.all());
    if (!room.ok) return room;
    this.#o.durable.commit(() => this.#records.update(updated));
    return ok(updated);
  }

  rotateSecret(id: string, sealed: string): Result<EndpointRecord> {
    const endpoint = this.find(id);
    if (!endpoint.ok) return endpoint;
    const rotated = withSealedSecret(endpoint.value, sealed);
    this.#o.durable.commit(() => this.#records.update(rotated));
    return ok(rotated);
  }

  /** Repeated, it answers the same. */
  delete(id: string): Result<{ id: string }> {
    if (this.#records.deletion(id)) return ok({ id });
    const endpoint = this.find(id);
    if (!endpoint.ok) return endpoint;
    const last = { ...endpoint.value, secrets_sealed: [] };
    this.#o.durable.commit(() => this.#records.delete(last, { at: epochSeconds(this.#o.clock()) }));
    return ok({ id });
  }

  /** Seals anew the endpoints' secrets that the deployment's previous secret wraps; tells of how many endpoints. */
  async rewrapSecrets(): Promise<number> {
    let count = 0;
    for (const before of this.all()) {
      const anew = await this.#rewrapper.rewrap(before);
      const endpoint = anew && this.#records.find(before.id);
      // What was changed meanwhile is sealed with the secret in use, or waits for the next sweep.
      if (endpoint?.revision !== before.revision) continue;
      this.#o.durable.commit(() => this.#records.update({ ...endpoint, ...anew }));
      count++;
    }
    return count;
  }
}
