import { describe, expect, it } from "vitest";
import { type RemediationAction, remediationRuleSchema } from "../../../src/policy/remediation-schema.ts";
import { ruleOfAction } from "../../../src/remediation/action-rule.ts";
import type { Target } from "../../../src/remediation/target.ts";
import { MAX_TOKEN_LIFE_SECONDS, type RevocationMatch } from "../../../src/revocation/rule.ts";

const DETECTED = 1_000_000;
const NOW = DETECTED + 5;
const CAUSE = { id: "rev_1", actor: "remediation:r", reason: "Rule r" };

function ruleOf(action: object, match: RevocationMatch | string) {
  const parsed = remediationRuleSchema.parse({ id: "r", when: "token_overused", actions: [action] });
  const target: Target =
    typeof match === "string"
      ? { kind: "address", key: `address:${match}`, address: match }
      : { kind: "tokens", key: "k", match };
  return ruleOfAction(parsed.actions[0] as RemediationAction, target, CAUSE, DETECTED, NOW);
}

describe("what an action puts into the log", () => {
  it("refuses one token or session as long as it may live, a subject until the rule is lifted, or as long as it says", () => {
    expect(ruleOf({ kind: "revoke", target: "token" }, { iss: "i", jti: "t" })).toEqual({
      ...CAUSE,
      match: { iss: "i", jti: "t" },
      created_at: NOW,
      expires_at: NOW + MAX_TOKEN_LIFE_SECONDS + 120,
    });
    expect(ruleOf({ kind: "revoke", target: "subject" }, { sub: "s" })).not.toHaveProperty("expires_at");
    expect(ruleOf({ kind: "revoke", target: "subject", seconds: 60 }, { sub: "s" })?.expires_at).toBe(
      NOW + 60,
    );
  });

  it("ends what began before the detection, and nothing that begins after it", () => {
    const rule = ruleOf({ kind: "force_sign_in" }, { sub: "s" });
    expect(rule).toMatchObject({ match: { sub: "s" }, issued_before: DETECTED + 1 });
    expect(rule).not.toHaveProperty("effect");
    expect(ruleOf({ kind: "revoke", target: "key" }, { kid: "k" })).toMatchObject({
      issued_before: DETECTED + 1,
    });
  });

  it("asks for a sign-in since the detection, or of a class", () => {
    expect(ruleOf({ kind: "step_up" }, { sub: "s" })).toMatchObject({
      effect: { kind: "step_up", signed_in_since: DETECTED },
      expires_at: NOW + MAX_TOKEN_LIFE_SECONDS,
    });
    const classes = { kind: "step_up", acr_values: ["mfa"], new_sign_in: false, seconds: 60 };
    expect(ruleOf(classes, { sub: "s" })).toMatchObject({
      effect: { kind: "step_up", acr_values: ["mfa"] },
      expires_at: NOW + 60,
    });
    expect(ruleOf(classes, { sub: "s" })?.effect).not.toHaveProperty("signed_in_since");
  });

  it("takes scopes, and blocks an address for a time", () => {
    const shrink = { kind: "shrink_scope", target: "session", scopes: ["a"], seconds: 60 };
    expect(ruleOf(shrink, { session: "s" })).toMatchObject({
      effect: { kind: "shrink_scope", scopes: ["a"] },
    });
    expect(ruleOf({ kind: "block_address", seconds: 60 }, "203.0.113.7")).toMatchObject({
      match: { address: "203.0.113.7" },
      expires_at: NOW + 60,
    });
  });

  it("is nothing for what is only counted or told", () => {
    expect(ruleOf({ kind: "count" }, { sub: "s" })).toBeUndefined();
    expect(ruleOf({ kind: "notify" }, "203.0.113.7")).toBeUndefined();
  });
});
