import { beforeAll, describe, expect, it } from "vitest";
import { accessRuleWarnings } from "../../../src/policy/access-rule-faults.ts";
import { checkPolicy } from "../../../src/policy/check.ts";
import { loadConditions } from "../../../src/policy/condition.ts";
import { policySchema } from "../../../src/policy/document.ts";

beforeAll(loadConditions);

type Over = Record<string, unknown>;
const rule = (over: Over = {}) => ({
  id: "orders",
  resource: "orders/:id",
  origin: "api",
  scopes: ["orders:read"],
  requesters: { roles: ["developer"] },
  stages: [{ roles: ["approver"] }],
  max_duration_seconds: 3600,
  ...over,
});
const policy = (...access_rules: object[]) => ({
  origins: { api: { url: "https://api.internal.example", audience: "api" } },
  roles: { developer: { scopes: [] }, approver: { scopes: [] } },
  access_rules,
});
function faultsOf(over: Over): string[] {
  const checked = checkPolicy(policy(rule(over)), { issuer: "https://auth.example.com", local: false });
  return checked.ok ? [] : (checked.error.extra?.faults as string[]);
}

describe("a rule is refused", () => {
  it.each<[string, Over, string]>([
    [
      "a condition that is not CEL",
      { approve_when: "requester.roles &&" },
      "access_rules.0.approve_when: is not CEL",
    ],
    [
      "a name that conditions do not see",
      { deny_when: "user == 'a'" },
      "access_rules.0.deny_when: names 'user'",
    ],
    [
      "the same for who may ask",
      { requesters: { roles: ["a"], condition: "now > 1" } },
      "access_rules.0.requesters.condition: names 'now'",
    ],
    [
      "a person for two places of all",
      { stages: [{ all: [{ subjects: ["a", "b"] }, { subjects: ["a"] }, { subjects: ["b"] }] }] },
      "access_rules.0.stages: needs more different people",
    ],
    [
      "a person for two stages",
      { stages: [{ subjects: ["a"] }, { subjects: ["a"] }] },
      "access_rules.0.stages: needs more",
    ],
    [
      "the only approver asks",
      { requesters: { subjects: ["a", "b"] }, stages: [{ subjects: ["a"] }] },
      "access_rules.0.stages: a asks by this rule",
    ],
    [
      "too many groups",
      {
        stages: Array.from({ length: 3 }, () => ({
          all: Array.from({ length: 5 }, () => ({ roles: ["a"] })),
        })),
      },
      "access_rules.0.stages: names 15 groups",
    ],
    ["no stage", { stages: [] }, "access_rules.0.stages: "],
    ["a time zone that is an offset", { time_zone: "+02:00" }, "access_rules.0.time_zone: must be a name"],
    ["an unknown time zone", { time_zone: "Europe/Atlantis" }, "access_rules.0.time_zone: must be a name"],
    ["a total below the maximum", { max_total_seconds: 60 }, "access_rules.0.max_duration_seconds: must not"],
    [
      "a reminder after the deadline",
      { reminder_after_seconds: 61, review_deadline_seconds: 60 },
      "access_rules.0.reminder_after_seconds: must not",
    ],
    [
      "an escalation after the deadline",
      { escalation: { after_seconds: 61, roles: ["a"] }, review_deadline_seconds: 60 },
      "access_rules.0.escalation.after_seconds: must not",
    ],
    [
      "an escalation to nobody",
      { escalation: { after_seconds: 1 } },
      "access_rules.0.escalation: name at least",
    ],
    [
      "a suffix without a prefix",
      { ticket: { suffix: "digits" } },
      "access_rules.0.ticket.suffix: needs prefixes",
    ],
    [
      "an emergency that nobody reviews",
      { break_glass: { roles: ["a"], reviewers: {} } },
      "access_rules.0.break_glass.reviewers: name at least",
    ],
    [
      "an emergency of five hours",
      { break_glass: { roles: ["a"], reviewers: { roles: ["b"] }, max_duration_seconds: 18_000 } },
      "access_rules.0.break_glass.max_duration_seconds: ",
    ],
  ])("%s", (_what, over, fault) => {
    const faults = faultsOf(over);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });
});

it.each<[string, Over]>([
  [
    "conditions over all that they see",
    { approve_when: "requester.subject == resource.name && time.hour == request.scopes.size()" },
  ],
  ["enough people for every place", { stages: [{ all: [{ subjects: ["a", "b"] }, { subjects: ["a"] }] }] }],
  ["different people for two stages", { stages: [{ subjects: ["a"] }, { subjects: ["a", "b"] }] }],
  [
    "a requester who is one of several approvers",
    { requesters: { subjects: ["a"] }, stages: [{ subjects: ["a", "b"] }] },
  ],
  [
    "a requester for whom escalation has somebody",
    {
      requesters: { subjects: ["a"] },
      stages: [{ subjects: ["a"] }],
      escalation: { after_seconds: 60, subjects: ["b"] },
    },
  ],
  [
    "twelve groups",
    { stages: [5, 5, 2].map((n) => ({ any: Array.from({ length: n }, () => ({ roles: ["a"] })) })) },
  ],
  ["a zone with summer time", { time_zone: "Europe/Berlin" }],
])("a rule may have %s", (_what, over) => expect(faultsOf(over)).toEqual([]));

describe("a warning", () => {
  const warnings = (...rules: object[]) => accessRuleWarnings(policySchema.parse(policy(...rules)));

  it("is given for a role that the policy does not know", () => {
    expect(warnings(rule({ stages: [{ roles: ["aprover"] }] }))).toEqual([
      expect.stringContaining("access_rules.0.stages: the role aprover is not in roles"),
    ]);
    expect(warnings(rule())).toEqual([]);
  });

  it("is given for a rule that an earlier one hides", () => {
    const hidden = rule({ id: "second", scopes: ["orders:read"] });
    expect(warnings(rule({ scopes: ["orders:read", "orders:write"] }), hidden)).toEqual([
      "access_rules.1: is never used, since orders before it takes all that it covers",
    ]);
    expect(warnings(rule(), rule({ id: "second", scopes: ["orders:read", "orders:write"] }))).toEqual([]);
    expect(warnings(rule(), rule({ id: "second", requesters: { roles: ["approver"] } }))).toEqual([]);
    const conditional = rule({ requesters: { roles: ["developer"], condition: "time.hour < 12" } });
    expect(warnings(conditional, rule({ id: "second" }))).toEqual([]);
  });
});
