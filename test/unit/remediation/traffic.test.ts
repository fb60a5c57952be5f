import { describe, expect, it } from "vitest";
import type { DecisionRecord } from "../../../src/protocol/decision-trace.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { countInto, newHistogram, TIME_BUCKETS_MS } from "../../../src/remediation/histogram.ts";
import {
  type DecisionCounts,
  MAX_SERIES,
  noTraffic,
  OTHER,
  sumOfDecisions,
  sumOfTallies,
  type Tally,
} from "../../../src/remediation/traffic.ts";
import {
  isReport,
  MAX_RECORDS_A_REPORT,
  type TrafficReport,
} from "../../../src/remediation/traffic-report.ts";
import { stepsOf, TOP, viewOf } from "../../../src/remediation/traffic-series.ts";
import { ofAll } from "../../../src/remediation/traffic-shards.ts";
import {
  MAX_TOKENS_AN_HOUR,
  TRAFFIC_MIGRATIONS,
  TrafficStore,
} from "../../../src/remediation/traffic-store.ts";
import { memorySql } from "../../support/memory-sql.ts";

const times = (...values: number[]) => {
  const histogram = newHistogram(TIME_BUCKETS_MS);
  for (const ms of values) countInto(histogram, TIME_BUCKETS_MS, ms);
  return histogram;
};
const tally = (decisions: DecisionCounts, more: Partial<Tally> = {}): Tally => ({
  ...noTraffic(),
  decisions,
  ...more,
});
const total = (decisions: DecisionCounts) =>
  Object.values(decisions)
    .flatMap((reasons) => Object.values(reasons))
    .reduce((a, b) => a + b, 0);

describe("tallies", () => {
  it("add up by route and reason, origin and fault", () => {
    const a = tally(
      { orders: { token: 3 } },
      { origins: { shop: { time: times(5), faults: {} } }, decided: { allow: times(0) } },
    );
    const b = tally(
      { orders: { token: 1, scope_missing: 2 }, "(none)": { no_route: 1 } },
      {
        origins: { shop: { time: times(700), faults: { origin_timeout: 1 } } },
        decided: { refuse: times(3) },
        cache: { hits: 4, misses: 1 },
        unrecorded: 2,
      },
    );
    expect(sumOfTallies(a, b)).toEqual(
      tally(
        { orders: { token: 4, scope_missing: 2 }, "(none)": { no_route: 1 } },
        {
          origins: { shop: { time: times(5, 700), faults: { origin_timeout: 1 } } },
          decided: { allow: times(0), refuse: times(3) },
          cache: { hits: 4, misses: 1 },
          unrecorded: 2,
        },
      ),
    );
  });

  it("take a route by the name of whatever JavaScript objects have anyway", () => {
    const odd = JSON.parse('{"constructor":{"token":1},"toString":{"token":1}}');
    expect(sumOfDecisions(odd, odd)).toEqual({ constructor: { token: 2 }, toString: { token: 2 } });
  });

  it("stay bounded however many routes there are, and lose no decision", () => {
    let sum: DecisionCounts = {};
    const routes = 3 * MAX_SERIES;
    for (let n = 0; n < routes; n += 100) {
      const more = Array.from({ length: 100 }, (_, i) => [`route-${n + i}`, { token: 1 }] as const);
      sum = sumOfDecisions(sum, Object.fromEntries(more));
    }
    expect(total(sum)).toBe(routes);
    expect(Object.keys(sum).length).toBeLessThanOrEqual(MAX_SERIES + 1);
    expect(sum[OTHER]).toEqual({ token: routes - MAX_SERIES });
    // What is known goes on under its name.
    expect(sumOfDecisions(sum, { "route-0": { token: 1 } })["route-0"]).toEqual({ token: 2 });
    const origins = Array.from(
      { length: 1_000 },
      (_, i) => [`o${i}`, { time: times(1), faults: {} }] as const,
    );
    const many = sumOfTallies(noTraffic(), tally({}, { origins: Object.fromEntries(origins) }));
    expect(Object.keys(many.origins).length).toBe(201);
    expect(many.origins[OTHER]?.time.sum_ms).toBe(800);
  });
});

