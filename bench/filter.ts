/**
 * Cost of the filter of denied tokens by the number of its entries: `node bench/filter.ts`. The figures are in
 * docs/performance.md.
 */
import { DeniedFilter, partBits, partitionOf } from "../src/revocation/filter.ts";
import { bucketsOfPart, type FilterPart } from "../src/revocation/filter-part.ts";
import { buildFuse } from "../src/revocation/fuse.ts";
import { bucketOf, hashToken, tokenHash } from "../src/revocation/token-hash.ts";

const SIZES = [1e3, 1e4, 1e5, 1e6, 1e7];
const LOOKUPS = 1_000_000;
const PASSES = 7;
/** Ids are made before the clock starts, and are more than the processor's caches hold. */
const PROBES = 200_000;

const idOf = (kind: string, n: number) => `${kind}_${n.toString(36).padStart(26, "0")}`;

function build(count: number) {
  const bits = partBits(count, 0);
  const hi = new Uint32Array(count);
  const lo = new Uint32Array(count);
  const hashing = performance.now();
  for (let i = 0; i < count; i++) {
    hashToken(idOf("tok", i));
    hi[i] = tokenHash.hi;
    lo[i] = tokenHash.lo;
  }
  const hashMs = performance.now() - hashing;
  const members = Array.from({ length: 2 ** bits }, (): number[] => []);
  for (let i = 0; i < count; i++) members[partitionOf(hi[i]!, bits)]!.push(i);
  const building = performance.now();
  let slowestMs = 0;
  let retries = 0;
  const parts = members.map((indexes, partition): FilterPart => {
    const started = performance.now();
    const keys = {
      hi: Uint32Array.from(indexes, (i) => hi[i]!),
      lo: Uint32Array.from(indexes, (i) => lo[i]!),
    };
    const { fuse, attempts } = buildFuse(keys);
    retries += attempts - 1;
    const bucketBuilds = new Uint32Array(bucketsOfPart(bits));
    for (const half of keys.hi)
      bucketBuilds[bucketOf(half) - partition * bucketBuilds.length] = partition + 1;
    slowestMs = Math.max(slowestMs, performance.now() - started);
    return { build: partition + 1, fuse, bucketBuilds };
  });
  const refs = parts.map(({ build: number }, partition) => ({
    partition,
    build: number,
    count: 0,
    digest: "",
  }));
  const buildMs = performance.now() - building;
  return {
    filter: new DeniedFilter({ bits, parts: refs }, parts),
    bits,
    hashMs,
    buildMs,
    slowestMs,
    retries,
  };
}

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
  const { filter, bits, hashMs, buildMs, slowestMs, retries } = build(count);
  const stride = Math.max(1, Math.floor(count / PROBES));
  const listed = Array.from({ length: Math.min(count, PROBES) }, (_, i) => idOf("tok", i * stride));
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
