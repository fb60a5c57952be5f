import { describe, expect, it } from "vitest";
import type { SignalAction } from "../../../src/policy/signal-schema.ts";
import {
  SECURITY_EVENT_NAMES,
  securityEventName,
  securityEventUri,
} from "../../../src/protocol/security-event.ts";
import { actionOf, kindOf } from "../../../src/signals/signal-action.ts";

const byDefault = (name: (typeof SECURITY_EVENT_NAMES)[number], payload = {}) =>
  actionOf({ events: {} }, name, payload);

describe("what an event leads to", () => {
  it.each<[Parameters<typeof byDefault>[0], object, SignalAction]>([
    ["session-revoked", {}, "revoke_session"],
    ["credential-change", { change_type: "create" }, "notify"],
    ["credential-change", { change_type: "revoke" }, "revoke_sessions"],
    ["risk-level-change", { current_level: "LOW" }, "ignore"],
    ["risk-level-change", { current_level: "MEDIUM" }, "notify"],
    ["risk-level-change", { current_level: "HIGH" }, "revoke_sessions"],
    ["device-compliance-change", { current_status: "compliant" }, "ignore"],
    ["device-compliance-change", { current_status: "not-compliant" }, "revoke_sessions"],
    ["assurance-level-change", { change_direction: "increase" }, "ignore"],
    ["assurance-level-change", { change_direction: "decrease" }, "revoke_sessions"],
    ["token-claims-change", { claims: {} }, "revoke_sessions"],
    ["session-presented", {}, "ignore"],
    ["account-disabled", { reason: "hijacking" }, "revoke_subject"],
    ["account-purged", {}, "revoke_subject"],
    ["account-enabled", {}, "restore_subject"],
    ["credential-compromise", {}, "revoke_sessions"],
    ["sessions-revoked", {}, "revoke_sessions"],
  ])("by default: %s %j → %s", (name, payload, action) => {
    expect(byDefault(name, payload)).toBe(action);
  });

  it.each([{}, { current_level: "EXTREME" }, { current_level: 3 }, { current_level: "high" }])(
    "is the strongest where the event does not say how grave it is: %j",
    (payload) => expect(byDefault("risk-level-change", payload)).toBe("revoke_sessions"),
  );

  it("is what the policy says, for the whole event or for one kind of it", () => {
    const events = {
      "session-revoked": "notify",
      "risk-level-change": { MEDIUM: "revoke_subject" },
      "credential-change": "ignore",
    } as const;
    expect(actionOf({ events }, "session-revoked", {})).toBe("notify");
    expect(actionOf({ events }, "risk-level-change", { current_level: "MEDIUM" })).toBe("revoke_subject");
    expect(actionOf({ events }, "risk-level-change", { current_level: "HIGH" })).toBe("revoke_sessions");
    expect(actionOf({ events }, "risk-level-change", {})).toBe("revoke_subject");
    expect(actionOf({ events }, "credential-change", { change_type: "revoke" })).toBe("ignore");
  });

  it("says which kind it is, and only where that is one", () => {
    expect(kindOf("risk-level-change", { current_level: "HIGH" })).toBe("HIGH");
    expect(kindOf("risk-level-change", { current_level: "constructor" })).toBeUndefined();
    expect(kindOf("session-revoked", { current_level: "HIGH" })).toBeUndefined();
    expect(kindOf("stream-updated", { status: "disabled" })).toBe("disabled");
  });

  it("is known for every event, and no event has two names", () => {
    for (const name of SECURITY_EVENT_NAMES) expect(byDefault(name)).toBeTypeOf("string");
    for (const name of SECURITY_EVENT_NAMES) expect(securityEventName(securityEventUri(name))).toBe(name);
    expect(securityEventName("session-revoked")).toBeUndefined();
  });
});
