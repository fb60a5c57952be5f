import { TIERS, type Tier } from "../revocation/receipt.ts";

/** Upper bounds of the buckets, inclusive; one more bucket holds what is older. */
export const AGE_BUCKETS_MS = [100, 250, 500, 1_000, 1_500, 2_000, 5_000, 10_000, 30_000, 60_000] as const;

/** How old the replica was at decisions: a count for each bucket, and the sum of all ages. */
export type AgeCounts = { counts: number[]; sum_ms: number };
export type AgesByTier = Partial<Record<Tier, AgeCounts>>;

export function noAges(): AgeCounts {
  return { counts: new Array<number>(AGE_BUCKETS_MS.length + 1).fill(0), sum_ms: 0 };
}

export function addAge(ages: AgeCounts, ageMs: number): void {
  const bucket = AGE_BUCKETS_MS.findIndex((bound) => ageMs <= bound);
  ages.counts[bucket === -1 ? AGE_BUCKETS_MS.length : bucket]! += 1;
  // A clock that was set back takes nothing off the sum.
  ages.sum_ms += Math.max(0, ageMs);
}

export function sumOfAges(a: AgeCounts | undefined, b: AgeCounts | undefined): AgeCounts {
  const sum = noAges();
  for (const each of [a, b]) {
    each?.counts.forEach((count, i) => {
      sum.counts[i]! += count;
    });
    sum.sum_ms += each?.sum_ms ?? 0;
  }
  return sum;
}

/** Whether what another isolate sent is one: of this shape, and of finite counts that are not negative. */
export function isAges(ages: AgesByTier): boolean {
  return Object.entries(ages).every(
    ([tier, { counts, sum_ms }]) =>
      TIERS.includes(tier as Tier) &&
      counts.length === AGE_BUCKETS_MS.length + 1 &&
      [...counts, sum_ms].every((n) => Number.isFinite(n) && n >= 0),
  );
}
