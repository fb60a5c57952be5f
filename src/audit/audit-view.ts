import type { ExportHeader, PrunedLine, RecordLine } from "../protocol/audit-export.ts";
import type { AuditEntry, AuditLeaf, DisclosedMember, Disclosures } from "../protocol/audit-record.ts";
import { DISCLOSED_MEMBERS } from "../protocol/audit-record.ts";
import { base64 } from "../protocol/encoding.ts";
import type { StoredRecord } from "./audit-store.ts";

/** A record as the API shows it; `erased` names the members whose value was taken away. */
export type AuditRecord = AuditEntry & { seq: number; erased?: DisclosedMember[] };

export function presentRecord({ leaf, disclosures }: StoredRecord): AuditRecord {
  return recordOf(leaf!, disclosures === null ? {} : JSON.parse(disclosures));
}

/** A leaf's text, with what is disclosed of it. */
export function recordOf(leaf: string, shown: Disclosures): AuditRecord {
  const { v: _version, commitments, ...open } = JSON.parse(leaf) as AuditLeaf;
  const values = DISCLOSED_MEMBERS.flatMap((member) => {
    const disclosure = shown[member];
    return disclosure ? [[member, disclosure[1]]] : [];
  });
  const erased = DISCLOSED_MEMBERS.filter((member) => commitments[member] && !shown[member]);
  return { ...open, ...Object.fromEntries(values), ...(erased.length ? { erased } : {}) };
}

/** How an export begins, and the checkpoints that it has after the record that was the last one then. */
export type ExportPlan = { header: ExportHeader; checkpoints: { size: number; note: string }[] };

export function exportLine(
  { seq, leaf, disclosures }: StoredRecord,
  hash: Uint8Array,
): RecordLine | PrunedLine {
  const leaf_hash = base64(hash);
  if (leaf === null) return { seq, leaf_hash };
  return { seq, leaf_hash, leaf, disclosures: JSON.parse(disclosures ?? "{}") };
}
