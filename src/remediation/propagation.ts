import type { Tier } from "../revocation/receipt.ts";

/** One probe: how long after the acknowledgement the revoked token was refused. */
export type PropagationSample = {
  /** `smp_…`; recording is idempotent by it. */
  id: string;
  tier: Tier;
  /** What the tier promises. */
  promise_ms: number;
  latency_ms: number;
  /** Whether an accept decision was taken later than promised. */
  broken: boolean;
  /** When it was measured, epoch milliseconds. */
  at_ms: number;
};

/** Samples of a window in figures, milliseconds. */
export type PropagationSummary = {
  promise_ms: number;
  count: number;
  broken: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
};

/** The samples of one tier in figures, undefined where there are none. The promise is that of the latest. */
export function summarize(samples: readonly PropagationSample[]): PropagationSummary | undefined {
  const latest = samples.reduce<PropagationSample | undefined>(
    (last, sample) => (last && last.at_ms > sample.at_ms ? last : sample),
    undefined,
  );
  if (!latest) return undefined;
  const sorted = samples.map((sample) => sample.latency_ms).sort((a, b) => a - b);
  return {
    promise_ms: latest.promise_ms,
    count: sorted.length,
    broken: samples.filter((sample) => sample.broken).length,
    p50: nearestRank(sorted, 0.5),
    p95: nearestRank(sorted, 0.95),
    p99: nearestRank(sorted, 0.99),
    max: sorted.at(-1)!,
  };
}

/** The smallest value that at least this share of all is no greater than: always one that was measured. */
function nearestRank(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}
