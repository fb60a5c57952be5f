/** `typ` of a security event token (RFC 8417 §2.3). */
export const SET_TYPE = "secevent+jwt";
/** Content type of one that is pushed (RFC 8935 §2.1). */
export const SET_MEDIA_TYPE = `application/${SET_TYPE}`;

const CAEP = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF = "https://schemas.openid.net/secevent/ssf/event-type/";

/** What can be said of a person, by the last part of the event type's URI: CAEP 1.0 §3, RISC 1.0 §2. */
export const SECURITY_EVENTS = {
  "session-revoked": CAEP,
  "token-claims-change": CAEP,
  "credential-change": CAEP,
  "assurance-level-change": CAEP,
  "device-compliance-change": CAEP,
  "session-established": CAEP,
  "session-presented": CAEP,
  "risk-level-change": CAEP,
  "account-credential-change-required": RISC,
  "account-purged": RISC,
  "account-disabled": RISC,
  "account-enabled": RISC,
  "identifier-changed": RISC,
  "identifier-recycled": RISC,
  "credential-compromise": RISC,
  "opt-in": RISC,
  "opt-out-initiated": RISC,
  "opt-out-cancelled": RISC,
  "opt-out-effective": RISC,
  "recovery-activated": RISC,
  "recovery-information-changed": RISC,
  "sessions-revoked": RISC,
} as const;

export type SecurityEventName = keyof typeof SECURITY_EVENTS;
export const SECURITY_EVENT_NAMES = Object.keys(SECURITY_EVENTS) as [
  SecurityEventName,
  ...SecurityEventName[],
];

/** What a transmitter says of its stream to us (SSF 1.0 §8.1.4, §8.1.5). */
const STREAM_EVENTS = ["verification", "stream-updated"] as const;
export type StreamEventName = (typeof STREAM_EVENTS)[number];

/** The URI of an event that is said of a person. */
export function securityEventUri(name: SecurityEventName): string {
  return `${SECURITY_EVENTS[name]}${name}`;
}

export const VERIFICATION_EVENT = `${SSF}verification`;

const NAMES = new Map<string, SecurityEventName | StreamEventName>([
  ...SECURITY_EVENT_NAMES.map((name) => [securityEventUri(name), name] as const),
  ...STREAM_EVENTS.map((name) => [`${SSF}${name}`, name] as const),
]);

/** The name of an event type; undefined for one that is not known. */
export function securityEventName(uri: string): SecurityEventName | StreamEventName | undefined {
  return NAMES.get(uri);
}

/** The member of an event by whose value one kind of it differs from another. */
export const EVENT_KINDS: Partial<Record<SecurityEventName, { member: string; values: readonly string[] }>> =
  {
    "credential-change": { member: "change_type", values: ["create", "revoke", "update", "delete"] },
    "assurance-level-change": { member: "change_direction", values: ["increase", "decrease"] },
    "device-compliance-change": { member: "current_status", values: ["compliant", "not-compliant"] },
    "risk-level-change": { member: "current_level", values: ["LOW", "MEDIUM", "HIGH"] },
  };
