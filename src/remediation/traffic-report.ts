import type { DecisionRecord } from "../protocol/decision-trace.ts";
import { TIERS } from "../revocation/receipt.ts";
import { AGE_BUCKETS_MS, type Histogram, TIME_BUCKETS_MS } from "./histogram.ts";
import { OUTCOMES, type RefusedToken, type Tally } from "./traffic.ts";

/** What one isolate counted since its last report. `n` counts its reports: a repeat has the same. */
export type TrafficReport = {
  isolate: string;
  n: number;
  tally: Tally;
  tokens: RefusedToken[];
  records: DecisionRecord[];
  /** How long the policy has records kept. */
  retention_hours: number;
};

/** More decisions than these are counted, and no record of them is kept. */
export const MAX_RECORDS_A_REPORT = 200;

/** Whether what another isolate sent can be added up: it may run another version, with other bounds. */
export function isReport({ n, tally, tokens, records, retention_hours }: TrafficReport): boolean {
  const { decisions, decided, origins, ages, cache, unrecorded } = tally;
  const counts = [
    ...Object.values(decisions).flatMap((reasons) => Object.values(reasons)),
    ...Object.values(origins).flatMap(({ faults }) => Object.values(faults)),
    ...tokens.map(({ refused }) => refused),
    ...[n, cache.hits, cache.misses, unrecorded, retention_hours],
  ];
  return (
    counts.every(isCount) &&
    records.length <= MAX_RECORDS_A_REPORT &&
    OUTCOMES.every((outcome) => fits(decided[outcome], TIME_BUCKETS_MS)) &&
    TIERS.every((tier) => fits(ages[tier], AGE_BUCKETS_MS)) &&
    Object.values(origins).every(({ time }) => fits(time, TIME_BUCKETS_MS))
  );
}

function fits(histogram: Histogram | undefined, bounds: readonly number[]): boolean {
  if (!histogram) return true;
  const { counts, sum_ms } = histogram;
  return counts.length === bounds.length + 1 && [...counts, sum_ms].every(isCount);
}

function isCount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
