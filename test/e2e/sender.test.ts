import { generateKeyPair, generateProof } from "dpop";
import { calculateJwkThumbprint, decodeJwt, exportJWK } from "jose";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { TOKEN_EXCHANGE } from "../../src/local/set-up.ts";
import { ask, review } from "../support/access.ts";
import { bodyOf, type Client } from "../support/deployment.ts";
import { peopleIssuer } from "../support/people-issuer.ts";
import { bodyText, sendRaw } from "../support/raw-request.ts";
import { type Stand, standUp } from "../support/stand.ts";

type KeyPair = oauth.CryptoKeyPair;

const SENDER_ROUTES = [
  { id: "bound", path: "/bound/**", dpop: { mode: "required" }, consistency: { tier: "strict" } },
  { id: "off", path: "/off/**", dpop: { mode: "off" } },
  { id: "exact", path: "/exact/**", dpop: { single_use: "exact" } },
  { id: "nonce", path: "/nonce/**", dpop: { mode: "required", nonce: true } },
  { id: "certified", path: "/certified/**", mtls: "required" },
  {
    id: "places",
    path: "/places/**",
    credential: [
      { from: "authorization" },
      { from: "cookie", name: "__Host-token" },
      { from: "header", name: "x-access-token" },
    ],
  },
];
const CIBA = "urn:openid:params:grant-type:ciba";
const INSECURE = { [oauth.allowInsecureRequests]: true };

let stand: Stand;
let people: Awaited<ReturnType<typeof peopleIssuer>>;
let client: Client;
let as: oauth.AuthorizationServer;
let keys: KeyPair;

const policyWith = (tokenEndpoint: object) => (policy: { routes: object[]; issuers: object[] }) => ({
  ...policy,
  routes: [
    ...policy.routes,
    ...SENDER_ROUTES.map((route) => ({ access: { scopes: ["orders:read"] }, origin: "demo", ...route })),
  ],
  token_endpoint: tokenEndpoint,
  issuers: [...policy.issuers, people.trusted],
  sessions: { idle_seconds: 600, absolute_seconds: 3600 },
});

beforeAll(async () => {
  people = await peopleIssuer();
  stand = await standUp(policyWith({ dpop_nonce: true }));
  const { gate } = stand;
  client = await gate.newClient({
    scopes: ["orders:read", "requests:create", "requests:read"],
    roles: ["developer"],
  });
  const issuer = new URL(gate.issuer);
  const discovered = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...INSECURE });
  as = await oauth.processDiscoveryResponse(issuer, discovered);
  keys = (await generateKeyPair("ES256", { extractable: true })) as KeyPair;
});

afterAll(() => stand?.stop());

const url = (path: string) => `${stand.gate.issuer}${path}`;
const thumbprint = async (pair = keys) => calculateJwkThumbprint(await exportJWK(pair.publicKey));

/** Asks for a token with an unmodified client library: it makes the proofs and repeats the request for a nonce. */
async function boundToken(pair = keys, audience: string | undefined = ORIGIN_AUDIENCE) {
  const subject = { client_id: client.id };
  const DPoP = oauth.DPoP({}, pair);
  const parameters = new URLSearchParams(audience === undefined ? {} : { audience });
  const request = () =>
    oauth.clientCredentialsGrantRequest(as, subject, oauth.ClientSecretPost(client.secret), parameters, {
      DPoP,
      ...INSECURE,
    });
  const process = async () => oauth.processClientCredentialsResponse(as, subject, await request());
  let nonceRetries = 0;
  const answer = await process().catch((fault) => {
    if (!oauth.isDPoPNonceError(fault)) throw fault;
    nonceRetries++;
    return process();
  });
  return { ...answer, nonceRetries };
}

/** One call through the gate with a proof for it, made by the library `dpop`. */
async function callBound(token: string, path: string, pair = keys, method = "GET") {
  const proof = await generateProof(pair, url(path), method, undefined, token);
  return stand.gate.call(path, { method, headers: { authorization: `DPoP ${token}`, dpop: proof } });
}

