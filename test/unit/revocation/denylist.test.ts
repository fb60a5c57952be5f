import { describe, expect, it } from "vitest";
import { denylistKey, denylistTtlSeconds, findInDenylist } from "../../../src/revocation/denylist.ts";
import type { Revocation, TokenFacts } from "../../../src/revocation/rule.ts";

const rule = (expires_at?: number): Revocation => ({
  id: "rev_1",
  match: { jti: "tok_1" },
  reason: "test",
  actor: "operator",
  created_at: 0,
  ...(expires_at === undefined ? {} : { expires_at }),
});
const facts: TokenFacts = { iss: "https://i", sub: "s", subject: "s", iat: 0, kid: "k", jti: "tok_1" };

describe("denylistKey", () => {
  it("is readable, and hashed where KV would refuse it", async () => {
    expect(await denylistKey("jti:tok_1")).toBe("deny:jti:tok_1");
    const long = await denylistKey(`sub:${"é".repeat(300)}`);
    expect(long).toMatch(/^deny:sha256:[0-9a-f]{64}$/);
  });
});

describe("denylistTtlSeconds", () => {
  it("is what is left of the last rule, never under KV's 60 seconds, and none for a ban", () => {
    expect(denylistTtlSeconds([rule(1_000)], 0)).toBe(1_000);
    expect(denylistTtlSeconds([rule(5)], 0)).toBe(60);
    expect(denylistTtlSeconds([rule(100), rule(200)], 50)).toBe(150);
    expect(denylistTtlSeconds([rule(100), rule()], 0)).toBeUndefined();
  });

  it("is never more than KV takes, however far the end is", () => {
    expect(denylistTtlSeconds([rule(2 ** 31 - 1)], 0)).toBe(2_147_483_647);
    expect(denylistTtlSeconds([rule(1e11)], 0)).toBe(2_147_483_647);
  });
});

describe("findInDenylist", () => {
  const kvOf = (entries: Record<string, Revocation[]>) =>
    ({ get: async (key: string) => entries[key] ?? null }) as unknown as Pick<KVNamespace, "get">;

  it("finds a rule that hits and passes over one that does not", async () => {
    expect(await findInDenylist(kvOf({ "deny:jti:tok_1": [rule(10)] }), { facts }, 5)).toMatchObject({
      value: { id: "rev_1" },
    });
    expect(await findInDenylist(kvOf({ "deny:jti:tok_1": [rule(10)] }), { facts }, 10)).toEqual({
      ok: true,
      value: undefined,
    });
    expect(await findInDenylist(kvOf({ "deny:jti:tok_2": [rule(10)] }), { facts }, 5)).toEqual({
      ok: true,
      value: undefined,
    });
  });

  it("says so where KV fails, rather than that nothing was found", async () => {
    const broken = { get: () => Promise.reject(new Error("down")) } as unknown as Pick<KVNamespace, "get">;
    expect(await findInDenylist(broken, { facts }, 5)).toMatchObject({
      ok: false,
      error: { code: "unavailable" },
    });
  });

  it("finds a rule for an address, while it lasts, also where no token was sent", async () => {
    const block = { ...rule(10), match: { address: "203.0.113.7" } };
    const kv = kvOf({ "deny:address:203.0.113.7": [block] });
    const find = async (address: string, now: number) => findInDenylist(kv, { address }, now);
    expect(await find("203.0.113.7", 5)).toMatchObject({ ok: true, value: { match: block.match } });
    expect(await find("203.0.113.7", 10)).toEqual({ ok: true, value: undefined });
    expect(await find("203.0.113.8", 5)).toEqual({ ok: true, value: undefined });
  });
});
