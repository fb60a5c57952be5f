import { beforeEach, describe, expect, it } from "vitest";
import { AUDIENCE, EdgeWorld, ISSUER, policyOf } from "../../support/edge-world.ts";

const POLICY = policyOf([
  {
    path: "/orders/**",
    access: { scopes: ["orders:read"] },
    identity_headers: ["subject", "scope", "grant"],
  },
  { path: "/pass/**", access: { scopes: ["orders:read"] }, authorization: "pass" },
  { path: "/get-only", methods: ["GET"], access: { scopes: ["orders:read"] } },
  { path: "/admin/**", access: { scopes: ["admin"] } },
  { path: "/projects/:id", access: { scopes: ["orders:read"], resource: "projects/:id" } },
  { path: "/public/**", access: "public", identity_headers: ["subject"] },
]);

let world: EdgeWorld;

beforeEach(async () => {
  world = await EdgeWorld.create(POLICY);
});

const sent = (name: string) => world.originCalls.at(-1)?.headers.get(name) ?? null;

describe("an origin that is a service binding", () => {
  const service = (name: string) =>
    policyOf([{ path: "/orders/**", access: { scopes: ["orders:read"] } }], {
      origins: { orders: { service: name, audience: AUDIENCE } },
    });

  it("is asked as the client asked, without the network", async () => {
    world = await EdgeWorld.create(service("ORDERS"));
    const asked: Request[] = [];
    world.services.set("ORDERS", {
      fetch: async (url, init) => {
        asked.push(new Request(url, init));
        return new Response("from the service");
      },
    });
    const answer = await world.call("/orders/1?x=%2F", { token: await world.token() });
    expect(await answer.text()).toBe("from the service");
    expect(asked[0]!.url).toBe("https://api.example.com/orders/1?x=%2F");
    expect(asked[0]!.headers.get("x-portcullis-assertion")?.split(".")).toHaveLength(3);
    expect(asked[0]!.headers.get("authorization")).toBeNull();
    expect(world.originCalls).toEqual([]);
  });

  it("is a 502 where the deployment does not have it any more", async () => {
    world = await EdgeWorld.create(service("GONE"));
    const answer = await world.call("/orders/1", { token: await world.token() });
    expect([answer.status, world.lastReason]).toEqual([502, "origin_unreachable"]);
    expect(world.originCalls).toEqual([]);
  });
});

