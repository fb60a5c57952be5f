import type { SigningAlgorithm } from "./signature-algorithm.ts";

/** A public EC, OKP or RSA key (RFC 7517) with the members that a verifier needs. */
export type PublicJwk = {
  kty: string;
  kid: string;
  alg: SigningAlgorithm;
  use: "sig";
  crv?: string;
  x?: string;
  y?: string;
  n?: string;
  e?: string;
};

/** What a key of ours may sign. A key for one purpose never verifies a token of another. */
export type KeyPurpose = "access_token" | "assertion";

export type PublicKeyRecord = { kid: string; purpose: KeyPurpose; jwk: PublicJwk };
