import { describe, expect, it } from "vitest";
import type { AccessRequestPort } from "../../../src/access/ports.ts";
import { reviewRequest } from "../../../src/access/routes.ts";
import { accessRuleSchema } from "../../../src/policy/access-rule-schema.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";

const ID = "req_01m80vge8se3ps2w3e76kefsk1";
const REVIEWER = { subject: "corp|bob", roles: ["approver"] };
const rule = (members: object) =>
  accessRuleSchema.safeParse({
    ...{ id: "vault", resource: "vault", origin: "api", scopes: ["open"], max_duration_seconds: 60 },
    ...{ requesters: { roles: ["dev"] }, stages: [{ roles: ["approver"] }], ...members },
  });

/** What of a review reaches the request itself. */
async function reviewing(
  high_risk: boolean,
  outcome: "approve" | "deny",
  checks?: Parameters<typeof reviewRequest>[4],
) {
  const reached: object[] = [];
  const object = {
    read: async () => ok({ rule_id: "vault" }),
    review: async (review: object) => {
      reached.push(review);
      return ok({ id: ID });
    },
  } as unknown as AccessRequestPort;
  const policy = { ...policySchema.parse({}), access_rules: [rule({ high_risk }).data!] };
  const deps = { accessRequest: () => object, policy: async () => ok(policy) };
  const review = { id: "evt_1", approver: REVIEWER.subject, outcome };
  const answer = await reviewRequest(deps, ID, review, REVIEWER, checks);
  return { code: answer.ok ? "ok" : answer.error.code, reached };
}

describe("an approval under a rule that is high-risk", () => {
  it("reaches the request with the passkey that has confirmed it", async () => {
    const confirm = async () => ok({ passkey_id: "key-1" });
    expect(await reviewing(true, "approve", { confirm })).toMatchObject({
      code: "ok",
      reached: [{ passkey: "key-1" }],
    });
  });

  it("does not where nothing was confirmed", async () => {
    const confirm = async () => err(problem("passkey_required", "It confirmed something else."));
    expect(await reviewing(true, "approve", { confirm })).toEqual({ code: "passkey_required", reached: [] });
  });

  it("does not by links, signed decisions and chat, which have no place for a passkey", async () => {
    expect(await reviewing(true, "approve")).toEqual({ code: "passkey_required", reached: [] });
    expect(await reviewing(true, "approve", { allowed: () => true })).toEqual({
      code: "passkey_required",
      reached: [],
    });
  });

  it("is alone in that: denials and other rules need none", async () => {
    expect(await reviewing(true, "deny")).toMatchObject({ code: "ok" });
    const { code, reached } = await reviewing(false, "approve");
    expect(code).toBe("ok");
    expect(reached[0]).not.toHaveProperty("passkey");
  });

  it("cannot be had in chat: the rule is refused", () => {
    expect(rule({ high_risk: true, decide_in_chat: true }).success).toBe(false);
    expect(rule({ high_risk: false, decide_in_chat: true }).success).toBe(true);
    expect(rule({ high_risk: true }).success).toBe(true);
  });
});
