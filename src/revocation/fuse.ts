import { mix32 } from "./token-hash.ts";

/**
 * A binary fuse filter (Graf and Lemire, 2022) with three probes and fingerprints of 8 bits. A key's slots lie
 * in three neighbouring segments.
 */
export type Fuse = {
  seed: number;
  /** A power of two. */
  segmentLength: number;
  /** Number of segments in which a key's first slot can lie; two more follow them. */
  segmentCount: number;
  fingerprints: Uint8Array;
};

/** 64-bit keys as two columns of unsigned halves. */
export type Keys = { hi: Uint32Array; lo: Uint32Array };

/** Both offsets and the fingerprint are cut from one 32-bit word: 12 + 12 + 8 bits. */
const PROBES = 3;
const OFFSET_BITS = 12;
const FINGERPRINT_SHIFT = 2 * OFFSET_BITS;
/** Where segments would have to be longer than an offset can tell. */
export const MAX_FUSE_KEYS = 300_000;
const MAX_ATTEMPTS = 100;

/** Whether the key is in the filter: never false for one that was built in, true for 1 in 256 others. */
export function fuseHas(fuse: Fuse, hi: number, lo: number): boolean {
  const { seed, segmentLength, segmentCount, fingerprints } = fuse;
  const half = mix32(hi ^ seed);
  const b = mix32((lo + half) | 0);
  const a = mix32(half ^ b);
  const mask = segmentLength - 1;
  const first = firstSlot(a, segmentCount * segmentLength);
  const second = (first + segmentLength) ^ (b & mask);
  const third = (first + 2 * segmentLength) ^ ((b >>> OFFSET_BITS) & mask);
  const found = fingerprints[first]! ^ fingerprints[second]! ^ fingerprints[third]!;
  return found === b >>> FINGERPRINT_SHIFT;
}

/**
 * Builds the filter, in about ten times its size of memory. Not every seed works out: the next one is taken.
 *
 * @param keys distinct; at most {@link MAX_FUSE_KEYS}
 * @returns the filter, and how many seeds it took
 */
export function buildFuse(keys: Keys, firstSeed = 1): { fuse: Fuse; attempts: number } {
  const count = keys.hi.length;
  if (count > MAX_FUSE_KEYS) throw new RangeError(`${count} keys are too many for one filter`);
  const shape = shapeFor(count);
  for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts++) {
    const seed = mix32((firstSeed + attempts * 0x9e3779b9) | 0) >>> 0;
    const peeled = peel(keys, seed, shape);
    if (!peeled) continue;
    const { segmentLength, segmentCount } = shape;
    return { fuse: { seed, segmentLength, segmentCount, fingerprints: assign(peeled, shape) }, attempts };
  }
  throw new Error(`no filter after ${MAX_ATTEMPTS} seeds: are the keys distinct?`);
}

type Shape = { segmentLength: number; segmentCount: number; slots: number };

/** The sizes that the authors found to work: about 1.125 slots a key for many keys, more for few. */
function shapeFor(count: number): Shape {
  const n = Math.max(count, 2);
  const segmentLength = 2 ** Math.max(2, Math.floor(Math.log(n) / Math.log(3.33) + 2.25));
  const slotsPerKey = Math.max(1.125, 0.875 + (0.25 * Math.log(1e6)) / Math.log(n));
  const segments = Math.max(3, Math.ceil(Math.round(count * slotsPerKey) / segmentLength));
  return { segmentLength, segmentCount: segments - 2, slots: segments * segmentLength };
}

type Words = { a: Uint32Array; b: Uint32Array };
type Peeled = Words & { slot: Uint32Array };

/**
 * Takes away, again and again, a key that is the only one of a slot, until none is left; undefined where a
 * knot remains.
 */
function peel(keys: Keys, seed: number, shape: Shape): Peeled | undefined {
  const count = keys.hi.length;
  const { slots } = shape;
  // For each slot the number of keys that use it, and the exclusive or of their words.
  const users = new Uint32Array(slots);
  const words: Words = { a: new Uint32Array(slots), b: new Uint32Array(slots) };
  const toggle = (slot: number, step: 1 | -1, a: number, b: number) => {
    words.a[slot]! ^= a;
    words.b[slot]! ^= b;
    users[slot]! += step;
  };
  for (let i = 0; i < count; i++) {
    const half = mix32(keys.hi[i]! ^ seed);
    const b = mix32((keys.lo[i]! + half) | 0);
    const a = mix32(half ^ b);
    for (let probe = 0; probe < PROBES; probe++) toggle(slotOf(shape, probe, a, b), 1, a, b);
  }
  const peeled = { a: new Uint32Array(count), b: new Uint32Array(count), slot: new Uint32Array(count) };
  const lonely = new Uint32Array(slots);
  let waiting = 0;
  let done = 0;
  for (let slot = 0; slot < slots; slot++) if (users[slot] === 1) lonely[waiting++] = slot;
  while (waiting > 0) {
    const slot = lonely[--waiting]!;
    if (users[slot] !== 1) continue;
    const a = words.a[slot]!;
    const b = words.b[slot]!;
    peeled.a[done] = a;
    peeled.b[done] = b;
    peeled.slot[done++] = slot;
    for (let probe = 0; probe < PROBES; probe++) {
      const other = slotOf(shape, probe, a, b);
      toggle(other, -1, a, b);
      if (users[other] === 1) lonely[waiting++] = other;
    }
  }
  return done === count ? peeled : undefined;
}

/** Backwards: the slot that a key was peeled by is no slot of a key that was peeled after it. */
function assign(peeled: Peeled, shape: Shape): Uint8Array {
  const fingerprints = new Uint8Array(shape.slots);
  for (let i = peeled.slot.length - 1; i >= 0; i--) {
    const a = peeled.a[i]!;
    const b = peeled.b[i]!;
    let value = b >>> FINGERPRINT_SHIFT;
    for (let probe = 0; probe < PROBES; probe++) value ^= fingerprints[slotOf(shape, probe, a, b)]!;
    fingerprints[peeled.slot[i]!] = value;
  }
  return fingerprints;
}

function slotOf({ segmentLength, segmentCount }: Shape, probe: number, a: number, b: number): number {
  const first = firstSlot(a, segmentCount * segmentLength);
  if (probe === 0) return first;
  const offset = (probe === 1 ? b : b >>> OFFSET_BITS) & (segmentLength - 1);
  return (first + probe * segmentLength) ^ offset;
}

/** Spreads a word evenly over the range; exact, as the product stays below 2^53. */
function firstSlot(a: number, range: number): number {
  return Math.floor(((a >>> 0) * range) / 2 ** 32);
}
