import type { Clock } from "../platform/clock.ts";
import type { PolicyDocument, Transmitter, TrustedIssuer } from "../policy/document.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { FindKey } from "../tokens/signed-jwt.ts";
import { type SecurityEvent, verifySecurityEventToken } from "./security-event-token.ts";
import type { SetFault } from "./set-error.ts";
import type { Signal, SignalRecord } from "./signal.ts";
import { actionOf, kindOf } from "./signal-action.ts";
import { readSubject } from "./subject-identifier.ts";

/** The object that holds what one transmitter told. */
export type SignalInboxPort = {
  receive(signal: Signal): Promise<Result<{ signal: SignalRecord; repeated: boolean }>>;
  list(query: { limit: number; cursor?: string }): Promise<Result<SignalRecord[]>>;
};

export type ReceiveDeps = {
  policy(): Promise<Result<PolicyDocument>>;
  keys: FindKey;
  /** By the transmitter's `iss`. */
  inbox(issuer: string): SignalInboxPort;
  clock: Clock;
};

/**
 * Takes one security event token: verifies it, reads whom it names, and hands it to the inbox. Answers when what
 * follows from it is in force; one that came before changes nothing and is acknowledged again (RFC 8935 §2.2).
 */
export async function receiveEvent(text: string, deps: ReceiveDeps): Promise<Result<SignalRecord, SetFault>> {
  const policy = await deps.policy();
  if (!policy.ok) return away(policy.error.detail);
  const { signals, issuers } = policy.value;
  const transmitters = signals?.transmitters ?? [];
  const event = await verifySecurityEventToken(text, transmitters, deps.keys, deps.clock() / 1000);
  if (!event.ok) return event;
  const signal = signalOf(event.value, issuers);
  if (!signal.ok) return signal;
  const received = await deps.inbox(event.value.transmitter.issuer).receive(signal.value);
  if (received.ok) return ok(received.value.signal);
  const { code, detail } = received.error;
  return code === "conflict" ? refusedFor("invalid_request", detail) : away(detail);
}

/** Whose people a transmitter may speak of. */
export function issuerOf(
  { subjects_of }: Transmitter,
  issuers: readonly TrustedIssuer[],
): { id: string; issuer: string } | undefined {
  const found = issuers.find(({ id }) => id === subjects_of);
  return found && { id: found.id, issuer: found.issuer };
}

function signalOf(event: SecurityEvent, issuers: readonly TrustedIssuer[]): Result<Signal, SetFault> {
  const { transmitter, jti, iat, name, payload, subject } = event;
  const base = {
    actor: `transmitter:${transmitter.id}`,
    via: "security_event_token",
    jti,
    event: name,
    issued_at: iat,
  } as const;
  // What is about the stream names nobody.
  if (name === "unknown" || name === "verification") return ok({ ...base, action: "ignore" });
  const kind = kindOf(name, payload);
  if (name === "stream-updated")
    return ok({ ...base, ...(kind === undefined ? {} : { kind }), action: "notify" });
  const action = actionOf(transmitter, name, payload);
  const issuer = issuerOf(transmitter, issuers);
  if (!issuer) return refusedFor("access_denied", "This transmitter may speak of nobody.");
  const told = { ...base, ...(kind === undefined ? {} : { kind }), action };
  if (action === "ignore") return ok(told);
  const named = readSubject(subject, { ...transmitter, issuer: issuer.issuer });
  if (named.ok) return ok({ ...told, issuer, named: named.value });
  if (named.error.kind === "foreign") return refusedFor("access_denied", `The subject ${named.error.what}.`);
  // Whoever is told can make more of it.
  if (named.error.kind === "unsupported" && action === "notify") return ok(told);
  return refusedFor("invalid_request", `The subject cannot be used: ${named.error.what}.`);
}

function refusedFor(code: "access_denied" | "invalid_request", description: string): Result<never, SetFault> {
  return err({ err: code, description });
}

function away(description: string): Result<never, SetFault> {
  return err({ err: "temporarily_unavailable", description });
}
