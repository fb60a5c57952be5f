import { describe, expect, it } from "vitest";
import { policySchema } from "../../../src/policy/document.ts";
import { sha256Hex } from "../../../src/protocol/encoding.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import type { MintInput } from "../../../src/tokens/access-token.ts";
import type { OAuthClient } from "../../../src/tokens/client-auth.ts";
import { answerTokenRequest, type TokenEndpointDeps } from "../../../src/tokens/token-endpoint.ts";
import { TOKEN_EXCHANGE } from "../../../src/tokens/token-request.ts";

const NOW = 1_700_000_000;
const SECRET = "s3cr3t:with%odd chars";
const ISSUER = "https://auth.example.com";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

const policy = policySchema.parse({
  origins: { demo: { url: "https://origin.example.com", audience: "urn:origin" } },
  roles: { developer: { scopes: ["requests:create", "requests:read"] } },
});

const AT_PROVIDER = {
  issuerId: "demo",
  facts: { iss: "https://idp.example.com", sub: "alice", subject: "demo|alice", iat: NOW, kid: "k" },
};

const noSessions: TokenEndpointDeps["sessions"] = {
  newId: () => "ses_01hf7yat00abcdefghjkmnpqrs",
  session: () => {
    throw new Error("no session is expected here");
  },
  sessionOf: async () => undefined,
};

const client: OAuthClient = {
  id: "cli_1",
  secret_hashes: [await sha256Hex("old"), await sha256Hex(SECRET)],
  grant_types: ["client_credentials", TOKEN_EXCHANGE],
  scopes: ["requests:create", "orders:read"],
  roles: ["robot"],
};

function setUp(over: Partial<TokenEndpointDeps> = {}) {
  const minted: MintInput[] = [];
  const deps: TokenEndpointDeps = {
    issuer: ISSUER,
    clock: () => NOW * 1000,
    client: async (id) => (id === client.id ? ok(client) : err(problem("not_found", "no"))),
    mint: async (input) => {
      minted.push(input);
      return ok({
        accessToken: "t",
        jti: input.jti,
        expiresAt: NOW + input.ttlSeconds,
        expiresInSeconds: input.ttlSeconds,
      });
    },
    policy: async () => ok(policy),
    verifyExternal: async (token) =>
      token === "good"
        ? ok({
            subject: "demo|alice",
            roles: ["developer"],
            scopes: ["orders:read", "orders:admin"],
            expiresAt: NOW + 100,
            ...AT_PROVIDER,
          })
        : err(problem(token === "down" ? "issuer_keys_unavailable" : "invalid_token", "no")),
    sessions: noSessions,
    ...over,
  };
  const ask = (
    params: Record<string, string> | URLSearchParams,
    auth: string | null = basic(client.id, SECRET),
  ) => answerTokenRequest(auth, new URLSearchParams(params), deps);
  return { minted, ask };
}

/** RFC 6749 §2.3.1: both halves form-encoded. */
function basic(id: string, secret: string): string {
  const encode = (text: string) => encodeURIComponent(text).replaceAll("%20", "+");
  return `Basic ${btoa(`${encode(id)}:${encode(secret)}`)}`;
}

const cc = { grant_type: "client_credentials" };
const exchange = { grant_type: TOKEN_EXCHANGE, subject_token: "good", subject_token_type: ACCESS_TOKEN };

describe("client authentication", () => {
  it("takes HTTP Basic or the form, current or rotated secret", async () => {
    const { ask } = setUp();
    expect((await ask(cc)).ok).toBe(true);
    expect((await ask(cc, basic(client.id, "old"))).ok).toBe(true);
    expect((await ask({ ...cc, client_id: client.id, client_secret: SECRET }, null)).ok).toBe(true);
    expect((await ask({ ...cc, client_id: client.id })).ok).toBe(true);
  });

  it.each([
    ["none", null, {}, "invalid_client"],
    ["a wrong secret", basic("cli_1", "wrong"), {}, "invalid_client"],
    ["an unknown client", basic("cli_2", SECRET), {}, "invalid_client"],
    ["an empty secret", basic("cli_1", ""), {}, "invalid_client"],
    ["another scheme", `Bearer ${btoa("cli_1:x")}`, {}, "invalid_client"],
    ["unreadable base64", "Basic !!!", {}, "invalid_client"],
    ["no colon", `Basic ${btoa("cli_1")}`, {}, "invalid_client"],
    ["a very long secret", basic("cli_1", "x".repeat(10_000)), {}, "invalid_client"],
    ["both ways at once", basic("cli_1", SECRET), { client_secret: SECRET }, "invalid_request"],
    ["two clients", basic("cli_1", SECRET), { client_id: "cli_2" }, "invalid_request"],
    ["an id without secret", null, { client_id: "cli_1" }, "invalid_client"],
  ])("refuses %s", async (_what, auth, extra, error) => {
    const { ask, minted } = setUp();
    expect(await ask({ ...cc, ...extra }, auth)).toMatchObject({ ok: false, error: { error } });
    expect(minted).toEqual([]);
  });

  it("says the same of an unknown client as of a wrong secret", async () => {
    const { ask } = setUp();
    expect(await ask(cc, basic("cli_2", "x"))).toEqual(await ask(cc, basic("cli_1", "x")));
  });

  it("is not refused but postponed where the register is down", async () => {
    const { ask } = setUp({ client: async () => err(problem("unavailable", "down")) });
    expect(await ask(cc)).toMatchObject({ error: { error: "temporarily_unavailable" } });
  });
});

