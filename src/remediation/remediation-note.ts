import type { AuditNote } from "../platform/audit-outbox.ts";
import { PORTCULLIS } from "../protocol/audit-record.ts";
import type { Remediation } from "./remediation.ts";

/** What is recorded of a firing of a rule each time that its state changes, or that a person confirms it. */
export function remediationNote(remediation: Remediation): AuditNote {
  const { id, rule_id, detection_id, detection_kind, state, would_cut, held, ended } = remediation;
  const confirmed = held?.confirmations.at(-1);
  const data = {
    ...{ remediation: id, rule: rule_id, detection: detection_id, detection_kind, would_cut },
    confirmations: held?.confirmations.length,
  };
  if (ended && (state === "undone" || state === "dismissed")) {
    return { type: `remediation.${state}`, by: ended.by, reason: ended.reason, data };
  }
  if (confirmed) {
    const why = confirmed.comment === undefined ? {} : { reason: confirmed.comment };
    return { type: "remediation.confirmed", by: confirmed.actor, ...why, data: { ...data, state } };
  }
  return { type: state === "held" ? "remediation.held" : "remediation.acted", by: PORTCULLIS, data };
}
