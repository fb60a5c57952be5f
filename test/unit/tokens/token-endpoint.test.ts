import { describe, expect, it } from "vitest";
import { policySchema } from "../../../src/policy/document.ts";
import type { Confirmation } from "../../../src/protocol/confirmation.ts";
import { oauthError } from "../../../src/protocol/oauth-error.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import type { MintInput } from "../../../src/tokens/access-token.ts";
import type { VerifiedToken } from "../../../src/tokens/claims.ts";
import type { ClientRegisterPort, OAuthClient } from "../../../src/tokens/client-auth.ts";
import type { GrantDeps } from "../../../src/tokens/grant.ts";
import { RemoteKeys } from "../../../src/tokens/remote-keys.ts";
import { answerTokenRequest } from "../../../src/tokens/token-endpoint.ts";
import { TOKEN_EXCHANGE } from "../../../src/tokens/token-exchange.ts";

const NOW = 1_700_000_000;
const ISSUER = "https://auth.example.com";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

const policy = policySchema.parse({
  origins: {
    demo: { url: "https://origin.example.com", audience: "urn:origin" },
    other: { url: "https://other.example.com", audience: "urn:other" },
  },
  roles: { developer: { scopes: ["requests:create", "requests:read"] } },
  delegation: [
    {
      id: "robot-for-developers",
      actors: { subjects: ["cli_1"] },
      for: { roles: ["developer"] },
      scopes: ["orders:read", "orders:admin"],
    },
  ],
});

const noSessions: GrantDeps["sessions"] = {
  newId: () => "ses_01hf7yat00abcdefghjkmnpqrs",
  session: () => {
    throw new Error("no session is expected here");
  },
  sessionOf: async () => undefined,
};

const client: OAuthClient = {
  id: "cli_1",
  grant_types: ["client_credentials", TOKEN_EXCHANGE],
  scopes: ["requests:create", "orders:read"],
  roles: ["robot"],
};

/** A token of the demo's identity provider, or one of ours where `own` is set. */
function token(facts: Partial<VerifiedToken["facts"]>, over: Partial<VerifiedToken> = {}): VerifiedToken {
  const own = over.own ?? false;
  return {
    facts: { iss: "i", sub: "alice", subject: own ? "alice" : "demo|alice", iat: NOW, kid: "k", ...facts },
    own,
    audience: [own ? ISSUER : "demo"],
    scopes: ["orders:read", "orders:admin"],
    roles: ["developer"],
    resources: [],
    expiresAt: NOW + 100,
    key: {} as CryptoKey,
    ...over,
  };
}

const own = (over: Partial<VerifiedToken> = {}, facts: Partial<VerifiedToken["facts"]> = {}) =>
  token({ client_id: "cli_1", jti: "tok_1", ...facts }, { own: true, ...over });

const granted = own(
  {
    audience: ["urn:origin"],
    scopes: ["orders:write"],
    resources: ["orders"],
    accessStart: NOW - 10,
    accessExpiry: NOW + 3600,
    roles: [],
  },
  { grant: "grt_1", session: "ses_1" },
);

const TOKENS: Record<string, VerifiedToken> = {
  good: token({}),
  over: token({}, { expiresAt: NOW }),
  "signed-in": token({}, { signIn: { acr: "mfa", auth_time: NOW - 60 } }),
  "signed-in-for-somebody": own({ act: { sub: "svc_1" }, signIn: { acr: "mfa" } }),
  robot: own({ scopes: [], roles: [] }, { sub: "cli_1", subject: "cli_1" }),
  "robot-of-another": own({}, { client_id: "cli_2", sub: "cli_1", subject: "cli_1" }),
  "robot-for-somebody": own({ act: { sub: "x" } }, { sub: "cli_1", subject: "cli_1" }),
  stranger: token({ sub: "eve", subject: "demo|eve" }),
  narrow: own({ scopes: ["orders:read"] }),
  granted,
  "of-another": own({ audience: ["urn:origin"] }, { client_id: "cli_2" }),
  "granted-to-another": { ...granted, facts: { ...granted.facts, client_id: "cli_2" }, roles: ["developer"] },
  delegated: own({ act: { sub: "svc_1" } }),
  "delegated-far": own({ act: { sub: "a", act: { sub: "b", act: { sub: "c" } } } }),
  operator: token({}, { roles: ["admins", "developer"], scopes: [] }),
  held: own({ confirmation: { jkt: "key" } }),
  certified: own({ confirmation: { "x5t#S256": "cert" } }),
  "held-twice": own({ confirmation: { jkt: "key", "x5t#S256": "cert" } }),
  "held-robot": own({ confirmation: { jkt: "key" } }, { sub: "cli_1", subject: "cli_1" }),
  objects: token({}, { roles: ["constructor", "__proto__", "toString"], scopes: [] }),
};

