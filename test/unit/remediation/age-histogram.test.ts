import { describe, expect, it } from "vitest";
import { AGE_BUCKETS_MS, addAge, isAges, noAges, sumOfAges } from "../../../src/remediation/age-histogram.ts";

const agesOf = (...agesMs: number[]) => {
  const ages = noAges();
  for (const ageMs of agesMs) addAge(ages, ageMs);
  return ages;
};
const bucketOf = (ageMs: number) => agesOf(ageMs).counts.indexOf(1);

describe("the histogram of ages", () => {
  it("takes an age into the first bucket whose bound it is not over", () => {
    AGE_BUCKETS_MS.forEach((bound, i) => {
      expect(bucketOf(bound)).toBe(i);
      expect(bucketOf(bound + 1)).toBe(i + 1);
    });
    expect(bucketOf(0)).toBe(0);
  });

  it("counts a clock that was set back as no age at all", () => {
    expect(bucketOf(-5)).toBe(0);
    expect(agesOf(-5, 7).sum_ms).toBe(7);
  });

  it("adds up to what all of them would have counted", () => {
    expect(sumOfAges(agesOf(1, 600), agesOf(70_000, 600))).toEqual(agesOf(1, 600, 600, 70_000));
    expect(sumOfAges(undefined, agesOf(1))).toEqual(agesOf(1));
  });

  it("knows a report by its shape", () => {
    expect(isAges({ bounded: agesOf(1, 2) })).toBe(true);
    expect(isAges({})).toBe(true);
    expect(isAges({ bounded: { counts: [1], sum_ms: 1 } })).toBe(false);
    expect(isAges({ bounded: { ...agesOf(1), sum_ms: Number.NaN } })).toBe(false);
    expect(isAges({ bounded: { ...agesOf(1), sum_ms: -1 } })).toBe(false);
    expect(isAges({ sometimes: agesOf(1) } as never)).toBe(false);
  });
});
