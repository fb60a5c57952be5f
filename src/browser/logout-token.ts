import type { TrustedIssuer } from "../policy/document.ts";
import type { Json } from "../protocol/json.ts";
import { readCompactJws } from "../protocol/jws.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { FindKey } from "../tokens/signed-jwt.ts";
import { readSigned } from "./id-token.ts";
import type { Provider } from "./provider.ts";

/** Whose sessions end. `iat` and what it is held against come from the provider's clock. */
export type Logout = { provider: Provider; jti: string; iat: number; sub?: string; sid?: string };

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
/** For providers whose clock is not ours. */
const TOLERANCE_SECONDS = 60;
/** One that is older was sent in time, or is sent again by somebody else. */
const MAX_AGE_SECONDS = 300;
const NAME = /^[\x21-\x7e]{1,255}$/;

/**
 * Verifies a logout token (OpenID Connect Back-Channel Logout §2.6): type, key, issuer, audience, times, event, whom it
 * names, and that it is no ID token. That it came once is for who acts on it.
 */
export async function verifyLogoutToken(
  text: string,
  issuers: readonly TrustedIssuer[],
  keys: FindKey,
  nowSeconds: number,
): Promise<Result<Logout>> {
  // The unverified `iss` only chooses among providers that the policy names.
  const claimed = readCompactJws(text)?.claims.iss;
  const provider = issuers.find(
    (each): each is Provider => each.sign_in !== undefined && each.issuer === claimed,
  );
  if (!provider) return invalid("is not of a provider that people sign in at");
  const signed = await readSigned(text, { issuer: provider, types: ["logout+jwt"] }, keys);
  if (!signed.ok) return signed;
  const { claims } = signed.value.jws;
  const { aud, iat, exp, jti, events, sub, sid } = claims;
  if (![aud].flat().includes(provider.sign_in.client_id)) return invalid("is for another client");
  if (Object.hasOwn(claims, "nonce")) return invalid("has a nonce, which is for ID tokens");
  if (!isEvent(events)) return invalid("is not of a back-channel logout");
  if (!isMoment(iat) || iat > nowSeconds + TOLERANCE_SECONDS || iat < nowSeconds - MAX_AGE_SECONDS) {
    return invalid("was not issued just now");
  }
  if (exp !== undefined && (!isMoment(exp) || exp + TOLERANCE_SECONDS <= nowSeconds))
    return invalid("is over");
  if (!isName(jti)) return invalid("has no jti");
  if (sub === undefined && sid === undefined) return invalid("names neither a person nor a session");
  if ((sub !== undefined && !isName(sub)) || (sid !== undefined && !isName(sid))) {
    return invalid("names somebody in a way that no session has");
  }
  return ok({
    provider,
    jti,
    iat,
    ...(sub === undefined ? {} : { sub: sub as string }),
    ...(sid === undefined ? {} : { sid: sid as string }),
  });
}

function isEvent(events: Json | undefined): boolean {
  if (events === null || typeof events !== "object" || Array.isArray(events)) return false;
  const event = Object.hasOwn(events, EVENT) ? events[EVENT] : undefined;
  return event !== null && typeof event === "object" && !Array.isArray(event);
}

function isMoment(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isName(value: Json | undefined): value is string {
  return typeof value === "string" && NAME.test(value);
}

function invalid(what: string): Result<never> {
  return err(problem("invalid_token", `The logout token ${what}.`));
}