const accepts = (registered: OAuthClient): ClientRegisterPort => {
  const accepted = async () => ok({ outcome: "accepted" as const, client: registered, at: NOW - 1 });
  return {
    authenticateSecret: accepted,
    clientForAssertion: accepted,
    useAssertion: accepted,
    authenticationFailed: async () => ok({ outcome: "refused" as const }),
  };
};

function setUp(over: Partial<GrantDeps> = {}) {
  const minted: MintInput[] = [];
  const clock = () => NOW * 1000;
  const deps: GrantDeps = {
    issuer: ISSUER,
    clock,
    clients: accepts(client),
    devices: {
      begin: async () => ok({ user_code: "BCDF-GHJK" }),
      look: async () => err(problem("not_found", "none")),
      decide: async () => ok(null),
      poll: async () => ok({ state: "unknown" as const }),
    },
    clientKeys: new RemoteKeys({
      fetch: () => Promise.reject(new Error("no network")),
      clock,
      log: () => {},
    }),
    mint: async (input) => {
      minted.push(input);
      const expiresInSeconds = Math.min(input.ttlSeconds, (input.endsBy ?? Infinity) - NOW);
      return ok({ accessToken: "t", jti: input.jti, expiresAt: NOW + expiresInSeconds, expiresInSeconds });
    },
    policy: async () => ok(policy),
    verifySubject: async (name) =>
      TOKENS[name]
        ? ok(TOKENS[name])
        : err(problem(name === "down" ? "issuer_keys_unavailable" : "invalid_token", "no")),
    backchannel: {
      open: async () => err(problem("not_found", "no")),
      poll: async () => err(problem("not_found", "no")),
    },
    binding: async () => ok(undefined),
    sessions: noSessions,
    ...over,
  };
  const ask = (params: Record<string, string>) => {
    const form = new URLSearchParams(params);
    const call = { authorization: basic, form, address: "", endpoint: `${ISSUER}/oauth/token` };
    return answerTokenRequest(call, deps);
  };
  return { minted, ask };
}

const basic = `Basic ${btoa("cli_1:secret")}`;
const cc = { grant_type: "client_credentials" };
const exchange = { grant_type: TOKEN_EXCHANGE, subject_token: "good", subject_token_type: ACCESS_TOKEN };
const of = (subject_token: string) => ({ ...exchange, subject_token });
const by = (actor_token: string, subject_token = "good") => ({
  ...of(subject_token),
  actor_token,
  actor_token_type: ACCESS_TOKEN,
});
const refused = (error: string) => ({ ok: false, error: { error } });

