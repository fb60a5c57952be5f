import { derivedId } from "../platform/ids.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import type { EventType, WebhookEvent } from "./event.ts";

const DAY_MS = 86_400_000;

/** A receiver answered 410. Told after the registry has it, so never to this endpoint. */
export function disabledEvent(endpointId: string, id: string, nowMs: number): OutboxRow {
  return row({
    id,
    type: "webhook_endpoint.disabled",
    timestamp: new Date(nowMs).toISOString(),
    data: { endpoint_id: endpointId, reason: "gone" },
  });
}

/**
 * A delivery's schedule is exhausted: the receiver has failed for days. One event a day, however many deliveries
 * fail: they all have its id. It goes to this endpoint as well, where it may be the next to fail, days later.
 */
export function failingEvent(endpointId: string, nowMs: number): OutboxRow {
  const dayMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  return row({
    id: derivedId("evt", dayMs, `failing ${endpointId}`),
    type: "webhook_endpoint.failing",
    timestamp: new Date(dayMs).toISOString(),
    data: { endpoint_id: endpointId, reason: "schedule_exhausted" },
  });
}

function row(payload: WebhookEvent & { type: EventType }): OutboxRow {
  return { id: payload.id, lane: "registry", kind: "webhook.publish", payload };
}
