import type { SigningAlgorithm } from "../protocol/signature-algorithm.ts";

/** What of a request is signed: what it asks for, and by the assertion who asks. No body. */
export type SignedRequest = { method: string; url: string; assertion?: string | undefined };

export type SignatureParameters = { keyId: string; alg: SigningAlgorithm; createdSeconds: number };

/** The names of RFC 9421 §6.2.2. */
const ALGORITHMS: Record<SigningAlgorithm, string> = {
  ES256: "ecdsa-p256-sha256",
  EdDSA: "ed25519",
  RS256: "rsa-v1_5-sha256",
};

/**
 * The signature base (RFC 9421 §2.5) of a request to an origin, and the parameters that `Signature-Input` names.
 * Components are as they are on the wire: the platform's `fetch` writes some characters of a query its own way.
 */
export function signatureBase(
  { method, url, assertion }: SignedRequest,
  { keyId, alg, createdSeconds }: SignatureParameters,
): { base: string; parameters: string } {
  const { host, pathname, search } = new URL(url);
  const components: [string, string][] = [
    ["@method", method],
    ["@authority", host],
    ["@path", pathname],
    ["@query", search || "?"],
  ];
  if (assertion !== undefined) components.push(["x-portcullis-assertion", assertion]);
  const names = components.map(([name]) => `"${name}"`).join(" ");
  const parameters = `(${names});created=${createdSeconds};keyid="${keyId}";alg="${ALGORITHMS[alg]}";tag="portcullis"`;
  const lines = components.map(([name, value]) => `"${name}": ${value}`);
  return { base: [...lines, `"@signature-params": ${parameters}`].join("\n"), parameters };
}
