import type { Json } from "../protocol/json.ts";
import { securityEventUri, VERIFICATION_EVENT } from "../protocol/security-event.ts";
import type { RevocationRecord } from "../revocation/record.ts";

type Subject = { [member: string]: Json };
/** What a security event token of ours says beside `iss`, `aud`, `iat` and `jti`. */
export type StreamEvent = {
  uri: string;
  sub_id: Subject;
  txn?: string;
  payload: { [member: string]: Json };
  subject?: string;
};

/**
 * A revocation as others are told of it: CAEP `session-revoked`. Undefined for one that no subject identifier names: of a
 * key, of an issuer, of everything before a moment.
 */
export function eventOf(
  { id, match, effect, actor, created_at }: RevocationRecord,
  issuer: string,
): StreamEvent | undefined {
  // What it hits is good, on a condition or for less: nothing of it is revoked.
  if (effect) return undefined;
  const { iss = issuer, jti, grant, session, sub, client_id, ...unnamed } = match;
  if (Object.keys(unnamed).length > 0) return undefined;
  // What somebody else's session is called is for them to tell.
  if (iss !== issuer && session !== undefined) return undefined;
  const opaque = (name: string): Subject => ({ format: "opaque", id: name });
  const members: [string, Subject][] = [];
  if (sub !== undefined) members.push(["user", { format: "iss_sub", iss, sub }]);
  if (session !== undefined) members.push(["session", opaque(session)]);
  if (grant !== undefined) members.push(["grant", opaque(grant)]);
  if (client_id !== undefined) members.push(["application", opaque(client_id)]);
  const sub_id = jti === undefined ? complexOf(members) : { format: "jwt_id", iss, jti };
  if (!sub_id) return undefined;
  return {
    uri: securityEventUri("session-revoked"),
    sub_id,
    txn: id,
    payload: { event_timestamp: created_at, initiating_entity: entityOf(actor) },
    ...(sub !== undefined && iss === issuer ? { subject: sub } : {}),
  };
}

function complexOf(members: readonly [string, Subject][]): Subject | undefined {
  const [first] = members;
  if (!first) return undefined;
  const [name, subject] = first;
  if (members.length === 1 && name === "user") return subject;
  return { format: "complex", ...Object.fromEntries(members) };
}

/** CAEP 1.0 §2. Issuers and transmitters told us, time and rules are nobody; else somebody did it. */
function entityOf(actor: string): "system" | "admin" {
  return /^(?:issuer|transmitter|rule):/.test(actor) ? "system" : "admin";
}

/** SSF 1.0 §8.1.4: about the stream itself, with what the receiver gave to know it by. */
export function verificationEvent(streamId: string, state: string | undefined): StreamEvent {
  return {
    uri: VERIFICATION_EVENT,
    sub_id: { format: "opaque", id: streamId },
    payload: state === undefined ? {} : { state },
  };
}