const atOrigin = (name: string) =>
  stand.origin.received.at(-1)!.headers.find(([header]) => header.toLowerCase() === name)?.[1];

describe("oauth4webapi, unmodified", () => {
  it("finds what is supported in the metadata of both sides (RFC 8414, RFC 9728)", async () => {
    const supported = { tls_client_certificate_bound_access_tokens: true };
    expect(as).toMatchObject({
      ...supported,
      dpop_signing_alg_values_supported: expect.arrayContaining(["ES256"]),
    });
    const resource = new URL(stand.gate.issuer);
    const discovered = await oauth.resourceDiscoveryRequest(resource, INSECURE);
    expect(await oauth.processResourceDiscoveryResponse(resource, discovered)).toMatchObject({
      ...supported,
      authorization_servers: [stand.gate.issuer],
      bearer_methods_supported: ["header"],
      dpop_signing_alg_values_supported: as.dpop_signing_alg_values_supported,
      dpop_bound_access_tokens_required: false,
    });
  });

  it("gets a token that is bound to its key, after it was told of a nonce, and uses it", async () => {
    const { access_token: token, token_type, nonceRetries } = await boundToken();
    expect([token_type, nonceRetries]).toEqual(["dpop", 1]);
    expect(decodeJwt(token)).toMatchObject({ cnf: { jkt: await thumbprint() }, aud: ORIGIN_AUDIENCE });
    const DPoP = oauth.DPoP({}, keys);
    const use = () =>
      oauth.protectedResourceRequest(token, "GET", new URL(url("/nonce/7?page=2")), undefined, undefined, {
        DPoP,
        ...INSECURE,
      });
    const asked = await use().then(
      () => undefined,
      (fault) => fault,
    );
    expect(oauth.isDPoPNonceError(asked)).toBe(true);
    expect((await use()).status).toBe(200);
    expect((await use()).status).toBe(200);
    expect([atOrigin("authorization"), atOrigin("dpop")]).toEqual([undefined, undefined]);
  });
});

describe("openid-client, unmodified", () => {
  it("gets a bound token and uses it, with every nonce on the way", async () => {
    const config = await openid.discovery(new URL(stand.gate.issuer), client.id, client.secret, undefined, {
      algorithm: "oauth2",
      execute: [openid.allowInsecureRequests],
    });
    const DPoP = openid.getDPoPHandle(config, keys);
    const tokens = await openid.clientCredentialsGrant(config, { audience: ORIGIN_AUDIENCE }, { DPoP });
    expect(tokens.token_type).toBe("dpop");
    for (const path of ["/nonce/1", "/bound/1", "/exact/1", "/exact/1"]) {
      const target = new URL(url(path));
      const answer = await openid.fetchProtectedResource(
        config,
        tokens.access_token,
        target,
        "GET",
        undefined,
        undefined,
        { DPoP },
      );
      expect(answer.status, path).toBe(200);
    }
  });
});

