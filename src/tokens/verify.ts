import type { TrustedIssuer } from "../policy/document.ts";
import { utf8 } from "../protocol/encoding.ts";
import { type JoseHeader, mediaSubtype, readJoseHeader } from "../protocol/jose-header.ts";
import type { Json } from "../protocol/json.ts";
import type { KeyPurpose } from "../protocol/jwk.ts";
import { type CompactJws, isSignatureAlgorithm, readCompactJws, signatureHolds } from "../protocol/jws.ts";
import { PLAIN_TEXT } from "../protocol/plain-text.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { SHARED_SECRET_ALGORITHM } from "../protocol/signature-algorithm.ts";
import { ACCESS_TOKEN_TYPE } from "./access-token.ts";
import { MAX_JTI_CHARS, readIssuerClaims, readOwnClaims, type VerifiedToken, windowFault } from "./claims.ts";
import type { RemoteKeys, WaitUntil } from "./remote-keys.ts";

export type { VerifiedToken } from "./claims.ts";

/** Why a token is not accepted. For the log; the answer does not tell them apart. */
export type TokenFault = {
  reason:
    | "malformed"
    | "algorithm"
    | "type"
    | "unknown_issuer"
    | "unknown_key"
    | "signature"
    | "claims"
    | "expired"
    | "not_yet_valid"
    | "issuer_keys_unavailable";
  /** The token, where its signature held. */
  token?: VerifiedToken;
  /** What it says, where its issuer is known and its signature did not hold, or could not be looked at. */
  unverified?: UnverifiedIds;
};

/** Said by whoever sent the token, and by nobody else. Only what fits an id is kept. */
export type UnverifiedIds = { iss: string; kid?: string; jti?: string };

export type OwnKeys = ReadonlyMap<string, { kid: string; purpose: KeyPurpose; alg: string; key: CryptoKey }>;

export type VerifyContext = {
  /** `iss` of our own tokens. */
  issuer: string;
  keys: OwnKeys;
  /** Trusted issuers by their `iss`. */
  issuers: ReadonlyMap<string, TrustedIssuer>;
  remoteKeys: RemoteKeys;
  nowSeconds: number;
  /** Takes the renewal of an issuer's keys that is due but need not be waited for. */
  waitUntil?: WaitUntil;
};

const OWN_TYPES = [ACCESS_TOKEN_TYPE, `application/${ACCESS_TOKEN_TYPE}`];
const OWN_HEADER_MEMBERS = ["alg", "typ", "kid"];

/**
 * Verifies an access token: form, header, key, signature, claims, window. Not checked here, as they depend
 * on where and when the token is used: audience, scopes, roles, resources and revocation.
 */
export async function verifyAccessToken(
  token: string,
  context: VerifyContext,
): Promise<Result<VerifiedToken, TokenFault>> {
  const parts = readCompactJws(token);
  if (!parts) return fault("malformed");
  const header = readJoseHeader(parts.header);
  if (!header.ok) return fault(header.error);
  const { iss } = parts.claims;
  // The unverified `iss` only chooses among issuers that the policy names.
  const issuer = typeof iss === "string" && iss !== context.issuer ? context.issuers.get(iss) : undefined;
  if (!issuer && iss !== context.issuer) return fault("unknown_issuer");
  const key = issuer
    ? await issuerKey(issuer, header.value, context)
    : ownKey(parts.header, header.value, context.keys);
  if (!key.ok) return err({ reason: key.error, unverified: unverifiedIds(parts.claims, header.value) });
  const holds = issuer?.secret_ref === undefined ? signatureHolds : macHolds;
  if (!(await holds(parts, header.value.alg, key.value.key))) {
    return err({ reason: "signature", unverified: unverifiedIds(parts.claims, header.value) });
  }
  const verified = issuer
    ? readIssuerClaims(parts.claims, issuer, key.value)
    : readOwnClaims(parts.claims, key.value);
  if (!verified) return fault("claims");
  const late = windowFault(verified, context.nowSeconds);
  return late ? err({ reason: late, token: verified }) : ok(verified);
}

/** `iss` is one that the policy names, or our own: it chose the keys. */
function unverifiedIds({ iss, jti }: Record<string, Json>, { kid }: JoseHeader): UnverifiedIds {
  const ids: UnverifiedIds = { iss: iss as string };
  if (kid !== undefined) ids.kid = kid;
  if (typeof jti === "string" && jti.length <= MAX_JTI_CHARS && PLAIN_TEXT.test(jti)) ids.jti = jti;
  return ids;
}

function fault(reason: TokenFault["reason"]): Result<never, TokenFault> {
  return err({ reason });
}

type Key = { kid: string; key: CryptoKey };

/** Our tokens are minted with these members exactly; a key of another purpose is no key. */
function ownKey(
  members: Record<string, Json>,
  header: JoseHeader,
  keys: OwnKeys,
): Result<Key, TokenFault["reason"]> {
  if (!Object.keys(members).every((name) => OWN_HEADER_MEMBERS.includes(name))) return err("malformed");
  if (!OWN_TYPES.includes(header.typ)) return err("type");
  if (!isSignatureAlgorithm(header.alg)) return err("algorithm");
  const key = header.kid === undefined ? undefined : keys.get(header.kid);
  if (key?.purpose !== "access_token") return err("unknown_key");
  return key.alg === header.alg ? ok(key) : err("algorithm");
}

async function issuerKey(
  issuer: TrustedIssuer,
  header: JoseHeader,
  context: VerifyContext,
): Promise<Result<Key, TokenFault["reason"]>> {
  if (!(issuer.algorithms as string[]).includes(header.alg)) return err("algorithm");
  const typ = mediaSubtype(header.typ);
  if (!issuer.token_types.some((accepted) => mediaSubtype(accepted) === typ)) return err("type");
  return context.remoteKeys.find(issuer, header.kid, header.alg, context.waitUntil);
}

/** Only for an issuer that shares a secret with us: no public key of anybody ever comes here. */
async function macHolds(token: CompactJws, alg: string, key: CryptoKey): Promise<boolean> {
  if (alg !== SHARED_SECRET_ALGORITHM || key.type !== "secret") return false;
  return crypto.subtle.verify("HMAC", key, token.signature, utf8(token.signed));
}
