import { describe, expect, it } from "vitest";
import { boundsOf as boundsOfRoutes, compilePolicy } from "../../../src/policy/compiled.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { EMPTY_POLICY } from "../../../src/policy/stored-policy.ts";

const boundsOf = (...routes: object[]) => {
  const full = routes.map((route, i) => ({
    id: `r${i}`,
    path: `/${i}`,
    origin: "o",
    access: "public",
    ...route,
  }));
  return boundsOfRoutes(policySchema.parse({ routes: full }).routes);
};
const bounded = (max_staleness_ms: number, allow?: number) => ({
  consistency: { tier: "bounded", max_staleness_ms },
  ...(allow === undefined ? {} : { on_stale: { allow_for_seconds: allow } }),
});

describe("bounds", () => {
  it("are two seconds and one minute, even where every route is tighter", () => {
    expect(boundsOf()).toEqual({ boundedMs: 2_000, eventualMs: 60_000 });
    expect(boundsOf(bounded(250), { consistency: { tier: "strict" } })).toEqual({
      boundedMs: 2_000,
      eventualMs: 60_000,
    });
  });

  it("are those of the widest route of the tier", () => {
    expect(boundsOf(bounded(5_000), bounded(3_000))).toEqual({ boundedMs: 5_000, eventualMs: 60_000 });
    expect(boundsOf(bounded(2_000, 10), bounded(5_000))).toEqual({ boundedMs: 12_000, eventualMs: 60_000 });
    expect(boundsOf({ consistency: { tier: "eventual" }, on_stale: { allow_for_seconds: 30 } })).toEqual({
      boundedMs: 2_000,
      eventualMs: 90_000,
    });
  });

  it("count an allowance of a strict route, should there ever be one", () => {
    const strict = { consistency: { tier: "strict" }, on_stale: { allow_for_seconds: 7 } };
    expect(boundsOf(strict)).toEqual({ boundedMs: 7_000, eventualMs: 60_000 });
  });
});

describe("compilePolicy", () => {
  it("finds issuers by iss and routes by request", async () => {
    const document = policySchema.parse({
      issuers: [
        {
          id: "corp",
          issuer: "https://login.test",
          jwks_uri: "https://login.test/jwks",
          algorithms: ["ES256"],
          audience: "a",
        },
      ],
      routes: [{ id: "a", path: "/a", origin: "o", access: "public" }],
    });
    const compiled = await compilePolicy({ version: 7, document });
    expect(compiled).toMatchObject({ version: 7, document });
    expect(compiled.issuers.get("https://login.test")?.id).toBe("corp");
    expect(compiled.issuers.get("https://login.test/")).toBeUndefined();
    expect(compiled.routes.match("h", "/a", "GET")).toMatchObject({ kind: "match", route: { id: "a" } });
  });

  it("of the empty policy refuses every request", async () => {
    expect((await compilePolicy(EMPTY_POLICY)).routes.match("h", "/", "GET")).toEqual({ kind: "none" });
  });
});

describe("conditions", () => {
  const compiled = async (...conditions: (string | undefined)[]) => {
    const routes = conditions.map((condition, i) => ({
      ...{ id: `r${i}`, path: `/${i}`, origin: "o" },
      access: condition === undefined ? {} : { condition },
    }));
    const { conditions: made } = await compilePolicy({
      version: 1,
      document: policySchema.parse({ routes }),
    });
    return made;
  };

  it("are compiled for the routes that have one, and for no other", async () => {
    const conditions = await compiled("cf.asn == 1", undefined);
    expect([...conditions.keys()]).toEqual(["r0"]);
    expect(conditions.get("r0")?.({ cf: { asn: 1 } })).toBe(true);
    expect(conditions.get("r0")?.({ cf: { asn: 2 } })).toBe(false);
  });

  it("that no longer compile hold for nobody", async () => {
    expect((await compiled("later(token)")).get("r0")?.({})).toBe(false);
    expect((await compiled("token.x ==")).get("r0")?.({})).toBe(false);
  });
});
