import { utf8 } from "./encoding.ts";

/** A key for one purpose from the deployment's secret, by HKDF-SHA-256 (RFC 5869); `info` separates the purposes. */
export async function deriveKey(
  secret: string,
  info: string,
  algorithm: SubtleCryptoGenerateKeyAlgorithm,
  usages: string[],
): Promise<CryptoKey> {
  const root = await crypto.subtle.importKey("raw", utf8(secret), "HKDF", false, ["deriveKey"]);
  // No salt: the root is a random secret already (RFC 5869 §3.1), and the info alone separates the keys.
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: utf8(info) };
  return crypto.subtle.deriveKey(hkdf, root, algorithm, false, usages);
}
