import { beforeEach, describe, expect, it } from "vitest";
import { authorize } from "../../../src/edge/authorize.ts";
import { countRequest, whose } from "../../../src/edge/counting.ts";
import type { VerifiedToken } from "../../../src/tokens/claims.ts";
import { EdgeWorld, HOST, policyOf } from "../../support/edge-world.ts";

const EXACT = { exact: { requests: 3, period_seconds: 10 } };
const POLICY = policyOf([
  { path: "/any", access: { any_scopes: ["orders:admin", "orders:read"] } },
  { path: "/young", access: { max_token_age_seconds: 60 } },
  { path: "/sign-in", access: { step_up: { acr_values: ["phr", "mfa"], max_age_seconds: 300 } } },
  {
    path: "/office/:name",
    access: { condition: "cf.country == 'DE' && time.hour >= 8 && request.params.name == 'a'" },
  },
  { path: "/abroad", access: { condition: "cf.country != 'DE'" } },
  { path: "/broken", access: { condition: "token.nothing > 1" } },
  { path: "/exact", access: {}, limit: { by: "subject", ...EXACT } },
  { path: "/near", access: {}, limit: { by: "token", limiter: "three_10s" } },
  { path: "/gone", access: {}, limit: { by: "token", limiter: "unknown_10s" } },
  { path: "/open", access: "public", limit: { by: "ip", ...EXACT } },
  { path: "/scoped", access: { scopes: ["never"] }, limit: { by: "subject", ...EXACT } },
]);

let world: EdgeWorld;
let token: string;

beforeEach(async () => {
  world = await EdgeWorld.create(POLICY);
  token = await world.token();
});

async function statusOf(
  path: string,
  options: Parameters<EdgeWorld["call"]>[1] = { token },
): Promise<number> {
  return (await world.call(path, options)).status;
}
const times = async (n: number, path: string, options?: Parameters<EdgeWorld["call"]>[1]) => {
  const statuses: number[] = [];
  for (let i = 0; i < n; i++) statuses.push(await statusOf(path, options));
  return statuses;
};

describe("what a route asks of a token", () => {
  it("may be one scope of several, of which the challenge names one", async () => {
    expect(await statusOf("/any")).toBe(200);
    const refused = await world.call("/any", { token: await world.token({ scope: "orders:write" }) });
    expect(refused.status).toBe(403);
    expect(refused.headers.get("www-authenticate")).toContain('scope="orders:admin"');
  });

  it("may be that it is young", async () => {
    expect(await statusOf("/young")).toBe(200);
    world.nowMs += 61_000;
    const refused = await world.call("/young", { token });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect(world.lastReason).toBe("issued_too_long_ago");
    expect(await statusOf("/any")).toBe(200);
  });

  it("may be how and when its person signed in, which the challenge asks for (RFC 9470 §3)", async () => {
    const now = Math.floor(world.nowMs / 1000);
    expect(
      await statusOf("/sign-in", { token: await world.token({ acr: "mfa", auth_time: now - 10 }) }),
    ).toBe(200);
    for (const claims of [
      {},
      { acr: "mfa" },
      { auth_time: now },
      { acr: "pwd", auth_time: now },
      { acr: ["mfa"], auth_time: now },
    ]) {
      const refused = await world.call("/sign-in", { token: await world.token(claims) });
      expect(refused.status).toBe(401);
      const challenge = refused.headers.get("www-authenticate");
      expect(challenge).toContain('error="insufficient_user_authentication"');
      expect(challenge).toContain('acr_values="phr mfa"');
      expect(challenge).toContain('max_age="300"');
      expect(await refused.json()).toMatchObject({ code: "insufficient_user_authentication" });
    }
    expect(world.originCalls).toHaveLength(1);
  });
});

describe("a route's condition", () => {
  const from = (country: string | undefined) => ({ token, cf: country === undefined ? {} : { country } });

  it("looks at the request, the time and what Cloudflare tells", async () => {
    expect(await statusOf("/office/a", from("DE"))).toBe(200);
    expect(await statusOf("/office/a", from("FR"))).toBe(403);
    expect(world.lastReason).toBe("condition_not_met");
    expect(await statusOf("/office/b", from("DE"))).toBe(403);
    world.nowMs -= 3_600_000;
    expect(await statusOf("/office/a", { ...from("DE"), token: await world.token() })).toBe(403);
  });

  it("does not hold where a fact is missing, also where it asks for the contrary", async () => {
    expect(await statusOf("/abroad", from("FR"))).toBe(200);
    expect(await statusOf("/abroad", from("DE"))).toBe(403);
    expect(await statusOf("/abroad", from(undefined))).toBe(403);
    expect(await statusOf("/broken", from("DE"))).toBe(403);
  });
});

