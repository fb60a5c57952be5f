import { beforeAll, describe, expect, it } from "vitest";
import { readAccessAssertion } from "../../../src/browser/cloudflare-access.ts";
import type { BrowserDeps } from "../../../src/browser/ports.ts";
import { signIn } from "../../../src/browser/sign-in-start.ts";
import { type PolicyDocument, policySchema } from "../../../src/policy/document.ts";
import { ok } from "../../../src/protocol/result.ts";
import type { SignInCall } from "../../../src/tokens/browser-session-flow.ts";
import { RemoteKeys } from "../../../src/tokens/remote-keys.ts";
import { newKey, signToken, type TestKey } from "../../support/token-factory.ts";

const NOW = 1_800_000_000;
const GATE = "https://auth.example.com";
const TEAM = "https://corp.cloudflareaccess.com";
const AUD = "aud-tag-of-the-console";

let key: TestKey;
let strange: TestKey;
let policy: PolicyDocument;
const keys = new RemoteKeys({
  fetch: () => Promise.reject(new Error("offline")),
  clock: () => NOW * 1000,
  log: () => {},
});

beforeAll(async () => {
  [key, strange] = await Promise.all([newKey("RS256", "k"), newKey("RS256", "k")]);
  const team = {
    ...{ id: "access", issuer: TEAM, jwks: { keys: [key.jwk] }, algorithms: ["RS256"], audience: AUD },
    claims: { roles: "groups" },
    cloudflare_access: { session_scopes: ["requests:review"] },
  };
  const idp = {
    ...{ id: "idp", issuer: "https://idp.example.com", jwks: { keys: [strange.jwk] }, algorithms: ["RS256"] },
    ...{ audience: AUD, sign_in: { client_id: "gate" } },
  };
  const roles = { approver: { scopes: ["requests:review"] } };
  policy = policySchema.parse({ issuers: [idp, team], roles, sessions: {} });
});

type Changes = Record<string, unknown>;

function sign(changes: Changes = {}, header: Changes = {}, by = key): Promise<string> {
  const claims = {
    ...{ iss: TEAM, aud: [AUD], sub: "7335d417-61da", email: "bob@corp.example", type: "app" },
    ...{ groups: ["approver", "unknown"], iat: NOW - 5, nbf: NOW - 5, exp: NOW + 600, ...changes },
  };
  const present = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
  return signToken(by, { alg: "RS256", kid: by.kid, typ: "JWT", ...header }, present);
}

describe("the token of Cloudflare Access", () => {
  const read = async (text: string) => {
    const assertion = await readAccessAssertion(text, policy, keys, NOW);
    return assertion.ok ? assertion.value : assertion.error.code;
  };

  it("says who is there, with the roles that the policy knows", async () => {
    expect(await read(await sign())).toMatchObject({
      ...{ issuer_id: "access", roles: ["approver"] },
      facts: { iss: TEAM, subject: "access|7335d417-61da" },
    });
    expect(await read(await sign({ aud: AUD }))).toMatchObject({ issuer_id: "access" });
  });

  it.each<[string, Changes, Changes?]>([
    ["of another team", { iss: "https://other.cloudflareaccess.com" }],
    ["of a provider that Access is not", { iss: "https://idp.example.com" }],
    ["for another application", { aud: ["other"] }],
    ["without an audience", { aud: undefined }],
    ["of nobody, as a service token's is", { sub: "" }],
    ["that is over", { exp: NOW - 60 }],
    ["without an end", { exp: undefined }],
    ["that is not yet good", { nbf: NOW + 600 }],
    ["of another type", {}, { typ: "at+jwt" }],
    ["by another algorithm", {}, { alg: "PS256" }],
    ["by an unknown key", {}, { kid: "other" }],
  ])("is refused %s", async (_what, changes, header) => {
    expect(await read(await sign(changes, header))).toBe("invalid_token");
  });

  it("is refused with a key of our own making, and where it is no token", async () => {
    expect(await read(await sign({}, {}, strange))).toBe("invalid_token");
    for (const text of ["", "a.b.c", "bob@corp.example"]) expect(await read(text)).toBe("invalid_token");
  });
});

describe("a sign-in behind Cloudflare Access", () => {
  async function begin(headers: Record<string, string>, document = policy) {
    const calls: SignInCall[] = [];
    const deps = {
      ...{ issuer: GATE, local: false, clock: () => NOW * 1000, log: () => {}, keys },
      policy: async () => ok(document),
      newSessionId: () => "ses_1",
      session: () => ({
        signIn: async (call: SignInCall) => {
          calls.push(call);
          return ok({ cookie: "psc_new", expires_at: NOW + 600 });
        },
      }),
      providers: async () => ({ authorizationUrl: async () => ok("https://idp.example.com/auth") }),
      signIns: { seal: async () => "sealed" },
    } as unknown as BrowserDeps;
    const url = `${GATE}/session/sign-in?return_to=/console/inbox`;
    const answer = await signIn(new Request(url, { headers }), deps);
    return {
      status: answer.status,
      to: answer.headers.get("location"),
      cookie: answer.headers.get("set-cookie"),
      calls,
    };
  }

  it("is done at once, for whom the token names", async () => {
    const begun = await begin({ "cf-access-jwt-assertion": await sign() });
    expect(begun).toMatchObject({ status: 303, to: `${GATE}/console/inbox` });
    expect(begun.cookie).toMatch(/^__Host-portcullis-session=psc_new; .*Secure; HttpOnly; SameSite=Lax$/);
    expect(begun.calls).toMatchObject([{ assertion: { issuer_id: "access", roles: ["approver"] } }]);
  });

  it("is refused with a token that is not good, and never goes by the plain header", async () => {
    const forged = await begin({ "cf-access-jwt-assertion": await sign({}, {}, strange) });
    expect(forged).toMatchObject({ status: 401, cookie: null, calls: [] });
    const plain = await begin({ "cf-access-authenticated-user-email": "bob@corp.example" });
    expect(plain).toMatchObject({ status: 303, to: "https://idp.example.com/auth", calls: [] });
  });

  it("means nothing where the policy names no team", async () => {
    const without = { ...policy, issuers: policy.issuers.filter(({ id }) => id === "idp") };
    const begun = await begin({ "cf-access-jwt-assertion": await sign() }, without);
    expect(begun).toMatchObject({ status: 303, to: "https://idp.example.com/auth", calls: [] });
  });
});
