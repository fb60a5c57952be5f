import { beforeEach, describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/protocol/encoding.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { BROWSER_CLIENT, type BrowserTerms } from "../../../src/tokens/browser-session.ts";
import { BrowserSessionFlow, type SignInCall } from "../../../src/tokens/browser-session-flow.ts";
import { endSession } from "../../../src/tokens/session.ts";
import type { SessionFlowDeps } from "../../../src/tokens/session-flow.ts";
import {
  assertionWith,
  browserTermsWith,
  NOW,
  openingWith,
  SESSION_ISSUER,
  SessionWorld,
  sessionPolicy,
} from "../../support/session-world.ts";

const HOME = "auth.example.com";
const APP = "app.example.com";
const ORIGIN = "urn:origin";
const { id } = openingWith();
const over = { ok: false, error: { code: "invalid_token" } };

let world: SessionWorld;

beforeEach(() => {
  world = new SessionWorld();
});

const flowWith = (over: Partial<SessionFlowDeps> = {}) => new BrowserSessionFlow(world.deps(over));

const signInWith = (flow: BrowserSessionFlow, changed: Partial<SignInCall> = {}) => {
  const call = {
    id,
    host: HOME,
    audience: SESSION_ISSUER,
    assertion: assertionWith(),
    terms: browserTermsWith(),
  };
  return flow.open({ ...call, ...changed });
};

async function tokenFor(
  flow: BrowserSessionFlow,
  {
    cookie = "session_cookie-1",
    host = HOME,
    audience = ORIGIN,
    terms = browserTermsWith(),
    refused = "",
  } = {},
) {
  return flow.token({ host, credential: await sha256Hex(cookie), terms }, audience, refused || undefined);
}

const later = (seconds: number) => world.later(seconds);
const revocation = {
  id: "rev_1",
  match: { sub: "idp|alice" },
  reason: "r",
  actor: "operator",
  created_at: NOW,
};

describe("a sign-in", () => {
  it("opens a session with what its person may have through a browser, and a cookie for one host", async () => {
    const flow = flowWith();
    expect(await signInWith(flow)).toEqual(ok({ cookie: "session_cookie-1", expires_at: NOW + 86_400 }));
    expect(world.session).toMatchObject({
      subject: "idp|alice",
      kind: "session_cookie",
      binding: { client_id: BROWSER_CLIENT },
      scopes: ["profile", "orders:read", "orders:write"],
      browser: { hosts: { [HOME]: await sha256Hex("session_cookie-1") } },
    });
    expect(JSON.stringify(world.session)).not.toContain("session_cookie-1");
  });

  it("never continues a session that is there: an id that was set by somebody else is refused", async () => {
    const flow = flowWith();
    await signInWith(flow);
    const before = structuredClone(world.session);
    expect(await signInWith(flow)).toMatchObject(over);
    expect(world.session).toEqual(before);
  });

  it.each([
    ["nobody may sign in at the provider", { ceilings: {} }, "invalid_token"],
    ["the provider is no longer trusted", { issuers: {} }, "invalid_token"],
  ])("is refused where %s", async (_what, changed: Partial<BrowserTerms>, code) => {
    expect(await signInWith(flowWith(), { terms: browserTermsWith(changed) })).toMatchObject({
      error: { code },
    });
    expect(world.session).toBeUndefined();
  });

  it("is refused where a revocation is in force for the person, and where nobody can tell", async () => {
    world.rule = revocation;
    expect(await signInWith(flowWith())).toMatchObject({ error: { code: "forbidden" } });
    const down = flowWith({ hit: async () => err(problem("unavailable", "down")) });
    expect(await signInWith(down)).toMatchObject({ error: { code: "unavailable" } });
    expect(world.session).toBeUndefined();
    world.rule = null;
    expect((await signInWith(flowWith())).ok).toBe(true);
  });
});

describe("the access token of a cookie", () => {
  it("is one for all who ask, and one more for all who ask when it is due: nobody forks the session", async () => {
    const flow = flowWith({
      mint: async (input) => {
        world.minted.push(input);
        await new Promise((resolve) => setTimeout(resolve, 1));
        const accessToken = `access-${world.minted.length}`;
        return ok({
          accessToken,
          jti: input.jti,
          expiresAt: world.nowMs / 1000 + 300,
          expiresInSeconds: 300,
        });
      },
    });
    await signInWith(flow);
    for (const expected of ["access-1", "access-2", "access-3"]) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => tokenFor(flow)));
      const tokens = answers.map((answer) => answer.ok && answer.value.access_token);
      expect(new Set(tokens)).toEqual(new Set([expected]));
      later(250);
    }
    expect(world.minted).toHaveLength(3);
    expect(world.session).toMatchObject({ generation: 4 });
    expect(world.session?.ended).toBeUndefined();
  });

  it.each([
    [239, 1],
    [240, 2],
    [300, 2],
  ])("of five minutes after %s seconds: %s made", async (seconds, count) => {
    const flow = flowWith();
    await signInWith(flow);
    await tokenFor(flow);
    later(seconds);
    expect((await tokenFor(flow)).ok).toBe(true);
    expect(world.minted).toHaveLength(count);
  });

  it("is not given again where it was refused: all who say so get the next one, and it stays theirs", async () => {
    const flow = flowWith();
    await signInWith(flow);
    await tokenFor(flow);
    const given = async (refused?: string) => {
      const answer = await tokenFor(flow, refused === undefined ? {} : { refused });
      return answer.ok && answer.value.access_token;
    };
    const renewed = await Promise.all(Array.from({ length: 5 }, () => given("access-1")));
    expect(renewed).toEqual(Array.from({ length: 5 }, () => "access-2"));
    expect([await given(), await given("access-1"), await given("of-another-session")]).toEqual(
      Array.from({ length: 3 }, () => "access-2"),
    );
    expect(world.minted).toHaveLength(2);
  });

  it("that was refused as the whole session was revoked is followed by none", async () => {
    const flow = flowWith();
    await signInWith(flow);
    await tokenFor(flow);
    world.rule = revocation;
    expect(await tokenFor(flow, { refused: "access-1" })).toMatchObject(over);
    expect(world.session).toMatchObject({ ended: { how: "revoked", by: "operator" } });
  });

  it("is for one audience, with the session's id, and none is made for an audience that the policy does not have", async () => {
    const flow = flowWith();
    await signInWith(flow);
    const tokens = [
      await tokenFor(flow),
      await tokenFor(flow, { audience: SESSION_ISSUER }),
      await tokenFor(flow),
    ];
    expect(tokens.map((each) => each.ok && each.value.access_token)).toEqual([
      "access-1",
      "access-2",
      "access-1",
    ]);
    expect(world.minted.map(({ audience, session: sid, clientId }) => [audience, sid, clientId])).toEqual([
      [ORIGIN, id, BROWSER_CLIENT],
      [SESSION_ISSUER, id, BROWSER_CLIENT],
    ]);
    expect(await tokenFor(flow, { audience: "urn:gone" })).toMatchObject({
      error: { code: "invalid_target" },
    });
  });

  it("says how its person signed in, where the provider said so", async () => {
    const sign_in = { acr: "mfa", auth_time: NOW - 5 };
    const flow = flowWith();
    await signInWith(flow, { assertion: assertionWith({ sign_in }) });
    await tokenFor(flow);
    world.session = undefined;
    await signInWith(flow);
    await tokenFor(flow, { cookie: "session_cookie-2" });
    expect(world.minted.map(({ signIn }) => signIn)).toEqual([sign_in, undefined]);
  });

  it("is given for the cookie of this host only, and a wrong one changes nothing", async () => {
    const flow = flowWith();
    await signInWith(flow);
    const before = structuredClone(world.session);
    expect(await tokenFor(flow, { cookie: "session_cookie-2" })).toMatchObject(over);
    expect(await tokenFor(flow, { host: APP })).toMatchObject(over);
    expect(await tokenFor(flow, { host: "__proto__" })).toMatchObject(over);
    expect(world.session).toEqual(before);
    expect((await tokenFor(flow)).ok).toBe(true);
  });

  it("has what the person has now: a role that lost a scope, a browser that may do less", async () => {
    const flow = flowWith();
    await signInWith(flow);
    await tokenFor(flow);
    later(250);
    await tokenFor(flow, { terms: browserTermsWith({ roles: { developer: { scopes: ["orders:read"] } } }) });
    later(250);
    await tokenFor(flow, { terms: browserTermsWith({ ceilings: { idp: ["profile"] } }) });
    expect(world.minted.map(({ scopes }) => scopes)).toEqual([
      ["profile", "orders:read", "orders:write"],
      ["profile", "orders:read"],
      ["profile"],
    ]);
  });

  it("is none once the session was not used for the idle time, or its longest time is over", async () => {
    const flow = flowWith();
    await signInWith(flow);
    for (let used = 0; used < 24; used++) {
      later(3_599);
      expect((await tokenFor(flow)).ok).toBe(true);
    }
    later(24);
    expect(await tokenFor(flow)).toMatchObject(over);
    world.session = undefined;
    await signInWith(flow);
    later(3_600);
    expect(await tokenFor(flow)).toMatchObject(over);
  });

  it.each([
    ["the policy made the idle time shorter", { sessions: sessionPolicy({ idle_seconds: 200 }) }],
    ["the provider's word is too old", { sessions: sessionPolicy({ reassert_seconds: 200 }) }],
    ["its provider signs nobody in any more", { ceilings: {} }],
    ["its provider is not trusted any more", { issuers: {} }],
  ])("is none where %s", async (_what, changed: Partial<BrowserTerms>) => {
    const flow = flowWith();
    await signInWith(flow);
    later(250);
    expect(await tokenFor(flow, { terms: browserTermsWith(changed) })).toMatchObject(over);
    expect((await tokenFor(flow)).ok).toBe(true);
  });

  it("signs, then asks the log, then commits; a revocation ends the session for good", async () => {
    const flow = flowWith();
    await signInWith(flow);
    world.steps.length = 0;
    await tokenFor(flow);
    expect(world.steps).toEqual(["mint", "hit", "write"]);
    later(250);
    world.rule = revocation;
    expect(await tokenFor(flow)).toMatchObject(over);
    expect(world.session).toMatchObject({ ended: { how: "revoked", by: "operator" } });
    expect(world.session).not.toHaveProperty("browser");
    world.rule = null;
    expect(await tokenFor(flow)).toMatchObject(over);
  });

  it("is not given where the session ended while it was signed", async () => {
    const flow = flowWith({
      hit: async () => {
        if (world.session)
          world.session = endSession(world.session, { how: "revoked", at: NOW, by: "x", reason: "y" });
        return ok(null);
      },
    });
    world.session = undefined;
    await signInWith(flow);
    expect(await tokenFor(flow)).toMatchObject(over);
    expect(world.session).not.toHaveProperty("browser");
  });

  it("is not there where the log cannot say, and comes once it can", async () => {
    let down = true;
    const flow = flowWith({
      hit: async () => (down && world.session ? err(problem("unavailable", "down")) : ok(null)),
    });
    await signInWith(flow);
    expect(await tokenFor(flow)).toMatchObject({ error: { code: "unavailable" } });
    down = false;
    expect((await tokenFor(flow)).ok).toBe(true);
  });
});

