import type { AuditEntry, AuditLeaf, DisclosedMember, Disclosures } from "../protocol/audit-record.ts";
import { DISCLOSED_MEMBERS } from "../protocol/audit-record.ts";
import type { StoredRecord } from "./audit-store.ts";

/** A record as the API shows it; `erased` names the members whose value was taken away. */
export type AuditRecord = AuditEntry & { seq: number; erased?: DisclosedMember[] };

export function presentRecord({ leaf, disclosures }: StoredRecord): AuditRecord {
  const { v: _version, commitments, ...open } = JSON.parse(leaf!) as AuditLeaf;
  const shown = disclosures === null ? {} : (JSON.parse(disclosures) as Disclosures);
  const values = DISCLOSED_MEMBERS.flatMap((member) => {
    const disclosure = shown[member];
    return disclosure ? [[member, disclosure[1]]] : [];
  });
  const erased = DISCLOSED_MEMBERS.filter((member) => commitments[member] && !shown[member]);
  return { ...open, ...Object.fromEntries(values), ...(erased.length ? { erased } : {}) };
}
