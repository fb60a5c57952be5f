import { describe, expect, it } from "vitest";
import type { AccessRequest, Ask } from "../../../src/access/access-request.ts";
import { nextChange, passTime } from "../../../src/access/agenda.ts";
import { applyReview, cancel, checkIssue, revokeGrant } from "../../../src/access/decide.ts";
import { grantState } from "../../../src/access/grant.ts";
import { openRequest } from "../../../src/access/open-request.ts";
import { type ReviewInput, roundState } from "../../../src/access/round.ts";
import { type AccessRule, policySchema } from "../../../src/policy/document.ts";

const NOW = 1_700_000_000;
const ALICE = "demo|alice";
const BOB = { subject: "demo|bob", roles: ["approver"] };
const CAROL = { subject: "demo|carol", roles: ["approver"] };

const ruleOf = (over: object = {}): AccessRule =>
  policySchema.parse({
    access_rules: [
      {
        id: "orders",
        resource: "orders",
        origin: "demo",
        scopes: ["orders:read", "orders:write"],
        requesters: { roles: ["developer"] },
        stages: [{ roles: ["approver"] }],
        max_duration_seconds: 3600,
        review_deadline_seconds: 600,
        ...over,
      },
    ],
  }).access_rules[0]!;

const rule = ruleOf();
const ask: Ask = {
  resource: "orders",
  scope: ["orders:read", "orders:write"],
  duration_seconds: 300,
  justification: "fix",
};
const ID = "req_01hf7yat00abcdefghjkmnpqrs";
const REQUESTER = { subject: ALICE, client_id: "cli_1", roles: ["developer"] };
function opened(over: Partial<Ask> = {}, r = rule): AccessRequest {
  const begun = openRequest(ID, REQUESTER, { ...ask, ...over }, r, "urn:origin", NOW);
  if (!begun.ok) throw new Error(begun.error.detail);
  return begun.value.request;
}
const approval = (by = BOB, over: Partial<ReviewInput> = {}): ReviewInput => ({
  id: `rev-${by.subject}`,
  approver: by.subject,
  outcome: "approve",
  ...over,
});

function approved(over: Partial<Ask> = {}): AccessRequest {
  const result = applyReview(opened(over), approval(), BOB, rule, NOW + 10);
  if (!result.ok) throw new Error(result.error.detail);
  return result.value.request;
}

