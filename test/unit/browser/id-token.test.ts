import { beforeAll, describe, expect, it } from "vitest";
import { verifyIdToken } from "../../../src/browser/id-token.ts";
import { verifyLogoutToken } from "../../../src/browser/logout-token.ts";
import { policySchema, type TrustedIssuer } from "../../../src/policy/document.ts";
import { RemoteKeys } from "../../../src/tokens/remote-keys.ts";
import { newKey, signToken, type TestKey } from "../../support/token-factory.ts";

const NOW = 1_800_000_000;
const ISSUER = "https://idp.example.com";
const CLIENT = "gate";
const EVENT = "http://schemas.openid.net/event/backchannel-logout";

let key: TestKey;
let strange: TestKey;
let rsa: TestKey;
let issuer: TrustedIssuer;
const keys = new RemoteKeys({
  fetch: () => Promise.reject(new Error("offline")),
  clock: () => NOW * 1000,
  log: () => {},
});

beforeAll(async () => {
  [key, strange, rsa] = await Promise.all([newKey("ES256", "k"), newKey("ES256", "k"), newKey("RS256", "r")]);
  const trusted = {
    id: "idp",
    issuer: ISSUER,
    jwks: { keys: [key.jwk, rsa.jwk] },
    algorithms: ["ES256"],
    audience: "urn:api",
    claims: { roles: "groups" },
    sign_in: { client_id: CLIENT },
  };
  issuer = policySchema.parse({ issuers: [trusted] }).issuers[0]!;
});

type Changes = Record<string, unknown>;
type Signing = { header?: Changes; by?: TestKey };

function sign(claims: Changes, typ: string | undefined, { header = {}, by = key }: Signing = {}) {
  const present = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
  const head = { alg: by.alg, kid: by.kid, ...(typ === undefined ? {} : { typ }), ...header };
  return signToken(by, head, present);
}

const times = { iat: NOW - 1, exp: NOW + 60 };

describe("an ID token", () => {
  const claims = {
    iss: ISSUER,
    aud: CLIENT,
    sub: "alice",
    nonce: "n",
    sid: "s-1",
    groups: ["dev"],
    ...times,
  };
  const verify = async (changes: Changes = {}, typ: string | undefined = "JWT", signing: Signing = {}) => {
    const text = await sign({ ...claims, ...changes }, typ, signing);
    const verified = await verifyIdToken(text, { issuer, clientId: CLIENT, nonce: "n" }, keys, NOW);
    return verified.ok ? verified.value : verified.error.code;
  };

  it("says who signed in, in which session there, with which roles", async () => {
    expect(await verify()).toMatchObject({
      facts: { iss: ISSUER, sub: "alice", subject: "idp|alice", session: "s-1", iat: NOW - 1 },
      roles: ["dev"],
    });
  });

  it("says how and when its person signed in, where it does", async () => {
    const changes = { acr: "mfa", auth_time: NOW - 30 };
    expect(await verify(changes)).toMatchObject({ signIn: changes });
    expect(await verify()).not.toHaveProperty("signIn");
  });

  it.each<[string, Changes, string?]>([
    ["without a type", {}, ""],
    ["for us and others, from us", { aud: [CLIENT, "other"], azp: CLIENT }],
    ["a few seconds past its end", { exp: NOW - 10 }],
  ])("is taken %s", async (_what, changes, typ) => {
    expect(await verify(changes, typ === "" ? undefined : typ)).toMatchObject({ issuerId: "idp" });
  });

  it.each<[string, Changes, string?, Signing?]>([
    ["of another issuer", { iss: "https://other.example.com" }],
    ["for another client", { aud: "other" }],
    ["for the audience of access tokens", { aud: "urn:api" }],
    ["for us and others, from nobody", { aud: [CLIENT, "other"] }],
    ["from another client", { azp: "other" }],
    ["of another sign-in", { nonce: "m" }],
    ["without a nonce", { nonce: undefined }],
    ["without whom", { sub: undefined }],
    ["that is over", { exp: NOW - 31 }],
    ["from the future", { iat: NOW + 61 }],
    ["that is an access token", {}, "at+jwt"],
    ["that is a logout token", {}, "logout+jwt"],
    ["by an algorithm that the policy does not name", {}, "JWT", { header: { alg: "RS256", kid: "r" } }],
    ["without a signature", {}, "JWT", { header: { alg: "none" } }],
    ["by an unknown key", {}, "JWT", { header: { kid: "x" } }],
    ["with a key of its own", {}, "JWT", { header: { jwk: {} } }],
  ])("is refused %s", async (_what, changes, typ, signing) => {
    expect(await verify(changes, typ, signing)).toBe("invalid_token");
  });

  it("is refused where another key signed it, also a good one of the same issuer", async () => {
    expect(await verify({}, "JWT", { by: strange })).toBe("invalid_token");
    expect(await verify({}, "JWT", { by: rsa })).toBe("invalid_token");
  });

  it("cannot be told good or bad where the provider's keys cannot be fetched", async () => {
    const remote = { ...issuer, jwks: undefined, jwks_uri: `${ISSUER}/jwks` } as TrustedIssuer;
    const text = await sign(claims, "JWT");
    const verified = await verifyIdToken(text, { issuer: remote, clientId: CLIENT, nonce: "n" }, keys, NOW);
    expect(verified).toMatchObject({ error: { code: "issuer_keys_unavailable" } });
  });
});

