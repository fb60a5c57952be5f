import type { AuditNote } from "../platform/audit-outbox.ts";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import type { WrappingSecrets } from "../platform/secret-box.ts";
import { type AuditType, PORTCULLIS } from "../protocol/audit-record.ts";
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
    this.#o.durable.commit((note) => {
      this.#records.insert(endpoint);
      note(endpointNote("webhook_endpoint.created", endpoint));
    });
    return ok(endpoint);
  }

  update(id: string, patch: EndpointPatch, ifMatch?: number): Result<EndpointRecord> {
    const endpoint = this.find(id);
    if (!endpoint.ok) return endpoint;
    const { revision } = endpoint.value;
    if (ifMatch !== undefined && ifMatch !== revision) return err(otherRevision(revision));
    const updated = patched(endpoint.value, patch);
    const room = checkRoom(updated, this.all());
    if (!room.ok) return room;
    this.#o.durable.commit((note) => {
      this.#records.update(updated);
      note(patch.disabled_reason ? disabledNote(updated) : endpointNote("webhook_endpoint.updated", updated));
    });
    return ok(updated);
  }

  rotateSecret(id: string, sealed: string): Result<EndpointRecord> {
    const endpoint = this.find(id);
    if (!endpoint.ok) return endpoint;
    const rotated = withSealedSecret(endpoint.value, sealed);
    this.#o.durable.commit((note) => {
      this.#records.update(rotated);
      note(endpointNote("webhook_endpoint.secret_rotated", rotated));
    });
    return ok(rotated);
  }

  /** Repeated, it answers the same. */
  delete(id: string): Result<{ id: string }> {
    if (this.#records.deletion(id)) return ok({ id });
    const endpoint = this.find(id);
    if (!endpoint.ok) return endpoint;
    const last = { ...endpoint.value, secrets_sealed: [] };
    this.#o.durable.commit((note) => {
      this.#records.delete(last, { at: epochSeconds(this.#o.clock()) });
      note(endpointNote("webhook_endpoint.deleted", last));
    });
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

function otherRevision(current: number) {
  const detail = `The endpoint is at revision ${current}: read it, and make your change again.`;
  return problem("precondition_failed", detail, { revision: current });
}

/** Where to, without the path, which may hold a secret. */
function endpointNote(type: AuditType, endpoint: EndpointRecord): AuditNote {
  const { id, url, events, enabled, reviews_as: reviews, slack, revision } = endpoint;
  const { host } = new URL(url);
  const may = { reviews: reviews !== undefined, slack: slack !== undefined };
  return { type, data: { webhook_endpoint: id, host, events, enabled, ...may, revision } };
}

/** The receiver said that it is gone; no caller did. */
function disabledNote(endpoint: EndpointRecord): AuditNote {
  const note = endpointNote("webhook_endpoint.disabled", endpoint);
  return { ...note, by: PORTCULLIS, reason: "The receiver answered 410 Gone." };
}
