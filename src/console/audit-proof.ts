import type { InclusionProof } from "../client/contract.ts";
import { base64, fromBase64, sha256Bytes } from "../protocol/encoding.ts";
import { rootOfInclusion } from "../protocol/merkle.ts";
import { openCheckpoint, readVerifierKey } from "../protocol/signed-note.ts";

/** What is wrong with a proof; undefined where it leads to the root hash that the key has signed. */
export async function faultOfProof(proof: InclusionProof, verifierKey: string): Promise<string | undefined> {
  const key = await readVerifierKey(verifierKey);
  if (!key) return "the verifier key is none";
  const opened = await openCheckpoint(proof.checkpoint, key);
  if ("fault" in opened) return `the checkpoint: ${opened.fault}`;
  const { size, rootHash } = opened.checkpoint;
  const leaf = fromBase64(proof.leaf_hash);
  const path = proof.hashes.map(fromBase64);
  if (!leaf || path.some((hash) => hash === undefined)) return "a hash is no base64";
  const root = await rootOfInclusion({ seq: proof.seq, hash: leaf }, size, path as Uint8Array[], sha256Bytes);
  if (!root || base64(root) !== base64(rootHash)) return "the hashes do not lead to the signed root hash";
  return undefined;
}
