import { type Fuse, fuseHas } from "./fuse.ts";
import { BUCKET_BITS, BUCKETS } from "./token-hash.ts";

/**
 * One part of the filter: the denied tokens whose hash begins with the part's number. For each of its buckets it
 * tells the build in which the bucket changed last (0: it is empty), so that a bucket that is read from KV can
 * be told from an older one.
 */
export type FilterPart = { build: number; fuse: Fuse; bucketBuilds: Uint32Array };

/** A part's bytes: little-endian words, then the fingerprints. */
const MAGIC = 0x31_46_50_50;
const HEADER_WORDS = 6;

export function bucketsOfPart(bits: number): number {
  return BUCKETS >>> bits;
}

export function encodePart({ build, fuse, bucketBuilds }: FilterPart): Uint8Array<ArrayBuffer> {
  const words = [MAGIC, build, fuse.seed, fuse.segmentLength, fuse.segmentCount, bucketBuilds.length];
  const start = 4 * (words.length + bucketBuilds.length);
  const bytes = new Uint8Array(start + fuse.fingerprints.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  bucketBuilds.forEach((word, i) => {
    view.setUint32(4 * (HEADER_WORDS + i), word, true);
  });
  bytes.set(fuse.fingerprints, start);
  return bytes;
}

/** The part in these bytes, or undefined where they are not one. */
export function decodePart(bytes: Uint8Array): FilterPart | undefined {
  if (bytes.length < 4 * HEADER_WORDS) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (i: number) => view.getUint32(4 * i, true);
  const [segmentLength, segmentCount, buckets] = [word(3), word(4), word(5)];
  const start = 4 * (HEADER_WORDS + buckets);
  const slots = (segmentCount + 2) * segmentLength;
  if (word(0) !== MAGIC || buckets > BUCKETS || bytes.length !== start + slots) return undefined;
  const bucketBuilds = new Uint32Array(buckets);
  for (let i = 0; i < buckets; i++) bucketBuilds[i] = word(HEADER_WORDS + i);
  const fingerprints = bytes.slice(start);
  return { build: word(1), fuse: { seed: word(2), segmentLength, segmentCount, fingerprints }, bucketBuilds };
}

export function partHas(part: FilterPart, hi: number, lo: number): boolean {
  return fuseHas(part.fuse, hi, lo);
}

/** In which build the bucket of this hash changed last; 0 where it has no entry. */
export function bucketBuild(part: FilterPart, bits: number, hi: number): number {
  return part.bucketBuilds[(hi >>> (32 - BUCKET_BITS)) & (bucketsOfPart(bits) - 1)] ?? 0;
}
