import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesSha256Hex } from "../../../src/protocol/encoding.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { confirmDenied, findInDeniedBuckets } from "../../../src/revocation/confirm-denied.ts";
import {
  bucketOfToken,
  type DeniedBucket,
  deniedBucketKey,
  distinctDenials,
} from "../../../src/revocation/denied-token.ts";
import { DeniedFilter, partBits } from "../../../src/revocation/filter.ts";
import { FilterLoader, filterPartKey } from "../../../src/revocation/filter-loader.ts";
import {
  bucketsOfPart,
  decodePart,
  encodePart,
  type FilterPart,
} from "../../../src/revocation/filter-part.ts";
import { filterOf } from "../../support/filter.ts";

const SEED = 20_261_118;
const ISS = "https://idp.example.com";

const named = fc.record(
  { jti: fc.string({ minLength: 1, maxLength: 40 }), iss: fc.constantFrom("", "https://a", "https://b") },
  { noNullPrototype: true },
);

describe("the filter of denied tokens", () => {
  it("against an exact set: never misses one, in any number of parts, and suspects few others", () => {
    let suspected = 0;
    let asked = 0;
    fc.assert(
      fc.property(fc.array(named, { maxLength: 500 }), fc.array(named), fc.nat(4), (tokens, others, bits) => {
        const filter = filterOf(tokens, bits);
        for (const { jti } of tokens) {
          if (!filter.mayContain(jti)) throw new Error(`missed ${JSON.stringify(jti)}`);
        }
        for (const { jti } of others) {
          if (tokens.some((token) => token.jti === jti)) continue;
          asked++;
          if (filter.mayContain(jti)) suspected++;
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
    expect(asked).toBeGreaterThan(1_000);
    expect(suspected / asked).toBeLessThan(0.015);
  });

  it("of many tokens takes at most 10 bits for each and suspects 1 of 256 others", () => {
    const tokens = Array.from({ length: 200_000 }, (_, i) => ({ iss: ISS, jti: `tok_${i}` }));
    const filter = filterOf(tokens, 1);
    expect(tokens.every(({ jti }) => filter.mayContain(jti))).toBe(true);
    expect((filter.bytes * 8) / tokens.length).toBeLessThan(10);
    let suspected = 0;
    for (let i = 0; i < 100_000; i++) if (filter.mayContain(`other_${i}`)) suspected++;
    expect(suspected / 100_000).toBeGreaterThan(0.003);
    expect(suspected / 100_000).toBeLessThan(0.0048);
  });

  it("knows ids, whether an issuer was named or not", () => {
    const filter = filterOf([{ iss: ISS, jti: "x" }, { jti: "y" }]);
    expect(["x", "y", "z"].map((jti) => filter.mayContain(jti))).toEqual([true, true, false]);
  });

  it("changes a token's stamp when the part that speaks about it is built anew, and only then", () => {
    const tokens = Array.from({ length: 64 }, (_, i) => ({ iss: ISS, jti: `tok_${i}` }));
    const before = filterOf(tokens, 2);
    const parts = before.manifest.parts.map(({ build }) => before.part(build)!);
    const rebuilt = { ...parts[3]!, build: 9 };
    const refs = before.manifest.parts.map((ref) => (ref.partition === 3 ? { ...ref, build: 9 } : ref));
    const after = new DeniedFilter({ bits: 2, parts: refs }, [...parts.slice(0, 3), rebuilt]);
    const changed = tokens.filter(({ jti }) => before.stamp(jti) !== after.stamp(jti));
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.length).toBeLessThan(tokens.length);
    for (const { jti } of changed) expect(after.stamp(jti)).toBe(9);
    expect(after.build).toBe(9);
  });

  it("is not made from some of its parts", () => {
    const whole = filterOf([{ jti: "x" }], 1);
    const parts = whole.manifest.parts.map(({ build }) => whole.part(build)!);
    expect(() => new DeniedFilter(whole.manifest, parts.slice(1))).toThrow(RangeError);
  });
});

describe("partBits", () => {
  it("keeps parts between 30,000 and 120,000 keys, and does not swing", () => {
    expect(partBits(0, 0)).toBe(0);
    expect(partBits(120_000, 0)).toBe(0);
    expect(partBits(120_001, 0)).toBe(1);
    expect(partBits(10_000_000, 0)).toBe(7);
    expect(partBits(70_000, 1)).toBe(1);
    expect(partBits(59_999, 1)).toBe(0);
    expect(partBits(0, 7)).toBe(0);
    expect(partBits(1e12, 0)).toBe(10);
  });
});

describe("a part's bytes", () => {
  const part = (): FilterPart => filterOf([{ jti: "x" }, { iss: ISS, jti: "y" }], 3).part(2)!;

  it("come back as they were", () => {
    const there = part();
    const back = decodePart(encodePart(there))!;
    expect(back.build).toBe(there.build);
    expect(back.bucketBuilds).toEqual(there.bucketBuilds);
    expect({ ...back.fuse, fingerprints: [...back.fuse.fingerprints] }).toEqual({
      ...there.fuse,
      fingerprints: [...there.fuse.fingerprints],
    });
    expect(back.bucketBuilds).toHaveLength(bucketsOfPart(3));
  });

  it("are refused where they are cut, longer or something else", () => {
    const bytes = encodePart(part());
    for (const length of [0, 10, 24, bytes.length - 1])
      expect(decodePart(bytes.slice(0, length))).toBeUndefined();
    expect(decodePart(Uint8Array.from([...bytes, 0]))).toBeUndefined();
    expect(decodePart(Uint8Array.from([1, ...bytes.slice(1)]))).toBeUndefined();
  });
});

describe("loading", () => {
  async function shelved(bits = 2) {
    const filter = filterOf([{ jti: "x" }, { iss: ISS, jti: "y" }], bits);
    const bytes = new Map<string, Uint8Array>();
    const parts = await Promise.all(
      filter.manifest.parts.map(async (ref) => {
        const body = encodePart(filter.part(ref.build)!);
        bytes.set(filterPartKey(ref.build), body);
        return { ...ref, digest: await bytesSha256Hex(body) };
      }),
    );
    return { manifest: { bits, parts }, bytes };
  }
  const kvOf = (get: (key: string) => Promise<unknown>) => ({ get }) as unknown as Pick<KVNamespace, "get">;
  const down = { part: async () => err(problem("unavailable", "down")) };

  it("takes parts from KV, those that KV lacks or has wrong from the object, and known ones from neither", async () => {
    const { manifest, bytes } = await shelved();
    const asked: number[] = [];
    const wrong = filterPartKey(manifest.parts[1]!.build);
    const none = filterPartKey(manifest.parts[2]!.build);
    const kv = kvOf(async (key) => {
      if (key === none) return null;
      return key === wrong ? new Uint8Array(99).buffer : bytes.get(key)!.slice().buffer;
    });
    const denylist = {
      part: async (build: number) => {
        asked.push(build);
        return ok(bytes.get(filterPartKey(build))!);
      },
    };
    const loaded = await new FilterLoader({ kv, denylist }).load(manifest);
    expect(loaded).toMatchObject({ ok: true });
    expect(asked.toSorted()).toEqual([manifest.parts[1]!.build, manifest.parts[2]!.build]);
    const filter = loaded.ok ? loaded.value : undefined!;
    expect(filter.mayContain("y")).toBe(true);
    const never = kvOf(() => Promise.reject(new Error("asked")));
    expect(await new FilterLoader({ kv: never, denylist: down }).load(manifest, filter)).toMatchObject({
      ok: true,
    });
  });

  it("fails where a part cannot be had or is not what the entry says, and goes on from there", async () => {
    const { manifest, bytes } = await shelved();
    let broken = true;
    let gets = 0;
    const last = filterPartKey(manifest.parts[3]!.build);
    const kv = kvOf(async (key) => {
      gets++;
      if (broken && key === last) throw new Error("429");
      return bytes.get(key)!.slice().buffer;
    });
    const loader = new FilterLoader({ kv, denylist: down });
    expect(await loader.load(manifest)).toMatchObject({ error: { code: "unavailable" } });
    broken = false;
    expect(await loader.load(manifest)).toMatchObject({ ok: true });
    expect(gets).toBe(5);
    const forged = { ...manifest, parts: manifest.parts.map((ref) => ({ ...ref, digest: "0" })) };
    expect(await new FilterLoader({ kv, denylist: down }).load(forged)).toMatchObject({ ok: false });
  });
});

describe("confirming", () => {
  const filter = filterOf([{ iss: ISS, jti: "denied" }], 0, 5);
  const down = { contains: async () => err(problem("unavailable", "down")) };
  const kvOf = (list: DeniedBucket | null) =>
    ({
      get: async (key: string) => (key === deniedBucketKey(bucketOfToken("denied")) ? list : null),
    }) as unknown as Pick<KVNamespace, "get">;
  const ask = (kv: Pick<KVNamespace, "get">, jti = "denied") =>
    confirmDenied(filter, ISS, jti, { denylist: down, kv });
  const entry = { iss: ISS, jti: "denied", expires_at: 99 };

  it("asks the object, and KV only where it does not answer", async () => {
    const never = { get: () => Promise.reject(new Error("asked")) } as unknown as Pick<KVNamespace, "get">;
    const denylist = { contains: async () => ok(0) };
    expect(await confirmDenied(filter, ISS, "denied", { denylist, kv: never })).toEqual(ok(0));
    expect(await ask(never)).toMatchObject({ ok: false });
  });

  it("believes a list of KV only where it is at least as new as the filter", async () => {
    expect(await ask(kvOf({ build: 5, tokens: [entry] }))).toEqual(ok(99));
    expect(await ask(kvOf({ build: 6, tokens: [] }))).toEqual(ok(0));
    expect(await ask(kvOf({ build: 4, tokens: [] }))).toMatchObject({ ok: false });
    expect(await ask(kvOf({ build: 4, tokens: [entry] }))).toMatchObject({ ok: false });
    expect(await ask(kvOf(null))).toMatchObject({ ok: false });
  });

  it("without the log takes any list's word for yes, by issuer or for all", async () => {
    expect(await findInDeniedBuckets(kvOf({ build: 1, tokens: [entry] }), ISS, "denied")).toEqual(ok(99));
    expect(await findInDeniedBuckets(kvOf({ build: 1, tokens: [entry] }), "https://b", "denied")).toEqual(
      ok(0),
    );
    expect(await findInDeniedBuckets(kvOf(null), ISS, "denied")).toEqual(ok(0));
    const broken = { get: () => Promise.reject(new Error("429")) } as unknown as Pick<KVNamespace, "get">;
    expect(await findInDeniedBuckets(broken, ISS, "denied")).toMatchObject({ ok: false });
  });
});

describe("distinctDenials", () => {
  it("keeps the latest end of each, and what names none does not change what is there", () => {
    const [a, b, ...rest] = distinctDenials(
      [{ jti: "a", expires_at: 5.5 }, { jti: "a", expires_at: 7 }, { jti: "a" }, { jti: "a", iss: "i" }],
      100,
    );
    expect(a).toEqual({ token: { jti: "a", expires_at: 7 }, extend: true });
    expect(b).toEqual({ token: { jti: "a", iss: "i", expires_at: 100 }, extend: false });
    expect(rest).toEqual([]);
  });
});