describe("client_credentials", () => {
  it("gives the client its scopes and roles, for the control plane, as of when it authenticated", async () => {
    const { ask, minted } = setUp();
    expect(await ask(cc)).toEqual({
      ok: true,
      value: {
        access_token: "t",
        token_type: "Bearer",
        expires_in: 300,
        scope: "requests:create orders:read",
      },
    });
    expect(minted[0]).toMatchObject({
      subject: "cli_1",
      clientId: "cli_1",
      audience: ISSUER,
      roles: ["robot"],
      issuedAt: NOW - 1,
    });
    expect(minted[0]?.jti).toMatch(/^tok_/);
  });

  it("narrows to what is asked for and refuses more", async () => {
    const { ask } = setUp();
    expect(await ask({ ...cc, scope: "orders:read" })).toMatchObject({ value: { scope: "orders:read" } });
    expect(await ask({ ...cc, scope: "orders:read admin" })).toMatchObject(refused("invalid_scope"));
    expect(await ask({ ...cc, scope: "a  b" })).toMatchObject(refused("invalid_scope"));
  });

  it("is for an origin of the policy where one is named, and for nothing else", async () => {
    const { ask, minted } = setUp();
    await ask({ ...cc, audience: "urn:origin" });
    expect(minted[0]?.audience).toBe("urn:origin");
    await ask({ ...cc, resource: ISSUER });
    expect(minted[1]?.audience).toBe(ISSUER);
    expect(await ask({ ...cc, audience: "urn:elsewhere" })).toMatchObject(refused("invalid_target"));
    expect(await ask({ ...cc, audience: "urn:origin", resource: ISSUER })).toMatchObject(
      refused("invalid_target"),
    );
  });

  it("needs the client to be registered for it", async () => {
    const { ask } = setUp({ clients: accepts({ ...client, grant_types: [TOKEN_EXCHANGE] }) });
    expect(await ask(cc)).toMatchObject(refused("unauthorized_client"));
    expect((await ask(exchange)).ok).toBe(true);
  });

  it("says which token would be too large, and how to get one", async () => {
    const { ask } = setUp({ mint: async () => err(problem("body_too_large", "ask for fewer scopes")) });
    expect(await ask(cc)).toMatchObject(refused("invalid_scope"));
    const down = setUp({ mint: async () => err(problem("unavailable", "down")) });
    expect(await down.ask(cc)).toMatchObject(refused("temporarily_unavailable"));
  });

  it.each([
    [{ grant_type: "password" }, "unsupported_grant_type"],
    [{ surprise: "x" }, "invalid_request"],
    [{ subject_token: "good" }, "invalid_request"],
  ])("refuses %j", async (over, error) => {
    expect(await setUp().ask({ ...cc, ...over })).toMatchObject(refused(error));
  });
});

