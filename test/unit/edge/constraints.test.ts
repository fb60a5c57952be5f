import { beforeEach, describe, expect, it } from "vitest";
import { authenticateAnyOwn, authenticateOwn } from "../../../src/edge/authenticate.ts";
import { authorize } from "../../../src/edge/authorize.ts";
import { AUDIENCE, EdgeWorld, HOST, ISSUER, policyOf } from "../../support/edge-world.ts";

const ROUTES = [
  { path: "/orders", access: { scopes: ["orders:read"] }, identity_headers: ["scope"] },
  { path: "/refunds", access: { scopes: ["orders:refund"] } },
  { path: "/public", access: "public" },
  { path: "/eventual", access: {}, consistency: { tier: "eventual" } },
];
const NEWER_MS = 2_001;

let world: EdgeWorld;

beforeEach(async () => {
  world = await EdgeWorld.create(
    policyOf(ROUTES, { origins: { orders: { url: "http://origin.internal:9000", audience: AUDIENCE } } }),
  );
});

const now = () => Math.floor(world.nowMs / 1000);

/** What the isolate knows by the next request. */
function revoke(...rule: Parameters<EdgeWorld["revoke"]>) {
  const revocation = world.revoke(...rule);
  world.nowMs += NEWER_MS;
  return revocation;
}

async function reason(path: string, token?: string, from?: string): Promise<string> {
  const headers = new Headers();
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (from !== undefined) headers.set("cf-connecting-ip", from);
  return (await authorize({ method: "GET", url: HOST + path, headers }, world.deps)).reason;
}

describe("a rule for an address", () => {
  it("refuses whatever comes from there to any route, before a token is read, and nothing from elsewhere", async () => {
    const token = await world.token({ scope: "orders:read" });
    expect(await reason("/orders", token, "203.0.113.7")).toBe("token");
    revoke({ address: "203.0.113.7" }, { expires_at: now() + 600 });
    for (const path of ["/orders", "/public"]) {
      expect(await reason(path, token, "203.0.113.7")).toBe("address_blocked");
      expect(await reason(path, token, "203.0.113.8")).not.toBe("address_blocked");
      expect(await reason(path, token)).not.toBe("address_blocked");
    }
    expect(await reason("/orders", "not.a.token", "203.0.113.7")).toBe("address_blocked");
    expect(await reason("/orders", "not.a.token", "203.0.113.8")).toBe("token_malformed");
    world.nowMs += 600_000;
    expect(await reason("/public", undefined, "203.0.113.7")).toBe("public");
  });

  it("knows one subscriber's IPv6 addresses in every spelling, and IPv4 within IPv6", async () => {
    revoke({ address: "2001:db8:1:2::/64" }, { expires_at: now() + 600 });
    revoke({ address: "203.0.113.7" }, { expires_at: now() + 600 });
    for (const from of [
      "2001:db8:1:2::1",
      "2001:DB8:1:2:ffff::9",
      "2001:0db8:0001:0002:0:0:0:1",
      "::ffff:203.0.113.7",
    ]) {
      expect(await reason("/public", undefined, from), from).toBe("address_blocked");
    }
    for (const from of ["2001:db8:1:3::1", "2001:db8::1:2:0:0", "::ffff:203.0.113.8", "nonsense", ""]) {
      expect(await reason("/public", undefined, from), from).toBe("public");
    }
  });

  it("is looked up in KV as well, where the log cannot be reached", async () => {
    const token = await world.token();
    expect(await reason("/eventual", token, "203.0.113.7")).toBe("token");
    world.logDown = true;
    world.nowMs += 60_001;
    await reason("/eventual", token, "203.0.113.7");
    expect(world.kvAsked.at(-1)).toMatchObject({
      address: "203.0.113.7",
      facts: { sub: expect.any(String) },
    });
  });

  it("that was lifted lets the next request through", async () => {
    const rule = revoke({ address: "203.0.113.7" }, { expires_at: now() + 600 });
    expect(await reason("/public", undefined, "203.0.113.7")).toBe("address_blocked");
    world.append({ revocations: world.log.revocations.filter(({ id }) => id !== rule.id) });
    world.nowMs += NEWER_MS;
    expect(await reason("/public", undefined, "203.0.113.7")).toBe("public");
  });

  it("answers 403, and says nothing of the rule", async () => {
    revoke({ address: "203.0.113.7" }, { expires_at: now() + 600, reason: "we saw you" });
    const answer = await world.call("/public", { headers: { "cf-connecting-ip": "203.0.113.7" } });
    expect(answer.status).toBe(403);
    expect(await answer.text()).not.toContain("we saw you");
    expect(world.originCalls).toEqual([]);
  });

  it("does not hold in the control plane, where it can be lifted", async () => {
    revoke({ address: "203.0.113.7" }, { expires_at: now() + 600 });
    const token = await world.token({ aud: ISSUER });
    const headers = new Headers({ authorization: `Bearer ${token}`, "cf-connecting-ip": "203.0.113.7" });
    const call = { method: "GET", url: `${ISSUER}/v1/keys`, headers };
    const deps = { ...world.deps, audience: ISSUER, requestId: "dec_1" };
    expect((await authenticateOwn(call, deps)).ok).toBe(true);
  });

  it("costs no look at a header where there is none", async () => {
    const token = await world.token({ scope: "orders:read" });
    const asked: string[] = [];
    const headers = new Headers({ authorization: `Bearer ${token}` });
    const fields = {
      get: (name: string) => {
        asked.push(name.toLowerCase());
        return headers.get(name);
      },
    };
    const ask = { method: "GET", url: `${HOST}/orders`, headers: fields as unknown as Headers };
    expect((await authorize(ask, world.deps)).outcome).toBe("allow");
    expect(asked).not.toContain("cf-connecting-ip");
    revoke({ address: "203.0.113.7" }, { expires_at: now() + 600 });
    expect((await authorize(ask, world.deps)).outcome).toBe("allow");
    expect(asked).toContain("cf-connecting-ip");
  });
});

