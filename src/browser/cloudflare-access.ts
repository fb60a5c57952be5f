import type { PolicyDocument, TrustedIssuer } from "../policy/document.ts";
import { readCompactJws } from "../protocol/jws.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { readIssuerClaims, windowFault } from "../tokens/claims.ts";
import type { Assertion } from "../tokens/session.ts";
import type { FindKey } from "../tokens/signed-jwt.ts";
import { readSigned } from "./id-token.ts";
import { assertionOf } from "./open-session.ts";

/**
 * What Cloudflare Access adds to each request that it lets through. Whoever comes past it may send the header too, so
 * that only the signature in it counts, and never `Cf-Access-Authenticated-User-Email`.
 */
export const ACCESS_HEADER = "cf-access-jwt-assertion";

/** The issuers whose applications may stand in front of this deployment. */
export function accessTeams({ issuers }: PolicyDocument): TrustedIssuer[] {
  return issuers.filter(({ cloudflare_access: access }) => access !== undefined);
}

/**
 * Who Cloudflare Access says is there: a token of a team that the policy names, for the application (`audience`) that it
 * names. `invalid_token` for every other.
 */
export async function readAccessAssertion(
  text: string,
  policy: PolicyDocument,
  keys: FindKey,
  nowSeconds: number,
): Promise<Result<Assertion>> {
  // The unverified `iss` only chooses among teams that the policy names.
  const claimed = readCompactJws(text)?.claims.iss;
  const team = accessTeams(policy).find(({ issuer }) => issuer === claimed);
  if (!team) return invalid("is not of a team that the policy names");
  const signed = await readSigned(text, { issuer: team, types: ["jwt"] }, keys);
  if (!signed.ok) return signed;
  const { jws, key } = signed.value;
  const token = readIssuerClaims(jws.claims, team, key);
  if (!token) return invalid("has claims that are missing or not what they must be");
  if (!token.audience.includes(team.audience)) return invalid("is for another application");
  if (windowFault(token, nowSeconds)) return invalid("is over, or not yet good");
  return ok(assertionOf(token, team, policy));
}

function invalid(what: string): Result<never> {
  return err(problem("invalid_token", `The token of Cloudflare Access ${what}.`));
}
