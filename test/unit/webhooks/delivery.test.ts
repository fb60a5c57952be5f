import { describe, expect, it } from "vitest";
import { isId, newId } from "../../../src/platform/ids.ts";
import {
  ATTEMPT_DELAYS_MS,
  deliveryId,
  endpointOfDelivery,
  nextAttemptAtMs,
  outcomeOf,
  retryAfterInMs,
} from "../../../src/webhooks/delivery.ts";

const NOW = Date.UTC(2026, 10, 20, 12);
const HOUR_MS = 3_600_000;

describe("outcomeOf", () => {
  it.each([200, 201, 202, 204, 299])("%i is a success", (status) => {
    expect(outcomeOf(status, null, NOW)).toEqual({ status });
  });

  it.each([
    [300, "redirect"],
    [301, "redirect"],
    [302, "redirect"],
    [307, "redirect"],
    [308, "redirect"],
    [304, "redirect"],
    [410, "gone"],
    [0, "http_status"],
    [400, "http_status"],
    [404, "http_status"],
    [409, "http_status"],
    [429, "http_status"],
    [500, "http_status"],
    [503, "http_status"],
  ])("%i is a failure: %s", (status, error) => {
    expect(outcomeOf(status, null, NOW)).toEqual({ status, error });
  });

  it("takes Retry-After with a failure only", () => {
    expect(outcomeOf(503, "7", NOW)).toEqual({ status: 503, error: "http_status", retryAfterMs: 7_000 });
    expect(outcomeOf(200, "7", NOW)).toEqual({ status: 200 });
  });
});

describe("retryAfterInMs", () => {
  it.each([
    ["0", 0],
    ["120", 120_000],
    ["Fri, 20 Nov 2026 12:01:00 GMT", 60_000],
    ["Fri, 20 Nov 2026 11:00:00 GMT", 0],
  ])("reads %j", (value, expected) => expect(retryAfterInMs(value, NOW)).toBe(expected));

  it.each([null, "", "-1", "1.5", "soon", "1e3", "9".repeat(30), "2026-11-20", "Fri, nonsense"])(
    "leaves %j aside",
    (value) => expect(retryAfterInMs(value, NOW)).toBeUndefined(),
  );
});

describe("nextAttemptAtMs", () => {
  const wait = (done: number, random: number, retryAfterMs?: number) =>
    nextAttemptAtMs(done, retryAfterMs === undefined ? {} : { retryAfterMs }, NOW, () => random)! - NOW;

  it("follows the schedule to about three days and then ends", () => {
    const waits = ATTEMPT_DELAYS_MS.slice(1).map((_, index) => wait(index + 1, 0.5));
    expect(waits).toEqual(ATTEMPT_DELAYS_MS.slice(1));
    const days = waits.reduce((sum, ms) => sum + ms, 0) / (24 * HOUR_MS);
    expect(days).toBeGreaterThan(3);
    expect(days).toBeLessThan(3.5);
    expect(nextAttemptAtMs(ATTEMPT_DELAYS_MS.length, {}, NOW, () => 0.5)).toBeUndefined();
  });

  it("spreads the waits by a fifth to either side, and never tries at once", () => {
    expect(wait(3, 0)).toBe(96_000);
    expect(wait(3, 0.999_999)).toBeCloseTo(144_000, -2);
    for (let done = 1; done < ATTEMPT_DELAYS_MS.length; done++) expect(wait(done, 0)).toBeGreaterThan(0);
  });

  it("waits as long as the receiver asks, never shorter than the schedule, never longer than its longest wait", () => {
    expect(wait(1, 0.5, HOUR_MS)).toBe(HOUR_MS);
    expect(wait(1, 0.5, 1)).toBe(5_000);
    expect(wait(1, 0.5, 1_000 * HOUR_MS)).toBe(24 * HOUR_MS);
  });

  it("a receiver that always asks for more cannot stretch the number of attempts", () => {
    expect(nextAttemptAtMs(ATTEMPT_DELAYS_MS.length, { retryAfterMs: 5 }, NOW, () => 0.5)).toBeUndefined();
  });
});

describe("deliveryId", () => {
  it("names its endpoint and sorts by time", () => {
    const endpoint = newId("whe", NOW);
    const [early, late] = [
      deliveryId(newId("dlv", NOW), endpoint),
      deliveryId(newId("dlv", NOW + 1), endpoint),
    ];
    expect(endpointOfDelivery(early)).toBe(endpoint);
    expect(isId("whe", endpointOfDelivery(late)!)).toBe(true);
    expect(early < late).toBe(true);
  });

  it.each([
    "",
    "dlv_",
    newId("dlv", NOW),
    newId("whe", NOW),
    `dlv_${"0".repeat(51)}`,
    `dlv_${"0".repeat(53)}`,
    `dlv_${"u".repeat(52)}`,
  ])("%j is no delivery of an endpoint", (text) => expect(endpointOfDelivery(text)).toBeUndefined());
});
