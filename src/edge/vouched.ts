import type { AssumedSubject } from "../protocol/decision-trace.ts";
import type { VerifiedToken } from "../tokens/claims.ts";

/** It is good for this one decision. */
const LIFE_SECONDS = 60;

/**
 * A subject that somebody else has authenticated, as the engine looks at one: the same scopes, roles and
 * revocations decide. No key has verified it, and it is never called our own, whose keys are looked at again.
 */
export function vouchedToken(assumed: AssumedSubject, issuer: string, nowSeconds: number): VerifiedToken {
  const { subject, client_id, scopes, roles, resources, sign_in: signIn } = assumed;
  const now = Math.floor(nowSeconds);
  const client = client_id === undefined ? {} : { client_id };
  return {
    facts: { iss: issuer, sub: subject, subject, iat: now, kid: "", ...client },
    own: false,
    audience: [],
    scopes,
    roles,
    resources,
    expiresAt: now + LIFE_SECONDS,
    ...(signIn ? { signIn } : {}),
    key: NO_KEY,
  };
}

const NO_KEY = Object.freeze({}) as CryptoKey;
