import type { OutboxRow } from "../platform/outbox.ts";
import type { KeyPurpose } from "../protocol/jwk.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import type { OverdueRotation } from "./key-view.ts";

/** What webhook endpoints are told of a rotation that did not happen in time. */
export function overdueEvent(overdue: OverdueRotation, id: string, nowMs: number): OutboxRow {
  return eventRow("key.rotation_overdue", { ...overdue }, id, nowMs);
}

/** A key that was replaced as compromised. `revocation` is the rule that denies what it signed. */
type Compromised = { purpose: KeyPurpose; kid: string; revocation: string; actor: string; reason: string };

export function compromisedEvent(compromised: Compromised, id: string, nowMs: number): OutboxRow {
  return eventRow("key.compromised", { ...compromised }, id, nowMs);
}

function eventRow(type: EventType, data: WebhookEvent["data"], id: string, nowMs: number): OutboxRow {
  const timestamp = new Date(nowMs).toISOString();
  const payload: WebhookEvent & { type: EventType } = { id, type, timestamp, data };
  return { id, lane: "events", kind: "webhook.publish", payload };
}
