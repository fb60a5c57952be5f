import { beforeEach, describe, expect, it } from "vitest";
import { csrfTokenOf, SESSION_COOKIE } from "../../../src/browser/session-cookie.ts";
import { authorize } from "../../../src/edge/authorize.ts";
import type { Allowance } from "../../../src/edge/decision.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { AUDIENCE, EdgeWorld, HOST, ISSUER, policyOf } from "../../support/edge-world.ts";

const TTL_SECONDS = 300;
const COOKIE = "psc_v1.cookie.of-alice";
const OWN_PAGE = { "sec-fetch-site": "same-origin" };
const OVER = err(problem("invalid_token", "over"));

let world: EdgeWorld;
let made: string[];

beforeEach(async () => {
  const session = { credential: [{ from: "session" }] };
  world = await EdgeWorld.create(
    policyOf([
      { path: "/app/**", access: { scopes: ["orders:read"] }, host: "api.example.com", ...session },
      { path: "/anywhere/**", access: {}, ...session },
      { path: "/form/**", access: {}, credential: [{ from: "session", csrf: "token" }] },
      { path: "/either/**", access: {}, credential: [{ from: "authorization" }, { from: "session" }] },
      { path: "/bearer/**", access: {} },
      { path: "/open/**", access: "public", ...session },
    ]),
  );
  made = [];
  world.sessionAsk = async (cookie, host, audience) => {
    if (cookie !== COOKIE) return OVER;
    made.push(`${host} ${audience}`);
    const now = Math.floor(world.nowMs / 1000);
    const access_token = await world.token({
      exp: now + TTL_SECONDS,
      jti: `tok_${made.length}`,
      sid: "ses_1",
    });
    return ok({ access_token, issued_at: now, expires_at: now + TTL_SECONDS });
  };
});

const call = (path: string, init: RequestInit & { headers?: Record<string, string>; token?: string } = {}) =>
  world.call(path, { ...init, headers: { cookie: `a=1; ${SESSION_COOKIE}=${COOKIE}`, ...init.headers } });
const status = async (...request: Parameters<typeof call>) => (await call(...request)).status;

