import { describe, expect, it } from "vitest";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { ASSERTION_TYPE } from "../../../src/tokens/client-assertion.ts";
import { authenticateClient, type ClientRegisterPort } from "../../../src/tokens/client-auth.ts";
import { RemoteKeys } from "../../../src/tokens/remote-keys.ts";
import { newKey, type Part, signToken } from "../../support/token-factory.ts";

const NOW = 1_700_000_000;
const ISSUER = "https://auth.example.com";
const SECRET = "s3cr3t:with%odd chars";
const key = await newKey("ES256", "k1");
const stranger = await newKey("ES256", "k1");
const rsa = await newKey("RS256", "k2");

type Call = Parameters<ClientRegisterPort["authenticateSecret"]>[0];

function setUp(over: Partial<ClientRegisterPort> = {}) {
  const checks: Call[] = [];
  const used: string[] = [];
  const failed: string[] = [];
  const client = { id: "cli_1", grant_types: [], scopes: [], roles: [], jwks: { keys: [key.jwk, rsa.jwk] } };
  const accepted = { outcome: "accepted" as const, client, at: NOW };
  const clients: ClientRegisterPort = {
    authenticateSecret: async (check) => {
      checks.push(check);
      return ok(accepted);
    },
    clientForAssertion: async (id) => ok(id === "cli_1" ? accepted : { outcome: "refused" as const }),
    useAssertion: async ({ jti_hash }) => {
      if (used.includes(jti_hash)) return ok({ outcome: "replayed" as const });
      used.push(jti_hash);
      return ok(accepted);
    },
    authenticationFailed: async (id) => {
      failed.push(id);
      return ok({ outcome: "refused" as const });
    },
    ...over,
  };
  const clock = () => NOW * 1000;
  const clientKeys = new RemoteKeys({ fetch: () => Promise.reject(new Error("down")), clock, log: () => {} });
  const authenticate = (params: Record<string, string>, authorization: string | null = null) => {
    const form = new URLSearchParams(params);
    const call = { form, authorization, address: "192.0.2.1", endpoint: `${ISSUER}/oauth/revoke` };
    return authenticateClient(call, { issuer: ISSUER, clock, clients, clientKeys });
  };
  return { authenticate, checks, failed };
}

/** RFC 6749 §2.3.1: both halves form-encoded. */
function basic(id: string, secret: string): string {
  const encode = (text: string) => encodeURIComponent(text).replaceAll("%20", "+");
  return `Basic ${btoa(`${encode(id)}:${encode(secret)}`)}`;
}

describe("an authenticated client", () => {
  it("is known with all that its endpoints go by, and without its keys", async () => {
    const registered = {
      ...{ id: "cli_1", grant_types: [], scopes: [], roles: [], introspects: ["urn:origin"] },
      ...{ dpop_bound_access_tokens: true, tls_client_certificate_bound_access_tokens: true },
    };
    const client = { ...registered, jwks: { keys: [key.jwk] } };
    const { authenticate } = setUp({
      authenticateSecret: async () => ok({ outcome: "accepted", client, at: NOW }),
    });
    expect(await authenticate({}, basic("cli_1", SECRET))).toEqual(ok({ ...registered, at: NOW }));
  });
});

const refused = (error: string) => ({ ok: false, error: { error } });