describe("token exchange of an identity provider's token", () => {
  it("gives a person the scopes of their token and roles that the client may carry, and no longer than their token", async () => {
    const { ask, minted } = setUp();
    expect(await ask(exchange)).toMatchObject({
      ok: true,
      value: { scope: "orders:read requests:create", expires_in: 100, issued_token_type: ACCESS_TOKEN },
    });
    expect(minted[0]).toMatchObject({ subject: "demo|alice", clientId: "cli_1", roles: ["developer"] });
    expect(minted[0]).not.toHaveProperty("act");
  });

  it("carries no role that the policy does not name", async () => {
    const { ask, minted } = setUp();
    await ask(of("operator"));
    expect(minted[0]?.roles).toEqual(["developer"]);
  });

  it.each(["orders:admin", "requests:read"])("refuses %s, which the client may not carry", async (scope) => {
    expect(await setUp().ask({ ...exchange, scope })).toMatchObject(refused("invalid_scope"));
  });

  it("refuses a token that does not verify or is over, and postpones where that cannot be told", async () => {
    const { ask, minted } = setUp();
    expect(await ask(of("bad"))).toMatchObject(refused("invalid_request"));
    expect(await ask(of("over"))).toMatchObject(refused("invalid_request"));
    expect(await ask(of("down"))).toMatchObject(refused("temporarily_unavailable"));
    expect(minted).toEqual([]);
  });

  it.each([
    [{ subject_token_type: "urn:ietf:params:oauth:token-type:saml2" }, "invalid_request"],
    [{ requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token" }, "invalid_request"],
    [{ actor_token: "robot" }, "invalid_request"],
    [{ actor_token_type: ACCESS_TOKEN }, "invalid_request"],
    [{ surprise: "x" }, "invalid_request"],
    [{ scope: "a  b" }, "invalid_scope"],
    [{ audience: "urn:elsewhere" }, "invalid_target"],
  ])("refuses %j", async (over, error) => {
    expect(await setUp().ask({ ...exchange, ...over })).toMatchObject(refused(error));
  });

  it("does not read a role named after something every object has", async () => {
    expect(await setUp().ask(of("objects"))).toMatchObject({ value: { scope: "" } });
  });
});

describe("token exchange of our own token", () => {
  it("narrows it, keeps its audience and roles, and widens nothing", async () => {
    const { ask, minted } = setUp();
    expect(await ask(of("narrow"))).toMatchObject({ value: { scope: "orders:read", expires_in: 100 } });
    expect(minted[0]).toMatchObject({ subject: "alice", audience: ISSUER, roles: ["developer"] });
    // The client and the person's role may, their token may not.
    expect(await ask({ ...of("narrow"), scope: "requests:create" })).toMatchObject(refused("invalid_scope"));
  });

  it("is for an origin where it was for this issuer, and stays where it is for an origin already", async () => {
    const { ask, minted } = setUp();
    await ask({ ...of("narrow"), audience: "urn:origin" });
    expect(minted[0]?.audience).toBe("urn:origin");
    expect(await ask({ ...of("granted"), audience: "urn:other" })).toMatchObject(refused("invalid_target"));
    expect(await ask({ ...of("granted"), audience: "urn:origin" })).toMatchObject({ ok: true });
  });

  it("keeps grant, window, resource and session of the token", async () => {
    const { ask, minted } = setUp();
    expect(await ask(of("granted"))).toMatchObject({ value: { scope: "orders:write" } });
    const window = { accessStart: NOW - 10, accessExpiry: NOW + 3600 };
    expect(minted[0]).toMatchObject({
      grant: { id: "grt_1", resource: "orders", ...window },
      session: "ses_1",
      endsBy: NOW + 100,
      audience: "urn:origin",
    });
  });

  it("is for the client that got it only", async () => {
    const { ask, minted } = setUp();
    expect(await ask(of("of-another"))).toMatchObject(refused("invalid_request"));
    expect(minted).toEqual([]);
  });

  it("still says who acts", async () => {
    const { ask, minted } = setUp();
    await ask(of("delegated"));
    expect(minted[0]?.act).toEqual({ sub: "svc_1" });
  });

  it("still says how its person signed in, but not to whoever acts for them (RFC 9470 §6)", async () => {
    const { ask, minted } = setUp();
    await ask(of("signed-in"));
    expect(minted[0]?.signIn).toEqual({ acr: "mfa", auth_time: NOW - 60 });
    await ask(of("signed-in-for-somebody"));
    await ask(by("robot", "signed-in"));
    await ask(of("good"));
    expect(minted).toHaveLength(4);
    for (const input of minted.slice(1)) expect(input).not.toHaveProperty("signIn");
  });
});

describe("what a request has proven", () => {
  const proven = (confirmation: Confirmation | undefined) => setUp({ binding: async () => ok(confirmation) });

  it("binds whatever token it gets", async () => {
    const { ask, minted } = proven({ jkt: "key" });
    for (const form of [cc, exchange, of("narrow"), by("robot")]) {
      expect(await ask(form)).toMatchObject({ value: { token_type: "DPoP" } });
    }
    expect(minted.map(({ confirmation }) => confirmation)).toEqual(Array(4).fill({ jkt: "key" }));
    const certified = proven({ "x5t#S256": "cert" });
    expect(await certified.ask(cc)).toMatchObject({ value: { token_type: "Bearer" } });
    expect(certified.minted[0]?.confirmation).toEqual({ "x5t#S256": "cert" });
  });

  it("is asked for once its client is known, by what that client is registered for", async () => {
    const demands: unknown[] = [];
    const binding = async (demand: unknown) => {
      demands.push(demand);
      return err(oauthError("invalid_dpop_proof", "no"));
    };
    const registered = {
      dpop_bound_access_tokens: true,
      tls_client_certificate_bound_access_tokens: true,
    };
    const { ask, minted } = setUp({ binding, clients: accepts({ ...client, ...registered }) });
    expect(await ask(cc)).toMatchObject(refused("invalid_dpop_proof"));
    await setUp({ binding }).ask(exchange);
    expect(demands).toEqual([
      { mustProve: true, certificate: true },
      { mustProve: false, certificate: false },
    ]);
    const refusing = {
      ...accepts(client),
      authenticateSecret: async () => ok({ outcome: "refused" as const }),
    };
    await setUp({ binding, clients: refusing }).ask(cc);
    expect(demands).toHaveLength(2);
    expect(minted).toEqual([]);
  });

  it.each<[string, Confirmation | undefined, boolean]>([
    ["held", { jkt: "key" }, true],
    ["held", { jkt: "key", "x5t#S256": "cert" }, true],
    ["held", { jkt: "other" }, false],
    ["held", { "x5t#S256": "cert" }, false],
    ["held", undefined, false],
    ["certified", { "x5t#S256": "cert" }, true],
    ["certified", { "x5t#S256": "other" }, false],
    ["certified", undefined, false],
    ["held-twice", { jkt: "key", "x5t#S256": "cert" }, true],
    ["held-twice", { jkt: "key" }, false],
    ["held-twice", { "x5t#S256": "cert" }, false],
  ])("opens %s with %j: %s; what is got for it is bound to the same", async (name, confirmation, opens) => {
    const { ask, minted } = proven(confirmation);
    const answer = await ask(of(name));
    expect(answer).toMatchObject(opens ? { ok: true } : refused("invalid_request"));
    expect(minted.map((input) => input.confirmation)).toEqual(opens ? [confirmation] : []);
  });

  it("opens an actor's bound token too, and none of somebody else's", async () => {
    expect(await proven({ jkt: "key" }).ask(by("held-robot"))).toMatchObject({ ok: true });
    for (const confirmation of [undefined, { jkt: "other" }]) {
      const { ask, minted } = proven(confirmation);
      expect(await ask(by("held-robot"))).toMatchObject(refused("invalid_request"));
      expect(await ask(by("robot", "held"))).toMatchObject(refused("invalid_request"));
      expect(minted).toEqual([]);
    }
  });
});

describe("delegation", () => {
  it("says who acts for whom, with the scopes that the policy delegates and without roles", async () => {
    const { ask, minted } = setUp();
    expect(await ask(by("robot"))).toMatchObject({ value: { scope: "orders:read" } });
    expect(minted[0]).toMatchObject({ subject: "demo|alice", roles: [], act: { sub: "cli_1" } });
    expect(await ask({ ...by("robot"), scope: "requests:create" })).toMatchObject(refused("invalid_scope"));
  });

  it("lets an actor use another client's token, at another origin, but for a grant at the grant's only", async () => {
    const { ask, minted } = setUp();
    expect(await ask({ ...by("robot", "of-another"), audience: "urn:other" })).toMatchObject({ ok: true });
    expect(minted[0]).toMatchObject({ subject: "alice", audience: "urn:other", clientId: "cli_1" });
    expect(await ask({ ...by("robot", "granted-to-another"), audience: "urn:other" })).toMatchObject(
      refused("invalid_target"),
    );
  });

  it("nests the actors before", async () => {
    const { ask, minted } = setUp();
    await ask(by("robot", "delegated"));
    expect(minted[0]?.act).toEqual({ sub: "cli_1", act: { sub: "svc_1" } });
    expect(await ask(by("robot", "delegated-far"))).toMatchObject(refused("invalid_request"));
  });

  it.each([
    ["another actor than the policy names", "stranger", "good"],
    ["for another subject", "robot", "robot"],
    ["by a token of another client", "robot-of-another", "good"],
    ["by one who acts for somebody", "robot-for-somebody", "good"],
    ["by a token that is over", "over", "good"],
    ["by a token that does not verify", "bad", "good"],
  ])("is refused %s", async (_what, actor, subject) => {
    const { ask, minted } = setUp();
    expect(await ask(by(actor, subject))).toMatchObject(refused("invalid_request"));
    expect(minted).toEqual([]);
  });

  it("is nobody's where the policy says nothing", async () => {
    const { ask } = setUp({ policy: async () => ok({ ...policy, delegation: [] }) });
    expect(await ask(by("robot"))).toMatchObject(refused("invalid_request"));
    expect((await ask(exchange)).ok).toBe(true);
  });
});