describe("a bound token", () => {
  it("is of no use to a thief: as a bearer token, with a proof of another key, with an old proof", async () => {
    const { access_token: token } = await boundToken();
    const thief = (await generateKeyPair("ES256")) as KeyPair;
    for (const path of ["/bound/1", "/exact/1", "/places/1"]) {
      expect((await stand.gate.call(path, { token })).status).toBe(401);
      expect((await callBound(token, path, thief)).status).toBe(401);
      expect((await callBound(token, path)).status).toBe(200);
    }
    const refused = await stand.gate.call("/bound/1", { token });
    expect(refused.headers.get("www-authenticate")).toMatch(/^DPoP .*error="invalid_token".*algs="ES256/);
    expect((await callBound(token, "/off/1")).status).toBe(401);
    const bearer = bodyOf<{ access_token: string }>(
      await stand.gate.call("/oauth/token", {
        client,
        form: { grant_type: "client_credentials", audience: ORIGIN_AUDIENCE },
      }),
      200,
    ).access_token;
    expect((await stand.gate.call("/off/1", { token: bearer })).status).toBe(200);
    expect((await stand.gate.call("/bound/1", { token: bearer })).status).toBe(401);
    expect((await callBound(bearer, "/places/1")).status).toBe(401);
  });

  it("goes with a proof once, also after `kill -9`", async () => {
    const { access_token: token } = await boundToken();
    const dpop = await generateProof(keys, url("/exact/1"), "GET", undefined, token);
    const headers = { authorization: `DPoP ${token}`, dpop };
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => stand.gate.call("/exact/1", { headers })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(401)]);
    await stand.runtime.kill();
    // The policy may be younger than its bound: a new isolate may not have its routes yet.
    await expect.poll(async () => (await callBound(token, "/exact/1")).status, { timeout: 10_000 }).toBe(200);
    expect((await stand.gate.call("/exact/1", { headers })).status).toBe(401);
  });

  it("ends when its key is revoked, together with every other token of the key; a dry run counts them", async () => {
    const [one, two] = [await boundToken(), await boundToken()];
    const stranger = (await generateKeyPair("ES256")) as KeyPair;
    const neighbour = await boundToken(stranger);
    const match = { jkt: await thumbprint() };
    const dry = await stand.gate.asOperator("/v1/revocations?dry_run=true", {
      json: { match, reason: "a test" },
    });
    const { would_cut } = bodyOf<{ would_cut: { tokens: number } }>(dry, 200);
    expect(would_cut.tokens).toBeGreaterThanOrEqual(2);
    for (const { access_token } of [one, two])
      expect((await callBound(access_token, "/bound/1")).status).toBe(200);
    const receipt = await stand.gate.revoke(match);
    for (const { access_token } of [one, two])
      expect((await callBound(access_token, "/bound/1")).status).toBe(401);
    expect((await callBound(neighbour.access_token, "/bound/1", stranger)).status).toBe(200);
    const lifted = await stand.gate.asOperator(`/v1/revocations/${receipt.id}?reason=a+test`, {
      method: "DELETE",
    });
    expect(lifted.status).toBe(200);
    expect((await callBound(one.access_token, "/bound/1")).status).toBe(200);
  });

  it("gets grant tokens that are bound to the same key; a bearer token can bind them by a proof", async () => {
    const { gate, approver } = stand;
    const { access_token: own } = await boundToken(keys, gate.issuer);
    const bearer = bodyOf<{ access_token: string }>(
      await gate.call("/oauth/token", { client, form: { grant_type: "client_credentials" } }),
      200,
    ).access_token;
    const { id } = await ask(gate, bearer);
    await review(gate, approver.token, id);
    const path = `/v1/access-requests/${id}/token`;
    const bound = bodyOf<Record<string, string>>(await callBound(own, path, keys, "POST"), 200);
    expect(bound.token_type).toBe("DPoP");
    expect((await callBound(bound.access_token!, "/orders/1")).status).toBe(200);
    expect((await gate.call("/orders/1", { token: bound.access_token! })).status).toBe(401);
    const dpop = await generateProof(keys, url(path), "POST");
    const proven = await gate.call(path, { method: "POST", token: bearer, headers: { dpop } });
    expect(decodeJwt(bodyOf<Record<string, string>>(proven, 200).access_token!)).toMatchObject({
      cnf: { jkt: await thumbprint() },
    });
    const again = await gate.call(path, { method: "POST", token: bearer, headers: { dpop } });
    expect(again).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    const plain = await gate.call(path, { method: "POST", token: bearer });
    expect(bodyOf<Record<string, string>>(plain, 200).token_type).toBe("Bearer");
  });
});

