import { mediaSubtype, readJoseHeader } from "../protocol/jose-header.ts";
import type { Json } from "../protocol/json.ts";
import { isSignatureAlgorithm, readCompactJws, signatureHolds } from "../protocol/jws.ts";
import type { KeySource } from "./issuer-keys.ts";
import type { RemoteKeys } from "./remote-keys.ts";

/** RFC 7523 §2.2. */
export const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

export const ASSERTION_ALGORITHMS = [
  "ES256",
  "ES384",
  "RS256",
  "PS256",
  "PS384",
  "PS512",
  "EdDSA",
  "Ed25519",
];

/** `client-authentication+jwt` names it; most clients leave `typ` out or say `JWT`. */
const TYPES = ["client-authentication+jwt", "jwt"];
const MAX_LIFE_SECONDS = 300;
/** For clients whose clock is not ours. */
const TOLERANCE_SECONDS = 30;
const MAX_JTI_CHARS = 255;

/** A client assertion whose form is sound, and whose signature is not yet checked. */
export type ClientAssertion = {
  clientId: string;
  jti: string;
  /** From when on a repeat is refused because it is over, epoch seconds. */
  forgetAt: number;
  alg: string;
  kid?: string;
  jws: NonNullable<ReturnType<typeof readCompactJws>>;
};

/**
 * Reads a client assertion (RFC 7523 §3): `iss` and `sub` are the client, `aud` is one of ours and nobody else,
 * it is over within five minutes and has a `jti`. Undefined where it is not so.
 */
export function readClientAssertion(
  assertion: string,
  audiences: readonly string[],
  nowSeconds: number,
): ClientAssertion | undefined {
  const jws = readCompactJws(assertion);
  if (!jws) return undefined;
  const header = readJoseHeader({ typ: "JWT", ...jws.header });
  if (!header.ok || !TYPES.includes(mediaSubtype(header.value.typ))) return undefined;
  const { alg, kid } = header.value;
  if (!ASSERTION_ALGORITHMS.includes(alg) || !isSignatureAlgorithm(alg)) return undefined;
  const { iss, sub, jti, aud, exp } = jws.claims;
  if (typeof sub !== "string" || sub === "" || iss !== sub) return undefined;
  if (typeof jti !== "string" || jti === "" || jti.length > MAX_JTI_CHARS) return undefined;
  const [audience, ...others] = Array.isArray(aud) ? aud : [aud];
  if (typeof audience !== "string" || others.length > 0 || !audiences.includes(audience)) return undefined;
  if (typeof exp !== "number" || !Number.isFinite(exp)) return undefined;
  if (exp + TOLERANCE_SECONDS <= nowSeconds) return undefined;
  if (exp > nowSeconds + MAX_LIFE_SECONDS + TOLERANCE_SECONDS) return undefined;
  if (isAhead(jws.claims.nbf, nowSeconds) || isAhead(jws.claims.iat, nowSeconds)) return undefined;
  const forgetAt = Math.ceil(exp) + TOLERANCE_SECONDS;
  return { clientId: sub, jti, forgetAt, alg, jws, ...(kid === undefined ? {} : { kid }) };
}

function isAhead(moment: Json | undefined, nowSeconds: number): boolean {
  if (moment === undefined) return false;
  return typeof moment !== "number" || moment > nowSeconds + TOLERANCE_SECONDS;
}

/** Whether a key of the client signed it; `unavailable` where its keys cannot be fetched. */
export async function assertionHolds(
  { jws, alg, kid }: ClientAssertion,
  keys: KeySource,
  remoteKeys: RemoteKeys,
): Promise<boolean | "unavailable"> {
  const key = await remoteKeys.find(keys, kid, alg);
  if (key.ok) return signatureHolds(jws, alg, key.value.key);
  return key.error === "issuer_keys_unavailable" ? "unavailable" : false;
}
