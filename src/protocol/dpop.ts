import { calculateJwkThumbprint, type JWK } from "jose";
import { base64url, canonicalBase64url, sha256Bytes, utf8 } from "./encoding.ts";
import { readJoseHeader } from "./jose-header.ts";
import type { Json } from "./json.ts";
import { type CompactJws, readCompactJws, signatureHolds } from "./jws.ts";
import { importPublicKey, isKeyFor, publicMembers } from "./public-key.ts";
import { err, ok, type Result } from "./result.ts";

/** Algorithms that a proof may be signed with: asymmetric ones only (RFC 9449 §4.3, check 5). */
export const DPOP_ALGORITHMS = ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"] as const;
export const DPOP_TYPE = "dpop+jwt";

/** A proof may be this old when it arrives. */
export const PROOF_MAX_AGE_SECONDS = 60;
/** And this far ahead: the sender's clock is another one. */
export const PROOF_SKEW_SECONDS = 15;
/** Its `jti` has to be remembered for as long as the proof can be used. */
export const PROOF_LIFE_SECONDS = PROOF_MAX_AGE_SECONDS + PROOF_SKEW_SECONDS;

const MAX_PROOF_CHARS = 4096;
const MAX_URL_CHARS = 8192;
/** The key is the sender's own choice: a larger one would only cost time. */
const MAX_RSA_BITS = 4096;
const JTI = /^[\x21-\x7e]{1,128}$/;
/** What the members of a key are long, in bytes; a coordinate has one length (RFC 7518 §6.2.1.2, RFC 8037 §2). */
const COORDINATE_BYTES: Record<string, number> = { "P-256": 32, "P-384": 48, Ed25519: 32 };

/** Why a proof is not good (RFC 9449 §4.3). For the log; the answer does not tell them apart. */
export type DpopFault =
  | "missing"
  | "several"
  | "malformed"
  | "type"
  | "algorithm"
  | "key"
  | "signature"
  | "claims"
  | "method"
  | "target"
  | "time"
  | "token";

/** What the proof has to be for. */
export type ProofDemand = {
  method: string;
  /** The address that the request was sent to; query and fragment do not count. */
  url: string;
  /** The access token that comes with it; absent where none is used, as at the token endpoint. */
  accessToken?: string;
  nowSeconds: number;
};

/** A proof that is good for its request. `nonce` and whether the `jti` was seen before are for the caller to check. */
export type VerifiedProof = { jkt: string; jti: string; iat: number; nonce?: string };

/**
 * Verifies the value of the header `DPoP`: form, type, algorithm, key, signature, method, target, time and the
 * token's hash (RFC 9449 §4.3, checks 1 to 9, 11 and 12a). Not checked here: the nonce, that the token is bound
 * to the key, and single use.
 */
export async function verifyDpopProof(
  header: string | null,
  demand: ProofDemand,
): Promise<Result<VerifiedProof, DpopFault>> {
  if (header === null || header === "") return err("missing");
  // Repeated fields arrive joined by ", ": a comma is no part of a JWS.
  if (header.includes(",")) return err("several");
  const jws = header.length > MAX_PROOF_CHARS ? undefined : readCompactJws(header);
  if (!jws) return err("malformed");
  const key = readProofKey(jws);
  if (!key.ok) return key;
  const claims = readProofClaims(jws.claims);
  if (!claims) return err("claims");
  const fault = claimFault(claims, demand);
  if (fault) return err(fault);
  if (!(await hashFits(claims.ath, demand.accessToken))) return err("token");
  const { alg, jwk } = key.value;
  const imported = await importPublicKey(jwk, alg, MAX_RSA_BITS);
  if (!imported) return err("key");
  if (!(await signatureHolds(jws, alg, imported))) return err("signature");
  const { jti, iat, nonce } = claims;
  return ok({ jkt: await calculateJwkThumbprint(jwk), jti, iat, ...(nonce === undefined ? {} : { nonce }) });
}

