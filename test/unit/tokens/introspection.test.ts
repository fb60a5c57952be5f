import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/protocol/encoding.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import type { Revocation } from "../../../src/revocation/rule.ts";
import type { VerifiedToken } from "../../../src/tokens/claims.ts";
import { introspect, revokeToken, type TokenStateDeps } from "../../../src/tokens/introspection.ts";
import { openSession, presentSession } from "../../../src/tokens/session.ts";
import { NOW, openingWith, SESSION_ISSUER, sessionPolicy } from "../../support/session-world.ts";

const CONTEXT = { requestId: "dec_1", waitUntil: () => {} };
const opening = openingWith();
const opened = openSession(opening, sessionPolicy(), { credential: "c", asked: "", sealed: "s" }, NOW * 1000);
const session = presentSession(opened, NOW);
const access: VerifiedToken = {
  facts: {
    iss: SESSION_ISSUER,
    sub: "idp|alice",
    subject: "idp|alice",
    iat: NOW,
    kid: "k",
    jti: "tok_01hf7yat00abcdefghjkmnpqrs",
    client_id: "cli_1",
    grant: "grt_1",
  },
  own: true,
  audience: ["urn:origin"],
  scopes: ["orders:read"],
  roles: [],
  resources: [],
  expiresAt: NOW + 5,
  key: {} as CryptoKey,
};
const clientOf = (id: string, introspects: string[] = []) => ({
  id,
  grant_types: [],
  scopes: [],
  roles: [],
  introspects,
});
const mine = clientOf("cli_1");

/** Who calls is given to each function; nothing is authenticated here. */
const authentication = {
  issuer: "https://auth.example.com",
  clients: {} as TokenStateDeps["clients"],
  clientKeys: {} as TokenStateDeps["clientKeys"],
};

/** `access` and `refresh` are tokens of cli_1; whatever else is unknown. */
function setUp(over: Partial<TokenStateDeps> = {}) {
  const appended: Revocation[] = [];
  const ended: unknown[] = [];
  const receipt = {
    id: "rev_1",
    seq: 1,
    accepted_at: NOW,
    effective_by: { strict: NOW, bounded: NOW, eventual: NOW },
  };
  const deps: TokenStateDeps = {
    ...authentication,
    clock: () => NOW * 1000,
    sessions: {
      sessionOf: async (_kind, token) => (token.startsWith("refresh") ? opening.id : undefined),
      session: () => ({
        open: () => Promise.reject(new Error("not expected")),
        refresh: () => Promise.reject(new Error("not expected")),
        read: async () => ok(session),
        find: async (credential) =>
          credential === (await sha256Hex("refresh")) ? ok(session) : err(problem("not_found", "no")),
        revoke: async (...call) => {
          if (call[2] !== session.client_id) return err(problem("not_found", "no"));
          ended.push(call);
          return ok(receipt);
        },
      }),
    },
    verifyOwn: async (token) => (token === "access" ? ok(access) : err(problem("invalid_token", "no"))),
    log: {
      append: async ({ rule }) => {
        appended.push(rule);
        return ok(receipt);
      },
    },
    ...over,
  };
  return { deps, appended, ended };
}

const down = problem("unavailable", "down");
const postponed = { ok: false, error: { error: "temporarily_unavailable" } };