describe("what is got with a bound token", () => {
  const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
  type Tokens = { access_token: string; refresh_token: string; token_type: string };
  let app: Client;

  beforeAll(async () => {
    app = await stand.gate.newClient({
      grant_types: ["client_credentials", TOKEN_EXCHANGE, "refresh_token"],
      scopes: ["orders:read", "requests:create"],
    });
  });

  /** A token request of `app` with a proof of the key, and the nonce that is asked for, or without one. */
  async function tokens(form: Record<string, string>, pair?: KeyPair, as = app) {
    const nonce = bodyNonce(
      await stand.gate.call("/oauth/token", { client: as, form: CC, headers: await proofBy(keys) }),
    );
    const headers = pair ? await proofBy(pair, nonce) : {};
    return stand.gate.call("/oauth/token", { client: as, form, headers });
  }
  const CC = { grant_type: "client_credentials" };
  const bodyNonce = (answer: { headers: Headers }) => answer.headers.get("dpop-nonce")!;
  const proofBy = async (pair: KeyPair, nonce?: string) => ({
    dpop: await generateProof(pair, url("/oauth/token"), "POST", nonce),
  });
  const introspected = async (token: string) =>
    bodyOf(await stand.gate.call("/oauth/introspect", { client: app, form: { token } }), 200);

  it("is bound to the same key: no exchange makes a bearer token of it", async () => {
    const thief = (await generateKeyPair("ES256")) as KeyPair;
    const form = { ...CC, audience: ORIGIN_AUDIENCE };
    const own = bodyOf<Tokens>(await tokens(form, keys), 200).access_token;
    const exchange = { grant_type: TOKEN_EXCHANGE, subject_token: own, subject_token_type: ACCESS_TOKEN };
    for (const pair of [undefined, thief]) {
      expect(await tokens(exchange, pair)).toMatchObject({ status: 400, body: { error: "invalid_request" } });
    }
    const exchanged = bodyOf<Tokens>(await tokens({ ...exchange, scope: "orders:read" }, keys), 200);
    expect(exchanged.token_type).toBe("DPoP");
    expect(decodeJwt(exchanged.access_token)).toMatchObject({ cnf: { jkt: await thumbprint() } });
    expect((await callBound(exchanged.access_token, "/places/1")).status).toBe(200);
    expect((await stand.gate.call("/places/1", { token: exchanged.access_token })).status).toBe(401);
    expect(await introspected(exchanged.access_token)).toMatchObject({
      active: true,
      token_type: "DPoP",
      cnf: { jkt: await thumbprint() },
    });
  });

  it("is a session that is refreshed with a proof of its key only, and ends with the key", async () => {
    const pair = (await generateKeyPair("ES256", { extractable: true })) as KeyPair;
    const jkt = await thumbprint(pair);
    const subject_token = await people.token("sender", { scope: "orders:read" });
    const exchange = { grant_type: TOKEN_EXCHANGE, subject_token, subject_token_type: ACCESS_TOKEN };
    const opened = bodyOf<Tokens>(await tokens({ ...exchange, audience: ORIGIN_AUDIENCE }, pair), 200);
    expect(await introspected(opened.refresh_token)).toMatchObject({ active: true, cnf: { jkt } });
    const refresh = (refresh_token: string, by?: KeyPair) =>
      tokens({ grant_type: "refresh_token", refresh_token }, by);
    for (const by of [undefined, keys]) {
      expect(await refresh(opened.refresh_token, by)).toMatchObject({
        status: 400,
        body: { error: "invalid_grant" },
      });
    }
    const next = bodyOf<Tokens>(await refresh(opened.refresh_token, pair), 200);
    expect([next.token_type, decodeJwt(next.access_token).cnf]).toEqual(["DPoP", { jkt }]);
    expect((await callBound(next.access_token, "/bound/1", pair)).status).toBe(200);
    expect((await stand.gate.call("/places/1", { token: next.access_token })).status).toBe(401);
    await stand.gate.revoke({ jkt });
    expect(await refresh(next.refresh_token, pair)).toMatchObject({ body: { error: "invalid_grant" } });
    expect((await callBound(next.access_token, "/bound/1", pair)).status).toBe(401);
  });

  it("is bound by a proof at any time, where the session was opened without one", async () => {
    const subject_token = await people.token("upgrader", { scope: "orders:read" });
    const exchange = { grant_type: TOKEN_EXCHANGE, subject_token, subject_token_type: ACCESS_TOKEN };
    const opened = bodyOf<Tokens>(await tokens({ ...exchange, audience: ORIGIN_AUDIENCE }), 200);
    expect(opened.token_type).toBe("Bearer");
    const form = { grant_type: "refresh_token", refresh_token: opened.refresh_token };
    const next = bodyOf<Tokens>(await tokens(form, keys), 200);
    expect(decodeJwt(next.access_token)).toMatchObject({ cnf: { jkt: await thumbprint() } });
    expect((await stand.gate.call("/places/1", { token: next.access_token })).status).toBe(401);
  });

  it("is polled for with a proof, and bound to it (CIBA)", async () => {
    const { gate, approver } = stand;
    const grant_types = ["client_credentials", CIBA];
    const asking = await gate.newClient({
      grant_types,
      scopes: ["requests:create"],
      roles: ["developer"],
    });
    const hint = bodyOf<Tokens>(await tokens(CC, keys, asking), 200).access_token;
    const opened = await gate.call("/oauth/bc-authorize", {
      client: asking,
      form: { login_hint_token: hint, scope: "orders:read" },
    });
    expect(opened).toMatchObject({ status: 400, body: { error: "unknown_user_id" } });
    const plain = bodyOf<Tokens>(await tokens(CC, undefined, asking), 200).access_token;
    const form = { login_hint_token: plain, scope: "orders:read" };
    const { auth_req_id } = bodyOf<{ auth_req_id: string }>(
      await gate.call("/oauth/bc-authorize", { client: asking, form }),
      200,
    );
    await review(gate, approver.token, auth_req_id);
    const polled = bodyOf<Tokens>(await tokens({ grant_type: CIBA, auth_req_id }, keys, asking), 200);
    expect(polled.token_type).toBe("DPoP");
    expect((await callBound(polled.access_token, "/orders/1")).status).toBe(200);
    expect((await gate.call("/orders/1", { token: polled.access_token })).status).toBe(401);
  });
});

