import type { Transmitter } from "../policy/document.ts";
import type { Json } from "../protocol/json.ts";
import { readCompactJws } from "../protocol/jws.ts";
import { PLAIN_TEXT } from "../protocol/plain-text.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  SET_TYPE,
  type SecurityEventName,
  type StreamEventName,
  securityEventName,
} from "../protocol/security-event.ts";
import { type FindKey, readSignedJwt, type SignedJwtFault } from "../tokens/signed-jwt.ts";
import type { SetErrorCode, SetFault } from "./set-error.ts";

/** One event of a transmitter whose word it is. Its subject is not looked at yet. */
export type SecurityEvent = {
  transmitter: Transmitter;
  jti: string;
  /** Epoch seconds, by the transmitter's clock. */
  iat: number;
  /** `unknown`: of a type that says nothing here (RFC 8417 §2.2: it is ignored). */
  name: SecurityEventName | StreamEventName | "unknown";
  payload: { [member: string]: Json };
  subject: Json | undefined;
};

/** For transmitters whose clock is not ours. */
const TOLERANCE_SECONDS = 60;
const MAX_JTI_CHARS = 255;

const FAULTS: Record<Exclude<SignedJwtFault, "issuer_keys_unavailable">, [SetErrorCode, string]> = {
  malformed: ["invalid_request", "The body is not a signed JWT."],
  type: ["invalid_request", `The header's typ must be ${SET_TYPE}.`],
  algorithm: ["invalid_key", "It is signed by an algorithm that this transmitter is not configured with."],
  unknown_key: ["invalid_key", "It names no key of this transmitter."],
  signature: ["authentication_failed", "Its signature does not verify."],
};

/**
 * Verifies a security event token (RFC 8417 §2.2, SSF 1.0 §4): type, transmitter, key, signature, audience, age, and
 * that it holds one event. That it is the first of its `jti` is for who acts on it.
 */
export async function verifySecurityEventToken(
  text: string,
  transmitters: readonly Transmitter[],
  keys: FindKey,
  nowSeconds: number,
): Promise<Result<SecurityEvent, SetFault>> {
  const jws = readCompactJws(text);
  if (!jws) return refused(...FAULTS.malformed);
  // The unverified `iss` only chooses among transmitters that the policy names.
  const transmitter = transmitters.find(({ issuer }) => issuer === jws.claims.iss);
  if (!transmitter) return refused("invalid_issuer", "No transmitter is configured with this iss.");
  const terms = { signer: transmitter, algorithms: transmitter.algorithms, types: [SET_TYPE] };
  const signed = await readSignedJwt(text, terms, keys);
  if (!signed.ok)
    return signed.error === "issuer_keys_unavailable" ? KEYS_AWAY : refused(...FAULTS[signed.error]);
  return readClaims(signed.value.jws.claims, transmitter, nowSeconds);
}

function readClaims(
  claims: { [member: string]: Json },
  transmitter: Transmitter,
  now: number,
): Result<SecurityEvent, SetFault> {
  const { aud, iat, exp, jti, events, sub_id } = claims;
  if (![aud].flat().includes(transmitter.audience)) {
    return refused(
      "invalid_audience",
      "It is for another audience than this transmitter is configured with.",
    );
  }
  if (typeof jti !== "string" || jti.length > MAX_JTI_CHARS || !PLAIN_TEXT.test(jti)) {
    return refused("invalid_request", `jti: must be a string of 1–${MAX_JTI_CHARS} printable characters.`);
  }
  if (typeof iat !== "number" || iat > now + TOLERANCE_SECONDS) {
    return refused("invalid_request", "iat: must be there, and not in the future.");
  }
  if (iat < now - transmitter.max_age_seconds) {
    const oldest = `${transmitter.max_age_seconds} seconds`;
    return refused("invalid_request", `iat: it was issued more than ${oldest} ago.`);
  }
  // Security event tokens need no end (RFC 8417 §2.2); one that has one is held to it.
  if (exp !== undefined && (typeof exp !== "number" || exp + TOLERANCE_SECONDS <= now)) {
    return refused("invalid_request", "exp: it is over.");
  }
  const [entry, ...more] = isObject(events) ? Object.entries(events) : [];
  if (!entry || more.length > 0 || !isObject(entry[1])) {
    return refused("invalid_request", "events: must hold exactly one event, which is an object.");
  }
  const [uri, payload] = entry;
  const name = securityEventName(uri) ?? "unknown";
  // Before SSF 1.0 the subject stood in the event.
  return ok({ transmitter, jti, iat, name, payload, subject: sub_id ?? payload.subject });
}

function isObject(value: Json | undefined): value is { [member: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

const KEYS_AWAY = err<SetFault>({
  err: "temporarily_unavailable",
  description: "The transmitter's keys cannot be fetched right now. Try again shortly.",
});

function refused(code: SetErrorCode, description: string): Result<never, SetFault> {
  return err({ err: code, description });
}
