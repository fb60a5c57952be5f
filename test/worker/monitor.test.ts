import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { addAge, noAges } from "../../src/remediation/age-histogram.ts";
import type { MonitorObject } from "../../src/remediation/monitor-object.ts";
import { MonitorStore } from "../../src/remediation/monitor-store.ts";
import type { PropagationSample } from "../../src/remediation/propagation.ts";
import { expectValue, remote } from "../support/remote.ts";

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
const agesOf = (...agesMs: number[]) => {
  const ages = noAges();
  for (const ageMs of agesMs) addAge(ages, ageMs);
  return ages;
};
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
  it("add up, once for each id", async () => {
    const monitor = newMonitor();
    await monitor.report("rpt_1", { bounded: agesOf(50, 900) });
    await monitor.report("rpt_1", { bounded: agesOf(50, 900) });
    await monitor.report("rpt_2", { bounded: agesOf(50), strict: agesOf(1) });
    const { ages_24h, ages_total } = await read(monitor);
    expect(ages_24h).toEqual({ bounded: agesOf(50, 900, 50), strict: agesOf(1) });
    expect(ages_total).toEqual(ages_24h);
  });

  it("are refused where they are none", async () => {
    const monitor = newMonitor();
    expect(await monitor.report("rpt_1", { bounded: { counts: [1, 2], sum_ms: 3 } })).toMatchObject({
      error: { code: "invalid_request" },
    });
    expect((await read(monitor)).ages_total).toEqual({});
  });

  it("leave the window after a day and never the total", async () => {
    const monitor = newMonitor();
    await monitor.report("rpt_now", { bounded: agesOf(50) });
    await runInDurableObject(monitor.stub, (_instance, state) => {
      const store = new MonitorStore(state.storage.sql);
      const now = Date.now();
      store.addAges({ bounded: agesOf(70_000) }, now - 30 * HOUR_MS);
      store.addAges({ eventual: agesOf(9) }, now - 26 * HOUR_MS);
      for (let times = 0; times < 2; times++) store.prune(now - 24 * HOUR_MS, now);
    });
    const { ages_24h, ages_total } = await read(monitor);
    expect(ages_24h).toEqual({ bounded: agesOf(50) });
    expect(ages_total).toEqual({ bounded: agesOf(50, 70_000), eventual: agesOf(9) });
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
      new MonitorStore(state.storage.sql).setGauge("before", 1, Date.now() - 10 * 60_000),
    );
    expect((await read(monitor)).gauges).toEqual({ now: 1 });
  });
});
