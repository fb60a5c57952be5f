import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildFuse, fuseHas, type Keys, MAX_FUSE_KEYS } from "../../../src/revocation/fuse.ts";
import { hashToken, mix32, tokenHash } from "../../../src/revocation/token-hash.ts";

const SEED = 20_261_118;

function keysOf(count: number, salt: number): Keys {
  const keys = { hi: new Uint32Array(count), lo: new Uint32Array(count) };
  for (let i = 0; i < count; i++) {
    hashToken(`tok_${salt}_${i}`);
    keys.hi[i] = tokenHash.hi;
    keys.lo[i] = tokenHash.lo;
  }
  return keys;
}

function missing(keys: Keys, fuse: ReturnType<typeof buildFuse>["fuse"]): number {
  let count = 0;
  for (let i = 0; i < keys.hi.length; i++) if (!fuseHas(fuse, keys.hi[i]!, keys.lo[i]!)) count++;
  return count;
}

describe("a binary fuse filter", () => {
  it("never misses a key, whatever the keys", () => {
    const words = fc.uniqueArray(fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)), {
      selector: ([hi, lo]) => `${hi}.${lo}`,
      maxLength: 3_000,
      size: "max",
    });
    fc.assert(
      fc.property(words, fc.nat(0xffffffff), (pairs, seed) => {
        const keys = {
          hi: Uint32Array.from(pairs, ([hi]) => hi),
          lo: Uint32Array.from(pairs, ([, lo]) => lo),
        };
        expect(missing(keys, buildFuse(keys, seed).fuse)).toBe(0);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it("never misses a key of a set that has a pattern", () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.nat(31), fc.boolean(), (count, shift, high) => {
        const step = Uint32Array.from({ length: count }, (_, i) => (i << shift) >>> 0);
        const distinct = Uint32Array.from(new Set(step));
        const zero = new Uint32Array(distinct.length);
        const keys = high ? { hi: distinct, lo: zero } : { hi: zero, lo: distinct };
        expect(missing(keys, buildFuse(keys).fuse)).toBe(0);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it("takes the next seed where one does not work out, and the outcome is as good", () => {
    let retried = 0;
    for (let salt = 0; salt < 400; salt++) {
      const keys = keysOf(20 + (salt % 50), salt);
      const { fuse, attempts } = buildFuse(keys, salt);
      if (attempts > 1) retried++;
      expect(missing(keys, fuse)).toBe(0);
    }
    expect(retried).toBeGreaterThan(0);
  });

  it.each([1_000, 10_000, 120_000])("of %i keys is wrong about 1 in 256 others, in few bits", (count) => {
    const { fuse } = buildFuse(keysOf(count, 1));
    const probes = 200_000;
    let suspected = 0;
    for (let i = 0; i < probes; i++)
      if (fuseHas(fuse, mix32(i) >>> 0, mix32(i ^ 0x5bd1e995) >>> 0)) suspected++;
    expect(suspected / probes).toBeGreaterThan(1 / 256 - 0.001);
    expect(suspected / probes).toBeLessThan(1 / 256 + 0.001);
    const bits = (fuse.fingerprints.length * 8) / count;
    expect(bits).toBeLessThan(count < 100_000 ? 12 : 10);
  });

  it("of nothing suspects no more than one of many", () => {
    const { fuse } = buildFuse(keysOf(0, 0));
    let suspected = 0;
    for (let i = 0; i < 10_000; i++) if (fuseHas(fuse, mix32(i) >>> 0, i)) suspected++;
    expect(suspected).toBeLessThan(100);
  });

  it("is refused for more keys than it can tell apart, and for keys that are not distinct", () => {
    const keys = { hi: new Uint32Array(MAX_FUSE_KEYS + 1), lo: new Uint32Array(MAX_FUSE_KEYS + 1) };
    expect(() => buildFuse(keys)).toThrow(RangeError);
    expect(() => buildFuse({ hi: new Uint32Array(4), lo: new Uint32Array(4) })).toThrow(/distinct/);
  });
});

describe("the hash of a token", () => {
  const hashOf = (jti: string) => {
    hashToken(jti);
    return `${tokenHash.hi}.${tokenHash.lo}`;
  };

  it("is stored with every entry: it must not change", () => {
    expect(hashOf("tok_1")).toBe("1334313563.1029166864");
    expect(hashOf("01JDXK9Z7QV3")).toBe("1334395446.3282138788");
    expect(hashOf("")).toBe("3687688364.2057302639");
  });

  it("keeps ids apart", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        if (a !== b) expect(hashOf(a)).not.toBe(hashOf(b));
        else expect(hashOf(a)).toBe(hashOf(b));
      }),
      { seed: SEED, numRuns: 2_000 },
    );
    expect(hashOf("a")).not.toBe(hashOf("a\0"));
  });

  it("fills its range evenly: no part of the filter is much larger than another", () => {
    const counts = new Uint32Array(64);
    for (let i = 0; i < 64_000; i++) {
      hashToken(`tok_${i}`);
      counts[tokenHash.hi >>> 26]!++;
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(160);
  });
});
