import { describe, expect, it } from "vitest";
import {
  type AccessAsk,
  findAccessRule,
  matchesResource,
  mayReview,
} from "../../../src/policy/access-rules.ts";
import { policySchema } from "../../../src/policy/document.ts";

const rule = (id: string, over: object = {}) => ({
  id,
  resource: "projects/*",
  origin: "api",
  scopes: ["read", "write"],
  requesters: { roles: ["developer"] },
  stages: [{ roles: ["approver"], subjects: ["corp|boss"] }],
  max_duration_seconds: 3600,
  ...over,
});
const documentOf = (...access_rules: object[]) => policySchema.parse({ access_rules });
const ask = (over: Partial<AccessAsk> = {}): AccessAsk => ({
  subject: "corp|dev",
  roles: ["developer"],
  resource: "projects/42",
  scopes: ["read"],
  justification: "a test",
  ...over,
});
const NOW = 1_700_000_000;

describe("matchesResource", () => {
  it.each([
    ["orders", "orders"],
    ["projects/*", "projects/42"],
    ["projects/:id", "projects/a.b_c~d-e@f"],
    ["projects/:id/files/*", "projects/1/files/urn:x"],
  ])("%s covers %s", (pattern, resource) => expect(matchesResource(pattern, resource)).toBe(true));

  it.each([
    ["orders", "order"],
    ["orders", "Orders"],
    ["orders", "orders/1"],
    ["projects/*", "projects"],
    ["projects/*", "projects/"],
    ["projects/*", "projects/1/2"],
    ["projects/*", "x/projects/1"],
    ["projects/*", "projects/*"],
    ["projects/*", "projects/:id"],
    ["projects/*", "projects/a b"],
    ["projects/*", "projects/é"],
    ["projects/*", "projects/1\n"],
    ["projects/:id", "projects/%2e"],
  ])("%s does not cover %j", (pattern, resource) => expect(matchesResource(pattern, resource)).toBe(false));
});

describe("findAccessRule", () => {
  it("takes the first rule that covers resource, scopes and person", () => {
    const document = documentOf(
      rule("other-people", { requesters: { roles: ["admin"] } }),
      rule("other-resource", { resource: "orders" }),
      rule("fewer-scopes", { scopes: ["write"] }),
      rule("first"),
      rule("second", { max_duration_seconds: 7200 }),
    );
    expect(findAccessRule(document, ask(), NOW)).toMatchObject({ ok: true, value: { id: "first" } });
    expect(findAccessRule(document, ask({ scopes: ["write"] }), NOW)).toMatchObject({
      value: { id: "fewer-scopes" },
    });
    expect(findAccessRule(document, ask({ roles: ["x", "admin"] }), NOW)).toMatchObject({
      value: { id: "other-people" },
    });
  });

  it("knows a requester by subject, exactly", () => {
    const document = documentOf(rule("r", { requesters: { subjects: ["corp|dev"] } }));
    expect(findAccessRule(document, ask({ roles: [] }), NOW)).toMatchObject({ ok: true });
    expect(findAccessRule(document, ask({ roles: [], subject: "corp|dev2" }), NOW)).toMatchObject({
      ok: false,
    });
    expect(findAccessRule(document, ask({ subject: "x", roles: ["corp|dev"] }), NOW)).toMatchObject({
      ok: false,
    });
  });

  it("holds the duration to the rule's maximum", () => {
    const document = documentOf(rule("first"), rule("longer", { max_duration_seconds: 7200 }));
    expect(findAccessRule(document, ask({ durationSeconds: 3600 }), NOW)).toMatchObject({ ok: true });
    expect(findAccessRule(document, ask({ durationSeconds: 3601 }), NOW)).toMatchObject({
      error: {
        code: "invalid_request",
        detail: "This access is given for at most 3600 seconds: ask for that or less.",
        extra: { max_duration_seconds: 3600 },
      },
    });
  });

  it("tells of own choices only, and as little where there are none", () => {
    const secret = rule("secret", { requesters: { roles: ["admin"] }, scopes: ["secret"] });
    const some = findAccessRule(
      documentOf(secret, rule("mine"), rule("also", { scopes: ["admin"] })),
      ask({ scopes: ["read", "admin"] }),
      NOW,
    );
    expect(some).toMatchObject({
      error: {
        code: "forbidden",
        detail:
          "For this resource you may ask for read write, or for admin; no one rule covers all the scopes that you named.",
      },
    });
    const none = findAccessRule(
      documentOf(secret),
      ask({ scopes: ["secret"], durationSeconds: 99_999 }),
      NOW,
    );
    expect(none).toMatchObject({ error: { code: "forbidden" } });
    expect(none).toEqual(findAccessRule(documentOf(), ask(), NOW));
  });
});

describe("mayReview", () => {
  const [it0] = documentOf(rule("r")).access_rules;

  it("accepts an approver by role or by subject", () => {
    expect(mayReview(it0!, { subject: "corp|x", roles: ["other", "approver"] })).toBe(true);
    expect(mayReview(it0!, { subject: "corp|boss", roles: [] })).toBe(true);
  });

  it("refuses everyone else, requesters too", () => {
    expect(mayReview(it0!, { subject: "corp|dev", roles: ["developer"] })).toBe(false);
    expect(mayReview(it0!, { subject: "approver", roles: ["corp|boss"] })).toBe(false);
  });
});