describe("introspection", () => {
  it("shows what a token is bound to (RFC 9449 §6.2, RFC 8705 §3.2), so that a resource server asks for the proof", async () => {
    const verifyOwn = (confirmation: object) => async () => ok({ ...access, confirmation });
    const shown = async (confirmation: object) =>
      introspect("access", mine, setUp({ verifyOwn: verifyOwn(confirmation) }).deps, CONTEXT);
    const [held, certified] = [{ jkt: "key" }, { "x5t#S256": "cert" }];
    expect(await shown(held)).toMatchObject({ value: { token_type: "DPoP", cnf: held } });
    expect(await shown(certified)).toMatchObject({ value: { token_type: "Bearer", cnf: certified } });
  });

  it("shows what the token says to its client and to a resource server of its audience", async () => {
    const { deps } = setUp();
    const shown = {
      active: true,
      scope: "orders:read",
      token_type: "Bearer",
      iss: SESSION_ISSUER,
      sub: "idp|alice",
      aud: ["urn:origin"],
      client_id: "cli_1",
      iat: NOW,
      exp: NOW + 5,
      jti: access.facts.jti,
      grant: "grt_1",
    };
    expect(await introspect("access", mine, deps, CONTEXT)).toEqual(ok(shown));
    expect(await introspect("access", clientOf("cli_2", ["urn:origin"]), deps, CONTEXT)).toEqual(ok(shown));
  });

  it.each([
    ["an access token of another client's", "access", clientOf("cli_2", ["urn:other"])],
    [
      "a refresh token of another client's, whatever it introspects",
      "refresh",
      clientOf("cli_2", ["urn:origin"]),
    ],
    ["a spent refresh token", "refresh-spent", mine],
    ["an unknown token", "x", mine],
  ])("says nothing but active: false of %s", async (_what, token, client) => {
    expect(await introspect(token, client, setUp().deps, CONTEXT)).toEqual(ok({ active: false }));
    expect(await introspect("refresh", mine, setUp().deps, CONTEXT)).toMatchObject({
      value: { active: true },
    });
  });

  it("is postponed where it cannot be told: what may be revoked is not said to be good, nor to be bad", async () => {
    const stale = setUp({ verifyOwn: async () => err(problem("stale", "old")) });
    expect(await introspect("access", mine, stale.deps, CONTEXT)).toMatchObject(postponed);
    const { deps } = setUp();
    const unreachable = { ...deps.sessions.session(""), find: async () => err(down) };
    const sessions = { ...deps.sessions, session: () => unreachable };
    expect(await introspect("refresh", mine, { ...deps, sessions }, CONTEXT)).toMatchObject(postponed);
  });
});

describe("revocation", () => {
  it("of an access token denies exactly that one, until it is over", async () => {
    const { deps, appended } = setUp();
    expect(await revokeToken("access", mine, deps, CONTEXT)).toEqual(ok(null));
    expect(appended).toEqual([
      {
        id: "rev_01hf7yat00abcdefghjkmnpqrs",
        match: { iss: SESSION_ISSUER, jti: access.facts.jti },
        reason: "Revoked by its client.",
        actor: "cli_1",
        created_at: NOW,
        expires_at: NOW + 5,
      },
    ]);
  });

  it("of a refresh token ends the session, also with one that was spent", async () => {
    const { deps, ended, appended } = setUp();
    for (const token of ["refresh", "refresh-spent"]) {
      expect(await revokeToken(token, mine, deps, CONTEXT)).toEqual(ok(null));
    }
    expect(ended).toHaveLength(2);
    expect(appended).toEqual([]);
  });

  it("by another client, resource server or not, and of what is unknown is answered alike, without effect", async () => {
    const { deps, ended, appended } = setUp();
    const server = clientOf("cli_2", ["urn:origin"]);
    for (const token of ["access", "refresh", "x"]) {
      expect(await revokeToken(token, server, deps, CONTEXT)).toEqual(ok(null));
    }
    expect(await revokeToken("x", mine, deps, CONTEXT)).toEqual(ok(null));
    expect([...ended, ...appended]).toEqual([]);
  });

  it("that another call made at the same time is done; one that the log did not take is not said to be", async () => {
    const answers = (code: "conflict" | "unavailable") =>
      setUp({ log: { append: async () => err(problem(code, "no")) } });
    expect(await revokeToken("access", mine, answers("conflict").deps, CONTEXT)).toEqual(ok(null));
    expect(await revokeToken("access", mine, answers("unavailable").deps, CONTEXT)).toMatchObject(postponed);
    const { deps } = setUp();
    const unreachable = { ...deps.sessions.session(""), revoke: async () => err(down) };
    const sessions = { ...deps.sessions, session: () => unreachable };
    expect(await revokeToken("refresh", mine, { ...deps, sessions }, CONTEXT)).toMatchObject(postponed);
  });
});