describe("a client that is registered for bound tokens", () => {
  it("gets none without a proof, or without its certificate", async () => {
    const { gate } = stand;
    const form = { grant_type: "client_credentials" };
    const proving = await gate.newClient({ dpop_bound_access_tokens: true });
    const refused = await gate.call("/oauth/token", { client: proving, form });
    expect(refused).toMatchObject({ status: 400, body: { error: "invalid_dpop_proof" } });
    const certified = await gate.newClient({ tls_client_certificate_bound_access_tokens: true });
    const spoofed = { "client-cert": ":AAAA:", "x-client-cert-fingerprint": "0".repeat(64) };
    const without = await gate.call("/oauth/token", { client: certified, form, headers: spoofed });
    expect(without).toMatchObject({ status: 400, body: { error: "invalid_request" } });
    expect((await gate.call("/oauth/token", { client, form })).status).toBe(200);
  });

  it("is told what is wrong with a proof, and no token is given", async () => {
    const { gate } = stand;
    const form = { grant_type: "client_credentials" };
    const send = (dpop: string) => gate.call("/oauth/token", { client, form, headers: { dpop } });
    expect(await send("x")).toMatchObject({ status: 400, body: { error: "invalid_dpop_proof" } });
    const asked = await send(await generateProof(keys, url("/oauth/token"), "POST"));
    expect(asked).toMatchObject({ status: 400, body: { error: "use_dpop_nonce" } });
    const nonce = asked.headers.get("dpop-nonce")!;
    const wrong = await generateProof(keys, url("/oauth/introspect"), "POST", nonce);
    expect(await send(wrong)).toMatchObject({ status: 400, body: { error: "invalid_dpop_proof" } });
    const right = await generateProof(keys, url("/oauth/token"), "POST", nonce);
    expect(await send(right)).toMatchObject({ status: 200, body: { token_type: "DPoP" } });
    expect(await send(right)).toMatchObject({ status: 400, body: { error: "invalid_dpop_proof" } });
  });
});

