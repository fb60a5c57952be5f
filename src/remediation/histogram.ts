import { TIERS, type Tier } from "../revocation/receipt.ts";

/** Upper bounds of the buckets, inclusive; one more bucket holds what is above. Milliseconds, as all here. */
export const AGE_BUCKETS_MS = [100, 250, 500, 1_000, 1_500, 2_000, 5_000, 10_000, 30_000, 60_000] as const;
export const TIME_BUCKETS_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] as const;

/** A count for each bucket, and the sum of all that was counted. */
export type Histogram = { counts: number[]; sum_ms: number };
/** How old the replica was when requests were let through. */
export type AgesByTier = Partial<Record<Tier, Histogram>>;

type Bounds = readonly number[];

export function newHistogram(bounds: Bounds): Histogram {
  return { counts: new Array<number>(bounds.length + 1).fill(0), sum_ms: 0 };
}

export function countInto(histogram: Histogram, bounds: Bounds, ms: number): void {
  let bucket = 0;
  while (bucket < bounds.length && ms > bounds[bucket]!) bucket++;
  histogram.counts[bucket]! += 1;
  // A clock that was set back takes nothing off the sum.
  if (ms > 0) histogram.sum_ms += ms;
}

/** Both together. They are of the same bounds. */
export function sumOf(a: Histogram | undefined, b: Histogram | undefined): Histogram | undefined {
  if (!a || !b) return a ?? b;
  return { counts: a.counts.map((count, i) => count + b.counts[i]!), sum_ms: a.sum_ms + b.sum_ms };
}

export function sumOfAges(a: AgesByTier, b: AgesByTier): AgesByTier {
  const sum: AgesByTier = {};
  for (const tier of TIERS) {
    const both = sumOf(a[tier], b[tier]);
    if (both) sum[tier] = both;
  }
  return sum;
}
