import { beforeEach, describe, expect, it } from "vitest";
import { type Provider, Providers } from "../../../src/browser/provider.ts";
import type { SignIn } from "../../../src/browser/sign-in.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { base64url, sha256Bytes, utf8 } from "../../../src/protocol/encoding.ts";

const NOW = 1_800_000_000;
const IDP = "https://idp.example.com";
const GATE = "https://auth.example.com";
const provider = policySchema.parse({
  issuers: [
    {
      id: "idp",
      issuer: IDP,
      jwks_uri: `${IDP}/jwks`,
      algorithms: ["ES256"],
      audience: "a",
      sign_in: { client_id: "gate", client_secret_ref: "SIGN_IN_SECRET_IDP", scopes: ["openid", "groups"] },
    },
  ],
}).issuers[0] as Provider;
const signIn: SignIn = {
  provider: "idp",
  state: "s".repeat(43),
  nonce: "n".repeat(43),
  code_verifier: "v".repeat(43),
  return_to: `${GATE}/`,
  expires_at: NOW + 600,
};

let metadata: Record<string, unknown>;
let tokenAnswer: () => Response;
let asked: { url: string; init: RequestInit }[];
let nowMs: number;

beforeEach(() => {
  metadata = {
    issuer: IDP,
    authorization_endpoint: `${IDP}/auth?tenant=1`,
    token_endpoint: `${IDP}/token`,
    end_session_endpoint: `${IDP}/end`,
    authorization_response_iss_parameter_supported: true,
    id_token_signing_alg_values_supported: ["ES256"],
  };
  tokenAnswer = () => Response.json({ access_token: "a", token_type: "Bearer", id_token: idToken() });
  asked = [];
  nowMs = NOW * 1000;
});

/** Its signature is looked at elsewhere, by the policy's keys. */
function idToken(changes: object = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: IDP,
    aud: "gate",
    sub: "alice",
    nonce: signIn.nonce,
    iat: now,
    exp: now + 60,
    ...changes,
  };
  const part = (value: object) => base64url(utf8(JSON.stringify(value)));
  return `${part({ alg: "ES256" })}.${part(claims)}.${base64url(new Uint8Array(64))}`;
}

function providersWith(over: object = {}): Providers {
  return new Providers({
    issuer: GATE,
    local: false,
    clock: () => nowMs,
    log: () => {},
    secrets: new Map([["SIGN_IN_SECRET_IDP", "the secret"]]),
    fetch: async (url, init) => {
      asked.push({ url, init });
      return url.startsWith(`${IDP}/.well-known/`) ? Response.json(metadata) : tokenAnswer();
    },
    ...over,
  });
}

const answer = (changes: Record<string, string> = {}) =>
  new URLSearchParams({ code: "c", state: signIn.state, iss: IDP, ...changes });
const codeOf = async (changes: Record<string, string> = {}, over: object = {}) => {
  const token = await providersWith(over).idToken(provider, signIn, answer(changes));
  return token.ok ? "ok" : token.error.code;
};
const sentForCode = () => asked.filter(({ url }) => url === `${IDP}/token`);

describe("the way to a provider", () => {
  it("has a state, a nonce, a challenge and a callback of the provider's own", async () => {
    const url = await providersWith().authorizationUrl(provider, signIn);
    const to = new URL(url.ok ? url.value : "about:blank");
    expect(to.origin + to.pathname).toBe(`${IDP}/auth`);
    expect(Object.fromEntries(to.searchParams)).toEqual({
      tenant: "1",
      client_id: "gate",
      redirect_uri: `${GATE}/session/callback/idp`,
      response_type: "code",
      scope: "openid groups",
      state: signIn.state,
      nonce: signIn.nonce,
      code_challenge: base64url(await sha256Bytes(utf8(signIn.code_verifier))),
      code_challenge_method: "S256",
    });
  });

  it.each([
    ["it names another issuer", { issuer: "https://other.example.com" }],
    ["it names no authorization endpoint", { authorization_endpoint: undefined }],
    ["its authorization endpoint is not https", { authorization_endpoint: "http://idp.example.com/auth" }],
    ["its authorization endpoint is a script", { authorization_endpoint: "javascript:alert(1)" }],
  ])("is none where %s", async (_what, change) => {
    Object.assign(metadata, change);
    expect(await providersWith().authorizationUrl(provider, signIn)).toMatchObject({
      error: { code: "unavailable" },
    });
  });

  it("is known for ten minutes, and asked for again after a failure", async () => {
    let down = true;
    const providers = providersWith({
      fetch: async (url: string, init: RequestInit) => {
        asked.push({ url, init });
        return down ? new Response("no", { status: 500 }) : Response.json(metadata);
      },
    });
    expect((await providers.authorizationUrl(provider, signIn)).ok).toBe(false);
    down = false;
    for (const [passedMs, times] of [
      [0, 2],
      [599_000, 2],
      [1_000, 3],
    ] as const) {
      nowMs += passedMs;
      expect((await providers.authorizationUrl(provider, signIn)).ok).toBe(true);
      expect(asked).toHaveLength(times);
    }
    expect(asked[0]?.init.redirect).toBe("manual");
  });
});

