import { importJWK, type JWK } from "jose";
import type { Json } from "./json.ts";

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;

const RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

/** Which key each algorithm needs (RFC 7518 §3.1, RFC 8037 §3.1). Symmetric algorithms are not among them. */
const KEY_OF_ALGORITHM = new Map<string, { kty: string; crv?: string }>([
  ["ES256", { kty: "EC", crv: "P-256" }],
  ["ES384", { kty: "EC", crv: "P-384" }],
  ["EdDSA", { kty: "OKP", crv: "Ed25519" }],
  ["Ed25519", { kty: "OKP", crv: "Ed25519" }],
  ...RSA_ALGORITHMS.map((alg): [string, { kty: string }] => [alg, { kty: "RSA" }]),
]);

/** Only these are imported: a private or symmetric member never reaches the key. */
const PUBLIC_MEMBERS = ["kty", "crv", "x", "y", "n", "e"] as const;
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/** The members of a public key (RFC 7517 §4); undefined where there is a private one, or one is not text. */
export function publicMembers(jwk: { [member: string]: Json }): JWK | undefined {
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) return undefined;
  const members: Record<string, string> = {};
  for (const name of PUBLIC_MEMBERS) {
    const value = Object.hasOwn(jwk, name) ? jwk[name] : undefined;
    if (value === undefined) continue;
    if (typeof value !== "string") return undefined;
    members[name] = value;
  }
  return members;
}

/** Whether the key is of the kind that the algorithm signs with. */
export function isKeyFor(alg: string, jwk: JWK): boolean {
  const needed = KEY_OF_ALGORITHM.get(alg);
  if (!needed || jwk.kty !== needed.kty) return false;
  return needed.crv === undefined || jwk.crv === needed.crv;
}

/** Undefined where the key is not sound: a point off its curve, a modulus too small or too large. */
export async function importPublicKey(
  jwk: JWK,
  alg: string,
  maxRsaBits = MAX_RSA_BITS,
): Promise<CryptoKey | undefined> {
  try {
    const key = (await importJWK(jwk, alg, { extractable: false })) as CryptoKey;
    const { modulusLength: bits } = key.algorithm as { modulusLength?: number };
    return bits !== undefined && (bits < MIN_RSA_BITS || bits > maxRsaBits) ? undefined : key;
  } catch {
    return undefined;
  }
}
