import type { Json } from "../protocol/json.ts";

/** Everything that an endpoint can subscribe to. */
export const EVENT_TYPES = [
  "access_request.created",
  "access_request.approved",
  "access_request.denied",
  "access_request.cancelled",
  "access_request.expired",
  "access_request.stage_passed",
  "access_request.reminder_due",
  "access_request.escalated",
  "grant.activated",
  "grant.ending",
  "grant.extension_requested",
  "grant.extended",
  "grant.extension_denied",
  "grant.extension_cancelled",
  "grant.extension_expired",
  "grant.returned",
  "grant.revoked",
  "grant.used_up",
  "grant.expired",
  "break_glass.opened",
  "break_glass.review_due",
  "break_glass.review_overdue",
  "break_glass.reviewed",
  "revocation.created",
  "revocation.lifted",
  "revocation.confirmation_needed",
  "revocation.emergency",
  "remediation.acted",
  "remediation.held",
  "remediation.undone",
  "key.rotation_overdue",
  "key.compromised",
  "session.revoked",
  "session.reuse_detected",
  "signal.received",
  "webhook_endpoint.disabled",
  "audit.checkpoint",
  "webhook_endpoint.failing",
  "detection.raised",
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** Of which each is something to detect, whoever listens to it. */
export const DETECTED_EVENT_TYPES = [
  "session.reuse_detected",
  "key.rotation_overdue",
  "key.compromised",
  "webhook_endpoint.disabled",
  "webhook_endpoint.failing",
  "break_glass.opened",
] as const satisfies readonly EventType[];

export type DetectedEventType = (typeof DETECTED_EVENT_TYPES)[number];

/** Sent on demand to one endpoint, whatever it subscribes to. */
export const TEST_EVENT_TYPE = "webhook.test";

/** What happened, as a receiver reads it. `id` is also the message's `webhook-id`. */
export type WebhookEvent = {
  /** `evt_…` */
  id: string;
  type: EventType | typeof TEST_EVENT_TYPE;
  /** When it happened, RFC 3339. */
  timestamp: string;
  data: { [member: string]: Json };
};

type FamilyOf<T extends string> = T extends `${infer Noun}.${string}` ? `${Noun}.*` : never;

/** One exact type, one family (`grant.*`), or everything (`*`). */
export type EventFilter = "*" | FamilyOf<EventType> | EventType;

export const EVENT_FILTERS: readonly EventFilter[] = [
  "*",
  ...new Set(EVENT_TYPES.map(familyOf)),
  ...EVENT_TYPES,
];

/** Comes once a minute while anything happens: `*` does not ask for it. */
const ONLY_BY_NAME: ReadonlySet<EventType> = new Set(["audit.checkpoint"]);

export function matchesEvent(filters: readonly EventFilter[], type: EventType): boolean {
  const everything = !ONLY_BY_NAME.has(type);
  return filters.some(
    (filter) => (everything && filter === "*") || filter === type || filter === familyOf(type),
  );
}

function familyOf<T extends EventType>(type: T): FamilyOf<T> {
  return `${type.slice(0, type.indexOf("."))}.*` as FamilyOf<T>;
}
