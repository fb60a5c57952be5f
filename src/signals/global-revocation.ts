import type { Clock } from "../platform/clock.ts";
import type { Actor } from "../platform/http.ts";
import type { PolicyDocument, Transmitter, TrustedIssuer } from "../policy/document.ts";
import type { Json } from "../protocol/json.ts";
import { readCompactJws } from "../protocol/jws.ts";
import { PLAIN_TEXT } from "../protocol/plain-text.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { FindKey } from "../tokens/signed-jwt.ts";
import { readSignedJwt } from "../tokens/signed-jwt.ts";
import { issuerOf, type ReceiveDeps } from "./receive.ts";
import type { Signal, SignalRecord } from "./signal.ts";
import { readSubject, type SubjectFault } from "./subject-identifier.ts";

export const GLOBAL_REVOCATION_PATH = "/v1/signals/global-token-revocation";
/** With it a client's own access token may ask for it, for people of every trusted issuer. */
export const REVOKE_SCOPE = "signals:revoke";

export type GlobalRevocationDeps = ReceiveDeps & { issuer: string };

const EVENT = "global-token-revocation";
/** Its own type, or none: the draft demands none. */
const TYPES = ["global-token-revocation+jwt", "jwt"];
const TOLERANCE_SECONDS = 60;
/** Longer-lived ones are good for too many calls' time; five minutes are recommended (§3.5). */
const MAX_LIFE_SECONDS = 600;
const MAX_JTI_CHARS = 255;

/** A transmitter that has shown that it is one. */
export type Caller = { transmitter: Transmitter; jti: string; iat: number };

/** The transmitter whose JWT this claims to be; undefined where it is none's, and may be an access token of ours. */
export function callerOf(text: string, policy: PolicyDocument): Transmitter | undefined {
  const iss = readCompactJws(text)?.claims.iss;
  return policy.signals?.transmitters.find(({ issuer }) => issuer === iss);
}

/**
 * Verifies a transmitter's JWT (draft-parecki-oauth-global-token-revocation-06 §3.5). `invalid_token` where it is
 * not good; `forbidden` where this transmitter may not ask.
 */
export async function verifyCaller(
  text: string,
  transmitter: Transmitter,
  { keys, issuer, clock }: { keys: FindKey; issuer: string; clock: Clock },
): Promise<Result<Caller>> {
  const terms = { signer: transmitter, algorithms: transmitter.algorithms, types: TYPES };
  const signed = await readSignedJwt(text, terms, keys);
  if (!signed.ok && signed.error === "issuer_keys_unavailable") {
    return err(
      problem("issuer_keys_unavailable", "The transmitter's keys cannot be fetched. Try again shortly."),
    );
  }
  if (!signed.ok) return invalid(`is not what this transmitter signs (${signed.error})`);
  const { aud, iat, exp, jti, nonce } = signed.value.jws.claims;
  const now = clock() / 1000;
  if (aud !== `${issuer}${GLOBAL_REVOCATION_PATH}`)
    return invalid("must have this endpoint's URL as its aud");
  if (nonce !== undefined) return invalid("has a nonce, which is for ID tokens");
  if (!isMoment(iat) || !isMoment(exp)) return invalid("must have iat and exp");
  if (iat > now + TOLERANCE_SECONDS || exp <= now) return invalid("is over, or not yet good");
  if (exp - iat > MAX_LIFE_SECONDS) return invalid(`must not live longer than ${MAX_LIFE_SECONDS} seconds`);
  if (typeof jti !== "string" || jti.length > MAX_JTI_CHARS || !PLAIN_TEXT.test(jti))
    return invalid("has no jti");
  if (!transmitter.global_token_revocation) {
    return err(
      problem("forbidden", "The policy does not let this transmitter revoke everything of a person."),
    );
  }
  return ok({ transmitter, jti, iat });
}

/** Ends all of a person's sessions and tokens on a transmitter's word. Its JWT is good for one call. */
export async function revokeForTransmitter(
  { transmitter, jti, iat }: Caller,
  subId: Json,
  issuers: readonly TrustedIssuer[],
  deps: GlobalRevocationDeps,
): Promise<Result<SignalRecord>> {
  const issuer = issuerOf(transmitter, issuers);
  if (!issuer) return err(problem("forbidden", "This transmitter may speak of nobody."));
  const named = readSubject(subId, { ...transmitter, opaque_names: "subject", issuer: issuer.issuer });
  if (!named.ok) return subjectProblem(named.error);
  if (named.value.sub === undefined) return subjectProblem({ kind: "unsupported", what: "it names no user" });
  const actor = `transmitter:${transmitter.id}`;
  const signal = signalOf(actor, jti, iat, issuer, named.value.sub);
  const received = await deps.inbox(transmitter.issuer).receive(signal);
  if (!received.ok && received.error.code !== "conflict") return received;
  if (!received.ok || received.value.repeated) return invalid("was used already");
  return ok(received.value.signal);
}

/** The same for a client of ours that holds the scope. `not_found` for people of nobody who is trusted. */
export async function revokeForClient(
  actor: Actor,
  requestId: string,
  subId: Json,
  issuers: readonly TrustedIssuer[],
  deps: GlobalRevocationDeps,
): Promise<Result<SignalRecord>> {
  const person = personOf(subId, issuers);
  if (!person.ok) return person;
  const { issuer, sub } = person.value;
  const { subject } = actor;
  const signal = signalOf(subject, requestId, Math.floor(deps.clock() / 1000), issuer, sub);
  const received = await deps.inbox(deps.issuer).receive(signal);
  return received.ok ? ok(received.value.signal) : received;
}

type Person = { issuer: { id: string; issuer: string }; sub: string };

/** An opaque identifier is a subject as we name it: `<issuer id>|<sub>`. */
function personOf(subId: Json, issuers: readonly TrustedIssuer[]): Result<Person> {
  const iss = (subId as { iss?: Json } | null)?.iss;
  const reading = { issuer: String(iss), email_is_sub: false, opaque_names: "subject" } as const;
  const named = readSubject(subId, reading);
  if (!named.ok) return subjectProblem(named.error);
  const { sub } = named.value;
  if (sub === undefined) return subjectProblem({ kind: "unsupported", what: "it names no user" });
  const bar = sub.indexOf("|");
  const issuer = issuers.find((each) =>
    iss === undefined ? each.id === sub.slice(0, bar) : each.issuer === iss,
  );
  if (!issuer || (iss === undefined && bar === -1)) {
    return err(problem("not_found", "sub_id: names nobody of an issuer that is trusted here."));
  }
  return ok({
    issuer: { id: issuer.id, issuer: issuer.issuer },
    sub: iss === undefined ? sub.slice(bar + 1) : sub,
  });
}

function signalOf(actor: string, jti: string, iat: number, issuer: Signal["issuer"], sub: string): Signal {
  const what = { event: EVENT, action: "revoke_sessions" } as const;
  return {
    ...{ actor, via: "global_token_revocation", jti, ...what, issued_at: iat, named: { sub } },
    ...(issuer ? { issuer } : {}),
  };
}

/** §3.4.2. */
function subjectProblem({ kind, what }: SubjectFault): Result<never> {
  if (kind === "foreign") return err(problem("forbidden", `sub_id: ${what}.`));
  const code = kind === "unsupported" ? "unprocessable" : "invalid_body";
  return err(problem(code, `sub_id: ${what}.`));
}

function isMoment(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function invalid(what: string): Result<never> {
  return err(problem("invalid_token", `The transmitter's JWT ${what}.`));
}