describe("a session's cookie at the gate", () => {
  it("stands for its access token, which is asked for once", async () => {
    for (let i = 0; i < 3; i++) expect(await status("/app/1")).toBe(200);
    expect(made).toEqual([`api.example.com ${AUDIENCE}`]);
    expect(world.originCalls.map(({ headers }) => headers.get("cookie"))).toEqual(["a=1", "a=1", "a=1"]);
  });

  it("is renewed in the background before its token ends, by one request, and nobody waits", async () => {
    await call("/app/1");
    world.nowMs += (TTL_SECONDS - 61) * 1000;
    await call("/app/1");
    expect(made).toHaveLength(1);
    world.nowMs += 1_000;
    expect(await Promise.all([status("/app/1"), status("/app/2"), status("/app/3")])).toEqual([
      200, 200, 200,
    ]);
    await Promise.all(world.background);
    expect(made).toHaveLength(2);
    world.nowMs += 59_000;
    expect(await status("/app/1")).toBe(200);
    expect(made).toHaveLength(2);
  });

  it("whose renewal fails is good until its token ends, and then 503 until the session can be asked", async () => {
    await call("/app/1");
    const { sessionAsk } = world;
    world.sessionAsk = async () => err(problem("unavailable", "down"));
    world.nowMs += (TTL_SECONDS - 1) * 1000;
    expect(await status("/app/1")).toBe(200);
    world.nowMs += 1_000;
    expect(await status("/app/1")).toBe(503);
    expect(world.lastReason).toBe("session_unavailable");
    world.sessionAsk = sessionAsk;
    expect(await status("/app/1")).toBe(200);
  });

  it("is asked for again, once, where its token was revoked: the session may have another one", async () => {
    await call("/app/1");
    world.revoke({ jti: "tok_1" });
    world.nowMs += 3_000;
    expect(await status("/app/1")).toBe(200);
    world.revoke({ session: "ses_1" });
    world.nowMs += 3_000;
    const asked = made.length;
    expect(await status("/app/1")).toBe(401);
    expect(world.lastReason).toBe("token_revoked");
    expect(made.length - asked).toBe(1);
    world.sessionAsk = async () => OVER;
    expect(await status("/app/1")).toBe(401);
    expect(world.lastReason).toBe("session_over");
  });

  it("is asked for another one than was refused, and says which: the session would give the same again", async () => {
    const refusals: (string | undefined)[] = [];
    let token = await world.token({ jti: "tok_first", sid: "ses_1" });
    const first = token;
    world.sessionAsk = async (_cookie, _host, _audience, refused) => {
      refusals.push(refused);
      const now = Math.floor(world.nowMs / 1000);
      // As the session's object does: one token for all, until somebody was refused with it.
      if (refused === token) token = await world.token({ jti: "tok_second", sid: "ses_1" });
      return ok({ access_token: token, issued_at: now, expires_at: now + TTL_SECONDS });
    };
    expect(await status("/app/1")).toBe(200);
    world.revoke({ jti: "tok_first" });
    world.nowMs += 3_000;
    expect(await status("/app/1")).toBe(200);
    expect(await status("/app/1")).toBe(200);
    expect(refusals).toEqual([undefined, first]);
  });

  it("is for its host: what one host has is not given to another one", async () => {
    await call("/anywhere/1");
    await world.call("/anywhere/1", {
      host: "https://other.example.com",
      headers: { cookie: `${SESSION_COOKIE}=${COOKIE}` },
    });
    expect(made).toEqual([`api.example.com ${AUDIENCE}`, `other.example.com ${AUDIENCE}`]);
  });

  it("counts on routes that take it, and only there", async () => {
    expect(await status("/bearer/1")).toBe(401);
    expect(await status("/either/1")).toBe(200);
    expect(await status("/bearer/1", { token: await world.token() })).toBe(200);
    expect(world.originCalls.at(-1)!.headers.get("cookie")).toBe("a=1");
  });

  it.each([
    ["a good token", "/either/1", () => world.token(), "credential_several"],
    ["a token where none is taken", "/app/1", () => world.token(), "credential_not_taken"],
  ])("beside %s in Authorization is refused", async (_what, path, token, reason) => {
    expect(await status(path, { token: String(await token()) })).toBe(400);
    expect(world.lastReason).toBe(reason);
    expect(world.originCalls).toEqual([]);
  });

  it.each([
    ["twice", `${SESSION_COOKIE}=${COOKIE}; ${SESSION_COOKIE}=other`, "credential_several"],
    ["in another spelling", `${SESSION_COOKIE.toLowerCase()}=${COOKIE}`, "credential_several"],
  ])("%s is refused", async (_what, cookie, reason) => {
    expect(await status("/app/1", { headers: { cookie } })).toBe(400);
    expect(world.lastReason).toBe(reason);
  });

  it("that is over is nobody's on a public route, and 401 elsewhere", async () => {
    world.sessionAsk = async () => OVER;
    expect(await status("/open/1")).toBe(200);
    expect(world.originCalls.at(-1)!.headers.get("x-portcullis-assertion")).toBeNull();
    expect(await status("/app/1")).toBe(401);
  });

  it("never has a token of another audience or issuer", async () => {
    world.sessionAsk = async () => {
      const access_token = await world.token({ aud: "https://elsewhere.internal" });
      return ok({ access_token, issued_at: 0, expires_at: world.nowMs / 1000 + 100 });
    };
    expect(await status("/app/1")).toBe(401);
    expect(world.lastReason).toBe("token_audience");
  });
});

describe("a connection that stays open on a session", () => {
  it("outlives its token, as the session has another, and ends with the session", async () => {
    const headers = new Headers({ cookie: `${SESSION_COOKIE}=${COOKIE}` });
    const decision = await authorize({ method: "GET", url: `${HOST}/app/1`, headers }, world.deps);
    const { recheck } = decision as Allowance;
    world.nowMs += TTL_SECONDS * 1000;
    expect(await recheck?.()).toBeUndefined();
    expect(made).toHaveLength(2);
    world.sessionAsk = async () => OVER;
    world.nowMs += TTL_SECONDS * 1000;
    expect(await recheck?.()).toMatchObject({ reason: "session_over" });
  });
});

