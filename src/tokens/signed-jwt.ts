import { mediaSubtype, readJoseHeader } from "../protocol/jose-header.ts";
import { type CompactJws, readCompactJws, signatureHolds } from "../protocol/jws.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { KeySource } from "./issuer-keys.ts";
import type { RemoteKeys } from "./remote-keys.ts";

export type FindKey = Pick<RemoteKeys, "find">;

export type SignedJwt = { jws: CompactJws; key: { kid: string; key: CryptoKey } };

export type SignedJwtFault =
  | "malformed"
  | "type"
  | "algorithm"
  | "unknown_key"
  | "signature"
  | "issuer_keys_unavailable";

/** Who must have signed it, with what, and what it must be. One without `typ` counts as a `JWT`. */
export type SignedJwtTerms = { signer: KeySource; algorithms: readonly string[]; types: readonly string[] };

/**
 * A JWT of somebody who is named in the policy, whose type, algorithm, key and signature are what the policy
 * says. Never HS256: a shared secret has one use, access tokens. Its claims are for the caller to look at.
 */
export async function readSignedJwt(
  text: string,
  { signer, algorithms, types }: SignedJwtTerms,
  keys: FindKey,
): Promise<Result<SignedJwt, SignedJwtFault>> {
  const jws = readCompactJws(text);
  const header = jws && readJoseHeader({ typ: "JWT", ...jws.header });
  if (!jws || !header?.ok) return err("malformed");
  const { alg, kid, typ } = header.value;
  if (!types.includes(mediaSubtype(typ))) return err("type");
  if (signer.secret_ref !== undefined || !algorithms.includes(alg)) return err("algorithm");
  const key = await keys.find(signer, kid, alg);
  if (!key.ok) return key;
  return (await signatureHolds(jws, alg, key.value.key)) ? ok({ jws, key: key.value }) : err("signature");
}
