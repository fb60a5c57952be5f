/**
 * Cost of the filter of denied tokens by the number of its entries: `node bench/filter.ts`. The figures are in
 * docs/performance.md.
 */
import type { DeniedFilter } from "../src/revocation/filter.ts";
import { buildFilter, idOf } from "./denied.ts";

const SIZES = [1e3, 1e4, 1e5, 1e6, 1e7];
const LOOKUPS = 1_000_000;
const PASSES = 7;
/** Ids are made before the clock starts, and are more than the processor's caches hold. */
const PROBES = 200_000;

/** The best of several passes, in nanoseconds for each look-up: what else the machine does is left out. */
function lookupNs(filter: DeniedFilter, ids: string[]): number {
  const passes = Array.from({ length: PASSES }, () => {
    const started = performance.now();
    let hits = 0;
    for (let i = 0; i < LOOKUPS; i++) if (filter.mayContain(ids[i % ids.length]!)) hits++;
    return hits < 0 ? 0 : ((performance.now() - started) * 1e6) / LOOKUPS;
  });
  return Math.round(Math.min(...passes));
}

for (const count of SIZES) {
  const { filter, bits, hashMs, buildMs, slowestMs, retries } = buildFilter(count);
  const stride = Math.max(1, Math.floor(count / PROBES));
  const listed = Array.from({ length: Math.min(count, PROBES) }, (_, i) => idOf("denied", i * stride));
  const others = Array.from({ length: PROBES }, (_, i) => idOf("other", i));
  const missed = listed.filter((jti) => !filter.mayContain(jti)).length;
  const falseRate = others.filter((jti) => filter.mayContain(jti)).length / PROBES;
  console.log(
    JSON.stringify({
      entries: count,
      parts: 2 ** bits,
      bits_per_entry: Number(((filter.bytes * 8) / count).toFixed(2)),
      bytes: filter.bytes,
      missed,
      false_positive_percent: Number((100 * falseRate).toFixed(2)),
      lookup_listed_ns: lookupNs(filter, listed),
      lookup_other_ns: lookupNs(filter, others),
      hash_ms: Math.round(hashMs),
      build_ms: Math.round(buildMs),
      slowest_part_ms: Math.round(slowestMs),
      retries,
    }),
  );
}
