import { describe, expect, it } from "vitest";
import { policySchema } from "../../../src/policy/document.ts";
import type { Confirmation } from "../../../src/protocol/confirmation.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok, type Result } from "../../../src/protocol/result.ts";
import type { BackchannelAsk, BackchannelPort } from "../../../src/tokens/backchannel-port.ts";
import { authorizeBackchannel, CIBA, cibaGrant } from "../../../src/tokens/ciba.ts";
import type { VerifiedToken } from "../../../src/tokens/claims.ts";
import type { GrantDeps } from "../../../src/tokens/grant.ts";

const NOW = 1_700_000_000;
const ID = "req_01jd0000000000000000000000";
const client = { id: "cli_1", grant_types: [CIBA], scopes: ["requests:create"], roles: [], at: NOW };
const policy = policySchema.parse({ roles: { developer: { scopes: ["requests:create"] } } });

const person = (over: Partial<VerifiedToken> = {}): VerifiedToken => ({
  facts: { iss: "i", sub: "alice", subject: "demo|alice", iat: NOW, kid: "k", client_id: "cli_1" },
  own: false,
  audience: ["demo"],
  scopes: [],
  roles: ["developer"],
  resources: [],
  expiresAt: NOW + 100,
  key: {} as CryptoKey,
  ...over,
});

const HINTS: Record<string, VerifiedToken> = {
  good: person(),
  "may-not-ask": person({ roles: ["guest"] }),
  over: person({ expiresAt: NOW }),
  delegated: person({ act: { sub: "svc" } }),
  held: person({ own: true, confirmation: { jkt: "key" }, scopes: ["requests:create"] }),
  "of-another": person({ own: true, facts: { ...person().facts, client_id: "cli_2" } }),
};

type Proven = { confirmation?: Confirmation };
type Polled = Awaited<ReturnType<BackchannelPort["poll"]>>;

function setUp(opened: Result<{ id: string; expires_at: number }> = ok({ id: ID, expires_at: NOW + 600 })) {
  const asks: BackchannelAsk[] = [];
  let polled: Polled = err(problem("not_found", "no"));
  const polls: unknown[][] = [];
  const deps = {
    clock: () => NOW * 1000,
    policy: async () => ok(policy),
    verifySubject: async (hint: string) =>
      HINTS[hint]
        ? ok(HINTS[hint])
        : err(problem(hint === "down" ? "issuer_keys_unavailable" : "invalid_token", "no")),
    backchannel: {
      open: async (ask: BackchannelAsk) => {
        asks.push(ask);
        return opened;
      },
      poll: async (...args: unknown[]) => {
        polls.push(args);
        return polled;
      },
    },
  } as unknown as GrantDeps;
  return {
    asks,
    polls,
    ask: (form: Record<string, string>, by: typeof client = client, proven: Proven = {}) =>
      authorizeBackchannel({ form: new URLSearchParams(form), client: by, ...proven }, deps),
    poll: (answer: Polled, id = ID, proven: Proven = {}) => {
      polled = answer;
      return cibaGrant.answer({ form: new URLSearchParams({ auth_req_id: id }), client, ...proven }, deps);
    },
  };
}

const detail = { type: "portcullis_resource", identifier: "projects/42" };
const details = (over: object = {}) => JSON.stringify([{ ...detail, ...over }]);
const wanted = { login_hint_token: "good", scope: "projects:read", authorization_details: details() };
const refused = (error: string) => ({ ok: false, error: { error } });