describe("a limit", () => {
  it("that is exact lets so many through, and tells what is left on either side", async () => {
    const first = await world.call("/exact", { token });
    expect(first.headers.get("ratelimit-policy")).toBe('"route-6";q=3;w=10');
    expect(first.headers.get("ratelimit")).toBe('"route-6";r=2;t=4');
    expect(await times(2, "/exact", { token: await world.token({ jti: "tok_other" }) })).toEqual([200, 200]);
    const refused = await world.call("/exact", { token });
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("4");
    expect(refused.headers.get("ratelimit")).toBe('"route-6";r=0;t=4');
    expect(world.originCalls).toHaveLength(3);
    expect(await statusOf("/exact", { token: await world.token({ sub: "demo|bob" }) })).toBe(200);
    world.nowMs += 4_000;
    expect(await statusOf("/exact")).toBe(200);
  });

  it("of the platform is told without figures that nobody knows", async () => {
    expect(await times(3, "/near")).toEqual([200, 200, 200]);
    const refused = await world.call("/near", { token });
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("10");
    expect(refused.headers.has("ratelimit")).toBe(false);
    expect(await statusOf("/near", { token: await world.token({ jti: "tok_other" }) })).toBe(200);
  });

  it("by address counts whoever comes from there, with a token or without", async () => {
    const from = (address: string) => ({ headers: { "cf-connecting-ip": address } });
    expect(await times(3, "/open", from("203.0.113.1"))).toEqual([200, 200, 200]);
    expect(await statusOf("/open", { ...from("203.0.113.1"), token })).toBe(429);
    expect(await statusOf("/open", from("203.0.113.2"))).toBe(200);
  });

  it("counts nobody for what is refused anyway", async () => {
    expect(await times(5, "/scoped")).toEqual(Array(5).fill(403));
    expect(await statusOf("/exact", {})).toBe(401);
    world.revoke({ jti: "tok_stolen" });
    const stolen = await world.token({ jti: "tok_stolen" });
    world.nowMs += 2_001;
    expect(await times(5, "/exact", { token: stolen })).toEqual(Array(5).fill(401));
    expect(await times(3, "/exact", { token: await world.token() })).toEqual([200, 200, 200]);
  });

  it("that cannot be counted is no permission", async () => {
    expect(await statusOf("/gone")).toBe(503);
    world.bucketsDown = true;
    const refused = await world.call("/exact", { token });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(world.lastReason).toBe("limit_unavailable");
  });

  it("is not for a connection that is open already, whatever the policy says by now", async () => {
    const ask = {
      method: "GET",
      url: `${HOST}/any`,
      headers: new Headers({ authorization: `Bearer ${token}` }),
    };
    const decision = await authorize(ask, { ...world.deps, limits: world.limits });
    const limit = { by: "token", limiter: "three_10s" };
    world.append({ policy: policyOf([{ path: "/any", access: {}, limit }]) });
    world.nowMs += 2_001;
    for (let n = 0; n < 5; n++) {
      expect(decision.outcome === "allow" && (await decision.recheck?.())).toBeUndefined();
    }
    expect(world.limited.size).toBe(0);
    expect(await times(4, "/any")).toEqual([200, 200, 200, 429]);
  });

  it("counts a request once, however often it is decided on", async () => {
    await statusOf("/any");
    world.nowMs += 2_001;
    let changes = 0;
    world.whileRefreshing = () => {
      if (changes++ === 0) world.append({ policy: POLICY });
    };
    const answer = await world.call("/exact", { token });
    expect(changes).toBeGreaterThan(0);
    expect(answer.headers.get("ratelimit")).toContain(";r=2;");
  });
});

describe("whose a request is", () => {
  const facts = { iss: "https://idp", sub: "ann", subject: "idp|ann", iat: 0, kid: "k" };
  const of = (more: object) => ({ facts: { ...facts, ...more } }) as unknown as VerifiedToken;
  const none = new Headers();
  const at = (address: string) => whose("ip", undefined, new Headers({ "cf-connecting-ip": address }));

  it("is told by the token's own claims, and else by its subject", () => {
    expect(whose("token", of({ jti: "1" }), none)).toBe("token https://idp 1");
    expect(whose("client", of({ client_id: "app" }), none)).toBe("client https://idp app");
    for (const by of ["token", "client", "subject"] as const) {
      expect(whose(by, of({}), none)).toBe("subject idp|ann");
    }
  });

  it("is told by the network of an address: what one customer has of IPv6 is one", () => {
    expect(at("203.0.113.1")).not.toBe(at("203.0.113.2"));
    const same = ["2001:db8:1:2::1", "2001:DB8:1:2:ffff::9", "2001:0db8:0001:0002:0:0:0:1"];
    expect(new Set(same.map(at)).size).toBe(1);
    expect(at("2001:db8:1:3::1")).not.toBe(at("2001:db8:1:2::1"));
    expect(whose("ip", undefined, none)).toBe("ip -");
  });

  it("is counted for its route alone", async () => {
    for (const route of ["a", "b"]) {
      await countRequest(
        route,
        { by: "token", limiter: "three_10s" },
        of({ jti: "1" }),
        none,
        {},
        world.limits,
      );
    }
    expect([...world.limited]).toEqual([
      ["a token https://idp 1", 1],
      ["b token https://idp 1", 1],
    ]);
  });
});
