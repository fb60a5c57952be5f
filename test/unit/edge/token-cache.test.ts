import { describe, expect, it } from "vitest";
import { TokenCache } from "../../../src/edge/token-cache.ts";
import type { VerifiedToken } from "../../../src/tokens/verify.ts";

const entry = (sub: string) => ({ token: { facts: { sub } } as VerifiedToken, policyVersion: 1 });

describe("verified tokens in memory", () => {
  it("never gives one token's entry for another, however little they differ", () => {
    const cache = new TokenCache();
    const base = `${"h".repeat(40)}.${"p".repeat(200)}.${"s".repeat(86)}`;
    const others = Array.from({ length: base.length }, (_, i) => `${base.slice(0, i)}X${base.slice(i + 1)}`);
    cache.set(base, entry("base"));
    for (const other of [...others, `${base}A`, base.slice(0, -1), ` ${base}`, base.toUpperCase()]) {
      expect(cache.get(other)).toBeUndefined();
    }
    for (const [i, other] of others.entries()) cache.set(other, entry(`other-${i}`));
    for (const [i, other] of others.entries()) {
      expect(cache.get(other)?.token.facts.sub).toBe(`other-${i}`);
    }
    expect(cache.get(base)?.token.facts.sub).toBe("base");
  });

  it("stays within its number of entries, and keeps what is used", () => {
    const cache = new TokenCache({ maxEntries: 3 });
    for (const name of ["a", "b", "c"]) cache.set(name, entry(name));
    expect(cache.get("a")).toBeDefined();
    cache.set("d", entry("d"));
    expect(cache.size).toBe(3);
    expect(cache.get("b")).toBeUndefined();
    for (const kept of ["a", "c", "d"]) expect(cache.get(kept)?.token.facts.sub).toBe(kept);
    for (let i = 0; i < 100; i++) {
      cache.set(`n${i}`, entry("n"));
      expect(cache.size).toBe(3);
    }
    expect(cache.get("n99")).toBeDefined();
  });

  it("counts what it found and what it did not", () => {
    const cache = new TokenCache();
    expect(cache.reading()).toEqual({ hits: 0, misses: 0 });
    cache.get("a");
    cache.set("a", entry("a"));
    for (let i = 0; i < 3; i++) cache.get("a");
    expect(cache.reading()).toEqual({ hits: 3, misses: 1 });
  });

  it("stays within its characters", () => {
    const cache = new TokenCache({ maxChars: 100 });
    for (let i = 0; i < 10; i++) cache.set(`${i}`.repeat(30), entry(`${i}`));
    expect(cache.size).toBe(3);
    cache.set("x".repeat(90), entry("x"));
    expect(cache.size).toBe(1);
    cache.set("y".repeat(101), entry("y"));
    expect(cache.get("y".repeat(101))).toBeUndefined();
    expect(cache.get("x".repeat(90))).toBeDefined();
  });

  it("counts a token once when it is set again, and not at all when it is gone", () => {
    const cache = new TokenCache({ maxChars: 100 });
    for (let i = 0; i < 10; i++) cache.set("a".repeat(60), entry(`${i}`));
    cache.delete("a".repeat(60));
    cache.delete("never there");
    cache.set("b".repeat(50), entry("b"));
    cache.set("c".repeat(50), entry("c"));
    expect(cache.size).toBe(2);
  });
});