describe("a logout token", () => {
  const claims = {
    iss: ISSUER,
    aud: CLIENT,
    sub: "alice",
    sid: "s-1",
    jti: "j",
    events: { [EVENT]: {} },
    ...times,
  };
  const verify = async (changes: Changes = {}, typ = "logout+jwt", signing: Signing = {}) => {
    const text = await sign({ ...claims, ...changes }, typ, signing);
    const verified = await verifyLogoutToken(text, [issuer], keys, NOW);
    return verified.ok ? verified.value : verified.error.code;
  };

  it.each<[string, Changes, Changes]>([
    ["a person's session", {}, { sub: "alice", sid: "s-1" }],
    ["a session", { sub: undefined }, { sid: "s-1" }],
    ["a person", { sid: undefined }, { sub: "alice" }],
    ["a person, among other audiences", { sid: undefined, aud: ["other", CLIENT] }, { sub: "alice" }],
    ["a person, without an end", { sid: undefined, exp: undefined }, { sub: "alice" }],
  ])("names %s", async (_what, changes, named) => {
    const { provider, ...logout } = (await verify(changes)) as Changes & { provider: TrustedIssuer };
    expect(provider.id).toBe("idp");
    expect(logout).toEqual({ jti: "j", iat: NOW - 1, ...named });
  });

  it.each<[string, Changes, string?, Signing?]>([
    ["of another type", {}, "JWT"],
    ["that is an access token", {}, "at+jwt"],
    ["of an issuer that is not trusted", { iss: "https://other.example.com" }],
    ["for another client", { aud: "other" }],
    ["for nobody", { aud: undefined }],
    ["with a nonce", { nonce: "n" }],
    ["with a nonce of null", { nonce: null }],
    ["without events", { events: undefined }],
    ["with the event as text", { events: EVENT }],
    ["with the event in a list", { events: [EVENT] }],
    ["with an event of null", { events: { [EVENT]: null } }],
    ["with another event", { events: { "https://example.com/event": {} } }],
    ["without whom", { sub: undefined, sid: undefined }],
    ["with a sub that is a number", { sub: 1 }],
    ["with a sid that is empty", { sid: "" }],
    ["without a jti", { jti: undefined }],
    ["with a jti that is a list", { jti: ["j"] }],
    ["without its time", { iat: undefined }],
    ["with its time as text", { iat: String(NOW) }],
    ["from five minutes ago", { iat: NOW - 301 }],
    ["from the future", { iat: NOW + 61 }],
    ["that is over", { exp: NOW - 60 }],
    [
      "by an algorithm that the policy does not name",
      {},
      "logout+jwt",
      { header: { alg: "RS256", kid: "r" } },
    ],
    ["without a signature", {}, "logout+jwt", { header: { alg: "none" } }],
  ])("is refused %s", async (_what, changes, typ, signing) => {
    expect(await verify(changes, typ, signing)).toBe("invalid_token");
  });

  it("is refused where another key signed it, and from a provider where nobody signs in", async () => {
    expect(await verify({}, "logout+jwt", { by: strange })).toBe("invalid_token");
    const { sign_in: _none, ...other } = issuer;
    const text = await sign(claims, "logout+jwt");
    expect(await verifyLogoutToken(text, [other], keys, NOW)).toMatchObject({
      error: { code: "invalid_token" },
    });
  });
});
