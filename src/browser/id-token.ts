import type { TrustedIssuer } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { readIssuerClaims, type VerifiedToken, windowFault } from "../tokens/claims.ts";
import { type FindKey, readSignedJwt, type SignedJwt } from "../tokens/signed-jwt.ts";

const UNAVAILABLE = problem(
  "issuer_keys_unavailable",
  "The keys of the identity provider cannot be fetched right now. Try again shortly.",
);

/** {@link readSignedJwt} for a provider's tokens. `invalid_token` where one is not what it must be. */
export async function readSigned(
  text: string,
  { issuer, types }: { issuer: TrustedIssuer; types: readonly string[] },
  keys: FindKey,
): Promise<Result<SignedJwt>> {
  const terms = { signer: issuer, algorithms: issuer.algorithms, types };
  const signed = await readSignedJwt(text, terms, keys);
  if (signed.ok) return signed;
  switch (signed.error) {
    case "malformed":
      return invalid("is not a signed JWT");
    case "type":
      return invalid(`is of another type than ${types.join(" or ")}`);
    case "algorithm":
      return invalid("is signed by an algorithm that the policy does not name");
    case "unknown_key":
      return invalid("names no key of its issuer");
    case "signature":
      return invalid("has a signature that does not verify");
    case "issuer_keys_unavailable":
      return err(UNAVAILABLE);
  }
}

/**
 * Verifies an ID token (OpenID Connect Core §3.1.3.7) with the keys that the policy names: for our client alone, of
 * this sign-in's nonce.
 */
export async function verifyIdToken(
  text: string,
  { issuer, clientId, nonce }: { issuer: TrustedIssuer; clientId: string; nonce: string },
  keys: FindKey,
  nowSeconds: number,
): Promise<Result<VerifiedToken>> {
  const signed = await readSigned(text, { issuer, types: ["jwt"] }, keys);
  if (!signed.ok) return signed;
  const { jws, key } = signed.value;
  const { claims } = jws;
  if (claims.iss !== issuer.issuer) return invalid("is of another issuer");
  if (claims.nonce !== nonce) return invalid("is not of this sign-in");
  const token = readIssuerClaims(claims, issuer, key);
  if (!token) return invalid("has claims that are missing or not what they must be");
  if (!token.audience.includes(clientId)) return invalid("is for another client");
  const { azp } = claims;
  if (azp === undefined ? token.audience.length > 1 : azp !== clientId)
    return invalid("is for another client");
  return windowFault(token, nowSeconds) ? invalid("is over, or not yet good") : ok(token);
}

/** What is wrong with the provider's token, for whoever runs this deployment: nothing of the token itself. */
function invalid(what: string): Result<never> {
  return err(problem("invalid_token", `The identity provider's token ${what}.`));
}
