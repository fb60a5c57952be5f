import { beforeEach, describe, expect, it } from "vitest";
import { authenticateOwn } from "../../../src/edge/authenticate.ts";
import { createDecider } from "../../../src/edge/decider.ts";
import { explain } from "../../../src/edge/explain.ts";
import { createForwardAuth } from "../../../src/edge/forward-auth.ts";
import { clientAddress, type Observer, Observers } from "../../../src/edge/observation.ts";
import { authorizeFor } from "../../../src/edge/service.ts";
import type { LogFields } from "../../../src/platform/log.ts";
import { EdgeWorld, HOST, ISSUER, policyOf } from "../../support/edge-world.ts";
import { newKey, ownClaims, signToken } from "../../support/token-factory.ts";

const POLICY = policyOf([
  { path: "/orders/**", access: { scopes: ["orders:read"] } },
  { path: "/admin/**", access: { scopes: ["admin"] } },
  { path: "/timed", access: {}, consistency: { tier: "strict" }, server_timing: true },
]);

let world: EdgeWorld;
let token: string;

beforeEach(async () => {
  world = await EdgeWorld.create(POLICY);
  token = await world.token({ jti: "tok_1", grant: "grt_1" });
});

/** What observers were told, in short. */
const seen = () =>
  world.decided.map(({ decision, surface, id }) => `${surface} ${id} ${decision.outcome} ${decision.reason}`);

describe("a decision is observed once", () => {
  it("at the gate, before its origin is called", async () => {
    let before = 0;
    world.origin = () => {
      before = world.decided.length;
      world.nowMs += 30;
      return new Response("hello");
    };
    await world.call("/orders/1", { token });
    expect(before).toBe(1);
    expect(seen()).toEqual(["proxy request-1 allow token"]);
    const [{ decision, atMs }] = world.decided as [(typeof world.decided)[0]];
    expect(decision.token?.facts).toMatchObject({ iss: ISSUER, jti: "tok_1", grant: "grt_1", kid: "own-1" });
    expect([decision.route?.id, atMs]).toEqual(["route-0", world.nowMs - 30]);
    expect(world.answered).toMatchObject([{ fault: undefined, id: "request-1", originMs: 30 }]);
  });

  it("as allowed, and its origin's fault as what came of it", async () => {
    world.origin = () => Promise.reject(new Error("down"));
    expect((await world.call("/orders/1", { token })).status).toBe(502);
    expect(seen()).toEqual(["proxy request-1 allow token"]);
    expect(world.answered).toMatchObject([{ fault: { reason: "origin_unreachable" } }]);
    expect(world.lastReason).toBe("origin_unreachable");
  });

  it("with how long it waited, which a route's answers may tell", async () => {
    await world.call("/orders/1", { token });
    world.origin = () => {
      world.nowMs += 31;
      return new Response("hello", { headers: { "server-timing": "db;dur=5" } });
    };
    world.whileRefreshing = () => {
      world.nowMs += 7;
    };
    const timed = await world.call("/timed", { token });
    expect(timed.headers.get("server-timing")).toBe("db;dur=5, gate;dur=7, origin;dur=31");
    expect(world.decided.at(-1)?.decision.tookMs).toBe(7);
    const untimed = await world.call("/orders/1", { token });
    expect(untimed.headers.get("server-timing")).toBe("db;dur=5");
  });

  it("as refused, whatever refused it, with no origin", async () => {
    world.assertionKeyDown = true;
    await world.call("/orders/1");
    await world.call("/nowhere", { token });
    await world.call("/admin/1", { token });
    await world.call("/orders/1", { token });
    expect(seen()).toEqual([
      "proxy request-1 refuse credential_missing",
      "proxy request-1 refuse no_route",
      "proxy request-1 refuse scope_missing",
      "proxy request-1 refuse assertion_unavailable",
    ]);
    expect(world.answered).toEqual([]);
    expect(world.lines.filter(({ event }) => event === "gate.refused")).toHaveLength(4);
  });

  it("for proxies, for other Workers and at the control plane", async () => {
    const parts = { ...world.deps, replica: world.replica, signer: world.signer, limits: world.limits };
    const decide = createDecider(parts);
    const forwardAuth = createForwardAuth({ ...world.deps, decide, secrets: ["secret"] });
    const headers = {
      authorization: `Bearer ${token}`,
      "x-portcullis-proxy-secret": "secret",
      "x-forwarded-method": "GET",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "api.example.com",
    };
    for (const path of ["/orders/1", "/admin/1"]) {
      const asked = { headers: { ...headers, "x-forwarded-uri": path } };
      await forwardAuth(new Request(`${ISSUER}/forward-auth`, asked), "dec_f");
      const ask = { method: "GET", url: HOST + path, headers: { authorization: `Bearer ${token}` } };
      await authorizeFor(ask, { ...world.deps, decide, requestId: "dec_s" });
    }
    const own = { ...world.deps, audience: ISSUER, requestId: "dec_c" };
    await authenticateOwn(new Request(`${ISSUER}/v1/keys`, { headers }), own);
    expect(seen()).toEqual([
      "forward_auth dec_f allow token",
      "service dec_s allow token",
      "forward_auth dec_f refuse scope_missing",
      "service dec_s refuse scope_missing",
      "control dec_c refuse token_audience",
    ]);
  });

  it("and what is only explained is none", async () => {
    const ask = { method: "GET", url: `${HOST}/orders/1`, headers: new Headers() };
    await explain(ask, world.deps, "dec_1");
    expect(seen()).toEqual([]);
    await explain(ask, world.deps, "dec_2", (decision) =>
      world.observer.decided(decision, ask, "dec_2", "authzen", world.nowMs, world.waitUntil),
    );
    expect(seen()).toEqual(["authzen dec_2 refuse credential_missing"]);
  });
});