describe("client_credentials", () => {
  it("gives the client its scopes and roles, for the control plane", async () => {
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
    });
    expect(minted[0]?.jti).toMatch(/^tok_/);
  });

  it("narrows to what is asked for and refuses more", async () => {
    const { ask } = setUp();
    expect(await ask({ ...cc, scope: "orders:read" })).toMatchObject({ value: { scope: "orders:read" } });
    expect(await ask({ ...cc, scope: "orders:read admin" })).toMatchObject({
      error: { error: "invalid_scope" },
    });
  });

  it("is for an origin of the policy where one is named, and for nothing else", async () => {
    const { ask, minted } = setUp();
    await ask({ ...cc, audience: "urn:origin" });
    expect(minted[0]?.audience).toBe("urn:origin");
    await ask({ ...cc, resource: ISSUER });
    expect(minted[1]?.audience).toBe(ISSUER);
    expect(await ask({ ...cc, audience: "urn:elsewhere" })).toMatchObject({
      error: { error: "invalid_target" },
    });
    expect(await ask({ ...cc, audience: "urn:origin", resource: ISSUER })).toMatchObject({
      error: { error: "invalid_target" },
    });
  });

  it("needs the client to be registered for it", async () => {
    const only = { ...client, grant_types: [TOKEN_EXCHANGE] };
    const { ask } = setUp({ client: async () => ok(only) });
    expect(await ask(cc)).toMatchObject({ error: { error: "unauthorized_client" } });
    expect((await ask(exchange)).ok).toBe(true);
  });
});

describe("token exchange", () => {
  it("gives a person the scopes of their token and roles that the client may carry, and no longer than their token", async () => {
    const { ask, minted } = setUp();
    expect(await ask(exchange)).toMatchObject({
      ok: true,
      value: { scope: "orders:read requests:create", expires_in: 100, issued_token_type: ACCESS_TOKEN },
    });
    expect(minted[0]).toMatchObject({ subject: "demo|alice", clientId: "cli_1", roles: ["developer"] });
  });

  it.each(["orders:admin", "requests:read"])("refuses %s, which the client may not carry", async (scope) => {
    const { ask } = setUp();
    expect(await ask({ ...exchange, scope })).toMatchObject({ error: { error: "invalid_scope" } });
  });

  it("refuses a token that does not verify, and postpones where that cannot be told", async () => {
    const { ask, minted } = setUp();
    expect(await ask({ ...exchange, subject_token: "bad" })).toMatchObject({
      error: { error: "invalid_grant" },
    });
    expect(await ask({ ...exchange, subject_token: "down" })).toMatchObject({
      error: { error: "temporarily_unavailable" },
    });
    expect(minted).toEqual([]);
  });

  it.each([
    [{ subject_token: "" }, "invalid_request"],
    [{ subject_token_type: "urn:ietf:params:oauth:token-type:saml2" }, "invalid_request"],
    [{ requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token" }, "invalid_request"],
    [{ actor_token: "x" }, "invalid_request"],
    [{ surprise: "x" }, "invalid_request"],
    [{ scope: "a  b" }, "invalid_scope"],
    [{ grant_type: "password" }, "unsupported_grant_type"],
    [{ grant_type: "" }, "invalid_request"],
  ])("refuses %j", async (over, error) => {
    const { ask } = setUp();
    expect(await ask({ ...exchange, ...over })).toMatchObject({ error: { error } });
  });

  it("refuses a parameter that is given twice", async () => {
    const { ask } = setUp();
    const twice = new URLSearchParams(exchange);
    twice.append("subject_token", "good");
    expect(await ask(twice)).toMatchObject({ error: { error: "invalid_request" } });
  });

  it("passes on no life that is only the tolerance for the issuer's clock", async () => {
    const over = (expiresAt: number) =>
      setUp({
        verifyExternal: async () =>
          ok({ subject: "demo|x", roles: [], scopes: [], expiresAt, ...AT_PROVIDER }),
      });
    expect(await over(NOW).ask(exchange)).toMatchObject({ error: { error: "invalid_grant" } });
    expect(await over(NOW + 1).ask(exchange)).toMatchObject({ value: { expires_in: 1 } });
  });

  it("does not read a role named after something every object has", async () => {
    const roles = ["constructor", "__proto__", "toString"];
    const { ask } = setUp({
      verifyExternal: async () =>
        ok({ subject: "demo|x", roles, scopes: [], expiresAt: NOW + 60, ...AT_PROVIDER }),
    });
    expect(await ask(exchange)).toMatchObject({ value: { scope: "" } });
  });
});
