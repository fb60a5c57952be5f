import type { OutboxRow } from "../platform/outbox.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import type { OverdueRotation } from "./key-view.ts";

/** What webhook endpoints are told of a rotation that did not happen in time. */
export function overdueEvent(overdue: OverdueRotation, id: string, nowMs: number): OutboxRow {
  const type = "key.rotation_overdue";
  const timestamp = new Date(nowMs).toISOString();
  const payload: WebhookEvent & { type: EventType } = { id, type, timestamp, data: { ...overdue } };
  return { id, lane: "events", kind: "webhook.publish", payload };
}