describe("a backchannel request", () => {
  it("asks for a person, and says with what and how often to poll", async () => {
    const { ask, asks } = setUp();
    expect(await ask({ ...wanted, binding_message: "W4SCT", requested_expiry: "600" })).toEqual(
      ok({ auth_req_id: ID, expires_in: 600, interval: 5 }),
    );
    expect(asks[0]).toEqual({
      clientId: "cli_1",
      subject: "demo|alice",
      roles: ["developer"],
      scopes: ["projects:read"],
      resource: "projects/42",
      justification: "W4SCT",
      expiresInSeconds: 600,
      intervalSeconds: 5,
    });
  });

  it("names its scopes by scope or by actions, and openid brings nothing", async () => {
    const { ask, asks } = setUp();
    const { scope: _scope, ...rest } = wanted;
    const actions = details({ actions: ["projects:read"], duration_seconds: 60, ticket: "OPS-1" });
    expect((await ask({ ...rest, authorization_details: actions })).ok).toBe(true);
    expect(asks[0]).toMatchObject({ scopes: ["projects:read"], durationSeconds: 60, ticket: "OPS-1" });
    expect((await ask({ ...wanted, scope: "openid projects:read" })).ok).toBe(true);
    expect(asks[1]?.scopes).toEqual(["projects:read"]);
    expect((await ask({ id_token_hint: "good", scope: "x" })).ok).toBe(true);
    expect(asks[2]).not.toHaveProperty("resource");
    expect(await ask({ ...wanted, scope: "other", authorization_details: actions })).toMatchObject(
      refused("invalid_authorization_details"),
    );
    expect(await ask({ ...wanted, scope: "openid" })).toMatchObject(refused("invalid_scope"));
    expect(await ask(rest)).toMatchObject(refused("invalid_scope"));
  });

  it.each([
    ["no hint", { login_hint_token: undefined }, "invalid_request"],
    ["two hints", { id_token_hint: "good" }, "invalid_request"],
    ["a hint that does not verify", { login_hint_token: "bad" }, "unknown_user_id"],
    ["a hint that cannot be verified now", { login_hint_token: "down" }, "temporarily_unavailable"],
    ["a hint that is over", { login_hint_token: "over" }, "access_denied"],
    ["a person who may not ask", { login_hint_token: "may-not-ask" }, "access_denied"],
    ["somebody for whom another acts", { login_hint_token: "delegated" }, "access_denied"],
    ["a token of another client", { login_hint_token: "of-another" }, "invalid_request"],
    ["a message of two lines", { binding_message: "a\nb" }, "invalid_binding_message"],
    ["a message of spaces", { binding_message: "  " }, "invalid_binding_message"],
    ["a long message", { binding_message: "x".repeat(201) }, "invalid_binding_message"],
    ["no number of seconds", { requested_expiry: "soon" }, "invalid_request"],
    ["no second", { requested_expiry: "0" }, "invalid_request"],
    ["more than a month", { requested_expiry: "2592001" }, "invalid_request"],
    ["details that are no JSON", { authorization_details: "{" }, "invalid_authorization_details"],
    ["no detail", { authorization_details: "[]" }, "invalid_authorization_details"],
    [
      "a member twice",
      { authorization_details: `[${JSON.stringify(detail).replace("{", '{"type":"x",')}]` },
      "invalid_authorization_details",
    ],
    [
      "two details",
      { authorization_details: JSON.stringify([detail, detail]) },
      "invalid_authorization_details",
    ],
    [
      "another type",
      { authorization_details: details({ type: "payment" }) },
      "invalid_authorization_details",
    ],
    ["an unknown member", { authorization_details: details({ x: 1 }) }, "invalid_authorization_details"],
  ])("is refused: %s", async (_what, over, error) => {
    const { ask, asks } = setUp();
    const form = Object.entries({ ...wanted, ...over }).filter(([, value]) => value !== undefined);
    expect(await ask(Object.fromEntries(form) as Record<string, string>)).toMatchObject(refused(error));
    expect(asks).toEqual([]);
  });

  it("takes a bound token as a hint only with a proof of its key", async () => {
    const { ask, asks } = setUp();
    const held = { ...wanted, login_hint_token: "held" };
    expect(await ask(held)).toMatchObject(refused("unknown_user_id"));
    expect(await ask(held, client, { confirmation: { jkt: "other" } })).toMatchObject(
      refused("unknown_user_id"),
    );
    expect(asks).toEqual([]);
    expect(await ask(held, client, { confirmation: { jkt: "key" } })).toMatchObject({ ok: true });
  });

  it("needs the client to be registered for it, and to carry what the person needs", async () => {
    const { ask } = setUp();
    expect(await ask(wanted, { ...client, grant_types: [] })).toMatchObject(refused("unauthorized_client"));
    expect(await ask(wanted, { ...client, scopes: [] })).toMatchObject(refused("access_denied"));
  });

  it.each([
    ["forbidden", "access_denied"],
    ["invalid_request", "invalid_request"],
    ["unavailable", "temporarily_unavailable"],
  ] as const)("is told that it is %s", async (code, error) => {
    expect(await setUp(err(problem(code, "x"))).ask(wanted)).toMatchObject(refused(error));
  });
});

describe("a poll", () => {
  const token = { access_token: "t", token_type: "Bearer" as const, expires_in: 300, scope: "x" };

  it("answers the grant's access token, to the client that asks by its name", async () => {
    const { poll, polls } = setUp();
    const answer = ok({ ...token, authorization_details: [detail] });
    expect(await poll(answer)).toEqual(answer);
    expect(polls).toEqual([[ID, "cli_1", null]]);
    const proven = setUp();
    await proven.poll(answer, ID, { confirmation: { jkt: "key" } });
    expect(proven.polls).toEqual([[ID, "cli_1", { jkt: "key" }]]);
  });

  it.each([
    ["conflict", "pending", "authorization_pending"],
    ["conflict", "scheduled", "authorization_pending"],
    ["forbidden", "denied", "access_denied"],
    ["gone", "cancelled", "access_denied"],
    ["gone", "revoked", "access_denied"],
    ["gone", "expired", "expired_token"],
    ["too_many_requests", "", "slow_down"],
    ["not_found", "", "invalid_grant"],
    ["unavailable", "", "temporarily_unavailable"],
  ] as const)("of what is %s %s answers %s", async (code, state, error) => {
    expect(await setUp().poll(err(problem(code, "x", { state })))).toMatchObject(refused(error));
  });

  it("with what is no id asks nobody", async () => {
    const { poll, polls } = setUp();
    expect(await poll(err(problem("not_found", "x")), "req_x")).toMatchObject(refused("invalid_grant"));
    expect(polls).toEqual([]);
  });
});
