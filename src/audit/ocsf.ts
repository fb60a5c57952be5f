import type { Json } from "../protocol/json.ts";
import type { AuditRecord } from "./audit-view.ts";

/** A record as an event of the Open Cybersecurity Schema Framework 1.1: what a SIEM reads without a mapping of its own. */
export type OcsfEvent = { [member: string]: Json };

const VERSION = "1.1.0";
const AUTHENTICATION = { class_uid: 3002, category_uid: 3 };
const ENTITY_MANAGEMENT = { class_uid: 3004, category_uid: 3 };
const USER_ACCESS = { class_uid: 3005, category_uid: 3 };
const API_ACTIVITY = { class_uid: 6003, category_uid: 6 };
const OTHER = 99;
const INFORMATIONAL = 1;
const MEDIUM = 3;
const SUCCESS = 1;
const FAILURE = 2;
/** OCSF's word for what is not known: it wants something there. */
const UNKNOWN = "unknown";

type Kind = { class_uid: number; category_uid: number; activity_id: number };

/** Where authority is given to or taken from a person. */
const ACCESS: Readonly<Record<string, number>> = {
  "access_request.approved": 1,
  "break_glass.opened": 1,
  "grant.extended": 1,
  "grant.returned": 2,
  "grant.revoked": 2,
  "grant.used_up": 2,
  "grant.expired": 2,
};
const SESSION: Readonly<Record<string, number>> = {
  "session.opened": 1,
  "session.revoked": 2,
  "session.reuse_detected": 2,
  "session.expired": 2,
};
const CREATES = /\.(?:created|added|put|proposed)$/;
const DELETES = /\.(?:deleted|removed|lifted|discarded|retired|cancelled|erased|pruned)$/;
/** What somebody should look at. */
const GRAVE =
  /^(?:call\.refused|break_glass\.|key\.compromised|session\.reuse_detected|revocation\.emergency)/;

export function ocsfEvent(record: AuditRecord): OcsfEvent {
  const kind = kindOf(record.type);
  const { id, at, type, seq, reason, from, request_id, actor, source, data } = record;
  const refused = type === "call.refused" || type === "access_request.review_refused";
  return {
    ...kind,
    type_uid: kind.class_uid * 100 + kind.activity_id,
    activity_name: type,
    time: at * 1000,
    severity_id: GRAVE.test(type) ? MEDIUM : INFORMATIONAL,
    status_id: refused ? FAILURE : SUCCESS,
    metadata: {
      version: VERSION,
      uid: id,
      sequence: seq,
      product: { name: "Portcullis", vendor_name: "Portcullis" },
      log_name: source,
      ...(request_id === undefined ? {} : { correlation_uid: request_id }),
    },
    actor: {
      user: { uid: actor?.subject ?? UNKNOWN },
      ...(actor?.client_id ? { app_name: actor.client_id } : {}),
    },
    ...(reason === undefined ? {} : { message: reason }),
    ...(from ? { src_endpoint: placeOf(from) } : {}),
    ...objectOf(kind, record),
    ...(data ? { unmapped: data } : {}),
  };
}

function kindOf(type: string): Kind {
  if (type === "call.refused") return { ...API_ACTIVITY, activity_id: OTHER };
  const session = SESSION[type];
  if (session !== undefined) return { ...AUTHENTICATION, activity_id: session };
  const access = ACCESS[type];
  if (access !== undefined) return { ...USER_ACCESS, activity_id: access };
  const activity_id = CREATES.test(type) ? 1 : DELETES.test(type) ? 4 : 3;
  return { ...ENTITY_MANAGEMENT, activity_id };
}

/** What each class cannot do without. */
function objectOf(
  { class_uid }: Kind,
  { about, actor, call, data, from, type, source }: AuditRecord,
): OcsfEvent {
  const user = { uid: about ?? actor?.subject ?? UNKNOWN };
  switch (class_uid) {
    case API_ACTIVITY.class_uid: {
      const code = typeof data?.status === "number" ? data.status : 403;
      const api = { operation: call ?? UNKNOWN, response: { code } };
      return { api, ...(from ? {} : { src_endpoint: { name: UNKNOWN } }) };
    }
    case AUTHENTICATION.class_uid:
      return { user, service: { name: "Portcullis" }, is_remote: true };
    case USER_ACCESS.class_uid:
      return {
        user,
        privileges: Array.isArray(data?.scope) ? data.scope : [],
        ...(typeof data?.resource === "string" ? { resource: { name: data.resource } } : {}),
      };
    default:
      return {
        entity: { type: type.slice(0, type.indexOf(".")), uid: source, ...(about ? { name: about } : {}) },
      };
  }
}

function placeOf({ country, asn, address }: NonNullable<AuditRecord["from"]>): { [member: string]: Json } {
  return {
    ...(address === undefined ? {} : { ip: address }),
    ...(country === undefined ? {} : { location: { country } }),
    ...(asn === undefined ? {} : { autonomous_system: { number: asn } }),
    ...(address === undefined ? { name: UNKNOWN } : {}),
  };
}
