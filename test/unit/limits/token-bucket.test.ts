import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Bucket, fullAtMs, take } from "../../../src/limits/token-bucket.ts";

const NOW = 1_800_000_000_000;
const LIMIT = { requests: 3, period_seconds: 10 };

/** What becomes of requests at these moments after {@link NOW}. */
function run(atMs: readonly number[], limit = LIMIT) {
  let bucket: Bucket | undefined;
  return atMs.map((ms) => {
    const { bucket: next, taken } = take(bucket, limit, NOW + ms);
    bucket = next;
    return taken;
  });
}
const allowed = (atMs: readonly number[], limit = LIMIT) => run(atMs, limit).map((taken) => taken.allowed);

describe("a token bucket", () => {
  it("gives what it holds at once, and then one for each part of its period", () => {
    expect(allowed([0, 0, 0, 0])).toEqual([true, true, true, false]);
    expect(allowed([0, 0, 0, 3_333, 3_334, 3_335])).toEqual([true, true, true, false, true, false]);
    expect(allowed([0, 0, 0, 10_000, 10_000, 10_000, 10_000])).toEqual([...Array(6).fill(true), false]);
  });

  it("holds no more than its size, however long nobody came", () => {
    expect(allowed([0, 3_600_000, 3_600_000, 3_600_000, 3_600_000])).toEqual([...Array(4).fill(true), false]);
  });

  it("tells what is left, and when the next one is let through", () => {
    expect(run([0, 0, 0, 0, 1_000])).toEqual([
      { allowed: true, remaining: 2, resetSeconds: 4 },
      { allowed: true, remaining: 1, resetSeconds: 7 },
      { allowed: true, remaining: 0, resetSeconds: 10 },
      { allowed: false, remaining: 0, resetSeconds: 4 },
      { allowed: false, remaining: 0, resetSeconds: 3 },
    ]);
  });

  it("fills nothing when the clock goes back, and not twice when it comes again", () => {
    expect(allowed([10_000, 10_000, 10_000, 0, 9_000, 10_000, 13_334])).toEqual([
      ...Array(3).fill(true),
      ...Array(3).fill(false),
      true,
    ]);
  });

  it("takes over a limit that was changed at once", () => {
    const { bucket } = take(undefined, { requests: 100, period_seconds: 10 }, NOW);
    const lowered = take(bucket, LIMIT, NOW);
    expect(lowered.taken.remaining).toBe(2);
    expect(take(bucket, { requests: 1, period_seconds: 10 }, NOW).taken).toMatchObject({ remaining: 0 });
  });

  it("is never let through more often than its size and what it is filled with", () => {
    const limits = fc.record({
      requests: fc.integer({ min: 1, max: 20 }),
      period_seconds: fc.integer({ min: 1, max: 60 }),
    });
    const gaps = fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 80 });
    fc.assert(
      fc.property(limits, gaps, (limit, between) => {
        let ms = 0;
        const moments = between.map((gap) => (ms += gap));
        const passed = allowed(moments, limit).filter(Boolean).length;
        expect(passed).toBeLessThanOrEqual(
          limit.requests + Math.floor((ms * limit.requests) / limit.period_seconds / 1000),
        );
        if (moments.length > 0) expect(passed).toBeGreaterThan(0);
      }),
    );
  });

  it("is full again when it says so", () => {
    const { bucket } = take(undefined, LIMIT, NOW);
    const at = fullAtMs(bucket, LIMIT);
    expect(at - NOW).toBe(3_334);
    expect(take(bucket, LIMIT, at).taken).toEqual(take(undefined, LIMIT, at).taken);
  });
});