describe("an allowed request", () => {
  it("reaches the origin with who it is from, and without the credential", async () => {
    const token = await world.token({ grant: "grt_1" });
    const answer = await world.call("/orders/1?x=%2F", {
      token,
      headers: { "x-portcullis-subject": "admin", accept: "a/b" },
    });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe("hello");
    expect(answer.headers.get("x-request-id")).toBe("request-1");
    expect(world.originCalls[0]?.url).toBe("http://origin.internal:9000/orders/1?x=%2F");
    expect(world.originCalls[0]).toMatchObject({ method: "GET", redirect: "manual" });
    expect(sent("authorization")).toBeNull();
    expect(sent("accept")).toBe("a/b");
    expect(sent("x-portcullis-subject")).toBe("demo|alice");
    expect(sent("x-portcullis-scope")).toBe("orders:read orders:write");
    expect(sent("x-portcullis-grant")).toBe("grt_1");
    expect(sent("x-request-id")).toBe("request-1");
    expect(sent("x-portcullis-assertion")?.split(".")).toHaveLength(3);
    expect(world.lines).toEqual([]);
  });

  it("is asserted for the origin's audience, once for each token", async () => {
    const token = await world.token();
    await world.call("/orders/1", { token });
    const first = sent("x-portcullis-assertion") ?? "";
    const claims = JSON.parse(Buffer.from(first.split(".")[1] as string, "base64url").toString());
    expect(claims).toMatchObject({ iss: ISSUER, aud: AUDIENCE, sub: "demo|alice" });
    await world.call("/orders/2", { token });
    expect(sent("x-portcullis-assertion")).toBe(first);
    await world.call("/orders/2", { token: await world.token({ sub: "demo|bob" }) });
    expect(sent("x-portcullis-assertion")).not.toBe(first);
    expect(world.keyFetches).toBe(1);
  });

  it("keeps its credential where the route passes it on, and gives only the asked headers", async () => {
    const token = await world.token({ grant: "grt_1" });
    await world.call("/pass/x", { token });
    expect(sent("authorization")).toBe(`Bearer ${token}`);
    expect(sent("x-portcullis-subject")).toBeNull();
    expect(sent("x-portcullis-grant")).toBeNull();
  });

  it("is anonymous on a public route without a token, whatever headers it sends", async () => {
    const forged = { "x-portcullis-assertion": "forged", x_portcullis_subject: "admin" };
    expect((await world.call("/public/x", { headers: forged })).status).toBe(200);
    expect(sent("x-portcullis-assertion")).toBeNull();
    expect(sent("x-portcullis-subject")).toBeNull();
    expect(world.keyFetches).toBe(0);
    await world.call("/public/x", { token: await world.token() });
    expect(sent("x-portcullis-subject")).toBe("demo|alice");
    expect(sent("x-portcullis-assertion")).not.toBeNull();
  });

  it("is verified once and then known by its whole string", async () => {
    const token = await world.token();
    for (let i = 0; i < 3; i++) expect((await world.call("/orders/1", { token })).status).toBe(200);
    expect(world.tokens.size).toBe(1);
    const twin = await world.token();
    expect(twin).not.toBe(token);
    await world.call("/orders/1", { token: twin });
    expect(world.tokens.size).toBe(2);
  });

  it("gives the origin's answer as it is: status, redirect, body", async () => {
    const token = await world.token();
    world.origin = () =>
      new Response(null, { status: 302, headers: { location: "https://elsewhere.example/" } });
    const redirect = await world.call("/orders/1", { token });
    expect(redirect.status).toBe(302);
    expect(redirect.headers.get("location")).toBe("https://elsewhere.example/");
    world.origin = () =>
      new Response("teapot", { status: 418, headers: { "x-portcullis-subject": "x", "x-a": "1" } });
    const teapot = await world.call("/orders/1", { token });
    expect([teapot.status, await teapot.text(), teapot.headers.get("x-a")]).toEqual([418, "teapot", "1"]);
    expect(teapot.headers.get("x-portcullis-subject")).toBeNull();
  });
});

