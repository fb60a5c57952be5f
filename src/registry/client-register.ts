import type { AuditNote } from "../platform/audit-outbox.ts";
import type { Clock } from "../platform/clock.ts";
import { epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import type { AuditType } from "../protocol/audit-record.ts";
import { equalText } from "../protocol/equal-text.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { Revocation } from "../revocation/rule.ts";
import { ClientAdmission } from "./admission.ts";
import { AssertionStore } from "./assertion-store.ts";
import { BOOTSTRAP_CLIENT_ID, bootstrapClient } from "./bootstrap-client.ts";
import { banRevocation, type ClientRecord, cutRevocation, patchedClient, withSecret } from "./client.ts";
import type { ClientPatch } from "./client-schema.ts";
import type { RegistryLogEntry } from "./log-port.ts";
import { type RecordPage, RecordStore } from "./record-store.ts";

/** Why a client's credential is or is not accepted. `at`: when, epoch seconds; `locked`, `busy`: seconds to wait. */
export type Authentication =
  | { outcome: "accepted"; client: ClientRecord; at: number }
  | { outcome: "refused" | "disabled" | "replayed" }
  | { outcome: "other_method"; registered: ClientRecord["auth_method"] }
  | { outcome: "locked" | "busy"; wait_seconds: number };

export type SecretCheck = {
  client_id: string;
  /** SHA-256, hex, of the secret that was sent. */
  secret_hash: string;
  method: "client_secret_basic" | "client_secret_post";
  address: string;
};
export type AssertionUse = { client_id: string; address: string; jti_hash: string; expires_at: number };

export type SecretReplacement = { id: string; secret_hash: string; actor: string };
/** `if_match`: the revision that was read. */
export type ClientUpdate = { id: string; patch: ClientPatch; if_match?: number; actor: string };
export type ClientDeletion = { id: string; receipt: Receipt };
/** `receipt`: of the revocation that went with the change. */
export type ClientChange = { client: ClientRecord; receipt?: Receipt };

/** Compared where the client is unknown, so that the answer takes as long. */
const NO_CLIENT_HASHES = ["0".repeat(64)];

type RegisterOptions = {
  sql: SqlStorage;
  durable: Pick<Durable, "commit">;
  clock: Clock;
  sleep(ms: number): Promise<void>;
  operatorSecret: string;
  /** Puts an entry for the log into the outbox; called within a transaction. */
  enqueue(entry: Exclude<RegistryLogEntry, { kind: "policy.activated" }>): void;
  receiptOf(entryId: string, whatStands: string): Promise<Result<Receipt>>;
};

/** The OAuth clients of the registry: their records, who they are when they call, and how often they may. */
export class ClientRegister {
  readonly #o: RegisterOptions;
  readonly #clients: RecordStore<ClientRecord>;
  readonly #assertions: AssertionStore;
  readonly #admission = new ClientAdmission();

  constructor(options: RegisterOptions) {
    this.#o = options;
    this.#clients = new RecordStore(options.sql, "clients");
    this.#assertions = new AssertionStore(options.sql);
  }

  /** An id that is registered answers its record, one that was deleted `gone`. */
  create(client: ClientRecord): Result<ClientRecord> {
    const known = this.#clients.find(client.id);
    if (known) return ok(known);
    if (this.#clients.deletion(client.id)) return err(problem("gone", "This client was deleted."));
    this.#o.durable.commit((note) => {
      this.#clients.insert(client);
      note(clientNote("client.created", client));
    });
    return ok(client);
  }

  find(id: string): Result<ClientRecord> {
    const client = this.#clients.find(id);
    return client ? ok(client) : err(problem("not_found", "There is no such client."));
  }

  list(limit: number, cursor: string | undefined): RecordPage<ClientRecord> {
    return this.#clients.list(limit, cursor);
  }

  /** Puts the new secret first and keeps the one before it. */
  rotateSecret(id: string, hash: string): Result<ClientRecord> {
    const client = this.find(id);
    if (!client.ok) return client;
    const rotated = withSecret(client.value, hash);
    this.#o.durable.commit((note) => {
      this.#clients.update(rotated);
      note(clientNote("client.secret_rotated", rotated));
    });
    return ok(rotated);
  }

  /** The new secret is the only one from now on, and tokens that the client got before are taken back. */
  async replaceSecret(id: string, hash: string, actor: string): Promise<Result<ClientChange>> {
    const found = this.find(id);
    if (!found.ok) return found;
    if (found.value.replaced?.secret_hash !== hash) {
      const now = this.#now();
      const reason = "client secret compromised";
      const ban = banRevocation(newId("rev", this.#o.clock()), id, reason, actor, now);
      // A token says when its client authenticated: this second counts as before.
      const rule = cutRevocation(ban, now + 1);
      const replaced = { secret_hash: hash, revocation_id: rule.id, from: now + 1 };
      const { revision } = found.value;
      this.#o.durable.commit((note) => {
        note({ ...clientNote("client.secret_replaced", found.value, rule.id), by: actor, reason });
        this.#clients.update({
          ...found.value,
          secret_hashes: [hash],
          replaced,
          revision: revision + 1,
        });
        this.#o.enqueue({ id: rule.id, kind: "revocation.added", rule });
      });
    }
    const client = this.#clients.find(id)!;
    const { from, revocation_id } = client.replaced!;
    const changed = await this.#withReceipt(client, revocation_id, "Only the new secret is accepted.");
    // Nobody knows the new secret before the answer: what is got with it is issued in a later second.
    const leftMs = from * 1000 - this.#o.clock();
    if (leftMs > 0) await this.#o.sleep(leftMs);
    return changed;
  }

  /** Changes a client. Disabling bans its tokens, enabling lifts the ban and leaves the old tokens dead. */
  async update(change: ClientUpdate): Promise<Result<ClientChange>> {
    const { id, patch, if_match, actor } = change;
    const found = this.find(id);
    if (!found.ok) return found;
    const before = found.value;
    if (if_match !== undefined && if_match !== before.revision) return err(otherRevision(before.revision));
    const { disabled, ...after } = patchedClient(before, patch);
    const isDisabled = patch.disabled ?? before.disabled !== undefined;
    if (isDisabled && !before.disabled) return this.#disable(after, actor);
    if (!isDisabled && before.disabled) return this.#enable(after, before.disabled.revocation_id, actor);
    const updated = disabled ? { ...after, disabled } : after;
    this.#o.durable.commit((note) => {
      this.#clients.update(updated);
      note({ ...clientNote("client.updated", updated), by: actor });
    });
    if (!disabled) return ok({ client: updated });
    return this.#withReceipt(updated, disabled.revocation_id, "The client is disabled.");
  }

  /** Deletes a client and ends all its tokens. Repeated, it answers the same receipt. */
  async delete(id: string, actor: string): Promise<Result<ClientDeletion>> {
    const client = this.#clients.find(id);
    if (client) {
      const rule = this.#ban(id, "client deleted", actor);
      this.#o.durable.commit((note) => {
        note({ ...clientNote("client.deleted", client, rule.id), by: actor });
        const deletion = { at: this.#now(), by: actor, revocation_id: rule.id };
        this.#clients.delete({ ...client, secret_hashes: [] }, deletion);
        this.#o.enqueue({ id: rule.id, kind: "revocation.added", rule });
      });
    }
    const revocationId = this.#clients.deletion(id)?.revocation_id;
    if (revocationId === undefined) return err(problem("not_found", "There is no such client."));
    const receipt = await this.#o.receiptOf(revocationId, "The client is deleted and gets no more tokens.");
    return receipt.ok ? ok({ id, receipt: receipt.value }) : receipt;
  }

  /** Checks a secret in constant time, counts a failure, and lets through no more than the client's rate. */
  async authenticateSecret(check: SecretCheck): Promise<Authentication> {
    const { client_id: id, address } = check;
    const operator = await bootstrapClient(this.#o.operatorSecret);
    const locked = this.#admission.lockedSeconds(id, address, this.#o.clock());
    if (locked !== undefined) return { outcome: "locked", wait_seconds: locked };
    const client = id === BOOTSTRAP_CLIENT_ID ? operator : this.#clients.find(id);
    let matches = false;
    const hashes = client?.secret_hashes.length ? client.secret_hashes : NO_CLIENT_HASHES;
    for (const hash of hashes) if (equalText(check.secret_hash, hash)) matches = true;
    if (!client || !matches) return this.failed(id, address);
    if (client.auth_method !== "client_secret" && client.auth_method !== check.method) {
      return { outcome: "other_method", registered: client.auth_method };
    }
    return this.#admit(client);
  }

  /** The client whose keys an assertion is held against; nothing is accepted yet. */
  clientForAssertion(id: string, address: string): Authentication {
    const locked = this.#admission.lockedSeconds(id, address, this.#o.clock());
    if (locked !== undefined) return { outcome: "locked", wait_seconds: locked };
    const client = this.#clients.find(id);
    if (client?.auth_method !== "private_key_jwt") return this.failed(id, address);
    return { outcome: "accepted", client, at: this.#now() };
  }

  /** Accepts an assertion that has verified, once. */
  useAssertion({ client_id, jti_hash, expires_at }: AssertionUse): Authentication {
    const client = this.#clients.find(client_id);
    if (client?.auth_method !== "private_key_jwt") return { outcome: "refused" };
    const admitted = this.#admit(client);
    if (admitted.outcome !== "accepted") return admitted;
    const fresh = this.#o.durable.commit(() => {
      this.#assertions.deleteEnded(this.#now());
      return this.#assertions.use(client_id, jti_hash, expires_at);
    });
    return fresh ? admitted : { outcome: "replayed" };
  }

  failed(id: string, address: string): Authentication {
    this.#admission.failed(id, address, this.#o.clock());
    return { outcome: "refused" };
  }

  #admit(client: ClientRecord): Authentication {
    if (client.disabled) return { outcome: "disabled" };
    const wait = this.#admission.admit(client.id, this.#o.clock());
    if (wait !== undefined) return { outcome: "busy", wait_seconds: wait };
    return { outcome: "accepted", client, at: this.#now() };
  }

  #disable(client: ClientRecord, actor: string): Promise<Result<ClientChange>> {
    const rule = this.#ban(client.id, "client disabled", actor);
    const disabled = { at: this.#now(), by: actor, revocation_id: rule.id };
    const updated = { ...client, disabled };
    this.#o.durable.commit((note) => {
      note({ ...clientNote("client.disabled", updated, rule.id), by: actor });
      this.#clients.update(updated);
      this.#o.enqueue({ id: rule.id, kind: "revocation.added", rule });
    });
    return this.#withReceipt(updated, rule.id, "The client is disabled and gets no more tokens.");
  }

  #enable(client: ClientRecord, banId: string, actor: string): Promise<Result<ClientChange>> {
    const now = this.#now();
    const rule = cutRevocation(this.#ban(client.id, "client enabled again", actor), now);
    const lift = { id: newId("log", this.#o.clock()), kind: "revocation.lifted" as const };
    this.#o.durable.commit((note) => {
      note({ ...clientNote("client.enabled", client, rule.id), by: actor });
      this.#clients.update(client);
      this.#o.enqueue({ id: rule.id, kind: "revocation.added", rule });
      this.#o.enqueue({ ...lift, revocation_id: banId, actor, reason: rule.reason });
    });
    return this.#withReceipt(client, lift.id, "The client is enabled.");
  }

  #ban(id: string, reason: string, actor: string): Revocation {
    return banRevocation(newId("rev", this.#o.clock()), id, reason, actor, this.#now());
  }

  async #withReceipt(
    client: ClientRecord,
    entryId: string,
    whatStands: string,
  ): Promise<Result<ClientChange>> {
    const receipt = await this.#o.receiptOf(entryId, whatStands);
    return receipt.ok ? ok({ client, receipt: receipt.value }) : receipt;
  }

  #now(): number {
    return epochSeconds(this.#o.clock());
  }
}

/** What the client may do from now on; a secret's hash is no part of it. */
function clientNote(type: AuditType, client: ClientRecord, revocation?: string): AuditNote {
  const { id, auth_method, grant_types, scopes, roles, revision } = client;
  return { type, about: id, data: { auth_method, grant_types, scopes, roles, revision, revocation } };
}

function otherRevision(current: number) {
  const detail = `The client is at revision ${current}: read it, and make your change again.`;
  return problem("precondition_failed", detail, { revision: current });
}
