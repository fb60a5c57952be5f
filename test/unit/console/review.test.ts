import { describe, expect, it } from "vitest";
import { dateText, durationText, readDuration } from "../../../src/console/duration.ts";
import { isAsked, openQuestion, treeText } from "../../../src/console/question.ts";
import { readReview } from "../../../src/console/review.ts";
import { historyOf, rightsDiff, riskFacts } from "../../../src/console/standing.ts";
import { timelineOf } from "../../../src/console/timeline.ts";
import { NOW, sampleGrant, sampleRequest } from "./samples.ts";

describe("a length of time", () => {
  it.each([
    [0, "0 s"],
    [45, "45 s"],
    [600, "10 min"],
    [5400, "1 h 30 min"],
    [90_061, "1 d 1 h"],
  ])("of %d s is %s", (seconds, text) => expect(durationText(seconds)).toBe(text));

  it.each([
    ["30 min", 1800],
    ["1h30m", 5400],
    ["1 h 30 min", 5400],
    ["2 D", 172_800],
    ["90 s", 90],
  ])("is read from %s", (text, seconds) => expect(readDuration(text)).toBe(seconds));

  it.each(["", "30", "min", "1.5 h", "-1 h", "1 h -", "0 min", "one hour", "1 hour", "99999999 d"])(
    "is not read from %j",
    (text) => expect(readDuration(text)).toBeUndefined(),
  );

  it("is read back exactly as it is written in all its units", () => {
    for (const seconds of [1, 59, 61, 3661, 90_061, 2_592_000]) {
      expect(readDuration(durationText(seconds, 4))).toBe(seconds);
    }
  });

  it("leaves a date as people write it", () => expect(dateText(NOW)).toBe("22 Nov 2026 05:26 UTC"));
});

describe("a review's form", () => {
  const form = (members: Record<string, string | string[]>) =>
    new URLSearchParams(
      Object.entries(members).flatMap(([name, value]) => [value].flat().map((each) => [name, each])),
    );
  const asked = {
    ...{ duration_asked: "10 min", duration: "10 min", max_uses_asked: "5", max_uses: "5" },
    scope_asked: ["a", "b"],
    scope: ["a", "b"],
  };

  it("leaves out what it leaves as it was asked for", () => {
    expect(readReview(form({ ...asked, outcome: "approve" }))).toEqual({
      ok: true,
      value: { outcome: "approve" },
    });
  });

  it("narrows scope, time and uses", () => {
    const read = readReview(
      form({ ...asked, outcome: "approve", duration: "5 min", scope: ["b"], max_uses: "2" }),
    );
    expect(read).toEqual({
      ok: true,
      value: { outcome: "approve", duration_seconds: 300, scope: "b", max_uses: 2 },
    });
  });

  it.each([
    ["no outcome", { ...asked }],
    ["an unknown outcome", { ...asked, outcome: "maybe" }],
    ["no scope left", { ...asked, outcome: "approve", scope: [] }],
    ["a time without a unit", { ...asked, outcome: "approve", duration: "5" }],
    ["uses that are no number", { ...asked, outcome: "approve", max_uses: "1e3" }],
  ])("is refused with %s", (_what, members) => expect(readReview(form(members)).ok).toBe(false));

  it("denies whatever its other fields hold", () => {
    const read = readReview(form({ ...asked, outcome: "deny", scope: [], duration: "?", comment: " no " }));
    expect(read).toEqual({ ok: true, value: { outcome: "deny", comment: "no" } });
  });
});