describe("a hand-over", () => {
  const code = { id: "code-1", expires_at: NOW + 60 };
  const give = (flow: BrowserSessionFlow, changed: object = {}) =>
    flow.handOver({ ...code, host: APP, terms: browserTermsWith(), ...changed });

  it("gives another host a cookie of its own, once", async () => {
    const flow = flowWith();
    await signInWith(flow);
    expect(await give(flow)).toMatchObject({ ok: true, value: { cookie: "session_cookie-2" } });
    expect((await tokenFor(flow, { host: APP, cookie: "session_cookie-2" })).ok).toBe(true);
    expect(await tokenFor(flow, { host: HOME, cookie: "session_cookie-2" })).toMatchObject(over);
    expect(await give(flow)).toMatchObject(over);
    expect((await tokenFor(flow, { host: APP, cookie: "session_cookie-2" })).ok).toBe(true);
    expect((await tokenFor(flow)).ok).toBe(true);
  });

  it("of two at once is given to one", async () => {
    const flow = flowWith();
    await signInWith(flow);
    const given = await Promise.all([give(flow), give(flow)]);
    expect(given.map((each) => each.ok).toSorted()).toEqual([false, true]);
  });

  it("replaces the host's cookie before it", async () => {
    const flow = flowWith();
    await signInWith(flow);
    await give(flow);
    await give(flow, { id: "code-2" });
    expect(await tokenFor(flow, { host: APP, cookie: "session_cookie-2" })).toMatchObject(over);
    expect((await tokenFor(flow, { host: APP, cookie: "session_cookie-3" })).ok).toBe(true);
  });

  it.each([
    ["is late", () => later(60)],
    [
      "is of a session that ended",
      () => {
        world.session = endSession(world.session!, { how: "revoked", at: NOW, by: "x", reason: "y" });
      },
    ],
    [
      "is of a family that has refresh tokens",
      () => {
        const { browser: _none, ...rest } = world.session!;
        world.session = rest;
      },
    ],
  ])("gives nothing where it %s", async (_what, change) => {
    const flow = flowWith();
    await signInWith(flow);
    change();
    expect(await give(flow)).toMatchObject(over);
  });

  it("keeps what it knows of redeemed ones until those are over, and no longer", async () => {
    const flow = flowWith();
    await signInWith(flow);
    await give(flow);
    later(61);
    await give(flow, { id: "code-2", expires_at: NOW + 120 });
    expect(Object.keys(world.session?.browser?.redeemed ?? {})).toEqual(["code-2"]);
  });
});
