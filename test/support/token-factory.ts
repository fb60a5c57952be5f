import { base64url, utf8 } from "../../src/protocol/encoding.ts";
import type { PublicJwk } from "../../src/protocol/jwk.ts";

/** A key pair of a test, with its public half in both forms. */
export type TestKey = {
  kid: string;
  alg: string;
  jwk: PublicJwk;
  publicKey: CryptoKey;
  privateKey: CryptoKey;
};

type Parameters = { generate: object; sign: object };
const rsa = (name: string, hash: string, bits: number, saltLength?: number): Parameters => ({
  generate: { name, hash, modulusLength: bits, publicExponent: new Uint8Array([1, 0, 1]) },
  sign: saltLength === undefined ? { name } : { name, saltLength },
});

function parameters(alg: string, rsaBits: number): Parameters {
  switch (alg) {
    case "ES256":
      return {
        generate: { name: "ECDSA", namedCurve: "P-256" },
        sign: { name: "ECDSA", hash: "SHA-256" },
      };
    case "ES384":
      return {
        generate: { name: "ECDSA", namedCurve: "P-384" },
        sign: { name: "ECDSA", hash: "SHA-384" },
      };
    case "EdDSA":
      return { generate: { name: "Ed25519" }, sign: { name: "Ed25519" } };
    case "RS256":
    case "RS384":
    case "RS512":
      return rsa("RSASSA-PKCS1-v1_5", `SHA-${alg.slice(2)}`, rsaBits);
    case "PS256":
    case "PS384":
    case "PS512":
      return rsa("RSA-PSS", `SHA-${alg.slice(2)}`, rsaBits, Number(alg.slice(2)) / 8);
    default:
      throw new Error(`no test key for ${alg}`);
  }
}

export async function newKey(alg: string, kid: string, rsaBits = 2048): Promise<TestKey> {
  const { generate } = parameters(alg, rsaBits);
  const pair = (await crypto.subtle.generateKey(generate as never, true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const exported = (await crypto.subtle.exportKey("jwk", pair.publicKey)) as unknown as PublicJwk;
  const { kty, crv, x, y, n, e } = exported;
  const members = Object.fromEntries(Object.entries({ crv, x, y, n, e }).filter(([, value]) => value));
  // Keys of other issuers are of any algorithm.
  const jwk: PublicJwk = { kty, kid, alg: alg as PublicJwk["alg"], use: "sig", ...members };
  return { kid, alg, jwk, publicKey: pair.publicKey, privateKey: pair.privateKey };
}

async function signBytes(key: TestKey, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const { sign } = parameters(key.alg, 2048);
  return new Uint8Array(await crypto.subtle.sign(sign as never, key.privateKey, bytes));
}

/** A part of a token: an object, or the JSON text itself where the text is what matters. */
export type Part = Record<string, unknown> | string;

export function segment(part: Part): string {
  return base64url(utf8(typeof part === "string" ? part : JSON.stringify(part)));
}

/** Signs whatever it is given, also what no honest issuer would. */
export async function signToken(key: TestKey, header: Part, claims: Part): Promise<string> {
  return signSegments(key, segment(header), segment(claims));
}

export async function signSegments(key: TestKey, header: string, claims: string): Promise<string> {
  const signed = `${header}.${claims}`;
  return `${signed}.${base64url(await signBytes(key, utf8(signed)))}`;
}

/** The header of one of our tokens. */
export function ownHeader(key: TestKey): Record<string, unknown> {
  return { alg: key.alg, typ: "at+jwt", kid: key.kid };
}

/** The claims of one of our tokens as they are minted, issued at `now` for five minutes. */
export function ownClaims(issuer: string, audience: string, now: number): Record<string, unknown> {
  return {
    iss: issuer,
    sub: "demo|alice",
    aud: audience,
    client_id: "cli_demo",
    iat: now,
    nbf: now,
    exp: now + 300,
    jti: "tok_01jd0000000000000000000000",
    scope: "orders:read orders:write",
  };
}

/** Repeatable pseudo-random numbers in [0, 1): a corpus is the same on every run (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