/** The one place of a proof's key is its header (`jwk`); everything else that could name a key is refused. */
function readProofKey({ header }: CompactJws): Result<{ alg: string; jwk: JWK }, DpopFault> {
  const { jwk, ...rest } = header;
  const read = readJoseHeader(rest);
  if (!read.ok) return read;
  const { alg, typ } = read.value;
  if (typ !== DPOP_TYPE) return err("type");
  if (!(DPOP_ALGORITHMS as readonly string[]).includes(alg)) return err("algorithm");
  if (jwk === null || typeof jwk !== "object" || Array.isArray(jwk)) return err("key");
  const members = publicMembers(jwk);
  return members && isKeyFor(alg, members) && isCanonicalKey(members)
    ? ok({ alg, jwk: members })
    : err("key");
}

/** One key has one spelling and so one thumbprint; otherwise a revoked `jkt` could be spelled anew. */
function isCanonicalKey({ kty, crv, x, y, n, e }: JWK): boolean {
  if (kty === "RSA") return isCanonicalInteger(n, MAX_RSA_BITS / 8) && isCanonicalInteger(e, 4);
  const length = COORDINATE_BYTES[crv as string];
  const coordinates = kty === "EC" ? [x, y] : [x];
  return coordinates.every((text) => text !== undefined && canonicalBase64url(text)?.length === length);
}

/** Base64urlUInt (RFC 7518 §2): as few bytes as there can be. */
function isCanonicalInteger(text: string | undefined, maxBytes: number): boolean {
  const bytes = text === undefined ? undefined : canonicalBase64url(text);
  return bytes !== undefined && bytes.length > 0 && bytes.length <= maxBytes && bytes[0] !== 0;
}

type ProofClaims = { jti: string; htm: string; htu: string; iat: number; ath?: string; nonce?: string };

function readProofClaims(claims: Record<string, Json>): ProofClaims | undefined {
  const { jti, htm, htu, iat, ath, nonce } = claims;
  if (typeof jti !== "string" || !JTI.test(jti)) return undefined;
  if (typeof htm !== "string" || typeof htu !== "string" || htu.length > MAX_URL_CHARS) return undefined;
  if (typeof iat !== "number" || !Number.isFinite(iat)) return undefined;
  if (ath !== undefined && typeof ath !== "string") return undefined;
  if (nonce !== undefined && typeof nonce !== "string") return undefined;
  return {
    jti,
    htm,
    htu,
    iat,
    ...(ath === undefined ? {} : { ath }),
    ...(nonce === undefined ? {} : { nonce }),
  };
}

function claimFault(claims: ProofClaims, demand: ProofDemand): DpopFault | undefined {
  if (claims.htm !== demand.method) return "method";
  const target = comparableTarget(claims.htu);
  if (target === undefined || target !== comparableTarget(demand.url)) return "target";
  const age = demand.nowSeconds - claims.iat;
  return age > PROOF_MAX_AGE_SECONDS || age < -PROOF_SKEW_SECONDS ? "time" : undefined;
}

/** The hash is needed where a token is sent; where none is, one is a sign of a mistaken or stolen proof. */
async function hashFits(ath: string | undefined, accessToken: string | undefined): Promise<boolean> {
  if (accessToken === undefined) return ath === undefined;
  return ath === base64url(await sha256Bytes(utf8(accessToken)));
}

/**
 * Scheme, authority and path in the one form in which RFC 3986 §6.2.2 and §6.2.3 compare them: case, default
 * port, dot segments, and escapes. Undefined where it is no address of a web resource, or names a user.
 */
export function comparableTarget(address: string): string | undefined {
  // A parser drops these, or turns them into others, without a word.
  if (/[^\x21-\x5b\x5d-\x7e]/.test(address)) return undefined;
  if (!/^https?:\/\//i.test(address)) return undefined;
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return undefined;
  }
  if (url.username !== "" || url.password !== "") return undefined;
  return url.origin + url.pathname.replace(/%[0-9a-f]{2}/gi, comparableEscape);
}

function comparableEscape(octet: string): string {
  const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
  return /[A-Za-z0-9\-._~]/.test(character) ? character : octet.toUpperCase();
}