describe("a report", () => {
  const report = (more: Partial<Tally>): TrafficReport => ({
    isolate: "iso_1",
    n: 1,
    tally: tally({}, more),
    tokens: [],
    records: [],
    retention_hours: 24,
  });

  it("is known by its shape: an isolate may run another version", () => {
    expect(isReport(report({ decided: { allow: times(1) }, decisions: { orders: { token: 1 } } }))).toBe(
      true,
    );
    expect(isReport(report({ decided: { allow: { counts: [1], sum_ms: 1 } } }))).toBe(false);
    expect(isReport(report({ ages: { bounded: times(1) } }))).toBe(false);
    expect(isReport(report({ decisions: { orders: { token: -1 } } }))).toBe(false);
    expect(isReport(report({ cache: { hits: Number.NaN, misses: 0 } }))).toBe(false);
    expect(isReport(report({ origins: { shop: { time: times(1), faults: { x: Infinity } } } }))).toBe(false);
    const tokens = [{ iss: "i", jti: "j", refused: Number.NaN }];
    expect(isReport({ ...report({}), tokens })).toBe(false);
    const records = (n: number) => Array.from({ length: n }, () => ({}) as DecisionRecord);
    expect(isReport({ ...report({}), records: records(MAX_RECORDS_A_REPORT) })).toBe(true);
    expect(isReport({ ...report({}), records: records(MAX_RECORDS_A_REPORT + 1) })).toBe(false);
    expect(isReport({ ...report({}), retention_hours: Number.NaN })).toBe(false);
  });
});

describe("a shard's store", () => {
  const store = () => new TrafficStore(memorySql(TRAFFIC_MIGRATIONS));
  const MINUTE = 30_000_000;

  it("has decisions by the minute and by the hour, and all of them ever, as they come", () => {
    const kept = store();
    const last = Math.floor(MINUTE / 60) * 60 + 59;
    kept.add(tally({ orders: { token: 1 } }), last);
    kept.add(tally({ orders: { token: 2 } }), last);
    kept.add(tally({ orders: { scope_missing: 4 } }), last + 1);
    expect(kept.minutes(last, last + 2)).toEqual([
      { at: last, decisions: { orders: { token: 3 } } },
      { at: last + 1, decisions: { orders: { scope_missing: 4 } } },
    ]);
    expect(kept.minutes(last + 2, last + 9)).toEqual([]);
    const hour = (last + 1) / 60;
    expect(kept.hours(hour - 1, hour + 1).map(({ at, decisions }) => ({ at, decisions }))).toEqual([
      { at: hour - 1, decisions: { orders: { token: 3 } } },
      { at: hour, decisions: { orders: { scope_missing: 4 } } },
    ]);
    expect(kept.totals().decisions).toEqual({ orders: { token: 3, scope_missing: 4 } });
  });

  it("counts the minute that runs once in its hour", () => {
    const kept = store();
    for (const at of [0, 1, 2]) kept.add(tally({ orders: { token: 1 } }), 60 * 500 + at);
    const cells = kept.hours(500, 501);
    expect(cells.reduce((sum, each) => sum + total(each.decisions), 0)).toBe(3);
    expect(cells.at(-1)?.decisions).toEqual({ orders: { token: 1 } });
  });

  it("counts on in a minute that a clock which was set back opens again", () => {
    const kept = store();
    for (const minute of [MINUTE, MINUTE + 1, MINUTE]) kept.add(tally({ orders: { token: 1 } }), minute);
    kept.add(tally({}), MINUTE + 5);
    expect(kept.minutes(MINUTE, MINUTE + 2)).toEqual([
      { at: MINUTE, decisions: { orders: { token: 2 } } },
      { at: MINUTE + 1, decisions: { orders: { token: 1 } } },
    ]);
    expect(kept.totals().decisions).toEqual({ orders: { token: 3 } });
  });

  it("knows a repeated report by its number, for each isolate", () => {
    const kept = store();
    const made = [
      ["iso_a", 1],
      ["iso_a", 1],
      ["iso_b", 1],
      ["iso_a", 2],
      ["iso_a", 1],
    ] as const;
    expect(made.map(([isolate, n]) => kept.isNew(isolate, n, 0))).toEqual([true, false, true, true, false]);
  });

  it("forgets what is old and never the total", () => {
    const kept = store();
    for (const minute of [MINUTE, MINUTE + 60, MINUTE + 120]) kept.add(tally({ r: { token: 1 } }), minute);
    kept.isNew("iso_a", 1, 5);
    kept.isNew("iso_b", 1, 15);
    kept.addTokens([{ iss: "i", jti: "j", refused: 1 }], 7);
    kept.prune({ reportMs: 10, minute: MINUTE + 60, hour: MINUTE / 60 + 2, tokenHour: 8 });
    expect(kept.minutes(0, 1e12).map(({ at }) => at)).toEqual([MINUTE + 60, MINUTE + 120]);
    expect(kept.hours(0, 1e12).map(({ at }) => at)).toEqual([MINUTE / 60 + 2]);
    expect(kept.topTokens(0, 100, 5)).toEqual([]);
    expect(kept.earliest().report_ms).toBe(15);
    expect(kept.totals().decisions).toEqual({ r: { token: 3 } });
  });

  it("finds the token that is refused most among any number of others, in bounded room", () => {
    const kept = store();
    const others = 8 * MAX_TOKENS_AN_HOUR;
    for (let n = 0; n < others; n += 400) {
      const storm = Array.from({ length: 400 }, (_, i) => ({ iss: "i", jti: `t${n + i}`, refused: 1 }));
      kept.addTokens([...storm, { iss: "i", jti: "heavy", refused: 50 }], 7);
    }
    const [first] = kept.topTokens(7, 8, 5);
    expect(first?.jti).toBe("heavy");
    // Too high by no more than all the others share.
    expect(first!.refused).toBeGreaterThanOrEqual((others / 400) * 50);
    expect(first!.refused).toBeLessThanOrEqual((others / 400) * 50 + others / MAX_TOKENS_AN_HOUR + 1);
    expect(kept.topTokens(7, 8, 1e6)).toHaveLength(MAX_TOKENS_AN_HOUR);
  });
});