describe("a rule that demands a sign-in", () => {
  it("is met by one since its moment, and challenges for no older one (RFC 9470)", async () => {
    const since = now() + 2;
    const old = await world.token({ scope: "orders:read", auth_time: since - 1 });
    const none = await world.token({ scope: "orders:read", jti: "tok_none" });
    const fresh = await world.token({ scope: "orders:read", jti: "tok_fresh", auth_time: since });
    const foreign = await world.token({ scope: "orders:read", jti: "tok_x", sub: "demo|bob", auth_time: 1 });
    const sub = "demo|alice";
    revoke({ sub }, { effect: { kind: "step_up", signed_in_since: since } });
    expect(await reason("/orders", old)).toBe("step_up_needed");
    expect(await reason("/orders", none)).toBe("step_up_needed");
    expect(await reason("/orders", fresh)).toBe("token");
    expect(await reason("/orders", foreign)).toBe("token");
    const answer = await world.call("/orders", { token: old });
    expect(answer.status).toBe(401);
    const challenge = answer.headers.get("www-authenticate");
    expect(challenge).toContain('error="insufficient_user_authentication"');
    expect(challenge).toContain(`max_age="${now() - since}"`);
  });

  it("believes no sign-in that is yet to come", async () => {
    const token = await world.token({ scope: "orders:read", auth_time: now() + 10_000 });
    revoke({ session: "none" }, { effect: { kind: "step_up", signed_in_since: now() } });
    expect(await reason("/orders", token)).toBe("token");
    revoke({ sub: "demo|alice" }, { effect: { kind: "step_up", signed_in_since: now() } });
    expect(await reason("/orders", token)).toBe("step_up_needed");
  });

  it("is met by one of its classes, and names them", async () => {
    const weak = await world.token({ scope: "orders:read", acr: "pwd" });
    const strong = await world.token({ scope: "orders:read", acr: "mfa", jti: "tok_strong" });
    revoke({ sub: "demo|alice" }, { effect: { kind: "step_up", acr_values: ["mfa", "phr"] } });
    expect(await reason("/orders", weak)).toBe("step_up_needed");
    expect(await reason("/orders", strong)).toBe("token");
    const answer = await world.call("/orders", { token: weak });
    expect(answer.headers.get("www-authenticate")).toContain('acr_values="mfa phr"');
  });

  it("holds in the control plane; a token that is to be ended may be ended all the same", async () => {
    const token = await world.token({ aud: ISSUER });
    revoke({ sub: "demo|alice" }, { effect: { kind: "step_up", acr_values: ["mfa"] } });
    const headers = new Headers({ authorization: `Bearer ${token}` });
    const deps = { ...world.deps, audience: ISSUER, requestId: "dec_1" };
    const called = await authenticateOwn({ method: "GET", url: `${ISSUER}/v1/keys`, headers }, deps);
    expect(called).toMatchObject({
      ok: false,
      error: { problem: { code: "insufficient_user_authentication" } },
    });
    expect((await authenticateAnyOwn(token, deps)).ok).toBe(false);
    expect((await authenticateAnyOwn(token, deps, true)).ok).toBe(true);
  });
});

describe("a rule that takes scopes away", () => {
  it("takes them from the tokens that it hits, for the decision and for the origin, and leaves the rest", async () => {
    const token = await world.token({ scope: "orders:read orders:refund" });
    const other = await world.token({ scope: "orders:read orders:refund", jti: "tok_other" });
    const rule = revoke(
      { jti: "tok_01jd0000000000000000000000" },
      { effect: { kind: "shrink_scope", scopes: ["orders:refund"] } },
    );
    expect(await reason("/refunds", token)).toBe("scope_missing");
    expect(await reason("/orders", token)).toBe("token");
    expect(await reason("/refunds", other)).toBe("token");
    await world.call("/orders", { token });
    expect(world.originCalls.at(-1)?.headers.get("x-portcullis-scope")).toBe("orders:read");
    world.append({ revocations: world.log.revocations.filter(({ id }) => id !== rule.id) });
    world.nowMs += NEWER_MS;
    expect(await reason("/refunds", token)).toBe("token");
  });

  it("adds up with others, and signs one assertion for the token that is left", async () => {
    const token = await world.token({ scope: "orders:read orders:refund" });
    revoke({ sub: "demo|alice" }, { effect: { kind: "shrink_scope", scopes: ["orders:refund"] } });
    const assertionOf = async () => {
      expect((await world.call("/orders", { token })).status).toBe(200);
      return world.originCalls.at(-1)?.headers.get("x-portcullis-assertion");
    };
    expect(await assertionOf()).toBe(await assertionOf());
    revoke({ sub: "demo|alice" }, { effect: { kind: "shrink_scope", scopes: ["orders:read"] } });
    expect(await reason("/orders", token)).toBe("scope_missing");
    expect(await reason("/refunds", token)).toBe("scope_missing");
  });

  it("gives way to one that refuses", async () => {
    const token = await world.token({ scope: "orders:read orders:refund" });
    revoke({ sub: "demo|alice" }, { effect: { kind: "shrink_scope", scopes: ["orders:refund"] } });
    revoke({ sub: "demo|alice" });
    expect(await reason("/orders", token)).toBe("token_revoked");
  });
});
