import { epochSeconds } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import type { Json } from "../protocol/json.ts";
import type { Receipt } from "../revocation/receipt.ts";
import {
  type LoggedRevocation,
  type Proposal,
  presentLogged,
  presentProposal,
  type RevocationRecord,
} from "../revocation/record.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";

export type RevocationEvent = WebhookEvent & { type: EventType };

/** What webhook endpoints are told of a revocation that came into force. */
export function createdEvents(logged: LoggedRevocation, receipt: Receipt, nowMs: number): OutboxRow[] {
  const about = { revocation: presentLogged(logged, epochSeconds(nowMs)), receipt };
  const created = eventRow("revocation.created", about, nowMs);
  return logged.rule.emergency ? [created, eventRow("revocation.emergency", about, nowMs)] : [created];
}

export function liftedEvent(logged: LoggedRevocation, receipt: Receipt, nowMs: number): OutboxRow {
  const revocation = presentLogged(logged, epochSeconds(nowMs));
  return eventRow("revocation.lifted", { revocation, receipt }, nowMs);
}

export function confirmationNeededEvent(proposal: Proposal, nowMs: number): OutboxRow {
  const revocation = presentProposal(proposal, epochSeconds(nowMs));
  return eventRow("revocation.confirmation_needed", { revocation }, nowMs);
}

/** An import that asks for no second person. */
export function emergencyImportEvent(eventId: string, actor: string, nowMs: number): OutboxRow {
  return eventRow("revocation.emergency", { import: { actor, at: epochSeconds(nowMs) } }, nowMs, eventId);
}

type About = { revocation: RevocationRecord; receipt?: Receipt } | { import: { actor: string; at: number } };

function eventRow(type: EventType, data: About, nowMs: number, id = newId("evt", nowMs)): OutboxRow {
  const timestamp = new Date(nowMs).toISOString();
  const payload: RevocationEvent = { id, type, timestamp, data: data as { [member: string]: Json } };
  return { id, lane: "events", kind: "webhook.publish", payload };
}
