import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { DecisionRecord } from "../../src/protocol/decision-trace.ts";
import { AGE_BUCKETS_MS, countInto, newHistogram } from "../../src/remediation/histogram.ts";
import type { MonitorObject } from "../../src/remediation/monitor-object.ts";
import { MonitorStore } from "../../src/remediation/monitor-store.ts";
import type { PropagationSample } from "../../src/remediation/propagation.ts";
import { noTraffic, type Tally } from "../../src/remediation/traffic.ts";
import type { TrafficObject } from "../../src/remediation/traffic-object.ts";
import type { TrafficReport } from "../../src/remediation/traffic-report.ts";
import { TrafficStore } from "../../src/remediation/traffic-store.ts";
import { expectValue, remote } from "../support/remote.ts";

const RECORD: DecisionRecord = {
  ...{ trace_version: 1, decision_id: "", outcome: "refuse", reason: "no_route", status: 404 },
  ...{ checks: [], remedies: [], at: 1_795_325_180.5, surface: "proxy", method: "GET" },
};
const HOUR_MS = 3_600_000;
let count = 0;
const newMonitor = () => {
  const stub = env.MONITOR.getByName(`monitor-${count++}`);
  return Object.assign(remote<MonitorObject>(stub), { stub });
};
const sample = (id: string, over: Partial<PropagationSample> = {}): PropagationSample => ({
  id,
  tier: "bounded",
  promise_ms: 2_000,
  latency_ms: 1_000,
  broken: false,
  at_ms: Date.now(),
  ...over,
});
const read = async (monitor: ReturnType<typeof newMonitor>) => expectValue(await monitor.read());

describe("samples", () => {
  it("are summed up by tier, once each, and are there after eviction", async () => {
    const monitor = newMonitor();
    await monitor.record(sample("smp_1"));
    await monitor.record(sample("smp_1"));
    await monitor.record(sample("smp_2", { latency_ms: 2_500, broken: true }));
    await monitor.record(sample("smp_3", { tier: "strict", latency_ms: 3, promise_ms: 0 }));
    await evictDurableObject(monitor.stub);
    const { propagation, counters } = await read(monitor);
    expect(propagation).toMatchObject({
      bounded: { count: 2, broken: 1, p50: 1_000, max: 2_500, promise_ms: 2_000 },
      strict: { count: 1, broken: 0, max: 3 },
    });
    expect(propagation).not.toHaveProperty("eventual");
    expect(counters).toEqual({
      'portcullis_canary_broken_total{tier="bounded"}': 1,
      'portcullis_canary_broken_total{tier="strict"}': 0,
      'portcullis_canary_samples_total{tier="bounded"}': 2,
      'portcullis_canary_samples_total{tier="strict"}': 1,
    });
  });

  it("count for 24 hours, and go with the alarm after that", async () => {
    const monitor = newMonitor();
    await monitor.record(sample("smp_old", { at_ms: Date.now() - 24 * HOUR_MS - 1 }));
    await monitor.record(sample("smp_new", { at_ms: Date.now() - 23 * HOUR_MS }));
    expect((await read(monitor)).propagation.bounded?.count).toBe(1);
    await runDurableObjectAlarm(monitor.stub);
    const left = await runInDurableObject(monitor.stub, (_instance, state) =>
      state.storage.sql.exec("SELECT id FROM samples").toArray(),
    );
    expect(left).toEqual([{ id: "smp_new" }]);
  });
});