describe("what is open about a request", () => {
  const extension = {
    ...{ id: "ext_1", state: "pending" as const, duration_seconds: 60, justification: "more" },
    ...{ created_at: NOW, review_deadline: NOW + 30, reviews: [] },
  };

  it("is the request, then its extension, then the emergency's review, then nothing", () => {
    expect(openQuestion(sampleRequest())?.kind).toBe("request");
    const approved = sampleRequest({ state: "approved" });
    expect(openQuestion(approved)).toBeUndefined();
    expect(openQuestion({ ...approved, extensions: [extension] })).toMatchObject({
      kind: "extension",
      extension: "ext_1",
      duration_seconds: 60,
    });
    const glass = { review_due_at: NOW + 99 };
    expect(openQuestion({ ...approved, break_glass: glass })).toMatchObject({
      kind: "emergency",
      deadline: NOW + 99,
    });
    const review = { id: "evt_1", approver: "x", outcome: "approve" as const, reviewed_at: NOW, stage: 1 };
    expect(openQuestion({ ...approved, break_glass: { ...glass, review } })).toBeUndefined();
  });

  it("asks who is named anywhere in the tree, or was asked later in their place", () => {
    const leaf = (role: string) => ({ roles: [role], subjects: [], count: 1 });
    const awaiting = {
      all: [leaf("peer"), { any: [leaf("lead"), { roles: [], subjects: ["corp|ann"], count: 1 }] }],
    };
    const person = (subject: string, ...roles: string[]) => ({ subject, roles });
    expect(treeText(awaiting)).toBe("peer and (lead or corp|ann)");
    expect(isAsked({ awaiting }, person("x", "lead"))).toBe(true);
    expect(isAsked({ awaiting }, person("corp|ann"))).toBe(true);
    expect(isAsked({ awaiting }, person("x", "boss"))).toBe(false);
    expect(isAsked({ awaiting, escalated_to: { roles: ["boss"], subjects: [] } }, person("x", "boss"))).toBe(
      true,
    );
  });
});

describe("what is known of who asks", () => {
  it("tells the scopes that are new from those that a grant for the same resource gives", () => {
    const diff = rightsDiff(sampleRequest(), [
      sampleGrant(),
      sampleGrant({ access_expiry: NOW + 900 }),
      sampleGrant({ resource: "payouts", scope: "orders:write" }),
      sampleGrant({ access_request: "req_1", scope: "orders:write" }),
    ]);
    expect([...diff.added]).toEqual(["orders:write"]);
    expect(diff.held).toEqual([{ scope: "orders:read", until: NOW + 900 }]);
  });

  it("counts how the like of it went, without the request itself and what is open", () => {
    const past = (id: string, state: "approved" | "denied" | "expired" | "pending", resource = "orders") =>
      sampleRequest({ id, state, resource });
    const requests = [
      ...[past("req_1", "approved"), past("req_2", "pending"), past("req_3", "denied")],
      ...[past("req_4", "approved"), past("req_5", "expired"), past("req_6", "approved", "payouts")],
    ];
    const history = historyOf(sampleRequest(), requests);
    expect(history).toMatchObject({ approved: 1, denied: 1, other: 1, last: { id: "req_3" } });
    expect(riskFacts(sampleRequest(), history, NOW)).toEqual(["Was denied to them before: once."]);
    expect(riskFacts(sampleRequest(), historyOf(sampleRequest(), []), NOW)).toEqual([
      "They have not asked for this before.",
    ]);
    expect(riskFacts(sampleRequest(), undefined, NOW)).toEqual([]);
  });
});

it("tells what happened until now, in its order", () => {
  const request = sampleRequest({
    state: "approved",
    reviews: [
      {
        id: "evt_1",
        approver: "corp|bob",
        outcome: "approve",
        reviewed_at: NOW - 30,
        stage: 1,
        scope: "orders:read",
      },
    ],
    grant: sampleGrant({ access_start: NOW - 30, access_expiry: NOW + 30 }),
  });
  expect(timelineOf(request, NOW).map(({ what }) => what)).toEqual([
    "Asked by corp|alice",
    "corp|bob approved the request",
    "Access began",
  ]);
  expect(timelineOf(request, NOW)[1]?.less).toEqual({ scope: "orders:read" });
  expect(timelineOf(request, NOW + 30).at(-1)?.what).toBe("Access ended");
});
