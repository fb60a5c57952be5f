import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable, DurableOptions } from "../platform/durable.ts";
import type { Logger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import {
  type AlertPorts,
  alertEndpoints,
  detectEvent,
  type PublishPorts,
  publishEvent,
} from "../webhooks/publish.ts";
import type { AccessRequestStore } from "./access-request-store.ts";
import type { DirectoryPort, LogPort } from "./ports.ts";

export type AccessEvent = WebhookEvent & { type: EventType };

/** It is told before a token leaves, in a lane that nothing else holds up. */
export const ALERT = "break_glass.opened";

type EffectPorts = {
  store: AccessRequestStore;
  durable: () => Durable;
  clock: Clock;
  log: Logger;
  revocations: LogPort;
  directory: DirectoryPort;
  webhooks: PublishPorts & AlertPorts;
};

/** What leaves an access request's object, by the kind of its outbox row. */
export function accessRequestEffects(ports: EffectPorts): DurableOptions["deliver"] {
  return {
    "log.append": (row) => appendRevocation(row, ports),
    "directory.put": () => index(ports),
    "webhook.publish": (row) => publishEvent(row.payload as AccessEvent, ports.webhooks),
    "webhook.alert": (row) => sendAlert(row.payload as AccessEvent, ports),
    "event.detect": (row) => detectEvent(row.payload as AccessEvent, ports.webhooks),
  };
}

async function sendAlert(event: AccessEvent, { webhooks, store, durable, clock, log }: EffectPorts) {
  await alertEndpoints(event, webhooks);
  const { request } = store.read()!;
  const { break_glass: glass } = request;
  if (!glass) return;
  const told = { ...request, break_glass: { ...glass, alerted_at: epochSeconds(clock()) } };
  durable().commit(() => store.write(told));
  log("warn", ALERT, { access_request: request.id, rule: request.rule_id });
}

async function appendRevocation(row: OutboxRow, { revocations, store, durable }: EffectPorts): Promise<void> {
  const receipt = await revocations.append(row.payload as Parameters<LogPort["append"]>[0]);
  if (!receipt.ok) throw new Error(receipt.error.detail);
  const { request } = store.read()!;
  const { grant } = request;
  if (!grant?.revoked) return;
  const revoked = { ...grant.revoked, receipt: receipt.value };
  durable().commit(() => store.write({ ...request, grant: { ...grant, revoked } }));
}

/** Tells the directory the state as it is now, so that a late row is never wrong. */
async function index({ directory, store }: EffectPorts): Promise<void> {
  const known = store.read();
  if (!known) return;
  const done = await directory.put(known.request, known.version);
  if (!done.ok) throw new Error(done.error.detail);
}
