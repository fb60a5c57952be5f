import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { base64url, utf8 } from "../../../src/protocol/encoding.ts";
import type { KeyPurpose, PublicKeyRecord } from "../../../src/protocol/jwk.ts";

type ImportedKey = { key: KeyObject };

/** ES256 and SHA-2 as WebCrypto answers them, but within a microtask: nothing waits for a thread. */
const subtle = {
  importKey: async (_format: string, jwk: JsonWebKey): Promise<ImportedKey> => ({
    key: createPublicKey({ key: jwk, format: "jwk" }),
  }),
  verify: async (_algorithm: unknown, { key }: ImportedKey, signature: Uint8Array, data: Uint8Array) =>
    verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, signature),
  digest: async (algorithm: string, data: Uint8Array): Promise<ArrayBuffer> => {
    const { buffer, byteOffset, byteLength } = createHash(algorithm.replace("-", "")).update(data).digest();
    return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
  },
};

/** Puts the synchronous crypto and repeatable randomness in the place of the real ones; answers what takes them out. */
export function installCrypto(random: () => number): () => void {
  const real = Object.getOwnPropertyDescriptor(globalThis, "crypto") as PropertyDescriptor;
  const realRandom = Math.random;
  const getRandomValues = (bytes: Uint8Array) => bytes.map((_, i) => (bytes[i] = Math.floor(random() * 256)));
  Object.defineProperty(globalThis, "crypto", { configurable: true, value: { subtle, getRandomValues } });
  Math.random = random;
  return () => {
    Object.defineProperty(globalThis, "crypto", real);
    Math.random = realRandom;
  };
}

/** A signing key of the simulated key ring. */
export type SimKey = { record: PublicKeyRecord; privateKey: KeyObject };

export function makeKey(kid: string, purpose: KeyPurpose = "access_token"): SimKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
  return { record: { kid, purpose, jwk: jwk as PublicKeyRecord["jwk"] }, privateKey };
}

/** An access token of ours (RFC 9068) with these claims. */
export function signAccessToken({ record, privateKey }: SimKey, claims: object): string {
  const header = { alg: "ES256", typ: "at+jwt", kid: record.kid };
  const signed = [header, claims].map((part) => base64url(utf8(JSON.stringify(part)))).join(".");
  const signature = sign("sha256", utf8(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${signed}.${base64url(signature)}`;
}
