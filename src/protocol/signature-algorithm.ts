/** The algorithms of our own keys. */
export const SIGNING_ALGORITHMS = ["ES256", "EdDSA", "RS256"] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];
/** The one symmetric algorithm, for an issuer that shares a secret with this deployment, and for no other. */
export const SHARED_SECRET_ALGORITHM = "HS256";

/** WebCrypto's parameters for importing a key of ours and for signing with it (RFC 7518 §3.1, RFC 8037 §3.1). */
export const SIGNING_PARAMETERS: Record<
  SigningAlgorithm,
  { key: SubtleCryptoImportKeyAlgorithm; sign: SubtleCryptoSignAlgorithm }
> = {
  ES256: { key: { name: "ECDSA", namedCurve: "P-256" }, sign: { name: "ECDSA", hash: "SHA-256" } },
  EdDSA: { key: { name: "Ed25519" }, sign: { name: "Ed25519" } },
  RS256: { key: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, sign: { name: "RSASSA-PKCS1-v1_5" } },
};