describe("header fields that are sent twice", () => {
  const raw = async (path: string, headers: [string, string][]) => {
    const answer = await sendRaw(stand.gate.issuer, { path, headers });
    await bodyText(answer);
    return answer.statusCode;
  };

  it("are refused, as the runtime joins them: proofs, tokens, cookies", async () => {
    const { access_token: bound } = await boundToken();
    const proof = () => generateProof(keys, url("/bound/1"), "GET", undefined, bound);
    const one: [string, string] = ["DPoP", await proof()];
    const two: [string, string] = ["DPoP", await proof()];
    const authorization: [string, string] = ["Authorization", `DPoP ${bound}`];
    expect(await raw("/bound/1", [authorization, one, two])).toBe(401);
    expect(await raw("/bound/1", [authorization, authorization, one])).toBe(400);
    expect(await raw("/bound/1", [authorization, one])).toBe(200);
    const form = { grant_type: "client_credentials", audience: ORIGIN_AUDIENCE };
    const got = await stand.gate.call("/oauth/token", { client, form });
    const { access_token: token } = bodyOf<{ access_token: string }>(got, 200);
    const cookie: [string, string] = ["Cookie", `__Host-token=${token}`];
    expect(await raw("/places/1", [cookie])).toBe(200);
    expect(await raw("/places/1", [cookie, cookie])).toBe(400);
    expect(await raw("/places/1", [cookie, ["Cookie", "__Host-token=x"]])).toBe(400);
    const header: [string, string] = ["X-Access-Token", token];
    expect(await raw("/places/1", [header])).toBe(200);
    expect(await raw("/places/1", [header, header])).toBe(400);
  });
});

describe("a route that takes tokens from several places", () => {
  it("takes one, in one place, and keeps it from the origin", async () => {
    const { gate } = stand;
    const form = { grant_type: "client_credentials", audience: ORIGIN_AUDIENCE };
    const got = await gate.call("/oauth/token", { client, form });
    const { access_token: token } = bodyOf<{ access_token: string }>(got, 200);
    const send = (headers: Record<string, string>, path = "/places/1") => gate.call(path, { headers });
    const cookie = `theme=dark; __Host-token=${token}`;
    expect((await send({ cookie })).status).toBe(200);
    expect(atOrigin("cookie")).toBe("theme=dark");
    expect((await send({ "x-access-token": token })).status).toBe(200);
    expect(atOrigin("x-access-token")).toBeUndefined();
    expect((await send({ authorization: `Bearer ${token}` })).status).toBe(200);
    expect((await send({ cookie, authorization: `Bearer ${token}` })).status).toBe(400);
    expect((await send({ cookie: `${cookie}; __Host-token=${token}` })).status).toBe(400);
    expect((await send({ cookie: "__Host-token=x" })).status).toBe(401);
    expect((await send({}, `/places/1?access_token=${token}`)).status).toBe(400);
    expect((await send({ cookie }, "/off/1")).status).toBe(401);
    expect(
      (await send({ authorization: `Bearer ${token}`, "cf-connecting-ip": "192.0.2.1" }, "/certified/1"))
        .status,
    ).toBe(401);
    const forged = await gate.call("/places/1", {
      method: "POST",
      headers: { cookie, origin: "https://evil.example", "sec-fetch-site": "cross-site" },
    });
    expect(forged).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect((await gate.call("/places/1", { method: "POST", headers: { cookie } })).status).toBe(200);
  });
});
