import type { TrustedIssuer } from "../policy/document.ts";
import { SHARED_SECRET_ALGORITHM } from "../policy/issuer-schema.ts";
import { MAX_TOKEN_CHARS } from "../protocol/bearer.ts";
import { canonicalBase64url, fromUtf8, utf8 } from "../protocol/encoding.ts";
import { type Json, parseUniqueObject } from "../protocol/json.ts";
import type { KeyPurpose } from "../protocol/jwk.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { ACCESS_TOKEN_TYPE } from "./access-token.ts";
import { readIssuerClaims, readOwnClaims, type VerifiedToken, windowFault } from "./claims.ts";
import { type JoseHeader, mediaSubtype, readJoseHeader } from "./jose-header.ts";
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
};

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

/** WebCrypto's parameters for each algorithm (RFC 7518 §3.1, RFC 8037 §3.1); `none` and HMAC are not here. */
const SIGNATURES = new Map<string, SubtleCryptoSignAlgorithm>([
  ["ES256", { name: "ECDSA", hash: "SHA-256" }],
  ["ES384", { name: "ECDSA", hash: "SHA-384" }],
  ["RS256", { name: "RSASSA-PKCS1-v1_5" }],
  ["RS384", { name: "RSASSA-PKCS1-v1_5" }],
  ["RS512", { name: "RSASSA-PKCS1-v1_5" }],
  ["PS256", { name: "RSA-PSS", saltLength: 32 }],
  ["PS384", { name: "RSA-PSS", saltLength: 48 }],
  ["PS512", { name: "RSA-PSS", saltLength: 64 }],
  ["EdDSA", { name: "Ed25519" }],
]);

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
  const parts = readCompact(token);
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
  if (!key.ok) return fault(key.error);
  const holds = issuer?.secret_ref === undefined ? signatureHolds : macHolds;
  if (!(await holds(parts, header.value.alg, key.value.key))) return fault("signature");
  const verified = issuer
    ? readIssuerClaims(parts.claims, issuer, key.value)
    : readOwnClaims(parts.claims, key.value);
  if (!verified) return fault("claims");
  const late = windowFault(verified, context.nowSeconds);
  return late ? fault(late) : ok(verified);
}

function fault(reason: TokenFault["reason"]): Result<never, TokenFault> {
  return err({ reason });
}

type CompactToken = {
  header: Record<string, Json>;
  claims: Record<string, Json>;
  signed: string;
  signature: Uint8Array<ArrayBuffer>;
};

/** JWS compact serialization (RFC 7515 §7.1) in its one canonical spelling, of two JSON objects. */
function readCompact(token: string): CompactToken | undefined {
  if (token.length > MAX_TOKEN_CHARS) return undefined;
  const segments = token.split(".", 4);
  if (segments.length !== 3) return undefined;
  const header = readObject(segments[0]!);
  const claims = header && readObject(segments[1]!);
  const signature = claims && canonicalBase64url(segments[2]!);
  if (!signature) return undefined;
  return { header, claims, signature, signed: token.slice(0, token.lastIndexOf(".")) };
}

function readObject(segment: string): Record<string, Json> | undefined {
  const bytes = canonicalBase64url(segment);
  const text = bytes && fromUtf8(bytes);
  return text === undefined ? undefined : parseUniqueObject(text);
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
  if (!SIGNATURES.has(header.alg)) return err("algorithm");
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

async function signatureHolds(token: CompactToken, alg: string, key: CryptoKey): Promise<boolean> {
  const parameters = SIGNATURES.get(alg);
  if (!parameters) return false;
  try {
    return await crypto.subtle.verify(parameters, key, token.signature, utf8(token.signed));
  } catch {
    // The key is not of this algorithm.
    return false;
  }
}

/** Only for an issuer that shares a secret with us: no public key of anybody ever comes here. */
async function macHolds(token: CompactToken, alg: string, key: CryptoKey): Promise<boolean> {
  if (alg !== SHARED_SECRET_ALGORITHM || key.type !== "secret") return false;
  return crypto.subtle.verify("HMAC", key, token.signature, utf8(token.signed));
}