describe("a request that may change something with a session's cookie", () => {
  it.each(["POST", "PUT", "PATCH", "DELETE"])("%s comes from a page of this origin", async (method) => {
    expect(await status("/app/1", { method, headers: { origin: "https://evil.example" } })).toBe(403);
    expect(await status("/app/1", { method })).toBe(403);
    expect(world.lastReason).toBe("credential_cross_site");
    expect([made, world.originCalls]).toEqual([[], []]);
    expect(await status("/app/1", { method, headers: OWN_PAGE })).toBe(200);
  });

  it("is a WebSocket, too, and not a link from elsewhere", async () => {
    const headers = { upgrade: "websocket", origin: "https://evil.example" };
    expect(await status("/app/1", { headers })).toBe(403);
    expect(await status("/app/1", { headers: { "sec-fetch-site": "cross-site" } })).toBe(200);
  });

  it("shows the session's token where the route asks for it", async () => {
    const good = await csrfTokenOf(COOKIE);
    const post = (headers: Record<string, string>) => status("/form/1", { method: "POST", headers });
    for (const token of ["", "x", await csrfTokenOf(`${COOKIE}x`), `${good}x`]) {
      expect(await post({ ...OWN_PAGE, "x-csrf-token": token })).toBe(403);
      expect(world.lastReason).toBe("credential_csrf");
    }
    expect(await post({ "x-csrf-token": good })).toBe(403);
    expect([made, world.originCalls]).toEqual([[], []]);
    expect(await post({ ...OWN_PAGE, "x-csrf-token": good })).toBe(200);
    expect(await status("/form/1")).toBe(200);
  });
});

describe("a browser without a session", () => {
  const page = { accept: "text/html,*/*;q=0.8", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  const open = (path: string, headers: Record<string, string> = page, host = HOST, method = "GET") =>
    world.call(path, { headers, host, method });

  it("is sent to sign in, and comes back to where it was", async () => {
    const answer = await open("/app/1?q=a%20b");
    expect(answer.status).toBe(303);
    const to = new URL(answer.headers.get("location")!);
    expect(to.origin + to.pathname).toBe(`${ISSUER}/session/sign-in`);
    expect(to.searchParams.get("return_to")).toBe(`${HOST}/app/1?q=a%20b`);
    expect(to.searchParams.get("challenge")).toMatch(/^[\w-]{43}$/);
    expect(answer.headers.get("set-cookie")).toMatch(
      /^__Host-portcullis-hand-over=[\w-]{43}; Path=\/; .*HttpOnly/,
    );
    expect(answer.headers.get("x-request-id")).toBe("request-1");
    expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
  });

  it("keeps the verifier that another tab got, where it is one", async () => {
    const verifier = "v".repeat(43);
    const known = await open("/app/1", { ...page, cookie: `__Host-portcullis-hand-over=${verifier}` });
    expect(known.headers.get("set-cookie")).toContain(`=${verifier};`);
    const junk = await open("/app/1", { ...page, cookie: "__Host-portcullis-hand-over=short" });
    expect(junk.headers.get("set-cookie")).not.toContain("=short;");
  });

  it.each([
    [
      "a script",
      { accept: "text/html", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" },
      "GET",
      "/app/1",
    ],
    ["a frame", { ...page, "sec-fetch-dest": "iframe" }, "GET", "/app/1"],
    ["one that takes no page", { ...page, accept: "application/json" }, "GET", "/app/1"],
    ["a form", { ...page, ...OWN_PAGE }, "POST", "/app/1"],
    ["one on a route for any host", page, "GET", "/anywhere/1"],
    ["one on a route without sessions", page, "GET", "/bearer/1"],
  ])("is told 401 where it is %s", async (_what, headers, method, path) => {
    const answer = await open(path, headers, HOST, method);
    expect(answer.status).toBe(401);
    expect(answer.headers.get("set-cookie")).toBeNull();
  });

  it("on the issuer's own host needs no hand-over", async () => {
    const answer = await open("/anywhere/1", page, ISSUER);
    expect(answer.status).toBe(303);
    expect(answer.headers.get("location")).toBe(
      `${ISSUER}/session/sign-in?return_to=${encodeURIComponent(`${ISSUER}/anywhere/1`)}`,
    );
    expect(answer.headers.get("set-cookie")).toBeNull();
  });

  it("that has one without the scope is told 403: signing in again mends nothing", async () => {
    world.sessionAsk = async () => {
      const now = world.nowMs / 1000;
      const access_token = await world.token({ scope: "other" });
      return ok({ access_token, issued_at: now, expires_at: now + 300 });
    };
    expect((await open("/app/1", { ...page, cookie: `${SESSION_COOKIE}=${COOKIE}` })).status).toBe(403);
  });
});
