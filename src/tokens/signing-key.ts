import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import type { PublicJwk } from "../protocol/jwk.ts";
import type { SigningAlgorithm } from "../protocol/signature-algorithm.ts";

const RSA_BITS = 2048;

/** A new key pair; `kid` is the RFC 7638 thumbprint, so that a key can have no other name. */
export async function generateSigningKey(
  alg: SigningAlgorithm,
): Promise<{ kid: string; publicJwk: PublicJwk; privateJwk: JWK }> {
  const { publicKey, privateKey } = await generateKeyPair(alg, {
    extractable: true,
    modulusLength: RSA_BITS,
  });
  const exported = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(exported);
  const publicJwk = { ...exported, kid, alg, use: "sig" } as PublicJwk;
  return { kid, publicJwk, privateJwk: await exportJWK(privateKey) };
}