describe("the answer of a provider", () => {
  it("is worth an ID token, for our client's secret, the verifier and the same callback", async () => {
    expect(await codeOf()).toBe("ok");
    const [{ init }] = sentForCode() as [(typeof asked)[0]];
    expect(new Headers(init.headers).get("authorization")).toBe(`Basic ${btoa("gate:the+secret")}`);
    expect(Object.fromEntries(new URLSearchParams(String(init.body)))).toMatchObject({
      grant_type: "authorization_code",
      code: "c",
      code_verifier: signIn.code_verifier,
      redirect_uri: `${GATE}/session/callback/idp`,
    });
  });

  it.each<[string, Record<string, string>, string]>([
    ["of another provider", { iss: "https://other.example.com" }, "invalid_request"],
    ["of another sign-in", { state: "t".repeat(43) }, "invalid_request"],
    ["that is an error", { error: "access_denied" }, "forbidden"],
  ])("%s never brings the code to a token endpoint", async (_what, changes, code) => {
    expect(await codeOf(changes)).toBe(code);
    expect(sentForCode()).toEqual([]);
  });

  it("without its issuer is refused where the provider says that it names itself, and else is not", async () => {
    const query = answer();
    query.delete("iss");
    const providers = () => providersWith().idToken(provider, signIn, query);
    expect(await providers()).toMatchObject({ error: { code: "invalid_request" } });
    expect(sentForCode()).toEqual([]);
    metadata.authorization_response_iss_parameter_supported = undefined;
    expect((await providers()).ok).toBe(true);
  });

  it.each<[string, () => Response, string]>([
    ["refuses the code", () => Response.json({ error: "invalid_grant" }, { status: 400 }), "invalid_request"],
    [
      "gives no ID token",
      () => Response.json({ access_token: "a", token_type: "Bearer" }),
      "invalid_request",
    ],
    ["gives one of another nonce", () => tokens({ nonce: "other" }), "invalid_request"],
    ["gives one for another client", () => tokens({ aud: "other" }), "invalid_request"],
    ["redirects", () => new Response(null, { status: 302, headers: { location: IDP } }), "invalid_request"],
    ["answers without end", () => new Response("x".repeat(70_000)), "unavailable"],
  ])("is worth nothing where the token endpoint %s", async (_what, response, code) => {
    tokenAnswer = response;
    expect(await codeOf()).toBe(code);
  });

  it("is not brought anywhere where the deployment has lost the client's secret", async () => {
    expect(await codeOf({}, { secrets: new Map() })).toBe("unavailable");
    expect(sentForCode()).toEqual([]);
  });
});

const tokens = (changes: object) =>
  Response.json({ access_token: "a", token_type: "Bearer", id_token: idToken(changes) });

describe("signing out at a provider", () => {
  it("leads there with our client and back to us, where the provider has it", async () => {
    const url = await providersWith().endSessionUrl(provider);
    const query = new URLSearchParams({
      client_id: "gate",
      post_logout_redirect_uri: `${GATE}/session/signed-out`,
    });
    expect(url).toBe(`${IDP}/end?${query}`);
    metadata.end_session_endpoint = undefined;
    expect(await providersWith().endSessionUrl(provider)).toBeUndefined();
    metadata.end_session_endpoint = "http://idp.example.com/end";
    expect(await providersWith().endSessionUrl(provider)).toBeUndefined();
  });
});
