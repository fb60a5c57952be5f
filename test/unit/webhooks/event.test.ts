import { expect, it } from "vitest";
import { EVENT_TYPES, type EventFilter, matchesEvent } from "../../../src/webhooks/event.ts";

const matched = (filter: EventFilter) => EVENT_TYPES.filter((type) => matchesEvent([filter], type));

it("an exact filter matches its own type and no other", () => {
  for (const type of EVENT_TYPES) expect(matched(type)).toEqual([type]);
});

it("a family matches its types and none of another family", () => {
  for (const family of ["access_request", "grant", "break_glass"] as const) {
    const types = EVENT_TYPES.filter((type) => type.startsWith(`${family}.`));
    expect(types.length).toBeGreaterThan(3);
    expect(matched(`${family}.*`)).toEqual(types);
  }
  expect(matched("revocation.*")).toEqual([
    "revocation.created",
    "revocation.lifted",
    "revocation.confirmation_needed",
    "revocation.emergency",
  ]);
});

it("* matches everything but what has to be asked for by its name, an empty list nothing", () => {
  expect(matched("*")).toEqual(EVENT_TYPES.filter((type) => type !== "audit.checkpoint"));
  expect(matched("audit.*")).toEqual(["audit.checkpoint"]);
  expect(EVENT_TYPES.some((type) => matchesEvent([], type))).toBe(false);
});

it("one of several filters is enough", () => {
  expect(matchesEvent(["grant.revoked", "access_request.*"], "access_request.denied")).toBe(true);
  expect(matchesEvent(["grant.revoked", "access_request.*"], "grant.expired")).toBe(false);
});
