import { beforeEach, describe, expect, it } from "vitest";
import { type Allowance, type Refusal, refusal } from "../../../src/edge/decision.ts";
import type { Surface } from "../../../src/edge/observation.ts";
import { REPORT_EVERY_MS, TrafficReporter } from "../../../src/edge/traffic-reporter.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { isReport, type TrafficReport } from "../../../src/remediation/traffic-report.ts";
import type { VerifiedToken } from "../../../src/tokens/claims.ts";

const ROUTE = { id: "orders", origin: "shop", consistency: { tier: "bounded", max_staleness_ms: 2_000 } };
const allowed = {
  outcome: "allow",
  reason: "token",
  route: ROUTE,
  replicaAgeMs: 300,
  tookMs: 0,
} as Allowance;
const ask = { method: "GET", headers: new Headers() };
const refusedWith = (jti: string): Refusal =>
  refusal("token_revoked", {
    route: ROUTE as Allowance["route"],
    token: { facts: { iss: "i", jti } } as VerifiedToken,
  });

let nowMs: number;
let down: boolean;
let reports: TrafficReport[];
let reporter: TrafficReporter;
/** Sleeps that were begun, to be ended by the test. */
let sleeps: (() => void)[];
let background: Promise<unknown>[];
let whileTelling: () => void;
let cache: { hits: number; misses: number };

beforeEach(() => {
  nowMs = 1_800_000_000_000;
  down = false;
  reports = [];
  sleeps = [];
  background = [];
  whileTelling = () => {};
  cache = { hits: 0, misses: 0 };
  reporter = new TrafficReporter({
    shard: {
      report: async (report) => {
        reports.push(structuredClone(report));
        whileTelling();
        return down ? err(problem("unavailable", "down")) : ok(null);
      },
    },
    newIsolateId: () => "iso_1",
    cache: () => cache,
    records: { taken: () => ({ records: [], dropped: 3, retention_hours: 24 }) },
    sleep: () => new Promise((resolve) => sleeps.push(resolve)),
  });
});

const waitUntil = (work: Promise<unknown>) => void background.push(work);
const decide = (decision: Allowance | Refusal = allowed, surface: Surface = "proxy") =>
  reporter.decided(decision, ask, "dec_1", surface, nowMs, waitUntil);
/** The time until the next report goes by. */
async function pass(): Promise<void> {
  nowMs += REPORT_EVERY_MS;
  for (const wake of sleeps.splice(0)) wake();
  await Promise.all(background.splice(0));
}

describe("an isolate's report", () => {
  it("is made once in two seconds, of everything since the last one", async () => {
    for (let n = 0; n < 1_000; n++) decide();
    decide(refusal("no_route"));
    decide(refusal("token_audience"), "control");
    reporter.answered(allowed, undefined, ask, "dec_1", nowMs, 40, waitUntil);
    reporter.answered(allowed, refusal("origin_timeout"), ask, "dec_2", nowMs, 15_000, waitUntil);
    expect([reports.length, background.length]).toEqual([0, 1]);
    cache = { hits: 990, misses: 10 };
    await pass();
    expect(reports).toHaveLength(1);
    const [{ isolate, n, tally, tokens }] = reports as [TrafficReport];
    expect({ isolate, n, tokens }).toEqual({ isolate: "iso_1", n: 1, tokens: [] });
    expect(isReport(reports[0]!)).toBe(true);
    expect(tally.decisions).toEqual({
      orders: { token: 1_000 },
      "(none)": { no_route: 1 },
      "(control)": { token_audience: 1 },
    });
    expect(tally.ages.bounded?.sum_ms).toBe(300_000);
    expect(tally.decided.allow?.counts[0]).toBe(1_000);
    expect(tally.origins.shop).toMatchObject({ time: { sum_ms: 15_040 }, faults: { origin_timeout: 1 } });
    expect([tally.cache, tally.unrecorded]).toEqual([{ hits: 990, misses: 10 }, 3]);
    cache = { hits: 995, misses: 10 };
    decide();
    await pass();
    expect(reports[1]).toMatchObject({
      n: 2,
      tally: { decisions: { orders: { token: 1 } }, cache: { hits: 5 } },
    });
  });

  it("is not made where nothing happened", async () => {
    decide();
    await pass();
    await pass();
    expect([reports.length, background.length]).toEqual([1, 0]);
  });

  it("has what is counted while it is on its way in the next one", async () => {
    decide();
    whileTelling = () => decide(refusal("no_route"));
    await pass();
    whileTelling = () => {};
    await pass();
    expect(reports.map(({ tally }) => tally.decisions)).toEqual([
      { orders: { token: 1 } },
      { "(none)": { no_route: 1 } },
    ]);
  });

  it("is told again under its number where it may not have arrived, and the rest after it", async () => {
    down = true;
    decide();
    await pass();
    decide();
    await pass();
    down = false;
    decide();
    await pass();
    expect(reports.map(({ n, tally }) => [n, tally.decisions.orders?.token])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [2, 2],
    ]);
  });

  it("is made by another request where the one that was to make it is gone", async () => {
    decide();
    // Cancelled with its request: it never wakes.
    sleeps.splice(0);
    background.splice(0);
    nowMs += REPORT_EVERY_MS;
    decide();
    expect(background).toHaveLength(0);
    nowMs += 3 * REPORT_EVERY_MS;
    decide();
    await pass();
    expect(reports.map(({ tally }) => tally.decisions.orders?.token)).toEqual([3]);
  });

  it("is not put off by a clock that was set back", async () => {
    decide();
    sleeps.splice(0);
    background.splice(0);
    nowMs -= 3_600_000;
    decide();
    await pass();
    expect(reports).toHaveLength(1);
  });
});

it("a million tokens and routes that come and go leave an isolate's memory bounded", async () => {
  for (let n = 0; n < 1_000_000; n++) decide(refusedWith(`tok_${n}`));
  for (let n = 0; n < 100; n++) decide(refusedWith("tok_7"));
  await pass();
  const [{ tally, tokens }] = reports as [TrafficReport];
  expect(tally.decisions).toEqual({ orders: { token_revoked: 1_000_100 } });
  expect(tokens).toHaveLength(500);
  expect(tokens.find(({ jti }) => jti === "tok_7")?.refused).toBe(101);
  expect(JSON.stringify(reports[0]).length).toBeLessThan(50_000);
});
