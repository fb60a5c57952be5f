import { beforeAll, describe, expect, it } from "vitest";
import { checkPolicy } from "../../../src/policy/check.ts";
import { loadConditions } from "../../../src/policy/condition.ts";
import { DEFAULT_REMEDIATION_RULES, remediationRules } from "../../../src/policy/default-remediation.ts";
import { remediationSchema } from "../../../src/policy/remediation-schema.ts";

beforeAll(loadConditions);

const CONTEXT = { issuer: "https://auth.example.com", local: false };

function faultsOf(...rules: object[]): string[] {
  const complete = rules.map((rule, i) => ({
    id: `r${i}`,
    when: "token_overused",
    actions: [{ kind: "count" }],
    ...rule,
  }));
  const checked = checkPolicy({ remediation: { rules: complete } }, CONTEXT);
  return checked.ok ? [] : (checked.error.extra?.faults as string[]);
}

describe("remediation rules in a policy", () => {
  it("are taken with every action for the kinds that it fits", () => {
    expect(
      faultsOf(
        {
          when: "token_tampered",
          actions: [{ kind: "block_address" }, { kind: "notify" }, { kind: "count" }],
        },
        { actions: [{ kind: "revoke", target: "narrowest" }, { kind: "force_sign_in" }] },
        { actions: [{ kind: "step_up", acr_values: ["mfa"], new_sign_in: false }] },
        { actions: [{ kind: "shrink_scope", target: "session", scopes: ["orders:refund"] }] },
        { when: "key_compromised", actions: [{ kind: "revoke", target: "key" }] },
        { when: "key_rotation_overdue", actions: [{ kind: "rotate_key" }] },
        { condition: "about.client_id in ['a'] && time.hour < 6" },
      ),
    ).toEqual([]);
  });

  it("never act on what a forged token says of itself", () => {
    for (const when of ["token_tampered", "unknown_key_storm", ["token_overused", "token_tampered"]]) {
      for (const action of [
        { kind: "revoke", target: "token" },
        { kind: "force_sign_in" },
        { kind: "rotate_key" },
      ]) {
        expect(faultsOf({ when, actions: [action] })[0]).toContain("remediation.rules.0.actions.0: ");
      }
    }
  });

  it("act on keys where a key is what it is about, and nowhere else", () => {
    expect(faultsOf({ actions: [{ kind: "rotate_key" }] })).toHaveLength(1);
    expect(faultsOf({ actions: [{ kind: "revoke", target: "key" }] })).toHaveLength(1);
    expect(faultsOf({ when: "key_compromised", actions: [{ kind: "rotate_key" }] })).toHaveLength(1);
    expect(faultsOf({ when: "key_rotation_overdue", actions: [{ kind: "block_address" }] })).toHaveLength(1);
  });

  it("have conditions that can be read, ids of their own and no member that is not known", () => {
    expect(faultsOf({ condition: "token.sub == 'x'" })[0]).toContain("remediation.rules.0.condition: ");
    expect(faultsOf({ condition: "about.(" })[0]).toContain("is not CEL");
    expect(faultsOf({ id: "a" }, { id: "a" })).toEqual([
      'remediation.rules.1.id: "a" is already used by remediation.rules.0',
    ]);
    expect(faultsOf({ whem: "x" })[0]).toContain("remediation.rules.0.whem");
    expect(faultsOf({ actions: [{ kind: "step_up", new_sign_in: false }] })[0]).toContain("acr_values");
    expect(faultsOf({ actions: [] })).toHaveLength(1);
  });

  it("block no address where detections name none", () => {
    const rules = [{ id: "r", when: "token_tampered", actions: [{ kind: "block_address" }] }];
    const check = (show_address: boolean) =>
      checkPolicy({ detections: { show_address }, remediation: { rules } }, CONTEXT);
    expect(check(true).ok).toBe(true);
    expect(check(false)).toMatchObject({
      error: {
        extra: { faults: [expect.stringContaining("remediation.rules.0.actions.0: needs the address")] },
      },
    });
  });

  it("that hold by default are as the schema would have them, and good", () => {
    const parsed = remediationSchema.parse({ rules: DEFAULT_REMEDIATION_RULES });
    expect(parsed.rules).toEqual(DEFAULT_REMEDIATION_RULES);
    expect(faultsOf(...DEFAULT_REMEDIATION_RULES)).toEqual([]);
  });

  it("of the policy stand alone where there are any, and none of them where it says so", () => {
    const checked = checkPolicy({ remediation: { rules: [] } }, CONTEXT);
    expect(checked.ok && remediationRules(checked.value)).toEqual([]);
    const silent = checkPolicy({}, CONTEXT);
    expect(silent.ok && remediationRules(silent.value)).toBe(DEFAULT_REMEDIATION_RULES);
  });
});