describe("reports of isolates", () => {
  let shards = 0;
  const newShard = () => {
    const stub = env.TRAFFIC.getByName(`shard-${shards++}`);
    return Object.assign(remote<TrafficObject>(stub), { stub });
  };
  const report = (n: number, more: Partial<Tally> = {}): TrafficReport => ({
    isolate: "iso_1",
    n,
    tally: { ...noTraffic(), decisions: { orders: { token: 2, token_revoked: 1 } }, ...more },
    tokens: [{ iss: "https://auth.example.com", jti: "tok_1", refused: 1 }],
    records: [{ ...RECORD, decision_id: `dec_${n}` }],
    retention_hours: 24,
  });

  it("add up, once for each number, and are there after eviction", async () => {
    const shard = newShard();
    const ages = newHistogram(AGE_BUCKETS_MS);
    countInto(ages, AGE_BUCKETS_MS, 900);
    for (const n of [1, 1, 2]) await shard.report(report(n, { ages: { bounded: ages } }));
    await evictDurableObject(shard.stub);
    await shard.report(report(2));
    const { totals, ages_24h } = expectValue(await shard.read());
    expect(totals.decisions).toEqual({ orders: { token: 4, token_revoked: 2 } });
    expect(ages_24h.bounded?.sum_ms).toBe(1_800);
    expect(expectValue(await shard.decision("dec_2"))).toEqual({ ...RECORD, decision_id: "dec_2" });
    expect(expectValue(await shard.decision("dec_3"))).toBeNull();
    const listed = expectValue(await shard.decisions({ limit: 10 }));
    expect(listed.map(({ decision_id }) => decision_id)).toEqual(["dec_2", "dec_1"]);
    const now = Math.floor(Date.now() / 1000);
    for (const step_seconds of [60, 3_600]) {
      const since = Math.floor(now / step_seconds) * step_seconds - step_seconds;
      const query = { since, until: since + 3 * step_seconds, step_seconds };
      const { steps, tokens } = expectValue(await shard.series(query));
      const counted = steps.map(({ decisions }) => decisions.orders?.token ?? 0);
      expect(counted.reduce((a, b) => a + b, 0)).toBe(4);
      expect(tokens).toEqual([{ iss: "https://auth.example.com", jti: "tok_1", refused: 2 }]);
    }
  });

  it("are refused where they are none", async () => {
    const shard = newShard();
    const wrong = report(1, { decided: { allow: { counts: [1, 2], sum_ms: 3 } } });
    expect(await shard.report(wrong)).toMatchObject({ error: { code: "invalid_request" } });
    expect(expectValue(await shard.read()).totals).toEqual(noTraffic());
  });

  it("go with the alarm when their time is over, and never out of the total", async () => {
    const shard = newShard();
    await shard.report(report(1));
    await runInDurableObject(shard.stub, (_instance, state) => {
      const store = new TrafficStore(state.storage.sql);
      const hour = Math.floor(Date.now() / HOUR_MS);
      // Closes the minute that ran, which was long ago.
      state.storage.sql.exec("UPDATE running SET minute = ?", 60 * (hour - 31 * 24));
      store.isNew("iso_gone", 1, Date.now() - 25 * HOUR_MS);
      state.storage.sql.exec("UPDATE decisions SET until_ms = ?", Date.now() - 1);
    });
    await shard.report(report(2));
    await runDurableObjectAlarm(shard.stub);
    const kept = await runInDurableObject(shard.stub, (_instance, state) =>
      ["minutes", "hours", "reporters", "decisions"].map(
        (table) => state.storage.sql.exec<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`).one().n,
      ),
    );
    expect(kept).toEqual([0, 0, 1, 1]);
    expect(expectValue(await shard.read()).totals.decisions.orders?.token).toBe(4);
  });
});

describe("notes", () => {
  it("add to counters once for each id, and gauges hold what was told last", async () => {
    const monitor = newMonitor();
    const note = { counters: { checked_total: 5 }, gauges: { 'rows{object="log"}': 3 } };
    await monitor.note("rpt_1", note);
    await monitor.note("rpt_1", note);
    await monitor.note("rpt_2", { counters: { checked_total: 2 }, gauges: { 'rows{object="log"}': 1 } });
    const { counters, gauges } = await read(monitor);
    expect(counters).toEqual({ checked_total: 7 });
    expect(gauges).toEqual({ 'rows{object="log"}': 1 });
  });

  it("are forgotten as gauges where nobody tells them any more", async () => {
    const monitor = newMonitor();
    await monitor.note("rpt_1", { gauges: { now: 1 } });
    await runInDurableObject(monitor.stub, (_instance, state) =>
      new MonitorStore(state.storage.sql).setGauge("before", 1, Date.now() - 13 * 60_000),
    );
    expect((await read(monitor)).gauges).toEqual({ now: 1 });
  });
});