describe("a review", () => {
  it("approves: the grant begins at once and lasts as long as was asked for", () => {
    const result = applyReview(opened(), approval(), BOB, rule, NOW + 10);
    expect(result).toMatchObject({
      ok: true,
      value: { events: ["access_request.approved", "grant.activated"] },
    });
    expect(approved().grant).toMatchObject({
      access_start: NOW + 10,
      access_expiry: NOW + 310,
      scope: ask.scope,
    });
  });

  it("denies at once, whatever else was said", () => {
    const result = applyReview(opened(), approval(BOB, { outcome: "deny" }), BOB, rule, NOW + 10);
    expect(result).toMatchObject({
      ok: true,
      value: { request: { decided: "denied" }, events: ["access_request.denied"] },
    });
  });

  it("is never by the requester, even one who is an approver", () => {
    const self = { subject: ALICE, roles: ["approver"] };
    expect(applyReview(opened(), approval(self), self, rule, NOW)).toMatchObject({
      error: { code: "forbidden" },
    });
    expect(applyReview(opened(), approval(self, { outcome: "deny" }), self, rule, NOW).ok).toBe(false);
  });

  it("is by an approver whom the rule names now", () => {
    const mallory = { subject: "demo|mallory", roles: ["developer"] };
    expect(applyReview(opened(), approval(mallory), mallory, rule, NOW)).toMatchObject({
      error: { code: "forbidden" },
    });
    const changed = ruleOf({ stages: [{ subjects: ["demo|carol"] }] });
    expect(applyReview(opened(), approval(), BOB, changed, NOW)).toMatchObject({
      error: { code: "forbidden" },
    });
    const both = ruleOf({ stages: [{ roles: ["approver"], subjects: ["demo|carol"] }] });
    const request = opened({}, both);
    expect(applyReview(request, approval(), BOB, changed, NOW)).toMatchObject({
      error: { code: "forbidden" },
    });
    expect(applyReview(request, approval(CAROL), CAROL, changed, NOW).ok).toBe(true);
    expect(applyReview(opened(), approval(), BOB, undefined, NOW)).toMatchObject({
      error: { code: "conflict" },
    });
  });

  it("comes before the deadline", () => {
    expect(applyReview(opened(), approval(), BOB, rule, NOW + 599).ok).toBe(true);
    expect(applyReview(opened(), approval(), BOB, rule, NOW + 600)).toMatchObject({
      error: { extra: { state: "expired" } },
    });
  });

  it("may narrow and shorten, never widen", () => {
    const narrowed = applyReview(
      opened(),
      approval(BOB, { scope: ["orders:read"], duration_seconds: 60 }),
      BOB,
      rule,
      NOW,
    );
    expect(narrowed).toMatchObject({
      value: { request: { grant: { scope: ["orders:read"], access_expiry: NOW + 60 } } },
    });
    expect(applyReview(opened(), approval(BOB, { duration_seconds: 301 }), BOB, rule, NOW).ok).toBe(false);
    expect(applyReview(opened(), approval(BOB, { scope: ["orders:read", "admin"] }), BOB, rule, NOW).ok).toBe(
      false,
    );
  });

  it("counts each approver once, and enough different ones decide", () => {
    const two = ruleOf({ stages: [{ roles: ["approver"], count: 2 }] });
    const first = applyReview(opened({}, two), approval(), BOB, two, NOW);
    expect(first).toMatchObject({ ok: true, value: { request: { decided: "pending" }, events: [] } });
    if (!first.ok) return;
    const again = applyReview(first.value.request, approval(BOB, { id: "other" }), BOB, two, NOW);
    expect(again).toMatchObject({ error: { code: "conflict" } });
    const second = applyReview(
      first.value.request,
      approval(CAROL, { scope: ["orders:read"] }),
      CAROL,
      two,
      NOW,
    );
    expect(second).toMatchObject({
      value: { request: { decided: "approved", grant: { scope: ["orders:read"] } } },
    });
  });

  it("that leaves no scope all approve of does not approve", () => {
    const two = ruleOf({ stages: [{ roles: ["approver"], count: 2 }] });
    const first = applyReview(opened({}, two), approval(BOB, { scope: ["orders:write"] }), BOB, two, NOW);
    if (!first.ok) throw new Error("the first review stands");
    expect(
      applyReview(first.value.request, approval(CAROL, { scope: ["orders:read"] }), CAROL, two, NOW).ok,
    ).toBe(false);
  });

  it("given twice is the same review; another one under its id is refused", () => {
    const request = approved();
    expect(applyReview(request, approval(BOB), BOB, rule, NOW + 99)).toMatchObject({
      value: { request, events: [] },
    });
    expect(applyReview(request, approval(BOB, { outcome: "deny" }), BOB, rule, NOW + 99)).toMatchObject({
      error: { code: "conflict" },
    });
  });

  it("after the decision says what was decided", () => {
    expect(applyReview(approved(), approval(CAROL), CAROL, rule, NOW)).toMatchObject({
      error: { extra: { state: "approved" } },
    });
  });
});

