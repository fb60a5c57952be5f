import { MAX_TOKEN_CHARS } from "./bearer.ts";
import { canonicalBase64url, fromUtf8, utf8 } from "./encoding.ts";
import { type Json, parseUniqueObject } from "./json.ts";

/** A JWS of two JSON objects, taken apart and not yet verified. */
export type CompactJws = {
  header: Record<string, Json>;
  claims: Record<string, Json>;
  signed: string;
  signature: Uint8Array<ArrayBuffer>;
};

/** WebCrypto's parameters for each algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2); `none` and HMAC are not here. */
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
  ["Ed25519", { name: "Ed25519" }],
]);

/** JWS compact serialization (RFC 7515 §7.1) in its one canonical spelling, of two JSON objects. */
export function readCompactJws(token: string): CompactJws | undefined {
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

export function isSignatureAlgorithm(alg: string): boolean {
  return SIGNATURES.has(alg);
}

/** Whether the key made the signature with this algorithm; a key of another algorithm did not. */
export async function signatureHolds(jws: CompactJws, alg: string, key: CryptoKey): Promise<boolean> {
  const parameters = SIGNATURES.get(alg);
  if (!parameters) return false;
  try {
    return await crypto.subtle.verify(parameters, key, jws.signature, utf8(jws.signed));
  } catch {
    return false;
  }
}
