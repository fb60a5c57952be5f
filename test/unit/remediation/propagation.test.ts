import { describe, expect, it } from "vitest";
import { type PropagationSample, summarize } from "../../../src/remediation/propagation.ts";

const sample = (latency_ms: number, over: Partial<PropagationSample> = {}): PropagationSample => ({
  id: `smp_${latency_ms}`,
  tier: "bounded",
  promise_ms: 2_000,
  latency_ms,
  broken: false,
  at_ms: latency_ms,
  ...over,
});

describe("summarize", () => {
  it("gives percentiles by nearest rank: always a latency that was measured", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => sample(100 - i));
    expect(summarize(hundred)).toMatchObject({ count: 100, p50: 50, p95: 95, p99: 99, max: 100 });
    expect(summarize([sample(7)])).toMatchObject({ count: 1, p50: 7, p95: 7, p99: 7, max: 7 });
    expect(summarize([sample(1), sample(9)])).toMatchObject({ p50: 1, p95: 9 });
  });

  it("counts broken promises, and states the promise of the latest sample", () => {
    const samples = [sample(1, { at_ms: 9, promise_ms: 500 }), sample(2, { broken: true }), sample(3)];
    expect(summarize(samples)).toMatchObject({ broken: 1, promise_ms: 500 });
  });

  it("says nothing of nothing", () => expect(summarize([])).toBeUndefined());
});
