import type { AuditNote } from "../platform/audit-outbox.ts";
import type { AuditType } from "../protocol/audit-record.ts";
import type { DeviceLogin } from "./device-login.ts";
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

/** What is recorded of a person's word on a device; who denies has not signed in. */
export function deviceLoginNote({
  decided,
  client_id,
  scopes,
  session_id,
  assertion,
}: DeviceLogin): AuditNote {
  const data = { client: client_id, scopes, session: session_id };
  if (decided !== "approved" || !assertion) return { type: "device_login.denied", data };
  const { subject } = assertion.facts;
  return { type: "device_login.approved", by: subject, about: subject, data };
}
