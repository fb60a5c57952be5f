import { hash } from "node:crypto";
import { exportLine } from "../../src/audit/audit-view.ts";
import type { ExportLine } from "../../src/protocol/audit-export.ts";
import { type AuditEntry, type Sha256, sealEntry } from "../../src/protocol/audit-record.ts";
import { canonicalBase64url, utf8 } from "../../src/protocol/encoding.ts";
import { leafHash, TreeEdge } from "../../src/protocol/merkle.ts";
import { checkpointText, type NoteKey, signedNote, verifierKey } from "../../src/protocol/signed-note.ts";

export const nodeSha256: Sha256 = (data) => hash("sha256", data, "buffer");
export const ORIGIN = "auth.example.com/v1/audit";

/** A key that signs checkpoints. */
export type LogKey = NoteKey & { sign(text: string): Promise<string> };

export async function newLogKey(): Promise<LogKey> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const { x } = (await crypto.subtle.exportKey("jwk", pair.publicKey)) as JsonWebKey;
  const key = { name: ORIGIN, publicKey: canonicalBase64url(x!)! };
  const sign = async (text: string) =>
    signedNote(text, key, new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, utf8(text))));
  return { ...key, sign };
}

/** Entries of three objects, each numbered from 1. */
export function someEntries(count: number): AuditEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `evt_${i}`,
    at: 1_800_000_000 + i,
    type: "grant.revoked",
    source: `session/ses_${i % 3}`,
    source_seq: Math.floor(i / 3) + 1,
    request_id: `dec_${i}`,
    call: "POST /v1/grants/:id/revoke",
    actor: { subject: `corp|olivia.${i}`, client_id: "cli_1" },
    about: `corp|alice.${i % 7}`,
    reason: "the ticket is closed",
    data: { grant: `grt_${i}`, state: "revoked" },
  }));
}

/** The export of a log of these entries, with a signed checkpoint after every `every` records and at its end. */
export async function exportOf(entries: readonly AuditEntry[], key: LogKey, every = 10): Promise<string[]> {
  const edge = new TreeEdge(nodeSha256);
  const lines: ExportLine[] = [];
  for (const entry of entries) {
    const { leaf, disclosures } = await sealEntry(entry, edge.size, () => `salt${edge.size}`);
    const text = JSON.stringify(leaf);
    const leafBytes = await leafHash(utf8(text), nodeSha256);
    lines.push(
      exportLine({ seq: leaf.seq, leaf: text, disclosures: JSON.stringify(disclosures) }, leafBytes),
    );
    await edge.append(leafBytes);
    if (edge.size % every === 0 || edge.size === entries.length) {
      const rootHash = await edge.root();
      lines.push({
        checkpoint: await key.sign(checkpointText({ origin: ORIGIN, size: edge.size, rootHash })),
      });
    }
  }
  const checkpoints = lines.filter((line) => "checkpoint" in line).length;
  const header = { audit_log: 1, origin: ORIGIN, from: 0, size: entries.length } as const;
  const verifier_key = await verifierKey(key);
  return [{ ...header, verifier_key, checkpoints, edge: [] }, ...lines].map((line) => JSON.stringify(line));
}
