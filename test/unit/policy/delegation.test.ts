import { beforeAll, describe, expect, it } from "vitest";
import { onlyResource } from "../../../src/policy/access-rules.ts";
import { checkPolicy } from "../../../src/policy/check.ts";
import { loadConditions } from "../../../src/policy/condition.ts";
import { delegatedScopes } from "../../../src/policy/delegation.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { namedRoles } from "../../../src/policy/named-roles.ts";

beforeAll(loadConditions);

const rule = (id: string, over: object = {}) => ({
  ...{ id, actors: { subjects: ["cli_1"] }, for: { roles: ["manager"] }, scopes: ["orders:read"] },
  ...over,
});
const robot = { subject: "cli_1", roles: [] };
const boss = { subject: "corp|boss", roles: ["manager"] };

describe("delegatedScopes", () => {
  const document = policySchema.parse({
    delegation: [
      rule("a"),
      rule("b", { for: { subjects: ["corp|boss"] }, scopes: ["orders:write"] }),
      rule("c", { actors: { roles: ["service"] }, scopes: ["orders:admin"] }),
    ],
  });

  it("are those of every rule that lets this actor act for this subject", () => {
    expect(delegatedScopes(document, robot, boss)).toEqual(["orders:read", "orders:write"]);
    expect(delegatedScopes(document, robot, { ...boss, subject: "corp|other" })).toEqual(["orders:read"]);
    expect(delegatedScopes(document, { subject: "x", roles: ["service"] }, boss)).toEqual(["orders:admin"]);
  });

  it("are none for another actor, another subject, the other way round, and where there is no rule", () => {
    expect(delegatedScopes(document, { subject: "cli_2", roles: [] }, boss)).toEqual([]);
    expect(delegatedScopes(document, robot, { subject: "corp|clerk", roles: ["clerk"] })).toEqual([]);
    expect(delegatedScopes(document, boss, robot)).toEqual([]);
    expect(delegatedScopes(policySchema.parse({}), robot, boss)).toEqual([]);
  });
});

describe("the section delegation", () => {
  const check = (...delegation: object[]) =>
    checkPolicy({ delegation }, { issuer: "https://auth.example.com", local: false });

  it("names actors, subjects and scopes, each rule once", () => {
    expect(check(rule("a"), rule("b")).ok).toBe(true);
    expect(JSON.stringify(check(rule("a"), rule("a")))).toContain('delegation.1.id: \\"a\\" is already used');
    for (const over of [
      { actors: {} },
      { for: {} },
      { scopes: [] },
      { scopes: ["a b"] },
      { audiences: ["x"] },
    ]) {
      expect(check(rule("a", over)), JSON.stringify(over)).toMatchObject({ ok: false });
    }
  });
});

describe("namedRoles", () => {
  it("are all roles that the policy gives a meaning to", () => {
    const origin = { url: "https://api.internal.example", audience: "api" };
    const document = policySchema.parse({
      origins: { api: origin },
      routes: [
        { id: "r", path: "/r", origin: "api", access: { roles: ["of-route"] } },
        { id: "p", path: "/p", origin: "api", access: "public" },
      ],
      access_rules: [
        {
          ...{ id: "x", resource: "x", origin: "api", scopes: ["s"], max_duration_seconds: 60 },
          requesters: { roles: ["asks"], condition: "requester.roles.exists(r, r == 'conditional')" },
          approve_when: "'on-call' in requester.roles",
          stages: [{ roles: ["approves"] }],
          escalation: { after_seconds: 60, roles: ["escalates"] },
          break_glass: { roles: ["breaks"], reviewers: { roles: ["looks-after"] } },
        },
      ],
      roles: { brings: { scopes: ["s"] } },
      delegation: [rule("d", { actors: { roles: ["acts"] } })],
    });
    expect([...namedRoles(document)].sort()).toEqual(
      [
        "acts",
        "approves",
        "asks",
        "breaks",
        "brings",
        "conditional",
        "escalates",
        "looks-after",
        "manager",
        "of-route",
        "on-call",
      ].sort(),
    );
  });
});

describe("onlyResource", () => {
  const access = (id: string, resource: string, roles = ["dev"]) => ({
    ...{ id, resource, origin: "api", scopes: ["s", "t"], max_duration_seconds: 60 },
    requesters: { roles },
    stages: [{ roles: ["boss"] }],
  });
  const document = (...rules: object[]) =>
    policySchema.parse({
      origins: { api: { url: "https://api.internal.example", audience: "api" } },
      access_rules: rules,
    });
  const dev = { subject: "corp|dev", roles: ["dev"] };

  it("is the one that the scopes stand for", () => {
    expect(onlyResource(document(access("a", "orders"), access("b", "orders")), dev, ["s"])).toBe("orders");
    expect(onlyResource(document(access("a", "orders"), access("b", "things/*")), dev, ["s"])).toBe("orders");
  });

  it("is none where there are two, only a pattern, other scopes, or rules for others", () => {
    expect(onlyResource(document(access("a", "orders"), access("b", "things")), dev, ["s"])).toBeUndefined();
    expect(onlyResource(document(access("a", "things/:id")), dev, ["s"])).toBeUndefined();
    expect(onlyResource(document(access("a", "orders")), dev, ["s", "u"])).toBeUndefined();
    expect(onlyResource(document(access("a", "orders", ["ops"])), dev, ["s"])).toBeUndefined();
  });
});
