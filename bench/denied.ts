import { DeniedFilter, partBits, partitionOf } from "../src/revocation/filter.ts";
import { bucketsOfPart, type FilterPart } from "../src/revocation/filter-part.ts";
import { buildFuse } from "../src/revocation/fuse.ts";
import { bucketOf, hashToken, tokenHash } from "../src/revocation/token-hash.ts";

/** Ids of 30 characters; those of the kind `denied` are in the filter. */
export const idOf = (kind: string, n: number) => `${kind}_${n.toString(36).padStart(26, "0")}`;

/** A filter of so many denied tokens, built as the object builds it, and what that took. */
export function buildFilter(count: number) {
  const bits = partBits(count, 0);
  const hi = new Uint32Array(count);
  const lo = new Uint32Array(count);
  const hashing = performance.now();
  for (let i = 0; i < count; i++) {
    hashToken(idOf("denied", i));
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
    parts,
    bits,
    hashMs,
    buildMs,
    slowestMs,
    retries,
  };
}
