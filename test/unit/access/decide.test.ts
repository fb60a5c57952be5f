import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AccessRequest,
  type Ask,
  grantState,
  nextChange,
  openRequest,
  passTime,
  presentRequest,
  type Review,
  requestState,
} from "../../../src/access/access-request.ts";
import { applyReview, cancel, checkIssue, revokeGrant } from "../../../src/access/decide.ts";
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
        approvers: { roles: ["approver"] },
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
const opened = (over: Partial<Ask> = {}, r = rule) =>
  openRequest(ID, { subject: ALICE, client_id: "cli_1" }, { ...ask, ...over }, r, "urn:origin", NOW).request;
const approval = (by = BOB, over: Partial<Review> = {}): Review => ({
  id: `rev-${by.subject}`,
  approver: by.subject,
  outcome: "approve",
  reviewed_at: NOW + 10,
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
    const changed = ruleOf({ approvers: { subjects: ["demo|carol"] } });
    expect(applyReview(opened(), approval(), BOB, changed, NOW)).toMatchObject({
      error: { code: "forbidden" },
    });
    expect(applyReview(opened(), approval(CAROL), CAROL, changed, NOW).ok).toBe(true);
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
    const two = ruleOf({ approvals: 2 });
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
    const two = ruleOf({ approvals: 2 });
    const first = applyReview(opened({}, two), approval(BOB, { scope: ["orders:write"] }), BOB, two, NOW);
    if (!first.ok) throw new Error("the first review stands");
    expect(
      applyReview(first.value.request, approval(CAROL, { scope: ["orders:read"] }), CAROL, two, NOW).ok,
    ).toBe(false);
  });

  it("given twice is the same review; another one under its id is refused", () => {
    const request = approved();
    expect(applyReview(request, approval(BOB, { reviewed_at: NOW + 99 }), BOB, rule, NOW + 99)).toMatchObject(
      { value: { request, events: [] } },
    );
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
    expect(requestState(request, NOW + 599)).toBe("pending");
    expect(requestState(request, NOW + 600)).toBe("expired");
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

/** Any sequence of commands at rising times: the state machine against its promises. */
const command = fc.record({
  at: fc.integer({ min: 0, max: 200 }),
  what: fc.constantFrom(
    "approve-bob",
    "approve-carol",
    "deny-bob",
    "approve-self",
    "cancel",
    "revoke",
    "time",
    "issue",
  ),
});

it("has one terminal state, one event for each transition, and no access outside approve and window", () => {
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 25 }),
      fc.integer({ min: 1, max: 2 }),
      (commands, approvals) => {
        const counted = ruleOf({ approvals });
        let request = opened({}, counted);
        let now = NOW;
        const events: string[] = [];
        commands.forEach(({ at, what }, i) => {
          now += at;
          const by = what.endsWith("bob")
            ? BOB
            : what.endsWith("carol")
              ? CAROL
              : { subject: ALICE, roles: ["approver"] };
          const before = request;
          const outcome = what.startsWith("deny") ? "deny" : "approve";
          const result = /approve|deny/.test(what)
            ? applyReview(
                request,
                { ...approval(by, { outcome }), id: `r${i}`, reviewed_at: now },
                by,
                counted,
                now,
              )
            : what === "cancel"
              ? cancel(request, now)
              : what === "revoke"
                ? revokeGrant(request, "operator", "x", now)
                : { ok: true as const, value: passTime(request, now) };
          if (what === "issue" && checkIssue(request, ALICE, now).ok) {
            const { grant } = request;
            expect(grant && now >= grant.access_start && now < grant.access_expiry && !grant.revoked).toBe(
              true,
            );
          }
          if (!result.ok) return;
          ({ request } = result.value);
          events.push(...result.value.events);
          if (before.decided !== "pending") expect(request.decided).toBe(before.decided);
          if (before.grant?.revoked) expect(request.grant?.revoked).toEqual(before.grant.revoked);
        });
        expect(new Set(events).size).toBe(events.length);
        expect(request.reviews.some((review) => review.approver === ALICE)).toBe(false);
        expect(events.filter((e) => e.startsWith("access_request.")).length).toBe(
          request.decided === "pending" ? 0 : 1,
        );
        expect(JSON.stringify(presentRequest(request, now))).not.toContain("undefined");
      },
    ),
    { numRuns: 1_000 },
  );
});
