import { describe, expect, it } from "vitest";
import { DEFAULT_DETECTIONS } from "../../../src/policy/detection-policy.ts";
import { detectionsSchema } from "../../../src/policy/detection-schema.ts";
import { detectionOfEvent } from "../../../src/remediation/event-detection.ts";
import { disabledEvent, failingEvent } from "../../../src/webhooks/endpoint-event.ts";
import { DETECTED_EVENT_TYPES, type WebhookEvent } from "../../../src/webhooks/event.ts";

const ISS = "https://auth.example.com";
const AT = 1_800_000_000;
const NOW_MS = AT * 1000;

const DATA: { [type in (typeof DETECTED_EVENT_TYPES)[number]]: WebhookEvent["data"] } = {
  "session.reuse_detected": {
    session: { id: "ses_1", subject: "login|ann", client_id: "cli_1", scope: "orders:read" },
  },
  "key.rotation_overdue": { kid: "k1", purpose: "access_token", due_at: AT - 60, issuing_stops_at: AT + 60 },
  "key.compromised": {
    ...{ kid: "k1", purpose: "access_token", revocation: "rev_1" },
    ...{ actor: "operator", reason: "it was in a log" },
  },
  "webhook_endpoint.disabled": { endpoint_id: "whe_1", reason: "gone" },
  "webhook_endpoint.failing": { endpoint_id: "whe_1", reason: "schedule_exhausted" },
  "break_glass.opened": {
    access_request: {
      ...{ id: "req_1", requester: "login|ann", client_id: "cli_1", rule: "orders" },
      grant: { id: "grt_1", state: "active" },
      justification: "INC-42",
    },
  },
};
const eventOf = (type: (typeof DETECTED_EVENT_TYPES)[number], id = "evt_1"): WebhookEvent => ({
  ...{ id, type, data: DATA[type] },
  timestamp: new Date(NOW_MS).toISOString(),
});
const detect = (event: WebhookEvent, policy = DEFAULT_DETECTIONS) => detectionOfEvent(event, ISS, policy);

describe("an event of the control plane", () => {
  it.each([
    [
      "session.reuse_detected",
      "refresh_token_reused",
      { iss: ISS, sub: "login|ann", client_id: "cli_1", session: "ses_1" },
      undefined,
    ],
    [
      "key.rotation_overdue",
      "key_rotation_overdue",
      { iss: ISS, kid: "k1" },
      { purpose: "access_token", due_at: AT - 60 },
    ],
    [
      "key.compromised",
      "key_compromised",
      { iss: ISS, kid: "k1" },
      { purpose: "access_token", revocation: "rev_1" },
    ],
    ["webhook_endpoint.disabled", "webhook_endpoint_dead", { endpoint: "whe_1" }, { reason: "gone" }],
    [
      "webhook_endpoint.failing",
      "webhook_endpoint_dead",
      { endpoint: "whe_1" },
      { reason: "schedule_exhausted" },
    ],
    [
      "break_glass.opened",
      "break_glass_used",
      { iss: ISS, sub: "login|ann", client_id: "cli_1", grant: "grt_1" },
      { access_request: "req_1", rule: "orders" },
    ],
  ] as const)("%s is the detection %s", (type, kind, about, facts) => {
    expect(detect(eventOf(type))).toEqual({
      ...{ id: expect.stringMatching(/^det_/), kind, about, at: AT },
      ...{ window_seconds: 0, count: 1, threshold: 1 },
      ...(facts ? { facts } : {}),
    });
  });

  it("is one detection, however often it is told", () => {
    for (const type of DETECTED_EVENT_TYPES) {
      expect(detect(eventOf(type, "evt_2"))!.id).toBe(detect(eventOf(type))!.id);
    }
  });

  it("is none where the policy does not want it", () => {
    const policy = detectionsSchema.parse({ key_compromised: { enabled: false } });
    expect(detect(eventOf("key.compromised"), policy)).toBeUndefined();
    expect(detect(eventOf("key.rotation_overdue"), policy)).toBeDefined();
  });

  it("is none where it is something else", () => {
    expect(detect({ ...eventOf("break_glass.opened"), type: "grant.revoked" })).toBeUndefined();
    expect(detect({ ...eventOf("break_glass.opened"), type: "detection.raised" })).toBeUndefined();
  });
});

describe("an endpoint's events", () => {
  it("say once a day that it fails, whatever fails", () => {
    const event = (atMs: number) => failingEvent("whe_1", atMs);
    expect(event(NOW_MS + 1)).toEqual(event(NOW_MS));
    expect(event(NOW_MS + 86_400_000).id).not.toBe(event(NOW_MS).id);
    expect(failingEvent("whe_2", NOW_MS).id).not.toBe(event(NOW_MS).id);
  });

  it("are one dead endpoint each", () => {
    const gone = disabledEvent("whe_1", "evt_1", NOW_MS).payload as WebhookEvent;
    expect(detect(gone)).toMatchObject({ kind: "webhook_endpoint_dead", about: { endpoint: "whe_1" } });
  });
});
