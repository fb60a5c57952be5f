import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import type { PublicJwk } from "../protocol/jwk.ts";

/** The algorithm of our own keys. */
export const SIGNING_ALG = "ES256";

/** A new key pair; `kid` is the RFC 7638 thumbprint, so that a key can have no other name. */
export async function generateSigningKey(): Promise<{ kid: string; publicJwk: PublicJwk; privateJwk: JWK }> {
  const { publicKey, privateKey } = await generateKeyPair(SIGNING_ALG, { extractable: true });
  const exported = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(exported);
  const publicJwk = { ...exported, kid, alg: SIGNING_ALG, use: "sig" } as PublicJwk;
  return { kid, publicJwk, privateJwk: await exportJWK(privateKey) };
}