describe("what was asked for", () => {
  const cells = [
    { at: 10, decisions: { orders: { token: 1 }, admin: { scope_missing: 2 } } },
    { at: 11, decisions: { orders: { token: 4 } } },
    { at: 12, decisions: { orders: { token_expired: 1 } } },
  ];
  const query = { since: 600, until: 780, step_seconds: 120 };

  it("is put together from cells to steps, of all routes or of one", () => {
    expect(stepsOf(cells, 60, query)).toEqual([
      { at: 600, decisions: { orders: { token: 5 }, admin: { scope_missing: 2 } } },
      { at: 720, decisions: { orders: { token_expired: 1 } } },
    ]);
    expect(stepsOf(cells, 60, { ...query, route: "admin" })[0]).toEqual({
      at: 600,
      decisions: { admin: { scope_missing: 2 } },
    });
    expect(stepsOf(cells, 60, { ...query, route: "constructor" })[0]?.decisions).toEqual({});
  });

  it("is of all shards, with what was refused most first", () => {
    const steps = stepsOf(cells, 60, query);
    const tokens = [{ iss: "i", jti: "a", refused: 1 }];
    const view = viewOf([
      { steps, tokens },
      { steps: steps.slice(1), tokens: [{ iss: "i", jti: "b", refused: 3 }, ...tokens] },
    ]);
    expect(view.series).toEqual([
      { at: 600, allow: 5, refuse: 2, reasons: { token: 5, scope_missing: 2 } },
      { at: 720, allow: 0, refuse: 2, reasons: { token_expired: 2 } },
    ]);
    expect(view.routes.map(({ route, refuse }) => [route, refuse])).toEqual([
      ["admin", 2],
      ["orders", 2],
    ]);
    expect(view.tokens).toEqual([
      { iss: "i", jti: "b", refused: 3 },
      { iss: "i", jti: "a", refused: 2 },
    ]);
    const many = Array.from({ length: 100 }, (_, i) => ({ iss: "i", jti: `t${i}`, refused: i }));
    expect(viewOf([{ steps: [], tokens: many }]).tokens).toHaveLength(TOP);
  });

  it("is nothing where one shard does not answer: counters would seem to fall", async () => {
    const down = err(problem("unavailable", "down"));
    expect(await ofAll([1, 2, 3], async (n) => ok(n * 2))).toEqual(ok([2, 4, 6]));
    expect(await ofAll([1, 2, 3], async (n) => (n === 2 ? down : ok(n)))).toEqual(down);
  });
});