describe("whose token it was", () => {
  const last = () => world.decided.at(-1)!.decision;

  it("is known of one that is over, at first sight and when it was seen before", async () => {
    const over = await world.token({ jti: "tok_2", exp: world.nowMs / 1000 - 5 });
    await world.call("/orders/1", { token: over });
    expect(last()).toMatchObject({ reason: "token_expired", token: { facts: { jti: "tok_2" } } });
    await world.call("/orders/1", { token });
    world.nowMs += 3_600_000;
    await world.call("/orders/1", { token });
    expect(last()).toMatchObject({ reason: "token_expired", token: { facts: { jti: "tok_1" } } });
  });

  it("is known of one that was revoked, or that is not enough", async () => {
    await world.call("/admin/1", { token });
    expect(last()).toMatchObject({ reason: "scope_missing", token: { facts: { jti: "tok_1" } } });
    world.revoke({ jti: "tok_1" });
    world.nowMs += 2_001;
    await world.call("/orders/1", { token });
    expect(last()).toMatchObject({ reason: "token_revoked", token: { facts: { jti: "tok_1" } } });
  });

  it("is only said by one whose signature does not hold, or whose key nobody knows", async () => {
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    await world.call("/orders/1", { token: forged });
    expect(last()).toMatchObject({
      reason: "token_signature",
      unverified: { iss: ISSUER, kid: "own-1", jti: "tok_1" },
    });
    const stranger = await newKey("ES256", "stranger");
    await world.call("/orders/1", { token: await world.token({ jti: "x".repeat(129) }, stranger) });
    expect(last()).toMatchObject({ reason: "token_unknown_key" });
    // What would be the `jti` of no token is not kept.
    expect(last()).toHaveProperty("unverified", { iss: ISSUER, kid: "stranger" });
    for (const { decision } of world.decided) expect(decision.token).toBeUndefined();
  });

  it("is not asked of a token whose issuer nobody knows", async () => {
    const { own } = world.keys;
    const claims = ownClaims("https://evil.example.com", "x", world.nowMs / 1000);
    const foreign = await signToken(own, { alg: "ES256", typ: "at+jwt", kid: own.kid }, claims);
    await world.call("/orders/1", { token: foreign });
    expect(last().reason).toBe("token_unknown_issuer");
    expect(last()).not.toHaveProperty("unverified");
    expect(last()).not.toHaveProperty("token");
  });
});

it("an observer that fails harms neither the request nor the others", () => {
  const lines: [string, LogFields | undefined][] = [];
  const told: string[] = [];
  const broken: Observer = {
    decided: () => {
      throw new Error("broken");
    },
    answered: () => {
      throw new Error("broken");
    },
  };
  const sound: Observer = { decided: (_decision, _ask, id) => void told.push(id) };
  const all = new Observers([broken, sound], (_level, event, fields) => void lines.push([event, fields]));
  const allowance = { outcome: "allow", reason: "token" } as never;
  const ask = { method: "GET", headers: new Headers() };
  all.decided(allowance, ask, "dec_1", "proxy", 0, () => {});
  all.answered(allowance, undefined, ask, "dec_1", 0, 5, () => {});
  expect(told).toEqual(["dec_1"]);
  const fault = { decision_id: "dec_1", fault: "Error: broken" };
  expect(lines).toEqual([
    ["observer.fault", fault],
    ["observer.fault", fault],
  ]);
});

it("the client's address is Cloudflare's word, and nobody else's", () => {
  const addressOf = (headers: Record<string, string>) => clientAddress({ headers: new Headers(headers) });
  expect(addressOf({ "cf-connecting-ip": "192.0.2.1" })).toBe("192.0.2.1");
  expect(addressOf({ "x-forwarded-for": "192.0.2.1", "x-real-ip": "192.0.2.1" })).toBeUndefined();
});
