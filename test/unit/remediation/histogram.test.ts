import { describe, expect, it } from "vitest";
import {
  AGE_BUCKETS_MS,
  countInto,
  newHistogram,
  sumOf,
  sumOfAges,
  TIME_BUCKETS_MS,
} from "../../../src/remediation/histogram.ts";

const of = (bounds: readonly number[], ...values: number[]) => {
  const histogram = newHistogram(bounds);
  for (const ms of values) countInto(histogram, bounds, ms);
  return histogram;
};

describe.each([
  ["ages", AGE_BUCKETS_MS],
  ["times", TIME_BUCKETS_MS],
] as const)("the histogram of %s", (_what, bounds) => {
  const bucketOf = (ms: number) => of(bounds, ms).counts.indexOf(1);

  it("takes a value into the first bucket whose bound it is not over", () => {
    bounds.forEach((bound, i) => {
      expect(bucketOf(bound)).toBe(i);
      expect(bucketOf(bound + 1)).toBe(bound + 1 > (bounds[i + 1] ?? Infinity) ? i + 2 : i + 1);
    });
    expect(bucketOf(0)).toBe(0);
    expect(bucketOf(1e9)).toBe(bounds.length);
  });

  it("counts a clock that was set back as nothing at all", () => {
    expect(bucketOf(-5)).toBe(0);
    expect(of(bounds, -5, 7).sum_ms).toBe(7);
  });

  it("adds up to what all of them would have counted", () => {
    expect(sumOf(of(bounds, 1, 600), of(bounds, 70_000, 600))).toEqual(of(bounds, 1, 600, 600, 70_000));
    expect(sumOf(undefined, of(bounds, 1))).toEqual(of(bounds, 1));
    expect(sumOf(undefined, undefined)).toBeUndefined();
  });
});

it("ages are added up for each tier", () => {
  const ages = (...values: number[]) => of(AGE_BUCKETS_MS, ...values);
  expect(sumOfAges({ bounded: ages(1) }, { bounded: ages(2), strict: ages(3) })).toEqual({
    bounded: ages(1, 2),
    strict: ages(3),
  });
});
