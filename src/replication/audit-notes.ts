import type { AuditNote, TakeNote } from "../platform/audit-outbox.ts";
import type { Receipt } from "../revocation/receipt.ts";
import { PROBE_ACTOR, type Revocation } from "../revocation/rule.ts";
import type { LogEntry } from "./entry.ts";

/** Adds an entry to the log; called within a transaction, with what takes its records. */
export type Apply = (entry: LogEntry, nowMs: number, note: TakeNote) => Receipt;

/** What is recorded of an entry: keys, policies and imports are recorded by the objects that they come from. */
export function notesOf(entry: LogEntry, lifted: Revocation | undefined): AuditNote[] {
  if (entry.kind === "revocation.lifted") return lifted ? liftNotes(lifted, entry.actor, entry.reason) : [];
  const added = entry.kind === "revocation.added" || entry.kind === "keys.changed" ? entry.rule : undefined;
  return added ? ruleNotes(added) : [];
}

/** What is recorded of a rule that came into force; nothing of the canary's, which hit a token that opens nothing. */
function ruleNotes(rule: Revocation): AuditNote[] {
  if (rule.actor === PROBE_ACTOR) return [];
  // Who proposed it is in the record of the proposal: in force it is by the second person's word.
  const by = rule.confirmation?.actor ?? rule.actor;
  const reason = rule.confirmation?.comment ?? rule.reason;
  return [{ ...aboutRule("revocation.created", rule), by, reason }];
}

function liftNotes(rule: Revocation, actor: string, reason: string | undefined): AuditNote[] {
  if (rule.actor === PROBE_ACTOR) return [];
  return [
    { ...aboutRule("revocation.lifted", rule), by: actor, ...(reason === undefined ? {} : { reason }) },
  ];
}

/** The rule without what names a person. */
export function aboutRule(type: AuditNote["type"], rule: Revocation): AuditNote {
  const { sub, ...match } = rule.match;
  const { id: revocation, issued_before, expires_at, emergency } = rule;
  const data = { revocation, match, issued_before, expires_at, emergency };
  return { type, ...(sub === undefined ? {} : { about: sub }), data };
}
