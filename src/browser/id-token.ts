import type { TrustedIssuer } from "../policy/document.ts";
import { mediaSubtype, readJoseHeader } from "../protocol/jose-header.ts";
import { type CompactJws, readCompactJws, signatureHolds } from "../protocol/jws.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { readIssuerClaims, type VerifiedToken, windowFault } from "../tokens/claims.ts";
import type { RemoteKeys } from "../tokens/remote-keys.ts";

export type ProviderKeys = Pick<RemoteKeys, "find">;

type Signed = { jws: CompactJws; key: { kid: string; key: CryptoKey } };

const UNAVAILABLE = problem(
  "issuer_keys_unavailable",
  "The keys of the identity provider cannot be fetched right now. Try again shortly.",
);

/**
 * A token of a provider whose type, algorithm, key and signature are what the policy says. `invalid_token` where
 * they are not. `untyped`: one without `typ` counts as a `JWT`, as most providers' ID tokens do.
 */
export async function readSigned(
  text: string,
  { issuer, types }: { issuer: TrustedIssuer; types: readonly string[] },
  keys: ProviderKeys,
): Promise<Result<Signed>> {
  const jws = readCompactJws(text);
  const header = jws && readJoseHeader({ typ: "JWT", ...jws.header });
  if (!jws || !header?.ok) return invalid("is not a signed JWT");
  const { alg, kid, typ } = header.value;
  if (!types.includes(mediaSubtype(typ))) return invalid(`is of another type than ${types.join(" or ")}`);
  if (issuer.secret_ref !== undefined || !(issuer.algorithms as string[]).includes(alg)) {
    return invalid("is signed by an algorithm that the policy does not name");
  }
  const key = await keys.find(issuer, kid, alg);
  if (!key.ok) return key.error === "unknown_key" ? invalid("names no key of its issuer") : err(UNAVAILABLE);
  if (!(await signatureHolds(jws, alg, key.value.key)))
    return invalid("has a signature that does not verify");
  return ok({ jws, key: key.value });
}

/**
 * Verifies an ID token (OpenID Connect Core §3.1.3.7) with the keys that the policy names: for our client alone, of
 * this sign-in's nonce.
 */
export async function verifyIdToken(
  text: string,
  { issuer, clientId, nonce }: { issuer: TrustedIssuer; clientId: string; nonce: string },
  keys: ProviderKeys,
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