describe("a grant", () => {
  it("that begins later is scheduled until then", () => {
    const request = approved({ starts_at: NOW + 100 });
    expect(request.grant).toMatchObject({ access_start: NOW + 100, access_expiry: NOW + 400 });
    expect(grantState(request.grant!, NOW + 99)).toBe("scheduled");
    expect(checkIssue(request, ALICE, NOW + 99)).toMatchObject({ error: { code: "conflict" } });
    expect(checkIssue(request, ALICE, NOW + 100).ok).toBe(true);
  });

  it("gives tokens to its requester within its window, to nobody else and never outside", () => {
    const request = approved();
    expect(checkIssue(request, ALICE, NOW + 309).ok).toBe(true);
    expect(checkIssue(request, ALICE, NOW + 310)).toMatchObject({ error: { code: "gone" } });
    expect(checkIssue(request, "demo|bob", NOW + 20)).toMatchObject({ error: { code: "not_found" } });
  });

  it("gives none while pending, denied or cancelled", () => {
    expect(checkIssue(opened(), ALICE, NOW)).toMatchObject({ error: { code: "conflict" } });
    expect(checkIssue(opened(), ALICE, NOW + 600)).toMatchObject({ error: { code: "gone" } });
    const denied = applyReview(opened(), approval(BOB, { outcome: "deny" }), BOB, rule, NOW);
    expect(denied.ok && checkIssue(denied.value.request, ALICE, NOW)).toMatchObject({
      error: { code: "forbidden" },
    });
    const cancelled = cancel(opened(), NOW);
    expect(cancelled.ok && checkIssue(cancelled.value.request, ALICE, NOW)).toMatchObject({
      error: { code: "gone" },
    });
  });

  it("ends by revocation, once; a repeat tells nobody again", () => {
    const revoked = revokeGrant(approved(), "operator", "leaked", NOW + 50);
    if (!revoked.ok) throw new Error("it can be revoked");
    expect(revoked.value.events).toEqual(["grant.revoked"]);
    expect(checkIssue(revoked.value.request, ALICE, NOW + 51)).toMatchObject({ error: { code: "gone" } });
    expect(revokeGrant(revoked.value.request, "operator", "again", NOW + 60)).toMatchObject({
      value: { events: [] },
    });
    expect(revokeGrant(approved(), "operator", "late", NOW + 310)).toMatchObject({ error: { code: "gone" } });
    expect(revokeGrant(opened(), "operator", "none", NOW)).toMatchObject({ error: { code: "not_found" } });
  });
});

describe("time", () => {
  it("expires a pending request, tells it once, and needs nobody to run", () => {
    const request = opened();
    expect(roundState(request, NOW + 599)).toBe("pending");
    expect(roundState(request, NOW + 600)).toBe("expired");
    expect(nextChange(request)).toBe(NOW + 600);
    const passed = passTime(request, NOW + 600);
    expect(passed.events).toEqual(["access_request.expired"]);
    expect(passTime(passed.request, NOW + 700).events).toEqual([]);
    expect(nextChange(passed.request)).toBeUndefined();
  });

  it("tells start and end of a grant once each, also where it slept through both", () => {
    const request = approved({ starts_at: NOW + 100 });
    expect(nextChange(request)).toBe(NOW + 100);
    expect(passTime(request, NOW + 99).events).toEqual([]);
    expect(passTime(request, NOW + 100).events).toEqual(["grant.activated"]);
    expect(passTime(request, NOW + 999).events).toEqual(["grant.activated", "grant.expired"]);
    expect(nextChange(passTime(request, NOW + 100).request)).toBe(NOW + 400);
    expect(nextChange(passTime(request, NOW + 999).request)).toBeUndefined();
  });
});

describe("cancel", () => {
  it("is possible while pending and repeats harmlessly", () => {
    const cancelled = cancel(opened(), NOW);
    expect(cancelled).toMatchObject({ value: { events: ["access_request.cancelled"] } });
    expect(cancelled.ok && cancel(cancelled.value.request, NOW)).toMatchObject({ value: { events: [] } });
    expect(cancel(approved(), NOW)).toMatchObject({ error: { extra: { state: "approved" } } });
    expect(cancel(opened(), NOW + 600)).toMatchObject({ error: { extra: { state: "expired" } } });
  });
});
