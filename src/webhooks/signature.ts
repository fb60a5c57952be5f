import { base64, base64url, utf8 } from "../protocol/encoding.ts";
import { equalText } from "../protocol/equal-text.ts";
import { err, ok, type Result } from "../protocol/result.ts";

/** How far a message's timestamp may be from now, to either side (Standard Webhooks). */
export const TOLERANCE_SECONDS = 300;
export const SECRET_BYTES = 32;

const MAX_CANDIDATES = 8;
// No full stop: it separates the parts of the signed text, so an id with one could be split in two ways.
const MESSAGE_ID = /^[A-Za-z0-9_-]{1,128}$/;
const TIMESTAMP = /^[0-9]{1,12}$/;

export type SignatureHeaders = {
  "webhook-id": string;
  "webhook-timestamp": string;
  "webhook-signature": string;
};

/** A message as it came; a header that was not sent is null. `body` is the exact text that was signed. */
export type SignedMessage = {
  id: string | null;
  timestamp: string | null;
  signature: string | null;
  body: string;
};

export type SignatureFault = "missing" | "malformed" | "too_old" | "too_new" | "mismatch";

/** Signs `id.timestamp.body` in one way: `v1,…` (HMAC-SHA-256) or `v1a,…` (Ed25519), as Standard Webhooks has them. */
export type Signer = (signed: string) => Promise<string>;

/** An Ed25519 key pair: the seed of RFC 8032 and the public key, 32 bytes each. */
export type Ed25519Pair = { seed: Uint8Array; publicKey: Uint8Array };

/** The secret as its owner sees it, once: `whsec_` + base64. */
export function shownSecret(secret: Uint8Array): string {
  return `whsec_${base64(secret)}`;
}

/** The public key as receivers are given it: `whpk_` + base64. */
export function shownPublicKey(publicKey: Uint8Array): string {
  return `whpk_${base64(publicKey)}`;
}

export async function newEd25519Pair(): Promise<Ed25519Pair> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const pkcs8 = new Uint8Array((await crypto.subtle.exportKey("pkcs8", pair.privateKey)) as ArrayBuffer);
  const publicKey = (await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer;
  // RFC 8410 §7: the seed is the last member of the structure.
  return { seed: pkcs8.slice(-SECRET_BYTES), publicKey: new Uint8Array(publicKey) };
}

export function hmacSigner(secret: Uint8Array<ArrayBuffer>): Signer {
  return (signed) => hmac(secret, utf8(signed));
}

export function ed25519Signer({ seed, publicKey }: Ed25519Pair): Signer {
  return async (signed) => {
    const jwk = { kty: "OKP", crv: "Ed25519", d: base64url(seed), x: base64url(publicKey) };
    const key = await crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["sign"]);
    return `v1a,${base64(new Uint8Array(await crypto.subtle.sign("Ed25519", key, utf8(signed))))}`;
  };
}

/** Signs one message in every way: while secrets rotate, receivers with either accept it. */
export async function signMessage(
  message: { id: string; body: string },
  signers: readonly Signer[],
  nowSeconds: number,
): Promise<SignatureHeaders> {
  const signed = `${message.id}.${nowSeconds}.${message.body}`;
  const signatures = await Promise.all(signers.map((sign) => sign(signed)));
  return {
    "webhook-id": message.id,
    "webhook-timestamp": String(nowSeconds),
    "webhook-signature": signatures.join(" "),
  };
}

/**
 * The index of the secret that signed the message. Every secret is tried and every comparison is made, so
 * the time taken says nothing about which one fits. The package `standardwebhooks` reads the system's clock and
 * hashes in JavaScript; anyone may call this with a large body, so the platform's HMAC does it.
 */
export async function verifyMessage(
  message: SignedMessage,
  secrets: readonly Uint8Array<ArrayBuffer>[],
  nowSeconds: number,
): Promise<Result<number, SignatureFault>> {
  const { id, timestamp, signature, body } = message;
  if (id === null || timestamp === null || signature === null) return err("missing");
  if (!MESSAGE_ID.test(id) || !TIMESTAMP.test(timestamp)) return err("malformed");
  const candidates = signature.split(" ");
  if (candidates.length > MAX_CANDIDATES) return err("malformed");
  if (nowSeconds - Number(timestamp) > TOLERANCE_SECONDS) return err("too_old");
  if (Number(timestamp) - nowSeconds > TOLERANCE_SECONDS) return err("too_new");
  const signed = utf8(`${id}.${timestamp}.${body}`);
  const expected = await Promise.all(secrets.map((secret) => hmac(secret, signed)));
  let found = -1;
  expected.forEach((value, index) => {
    for (const candidate of candidates) if (equalText(candidate, value)) found = index;
  });
  return found === -1 ? err("mismatch") : ok(found);
}

async function hmac(secret: Uint8Array<ArrayBuffer>, signed: Uint8Array<ArrayBuffer>): Promise<string> {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  const digest = new Uint8Array(await crypto.subtle.sign("HMAC", key, signed));
  return `v1,${base64(digest)}`;
}