describe("a refused request", () => {
  it.each<[number, string, string, (w: EdgeWorld) => Promise<RequestInit & { token?: string }>]>([
    [400, "target_encoded_slash", "/public%2f..%2fadmin/x", async () => ({})],
    [400, "target_semicolon", "/public/..;/admin", async (w) => ({ token: await w.token() })],
    [400, "credential_in_query", "/orders/1?access_token=x", async (w) => ({ token: await w.token() })],
    [
      400,
      "credential_several",
      "/orders/1",
      async (w) => ({ token: `${await w.token()}, Bearer ${await w.token()}` }),
    ],
    [401, "credential_missing", "/orders/1", async () => ({})],
    [401, "credential_scheme", "/orders/1", async () => ({ headers: { authorization: "Basic YTpi" } })],
    [401, "credential_scheme", "/public/1", async () => ({ headers: { authorization: "Basic YTpi" } })],
    [401, "token_malformed", "/orders/1", async () => ({ token: "not-a-token" })],
    [401, "token_malformed", "/public/1", async () => ({ token: "not-a-token" })],
    [
      401,
      "token_signature",
      "/orders/1",
      async (w) => ({ token: await w.token({}, { ...w.keys.assertion, kid: "own-1" }) }),
    ],
    [401, "token_expired", "/orders/1", async (w) => ({ token: await w.token({ exp: 1 }) })],
    [401, "token_audience", "/orders/1", async (w) => ({ token: await w.token({ aud: ISSUER }) })],
    [403, "scope_missing", "/admin/1", async (w) => ({ token: await w.token() })],
    [
      403,
      "scope_missing",
      "/admin/1",
      async (w) => ({ token: await w.token(), method: "POST", headers: { "x-http-method-override": "GET" } }),
    ],
    [403, "resource_not_granted", "/projects/42", async (w) => ({ token: await w.token() })],
    [404, "no_route", "/nowhere", async (w) => ({ token: await w.token() })],
    [404, "no_route", "/ORDERS/1", async (w) => ({ token: await w.token() })],
    [
      405,
      "method_not_allowed",
      "/get-only",
      async (w) => ({ token: await w.token(), method: "POST", headers: { "x-http-method-override": "GET" } }),
    ],
  ])("with %i for %s: %s", async (status, reason, path, options) => {
    expect((await world.call("/orders/1", { token: await world.token() })).status).toBe(200);
    world.originCalls = [];
    const given = await options(world);
    const answer = await world.call(path, given);
    const text = await answer.text();
    expect(answer.status).toBe(status);
    expect(world.lastReason).toBe(reason);
    expect(world.originCalls).toEqual([]);
    expect(JSON.parse(text)).toMatchObject({
      status,
      decision_id: "request-1",
    });
    expect(answer.headers.get("x-request-id")).toBe("request-1");
    const log = JSON.stringify(world.lines);
    if (given.token) expect(`${text}${log}`).not.toContain(given.token.slice(0, 40));
    expect(log).not.toContain("demo|alice");
    expect(world.lines.filter((line) => line.event === "gate.refused")).toHaveLength(1);
  });

  it("says which methods there are, and what to ask for", async () => {
    const token = await world.token({ grant: "grt_1" });
    expect((await world.call("/get-only", { token, method: "PUT" })).headers.get("allow")).toBe("GET");
    const forbidden = await world.call("/projects/42", { token });
    expect(await forbidden.json()).toMatchObject({
      scope: "orders:read",
      ask: {
        resource: "projects/42",
        scope: "orders:read",
        request_url: `${ISSUER}/v1/access-requests`,
      },
    });
    expect(forbidden.headers.get("www-authenticate")).toContain('scope="orders:read"');
    const odd = await world.call("/projects/4%202", { token });
    expect(odd.status).toBe(403);
    expect(await odd.json()).not.toHaveProperty("ask");
  });

  it("never reaches the origin where something breaks on the way", async () => {
    const token = await world.token();
    world.tokens.get = () => {
      throw new Error(`broken with ${token}`);
    };
    const answer = await world.call("/orders/1", { token });
    expect(answer.status).toBe(500);
    expect(world.lastReason).toBe("internal");
    expect(world.originCalls).toEqual([]);
    expect(await answer.text()).not.toContain("broken");
    expect(JSON.stringify(world.lines)).not.toContain(token.slice(0, 40));
  });

  it("is refused where the identity cannot be asserted", async () => {
    world.assertionKeyDown = true;
    const token = await world.token();
    expect((await world.call("/orders/1", { token })).status).toBe(503);
    expect(world.lastReason).toBe("assertion_unavailable");
    expect(world.originCalls).toEqual([]);
    expect((await world.call("/public/1")).status).toBe(200);
    world.assertionKeyDown = false;
    expect((await world.call("/orders/1", { token })).status).toBe(200);
  });

  it("with 502 and 504 for an origin that is not there or too slow, without its address", async () => {
    const token = await world.token();
    world.origin = () => {
      throw new TypeError("connect ECONNREFUSED http://origin.internal:9000/orders/1?secret=1");
    };
    const unreachable = await world.call("/orders/1?secret=1", { token });
    expect(unreachable.status).toBe(502);
    expect(world.lastReason).toBe("origin_unreachable");
    expect(await unreachable.text()).not.toContain("secret");
    expect(world.originCalls).toHaveLength(1);
    world.origin = () => Response.error();
    expect((await world.call("/orders/1", { token })).status).toBe(502);
    world.origin = ({ signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    const slow = await world.call("/orders/1", { token });
    expect(slow.status).toBe(504);
    expect(world.lastReason).toBe("origin_timeout");
    expect(world.originCalls).toHaveLength(3);
  });
});

describe("the edge's own fetch", () => {
  it("tells keys that cannot be fetched from a token that is not good", async () => {
    const issuer = {
      id: "demo",
      issuer: "https://idp.example.net",
      jwks_uri: "https://idp.example.net/jwks",
      algorithms: ["ES256"],
      audience: AUDIENCE,
      claims: { scopes: "scope" },
    };
    world = await EdgeWorld.create({ ...POLICY, issuers: [issuer] });
    const token = await world.token({ iss: "https://idp.example.net" });
    const down = await world.call("/orders/1", { token });
    expect(down.status).toBe(503);
    expect(down.headers.get("retry-after")).toBe("10");
    expect(world.lastReason).toBe("token_issuer_keys_unavailable");
    world.jwks = () => Response.json({ keys: [world.keys.own.jwk] });
    world.nowMs += 10_000;
    expect((await world.call("/orders/1", { token })).status).toBe(200);
  });
});
