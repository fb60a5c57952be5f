import { base64url, sha256Bytes, utf8 } from "./encoding.ts";
import type { Json } from "./json.ts";

/** Everything that is recorded: changes of authority, refused calls, and what is done to the audit log itself. */
export const AUDIT_TYPES = [
  "access_request.created",
  "access_request.reviewed",
  "access_request.review_refused",
  "access_request.stage_passed",
  "access_request.escalated",
  "access_request.approved",
  "access_request.denied",
  "access_request.cancelled",
  "access_request.expired",
  "grant.activated",
  "grant.extension_requested",
  "grant.extended",
  "grant.extension_denied",
  "grant.extension_cancelled",
  "grant.extension_expired",
  "grant.returned",
  "grant.revoked",
  "grant.used_up",
  "grant.expired",
  "break_glass.opened",
  "break_glass.review_overdue",
  "break_glass.reviewed",
  "revocation.proposed",
  "revocation.created",
  "revocation.cancelled",
  "revocation.lifted",
  "revocation.emergency_import",
  "denied_tokens.added",
  "denied_tokens.removed",
  "policy.put",
  "policy.activated",
  "client.created",
  "client.updated",
  "client.disabled",
  "client.enabled",
  "client.secret_rotated",
  "client.secret_replaced",
  "client.deleted",
  "webhook_endpoint.created",
  "webhook_endpoint.updated",
  "webhook_endpoint.disabled",
  "webhook_endpoint.secret_rotated",
  "webhook_endpoint.deleted",
  "stream.created",
  "stream.deleted",
  "key.created",
  "key.promoted",
  "key.rotation_requested",
  "key.discarded",
  "key.retired",
  "key.compromised",
  "passkey.added",
  "passkey.removed",
  "passkey.reset",
  "device_login.approved",
  "device_login.denied",
  "session.opened",
  "session.revoked",
  "session.reuse_detected",
  "session.expired",
  "remediation.acted",
  "remediation.held",
  "remediation.confirmed",
  "remediation.undone",
  "remediation.dismissed",
  "signal.received",
  "backup.taken",
  "backup.restored",
  "call.refused",
  "audit.erased",
  "audit.pruned",
] as const;

export type AuditType = (typeof AUDIT_TYPES)[number];

/** Who acts by itself: time ends a grant, the deployment changes its keys. */
export const TIME = "time";
export const PORTCULLIS = "portcullis";

/** Who did it; `actors` act for the subject, nearest first (RFC 8693 §4.1). */
export type AuditActor = { subject: string; client_id?: string; actors?: string[] };

/** Members that may hold something personal: the log commits to each by itself, so that each can be erased. */
export type Disclosed = {
  actor?: AuditActor;
  /** The person or client that it is about. */
  about?: string;
  reason?: string;
  from?: { country?: string; asn?: number; address?: string };
};

export const DISCLOSED_MEMBERS = ["actor", "about", "reason", "from"] as const;
export type DisclosedMember = (typeof DISCLOSED_MEMBERS)[number];

/** What happened, as the object that did it says. Ids and numbers in `data`, nothing that is personal. */
export type AuditEntry = Disclosed & {
  /** `evt_…`: an entry that comes twice is recorded once. */
  id: string;
  /** Epoch seconds. */
  at: number;
  type: AuditType;
  /** The object, e.g. `access_request/req_…`. */
  source: string;
  /** Counts the object's entries from 1 without a gap; absent where no object numbers them. */
  source_seq?: number;
  request_id?: string;
  /** Method and route of the call. */
  call?: string;
  data?: { [member: string]: Json };
};

/** What the tree commits to: the leaf is the UTF-8 of its JSON, exactly as it was written. */
export type AuditLeaf = Omit<AuditEntry, DisclosedMember> & {
  v: 1;
  /** Its place in the log, from 0. */
  seq: number;
  /** For each disclosed member the base64url SHA-256 of its {@link Disclosure}. */
  commitments: { [M in DisclosedMember]?: string };
};

/** Salt and value; the salt keeps a commitment from being guessed once the value is erased. */
export type Disclosure = readonly [salt: string, value: Json];
export type Disclosures = { [M in DisclosedMember]?: Disclosure };

/** What the commitment is the hash of, after RFC 9901 §4.2: a value cannot pass as that of another member. */
export async function commitmentOf(
  member: DisclosedMember,
  [salt, value]: Disclosure,
  sha256: Sha256 = sha256Bytes,
): Promise<string> {
  return base64url(await sha256(utf8(JSON.stringify([salt, member, value]))));
}

/** SHA-256 as the platform has it at its best: a promise in a Worker, at once in Node. */
export type Sha256 = (data: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** The leaf and what it commits to; `salt` makes one for each member. */
export async function sealEntry(
  entry: AuditEntry,
  seq: number,
  salt: () => string,
): Promise<{ leaf: AuditLeaf; disclosures: Disclosures }> {
  const { actor, about, reason, from, ...open } = entry;
  const values = { actor, about, reason, from };
  const disclosures: Disclosures = {};
  const commitments: AuditLeaf["commitments"] = {};
  for (const member of DISCLOSED_MEMBERS) {
    const value = values[member];
    if (value === undefined) continue;
    disclosures[member] = [salt(), value];
    commitments[member] = await commitmentOf(member, disclosures[member]);
  }
  return { leaf: { v: 1, seq, ...open, commitments }, disclosures };
}

/** Whom the disclosed members name. */
export function personsIn({ actor, about }: Disclosed): { subject: string; member: DisclosedMember }[] {
  const acting = actor ? [actor.subject, ...(actor.actors ?? [])] : [];
  return [
    ...acting.map((subject) => ({ subject, member: "actor" as const })),
    ...(about === undefined ? [] : [{ subject: about, member: "about" as const }]),
  ];
}