describe("a secret", () => {
  it("is taken from HTTP Basic or the form, and told with how and from where it came", async () => {
    const { authenticate, checks } = setUp();
    expect(await authenticate({}, basic("cli_1", SECRET))).toMatchObject({
      ok: true,
      value: { id: "cli_1", at: NOW },
    });
    expect((await authenticate({ client_id: "cli_1", client_secret: SECRET })).ok).toBe(true);
    expect((await authenticate({ client_id: "cli_1" }, basic("cli_1", SECRET))).ok).toBe(true);
    const [first, second] = checks;
    expect(first).toMatchObject({
      client_id: "cli_1",
      method: "client_secret_basic",
      address: "192.0.2.1",
    });
    expect(second).toEqual({ ...first, method: "client_secret_post" });
    expect(first!.secret_hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    ["none", null, {}, "invalid_client"],
    ["another scheme", `Bearer ${btoa("cli_1:x")}`, {}, "invalid_client"],
    ["unreadable base64", "Basic !!!", {}, "invalid_client"],
    ["no colon", `Basic ${btoa("cli_1")}`, {}, "invalid_client"],
    ["a very long secret", basic("cli_1", "x".repeat(10_000)), {}, "invalid_client"],
    ["an id without secret", null, { client_id: "cli_1" }, "invalid_client"],
    ["Basic and a secret", basic("cli_1", SECRET), { client_secret: SECRET }, "invalid_request"],
    ["Basic and an assertion", basic("cli_1", SECRET), { client_assertion: "x" }, "invalid_request"],
    ["a secret and an assertion", null, { client_secret: "x", client_assertion: "x" }, "invalid_request"],
    ["two clients", basic("cli_1", SECRET), { client_id: "cli_2" }, "invalid_request"],
    ["an assertion without its type", null, { client_assertion: "x" }, "invalid_request"],
    ["another type", null, { client_assertion: "x", client_assertion_type: "saml" }, "invalid_request"],
  ])("refuses %s", async (_what, auth, form, error) => {
    const { authenticate, checks } = setUp();
    expect(await authenticate(form as Record<string, string>, auth)).toMatchObject(refused(error));
    expect(checks).toEqual([]);
  });

  it.each([
    [{ outcome: "refused" }, { error: "invalid_client" }],
    [{ outcome: "disabled" }, { error: "invalid_client" }],
    [{ outcome: "other_method", registered: "client_secret_post" }, { error: "invalid_client" }],
    [
      { outcome: "locked", wait_seconds: 6 },
      { error: "slow_down", retryAfterSeconds: 6 },
    ],
    [
      { outcome: "busy", wait_seconds: 1 },
      { error: "slow_down", retryAfterSeconds: 1 },
    ],
  ])("is refused where the register says %j", async (outcome, error) => {
    const { authenticate } = setUp({ authenticateSecret: async () => ok(outcome as never) });
    expect(await authenticate({}, basic("cli_1", "x"))).toMatchObject({ ok: false, error });
  });

  it("is not refused but postponed where the register is down", async () => {
    const { authenticate } = setUp({ authenticateSecret: async () => err(problem("unavailable", "down")) });
    expect(await authenticate({}, basic("cli_1", "x"))).toMatchObject(refused("temporarily_unavailable"));
  });
});

const claims = {
  iss: "cli_1",
  sub: "cli_1",
  aud: ISSUER,
  jti: "a",
  exp: NOW + 60,
  iat: NOW,
};
const header = { alg: "ES256", kid: "k1" };

async function assertion(over: object = {}, head: Part = header, by = key): Promise<Record<string, string>> {
  return {
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await signToken(by, head, { ...claims, ...over }),
  };
}

describe("private_key_jwt", () => {
  it.each<[string, object, Part?]>([
    ["the issuer", {}],
    ["the token endpoint", { aud: `${ISSUER}/oauth/token` }],
    ["the endpoint that is called", { aud: [`${ISSUER}/oauth/revoke`] }],
    ["exp within the tolerance", { exp: NOW - 29 }],
    ["the longest life", { exp: NOW + 330 }],
    ["its own type", {}, { ...header, typ: "client-authentication+jwt" }],
    ["the usual type", {}, { ...header, typ: "JWT" }],
    ["nbf and no iat", { nbf: NOW, iat: undefined }],
  ])("is accepted: %s", async (_what, over, head) => {
    const { authenticate } = setUp();
    expect(await authenticate(await assertion(over, head))).toMatchObject({
      ok: true,
      value: { id: "cli_1" },
    });
  });

  it("takes the algorithms that it lists, and no other", async () => {
    const { authenticate } = setUp();
    expect((await authenticate(await assertion({}, { alg: "RS256", kid: "k2" }, rsa))).ok).toBe(true);
    for (const alg of ["none", "HS256", "RS384", "RS512"]) {
      const form = await assertion({}, { ...header, alg });
      expect(await authenticate(form), alg).toMatchObject(refused("invalid_client"));
    }
  });

  it.each<[string, object, Part?]>([
    ["another audience", { aud: "https://other.example.com" }],
    ["two audiences", { aud: [ISSUER, "https://other.example.com"] }],
    ["no audience", { aud: undefined }],
    ["exp past the tolerance", { exp: NOW - 30 }],
    ["too long a life", { exp: NOW + 331 }],
    ["no exp", { exp: undefined }],
    ["exp as text", { exp: String(NOW + 60) }],
    ["no jti", { jti: undefined }],
    ["an empty jti", { jti: "" }],
    ["a very long jti", { jti: "x".repeat(256) }],
    ["a number as jti", { jti: 1 }],
    ["another iss", { iss: "cli_2" }],
    ["another sub", { sub: "cli_2" }],
    ["iat ahead", { iat: NOW + 31 }],
    ["nbf ahead", { nbf: NOW + 31 }],
    ["the type of an access token", {}, { ...header, typ: "at+jwt" }],
    ["the type of a proof", {}, { ...header, typ: "dpop+jwt" }],
    ["a key of its own", {}, { ...header, jwk: stranger.jwk }],
    ["an extension", {}, { ...header, crit: ["b64"], b64: false }],
    ["an unknown key", {}, { ...header, kid: "k9" }],
  ])("is refused: %s", async (_what, over, head) => {
    const { authenticate } = setUp();
    expect(await authenticate(await assertion(over, head))).toMatchObject(refused("invalid_client"));
  });

  it("is refused where another key signed it, which counts as a failure", async () => {
    const { authenticate, failed } = setUp();
    expect(await authenticate(await assertion({}, header, stranger))).toMatchObject(
      refused("invalid_client"),
    );
    expect(failed).toEqual(["cli_1"]);
  });

  it("is used once", async () => {
    const { authenticate } = setUp();
    const form = await assertion();
    expect((await authenticate(form)).ok).toBe(true);
    expect(await authenticate(form)).toMatchObject(refused("invalid_client"));
    expect((await authenticate(await assertion({ jti: "b" }))).ok).toBe(true);
  });

  it("names the client that client_id names, where that is sent", async () => {
    const { authenticate } = setUp();
    const form = await assertion();
    expect((await authenticate({ ...form, client_id: "cli_1" })).ok).toBe(true);
    expect(await authenticate({ ...form, client_id: "cli_2" })).toMatchObject(refused("invalid_request"));
  });

  it("is not refused but postponed where the client's keys cannot be fetched", async () => {
    const client = { id: "cli_1", grant_types: [], scopes: [], roles: [], jwks_uri: "https://c.example.com" };
    const { authenticate, failed } = setUp({
      clientForAssertion: async () => ok({ outcome: "accepted", client, at: NOW }),
    });
    expect(await authenticate(await assertion())).toMatchObject(refused("temporarily_unavailable"));
    expect(failed).toEqual([]);
  });
});
