import { beforeEach, describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/protocol/encoding.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { endSession } from "../../../src/tokens/session.ts";
import { type RefreshCall, SessionFlow, type SessionFlowDeps } from "../../../src/tokens/session-flow.ts";
import {
  assertionWith,
  NOW,
  openingWith,
  SessionWorld,
  sessionPolicy,
  termsWith,
} from "../../support/session-world.ts";

const down = err(problem("unavailable", "down"));
const refused = { ok: false, error: { code: "invalid_token" } };
const postponed = { ok: false, error: { code: "unavailable" } };

let world: SessionWorld;

beforeEach(() => {
  world = new SessionWorld();
});

const flowWith = (over: Partial<SessionFlowDeps> = {}) => new SessionFlow(world.deps(over));

const open = (flow: SessionFlow, terms = termsWith()) => {
  const opening = openingWith();
  return flow.open({ opening, terms, scopes: opening.scopes });
};

async function refreshed(flow: SessionFlow, token: string, over: Partial<RefreshCall> = {}) {
  const credential = await sha256Hex(token);
  return flow.refresh({ credential, binding: { client_id: "cli_1" }, ask: {}, terms: termsWith(), ...over });
}

describe("a session of a key", () => {
  const bound = { client_id: "cli_1", jkt: "key", x5t: "cert" };
  const confirmation = { jkt: "key", "x5t#S256": "cert" };

  it("gives tokens that are bound to it, and only to whoever proves it", async () => {
    const flow = flowWith();
    const opening = openingWith({ binding: bound });
    const opened = await flow.open({ opening, terms: termsWith(), scopes: opening.scopes });
    expect(opened).toMatchObject({ value: { token_type: "DPoP" } });
    expect(await refreshed(flow, "refresh_token-1")).toMatchObject(refused);
    expect(await refreshed(flow, "refresh_token-1", { binding: { ...bound, jkt: "other" } })).toMatchObject(
      refused,
    );
    const next = await refreshed(flow, "refresh_token-1", { binding: bound });
    expect(next).toMatchObject({ value: { token_type: "DPoP" } });
    expect(world.minted.map((input) => input.confirmation)).toEqual([confirmation, confirmation]);
  });

  it("is not needed for a proof to bind one answer, which is repeated for the same key only", async () => {
    const flow = flowWith();
    await open(flow);
    const proven = { binding: { client_id: "cli_1", jkt: "key" } };
    const answer = await refreshed(flow, "refresh_token-1", proven);
    expect(answer).toMatchObject({ value: { token_type: "DPoP" } });
    expect(world.minted.map((input) => input.confirmation)).toEqual([undefined, { jkt: "key" }]);
    expect(await refreshed(flow, "refresh_token-1", proven)).toEqual(answer);
    expect(await refreshed(flow, "refresh_token-1")).toMatchObject(refused);
    expect(await refreshed(flow, "refresh_token-1", { binding: { ...bound, x5t: "x" } })).toMatchObject(
      refused,
    );
    expect(await refreshed(flow, "refresh_token-2")).toMatchObject({ value: { token_type: "Bearer" } });
    expect(world.minted).toHaveLength(3);
  });
});

describe("a refresh", () => {
  it("signs, then asks the log, then commits: a revocation that came while it signed is not missed", async () => {
    const flow = flowWith();
    await open(flow);
    expect(world.steps).toEqual(["mint", "hit", "write"]);
    expect((await refreshed(flow, "refresh_token-1")).ok).toBe(true);
    expect(world.steps.slice(3)).toEqual(["mint", "hit", "write"]);
    expect(world.minted[1]).toMatchObject({
      session: openingWith().id,
      subject: "idp|alice",
      roles: ["developer"],
    });
  });

  it.each<[string, Partial<SessionFlowDeps>]>([
    ["the log", { hit: async () => down }],
    ["the key ring", { mint: async () => down }],
  ])("is postponed where %s does not answer, and the token is not spent by it", async (_what, over) => {
    expect((await open(flowWith())).ok).toBe(true);
    expect(await refreshed(flowWith(over), "refresh_token-1")).toMatchObject(postponed);
    expect(world.session?.generation).toBe(1);
    expect((await refreshed(flowWith(), "refresh_token-1")).ok).toBe(true);
  });

  it("that fails by a fault holds up none that comes after", async () => {
    await open(flowWith());
    let faults = 1;
    const flow = flowWith({
      seal: async (answer, id) => {
        if (faults-- > 0) throw new Error("a fault");
        return `${id}:${answer}`;
      },
    });
    const both = await Promise.allSettled([
      refreshed(flow, "refresh_token-1"),
      refreshed(flow, "refresh_token-1"),
    ]);
    // Which of the two takes the first turn is not promised.
    both.sort((a, b) => b.status.localeCompare(a.status));
    expect(both).toMatchObject([{ status: "rejected" }, { status: "fulfilled", value: { ok: true } }]);
  });

  it("that waited so long that its caller gave up does nothing", async () => {
    await open(flowWith());
    const flow = flowWith({
      hit: async () => {
        world.nowMs += 10_001;
        return ok(null);
      },
    });
    const call = {
      credential: await sha256Hex("refresh_token-1"),
      binding: { client_id: "cli_1" },
      ask: {},
      terms: termsWith(),
    };
    const [first, second] = await Promise.all([flow.refresh(call), flow.refresh(call)]);
    expect(first.ok).toBe(true);
    expect(second).toMatchObject(postponed);
    expect(world.session?.generation).toBe(2);
  });

  it("of a session that ended while it was on its way gives nothing out", async () => {
    await open(flowWith());
    const flow = flowWith({
      mint: async ({ jti }) => {
        world.session = endSession(world.session!, { how: "revoked", at: NOW, by: "operator", reason: "r" });
        return ok({ accessToken: "access", jti, expiresAt: NOW + 300, expiresInSeconds: 300 });
      },
    });
    expect(await refreshed(flow, "refresh_token-1")).toMatchObject(refused);
    expect(world.session?.ended?.by).toBe("operator");
  });

  it("repeats nothing that it cannot open, and does not take that for reuse", async () => {
    await open(flowWith());
    await refreshed(flowWith(), "refresh_token-1");
    expect(await refreshed(flowWith({ open: async () => undefined }), "refresh_token-1")).toMatchObject(
      refused,
    );
    expect(world.session?.ended).toBeUndefined();
    expect((await refreshed(flowWith(), "refresh_token-1")).ok).toBe(true);
  });

  it("says how the person signed in, as the identity provider said it last", async () => {
    const flow = flowWith();
    const signedIn = (acr: string) => assertionWith({ sign_in: { acr, auth_time: NOW } });
    const opening = openingWith({ assertion: signedIn("pwd") });
    await flow.open({ opening, terms: termsWith(), scopes: opening.scopes });
    await refreshed(flow, "refresh_token-1");
    await refreshed(flow, "refresh_token-2", { assertion: signedIn("mfa") });
    await refreshed(flow, "refresh_token-3");
    expect(world.minted.map(({ signIn }) => signIn?.acr)).toEqual(["pwd", "pwd", "mfa", "mfa"]);
  });

  it("gives no access token a longer life than the session, as the policy has it now", async () => {
    const flow = flowWith();
    await open(flow);
    world.nowMs += 50_000;
    const terms = termsWith({ sessions: sessionPolicy({ idle_seconds: 60, absolute_seconds: 60 }) });
    expect(await refreshed(flow, "refresh_token-1", { terms })).toMatchObject({ value: { expires_in: 10 } });
  });
});

it("no session is opened for what the log denies at that moment", async () => {
  const rule = { id: "rev_1", match: { sub: "idp|alice" }, reason: "r", actor: "operator", created_at: NOW };
  expect(await open(flowWith({ hit: async () => ok(rule) }))).toMatchObject(refused);
  expect(world.session).toBeUndefined();
  expect((await open(flowWith())).ok).toBe(true);
});
