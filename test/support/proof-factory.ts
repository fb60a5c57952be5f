import { calculateJwkThumbprint } from "jose";
import { base64url, sha256Bytes, utf8 } from "../../src/protocol/encoding.ts";
import { signToken, type TestKey } from "./token-factory.ts";

type Changes = Record<string, unknown>;

/** A key's public half as a proof's header names it: the members that make its thumbprint, and no more. */
export function proofJwk({ jwk }: TestKey): Record<string, string> {
  const { kty, crv, x, y, n, e } = jwk;
  const members = { kty, crv, x, y, n, e };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
}

export const thumbprintOf = (key: TestKey) => calculateJwkThumbprint(proofJwk(key));

export async function hashOf(accessToken: string): Promise<string> {
  return base64url(await sha256Bytes(utf8(accessToken)));
}

let made = 0;

/** What a proof is for; `header` and `claims` change its parts, undefined takes one out. */
export type ProofOf = {
  method?: string;
  url: string;
  nowSeconds: number;
  accessToken?: string;
  nonce?: string;
  header?: Changes;
  claims?: Changes;
};

/** A DPoP proof (RFC 9449 §4.2), signed by `key`; each has a `jti` of its own. */
export async function proofOf(key: TestKey, proof: ProofOf): Promise<string> {
  const { method = "GET", url, nowSeconds, accessToken, nonce } = proof;
  const claims = {
    jti: `proof-${++made}`,
    htm: method,
    htu: url,
    iat: nowSeconds,
    ...(accessToken === undefined ? {} : { ath: await hashOf(accessToken) }),
    ...(nonce === undefined ? {} : { nonce }),
    ...proof.claims,
  };
  return signToken(key, { typ: "dpop+jwt", alg: key.alg, jwk: proofJwk(key), ...proof.header }, claims);
}
