import type { DetectionPolicy } from "../policy/detection-policy.ts";
import type { Detection, DetectionKind, DetectionSubject } from "../protocol/detection.ts";
import type { Json } from "../protocol/json.ts";
import type { DetectedEventType, WebhookEvent } from "../webhooks/event.ts";
import { newDetection } from "./detection.ts";

type Data = { [member: string]: Json };
type Reading = {
  kind: DetectionKind;
  about: DetectionSubject;
  facts?: Record<string, string | number>;
  /** What the event is about, so that the same again is the same detection. */
  key: string;
};

/** What each event says: one place for all of them. `iss` is our own issuer. */
const READERS: { readonly [type in DetectedEventType]: (data: Data, iss: string) => Reading } = {
  "session.reuse_detected": ({ session }, iss) => {
    const { id, subject, client_id } = session as { id: string; subject: string; client_id: string };
    const about = { iss, sub: subject, client_id, session: id };
    return { kind: "refresh_token_reused", about, key: id };
  },
  "key.rotation_overdue": (data, iss) => {
    const { kid, purpose, due_at } = data as { kid: string; purpose: string; due_at: number };
    return { kind: "key_rotation_overdue", about: { iss, kid }, facts: { purpose, due_at }, key: kid };
  },
  "key.compromised": (data, iss) => {
    const { kid, purpose, revocation } = data as { kid: string; purpose: string; revocation: string };
    return { kind: "key_compromised", about: { iss, kid }, facts: { purpose, revocation }, key: kid };
  },
  "webhook_endpoint.disabled": deadEndpoint,
  "webhook_endpoint.failing": deadEndpoint,
  "break_glass.opened": ({ access_request }, iss) => {
    const { id, requester, client_id, rule, grant } = access_request as {
      id: string;
      requester: string;
      client_id: string;
      rule: string;
      grant?: { id: string };
    };
    const about = { iss, sub: requester, client_id, ...(grant ? { grant: grant.id } : {}) };
    return { kind: "break_glass_used", about, facts: { access_request: id, rule }, key: id };
  },
};

/** The detection that an event of ours is, where the policy wants it. */
export function detectionOfEvent(
  event: WebhookEvent,
  iss: string,
  policy: DetectionPolicy,
): Detection | undefined {
  if (!isDetected(event.type)) return undefined;
  const { kind, about, facts, key } = READERS[event.type](event.data, iss);
  if (!policy[kind].enabled) return undefined;
  const at = Math.floor(Date.parse(event.timestamp) / 1000);
  const found = { kind, at, window_seconds: 0, count: 1, threshold: 1, about };
  return newDetection(facts ? { ...found, facts } : found, key, at);
}

function isDetected(type: WebhookEvent["type"]): type is DetectedEventType {
  return Object.hasOwn(READERS, type);
}

function deadEndpoint(data: Data): Reading {
  const { endpoint_id, reason } = data as { endpoint_id: string; reason: string };
  return {
    kind: "webhook_endpoint_dead",
    about: { endpoint: endpoint_id },
    facts: { reason },
    key: endpoint_id,
  };
}
