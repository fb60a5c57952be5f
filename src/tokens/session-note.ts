import type { AuditNote } from "../platform/audit-outbox.ts";
import type { AuditType } from "../protocol/audit-record.ts";
import type { Session } from "./session.ts";

/** What is recorded of a session. */
export function sessionNote(type: AuditType, session: Session): AuditNote {
  const { id, subject, kind, audience, scopes, binding, assertion } = session;
  const data = {
    session: id,
    kind,
    audience,
    scopes,
    client: binding.client_id,
    issuer: assertion.issuer_id,
  };
  return { type, about: subject, data };
}
