import { createHash, createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BROWSER_CLIENT_ID, startIdentityProvider } from "../../src/local/identity-provider.ts";
import type { LoopbackServer } from "../../src/local/loopback-server.ts";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { TOKEN_EXCHANGE } from "../../src/local/set-up.ts";
import { securityEventUri } from "../../src/protocol/security-event.ts";
import { GLOBAL_REVOCATION_PATH } from "../../src/signals/global-revocation.ts";
import { ask, review } from "../support/access.ts";
import { Browser, send } from "../support/browser.ts";
import { bodyOf, type Client, clientToken, type Endpoint } from "../support/deployment.ts";
import { proofOf } from "../support/proof-factory.ts";
import { freeIssuer } from "../support/runtime.ts";
import { signed } from "../support/signed-decision.ts";
import { SLACK } from "../support/slack-double.ts";
import { type Stand, standUp } from "../support/stand.ts";
import type { testPolicy } from "../support/test-policy.ts";
import { newKey, signToken, type TestKey } from "../support/token-factory.ts";

const CIBA = "urn:openid:params:grant-type:ciba";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const ASSERTION_TYPE = { client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" };

/**
 * Every kind of credential at every place that takes one (RFC 8725 §3.12). A new kind is a line in KINDS, a new
 * place one in PLACES: each pair of them is tried, and passes only where the place names the kind.
 */
const KINDS: Record<string, () => string | Promise<string>> = {
  "access token for the origin": () => clientToken(gate().issuer, client, ORIGIN_AUDIENCE),
  "access token for the control plane": () => clientToken(gate().issuer, client),
  "bound access token": () => boundToken(ORIGIN_AUDIENCE),
  "bound access token for the control plane": () => boundToken(gate().issuer),
  "identity provider's token": () => identityToken("at+jwt"),
  "identity provider's id token": () => identityToken("JWT"),
  "assertion for the origin": () => assertion,
  "client secret": () => client.secret,
  "client id": () => client.id,
  "DPoP proof": () => proof({ url: `${gate().issuer}/things/1`, accessToken: held }),
  "DPoP proof for the token endpoint": () => proof({ url: `${gate().issuer}/oauth/token`, method: "POST" }),
  "webhook signature": () => decision().headers["webhook-signature"]!,
  "webhook secret": () => endpoint.secret,
  "client assertion": () => clientAssertion(),
  "refresh token": () => refreshToken(),
  "approval link": () => link,
  auth_req_id: () => authReqId,
  "session cookie": () => browser.cookie(gate().issuer, SESSION)!,
  "session cookie of another host": () => browser.cookie(elsewhereOf(gate().issuer), SESSION)!,
  "session's CSRF token": () => csrfToken,
  "hand-over code": () => handOverCode(),
  "logout token": () => logoutToken(),
  "security event token": () => securityEventToken(),
  "transmitter's JWT": () => transmitterJwt(),
  "security event token of ours": () => ownEventToken,
  "Slack signature": () => click().signature,
};

type Kind = keyof typeof KINDS;
type Place = { takes: Kind[]; send(credential: string): Promise<number> };

/** A bound token passes with a proof of its key only, which these do not come with. */
const OURS_OR_IDENTITY: Kind[] = [
  "access token for the origin",
  "access token for the control plane",
  "identity provider's token",
];

const PLACES: Record<string, Place> = {
  "Authorization: Bearer at the gate": {
    takes: ["access token for the origin", "identity provider's token"],
    send: (credential) => status("/things/1", { authorization: `Bearer ${credential}` }),
  },
  "Authorization: DPoP at the gate, with a proof for what is sent": {
    takes: ["bound access token"],
    send: async (credential) => {
      const dpop = await proof({ url: `${gate().issuer}/things/1`, accessToken: credential });
      return status("/things/1", { authorization: `DPoP ${credential}`, dpop });
    },
  },
  "DPoP at the gate": {
    takes: ["DPoP proof"],
    send: (credential) => status("/things/1", { authorization: `DPoP ${held}`, dpop: credential }),
  },
  "a cookie at the gate": {
    takes: ["access token for the origin", "identity provider's token"],
    send: (credential) => status("/places/1", { cookie: `__Host-token=${credential}` }),
  },
  "a header at the gate": {
    takes: ["access token for the origin", "identity provider's token"],
    send: (credential) => status("/places/1", { "x-access-token": credential }),
  },
  "the session's cookie at the gate": {
    takes: ["session cookie"],
    send: (credential) => status("/signed-in/1", { cookie: `${SESSION}=${credential}` }),
  },
  "the session's cookie at another host": {
    takes: ["session cookie of another host"],
    send: async (credential) => {
      const url = `${elsewhereOf(gate().issuer)}/hosted/1`;
      return (await send(url, "GET", { cookie: `${SESSION}=${credential}` })).status;
    },
  },
  "X-CSRF-Token of a session": {
    takes: ["session's CSRF token"],
    send: async (credential) => {
      const headers = { cookie: browser.cookies(gate().issuer), "x-csrf-token": credential };
      const sent = { ...headers, "sec-fetch-site": "same-origin" };
      return (await send(`${gate().issuer}/signed-in/1`, "POST", sent)).status;
    },
  },
  "the code of a hand-over": {
    takes: ["hand-over code"],
    send: async (code) => {
      const url = `${elsewhereOf(gate().issuer)}/.portcullis/session?${new URLSearchParams({ code })}`;
      const answer = await send(url, "GET", { cookie: `${HAND_OVER}=${"v".repeat(43)}` });
      return answer.headers.getSetCookie().some((line) => line.startsWith(`${SESSION}=psc_`)) ? 200 : 400;
    },
  },
  "logout_token of a provider": {
    takes: ["logout token"],
    send: async (logout_token) =>
      (await gate().call("/v1/signals/backchannel-logout", { form: { logout_token } })).status,
  },
  "a security event that is pushed": {
    takes: ["security event token"],
    send: async (body) => {
      const headers = { "content-type": "application/secevent+jwt" };
      return (await fetch(`${gate().issuer}/v1/signals/events`, { method: "POST", headers, body })).status;
    },
  },
  "Authorization of a global token revocation": {
    takes: ["transmitter's JWT"],
    send: async (credential) => {
      const headers = { "content-type": "application/json", authorization: `Bearer ${credential}` };
      const body = JSON.stringify({ sub_id: BOB });
      return (await fetch(`${gate().issuer}${GLOBAL_REVOCATION_PATH}`, { method: "POST", headers, body }))
        .status;
    },
  },
  "a public route": {
    takes: ["access token for the origin", "identity provider's token"],
    send: (credential) => status("/public/1", { authorization: `Bearer ${credential}` }),
  },
  "Authorization: Bearer at the control plane": {
    takes: ["access token for the control plane"],
    send: (credential) => status("/v1/access-requests", { authorization: `Bearer ${credential}` }),
  },
  "Authorization: DPoP at the control plane, with a proof for what is sent": {
    takes: ["bound access token for the control plane"],
    send: async (credential) => {
      const dpop = await proof({ url: `${gate().issuer}/v1/access-requests`, accessToken: credential });
      return status("/v1/access-requests", { authorization: `DPoP ${credential}`, dpop });
    },
  },
  "HTTP Basic at the token endpoint": {
    takes: ["client secret"],
    send: (secret) =>
      tokenStatus({ grant_type: "client_credentials" }, { id: client.id, secret }, elsewhere()),
  },
  "client_secret at the token endpoint": {
    takes: ["client secret"],
    send: (secret) =>
      tokenStatus(
        { grant_type: "client_credentials", client_id: client.id, client_secret: secret },
        undefined,
        elsewhere(),
      ),
  },
  "DPoP at the token endpoint": {
    takes: ["DPoP proof for the token endpoint"],
    send: (dpop) => tokenStatus({ grant_type: "client_credentials" }, client, { dpop }),
  },
  "subject_token at the token endpoint": {
    takes: ["identity provider's token"],
    send: async (credential) => (await gate().exchange(exchanger, credential)).status,
  },
  "subject_token of the client that got it": {
    takes: OURS_OR_IDENTITY,
    send: async (credential) => (await gate().exchange(client, credential)).status,
  },
  "actor_token at the token endpoint": {
    takes: OURS_OR_IDENTITY,
    send: async (credential) => {
      const actor = { actor_token: credential, actor_token_type: ACCESS_TOKEN };
      return (await gate().exchange(client, await identityToken("at+jwt"), actor)).status;
    },
  },
  "client_assertion at the token endpoint": {
    takes: ["client assertion"],
    send: (client_assertion) =>
      tokenStatus({ grant_type: "client_credentials", ...ASSERTION_TYPE, client_assertion }),
  },
  "refresh_token at the token endpoint": {
    takes: ["refresh token"],
    send: (refresh_token) => tokenStatus({ grant_type: "refresh_token", refresh_token }, client),
  },
  "auth_req_id at the token endpoint": {
    takes: ["auth_req_id"],
    send: (auth_req_id) => tokenStatus({ grant_type: CIBA, auth_req_id }, client),
  },
  "login_hint_token of the backchannel": {
    takes: OURS_OR_IDENTITY,
    send: async (login_hint_token) => {
      const form = { login_hint_token, scope: "orders:read" };
      return (await gate().call("/oauth/bc-authorize", { client, form })).status;
    },
  },
  "token at introspection": {
    takes: [
      ...["access token for the origin", "access token for the control plane"],
      ...["bound access token", "bound access token for the control plane", "refresh token"],
    ],
    send: async (token) => {
      const answer = await gate().call("/oauth/introspect", { client, form: { token } });
      return bodyOf<{ active: boolean }>(answer, 200).active ? 200 : 400;
    },
  },
  "an approval link": {
    takes: ["approval link"],
    send: (credential) => status(`/v1/links/${encodeURIComponent(credential)}`, {}),
  },
  "X-Slack-Signature of a click": {
    takes: ["Slack signature"],
    send: async (signature) => {
      const { timestamp, body } = click();
      const response = await fetch(`${gate().issuer}/v1/hooks/slack`, {
        method: "POST",
        headers: { "x-slack-request-timestamp": timestamp, "x-slack-signature": signature },
        body,
      });
      await response.body?.cancel();
      return response.status;
    },
  },
  "webhook-signature of a decision": {
    takes: ["webhook signature"],
    send: async (credential) => {
      const { headers, body } = decision();
      const answer = await gate().postText("/v1/hooks/decisions", body, {
        ...headers,
        "webhook-signature": credential,
      });
      return answer.status;
    },
  },
};

const SESSION = "__Host-portcullis-session";
const HAND_OVER = "__Host-portcullis-hand-over";

let stand: Stand;
let stateDir: string;
let provider: LoopbackServer;
const browser = new Browser("alice");
let csrfToken: string;
let client: Client;
let exchanger: Client;
let endpoint: Endpoint;
let idp: TestKey;
let key: TestKey;
let pending: string;
let assertion: string;
/** A verification, signed by the key of our access tokens. */
let ownEventToken: string;
let link: string;
let authReqId: string;
let slackEndpoint: string;
/** The id of a client that authenticates by `key`. */
let keyed: string;
/** A bound token whose proofs are tried. */
let held: string;
const IDP = "https://cross-kind.example.com";
const BOB = { format: "iss_sub", iss: IDP, sub: "bob" };
const signedAt = Math.floor(Date.now() / 1000);
const gate = () => stand.gate;

beforeAll(async () => {
  [idp, key] = await Promise.all([newKey("ES256", "idp-1"), newKey("ES256", "sender")]);
  const trusted = {
    id: "cross-kind",
    issuer: IDP,
    jwks: { keys: [idp.jwk] },
    algorithms: ["ES256"],
    audience: "portcullis",
    token_types: ["at+jwt"],
    claims: { roles: "roles" },
    sign_in: { client_id: "portcullis" },
  };
  const open = { origin: "demo", access: {} };
  const credential = [
    { from: "cookie", name: "__Host-token" },
    { from: "header", name: "x-access-token" },
  ];
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-cross-kind-"));
  const issuer = await freeIssuer();
  provider = await startIdentityProvider({
    port: 0,
    keyFile: join(stateDir, "idp.jwk.json"),
    gate: { issuer },
  });
  const signedIn = (from: object) => ({ ...open, credential: [{ from: "session", ...from }] });
  const change = (policy: ReturnType<typeof testPolicy>) => ({
    ...policy,
    issuers: [
      ...policy.issuers.map((each) => ({ ...each, sign_in: { client_id: BROWSER_CLIENT_ID } })),
      trusted,
    ],
    routes: [
      ...policy.routes,
      { ...open, id: "things", path: "/things/**" },
      { ...open, id: "places", path: "/places/**", credential },
      { ...signedIn({ csrf: "token" }), id: "signed-in", path: "/signed-in/**" },
      { ...signedIn({}), id: "hosted", host: "localhost", path: "/hosted/**" },
    ],
    delegation: [
      {
        id: "any",
        actors: { roles: ["developer"] },
        for: { roles: ["developer"] },
        scopes: ["requests:read"],
      },
    ],
    sessions: { idle_seconds: 600, absolute_seconds: 3600 },
    signals: {
      transmitters: [
        {
          ...{ id: "cross-kind", issuer: IDP, jwks: { keys: [idp.jwk] }, algorithms: ["ES256"] },
          ...{ audience: "portcullis", subjects_of: "cross-kind", global_token_revocation: true },
        },
      ],
    },
  });
  stand = await standUp(change, provider.url, undefined, issuer);
  const choose = "/session/sign-in?provider=demo&return_to=/session";
  expect((await browser.open(`${issuer}${choose}`)).status).toBe(200);
  expect((await browser.open(`${elsewhereOf(issuer)}/hosted/1`)).status).toBe(200);
  csrfToken = JSON.parse((await browser.script(`${issuer}/session`)).text).csrf_token;
  client = await gate().newClient({
    grant_types: ["client_credentials", TOKEN_EXCHANGE, "refresh_token", CIBA],
    scopes: ["requests:read", "requests:create"],
    roles: ["developer"],
  });
  keyed = await newKeyedClient();
  exchanger = await gate().newExchangeClient(["requests:read"]);
  const reviews_as = { roles: ["approver"], subjects: ["bob"] };
  endpoint = await gate().newEndpoint({ url: stand.origin.url, reviews_as });
  const slack = { signing_secret: SLACK.signing_secret, approvers: { UBOB: { subject: "bob" } } };
  slackEndpoint = (await gate().newEndpoint({ url: stand.origin.url, slack })).id;
  pending = (await ask(gate(), stand.requester.token)).id;
  link = await linkFor(pending);
  authReqId = await approvedByBackchannel();
  ownEventToken = await eventTokenOfOurs();
  held = await boundToken(ORIGIN_AUDIENCE);
  await status("/things/1", {
    authorization: `Bearer ${await clientToken(gate().issuer, client, ORIGIN_AUDIENCE)}`,
  });
  const sent = stand.origin.received.at(-1)!.headers;
  assertion = sent.find(([name]) => name.toLowerCase() === "x-portcullis-assertion")![1];
});

afterAll(async () => {
  await stand?.stop();
  await provider?.close();
  await rm(stateDir, { recursive: true });
});

/** The same Worker under another host's name. */
function elsewhereOf(issuer: string): string {
  return issuer.replace("127.0.0.1", "localhost");
}

/** For whoever has the verifier of 43 v. */
async function handOverCode(): Promise<string> {
  const challenge = createHash("sha256").update("v".repeat(43)).digest("base64url");
  const return_to = `${elsewhereOf(gate().issuer)}/hosted/1`;
  const query = new URLSearchParams({ return_to, challenge });
  const answer = await browser.step(`${gate().issuer}/session/sign-in?${query}`);
  return new URL(answer.headers.get("location")!).searchParams.get("code")!;
}

/** Of somebody else than who is signed in. */
function logoutToken(): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
  const claims = {
    iss: IDP,
    aud: "portcullis",
    sub: "bob",
    iat: now,
    exp: now + 60,
    jti: crypto.randomUUID(),
    events,
  };
  return signToken(idp, { alg: "ES256", typ: "logout+jwt", kid: "idp-1" }, claims);
}

/** Of somebody else too, by the same key and for the same audience. */
function securityEventToken(): Promise<string> {
  const events = { [securityEventUri("session-revoked")]: {} };
  const claims = { iss: IDP, aud: "portcullis", sub_id: BOB, jti: crypto.randomUUID(), events };
  const iat = Math.floor(Date.now() / 1000);
  return signToken(idp, { alg: "ES256", typ: "secevent+jwt", kid: "idp-1" }, { ...claims, iat });
}

async function eventTokenOfOurs(): Promise<string> {
  const { token } = await gate().newPerson([], ["ssf:manage"]);
  const base = "/v1/signals/streams";
  const made = await gate().call(base, { token, json: {} });
  const { stream_id } = bodyOf<{ stream_id: string }>(made, 201);
  await gate().call(`${base}/verification`, { token, json: { stream_id } });
  const polled = await gate().call(`${base}/${stream_id}/poll`, { token, json: {} });
  const [set = ""] = Object.values(bodyOf<{ sets: Record<string, string> }>(polled, 200).sets);
  return set;
}

function transmitterJwt(): Promise<string> {
  const iat = Math.floor(Date.now() / 1000);
  const aud = `${gate().issuer}${GLOBAL_REVOCATION_PATH}`;
  const claims = { iss: IDP, sub: "portcullis", aud, jti: crypto.randomUUID(), iat, exp: iat + 60 };
  return signToken(idp, { alg: "ES256", typ: "JWT", kid: "idp-1" }, claims);
}

async function status(path: string, headers: Record<string, string>): Promise<number> {
  return (await gate().call(path, { headers })).status;
}

/** An address of its own for each wrong secret: ten from one would lock it out. */
const elsewhere = () => ({ "cf-connecting-ip": `192.0.2.${++addresses}` });
let addresses = 0;

async function tokenStatus(form: Record<string, string>, as?: Client, headers = {}): Promise<number> {
  return (await gate().call("/oauth/token", { form, headers, ...(as ? { client: as } : {}) })).status;
}

function proof(of: { url: string; method?: string; accessToken?: string }): Promise<string> {
  return proofOf(key, { nowSeconds: Math.floor(Date.now() / 1000), ...of });
}

async function boundToken(audience: string): Promise<string> {
  const dpop = await proof({ url: `${gate().issuer}/oauth/token`, method: "POST" });
  const form = { grant_type: "client_credentials", audience };
  const answer = await gate().call("/oauth/token", { client, form, headers: { dpop } });
  return bodyOf<{ access_token: string }>(answer, 200).access_token;
}

async function newKeyedClient(): Promise<string> {
  const jwks = { keys: [{ ...key.jwk, alg: "ES256" }] };
  const json = { name: "keyed", auth_method: "private_key_jwt", jwks };
  return bodyOf<{ id: string }>(await gate().asOperator("/v1/clients", { json }), 201).id;
}

function clientAssertion(): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: keyed, sub: keyed, aud: gate().issuer, jti: crypto.randomUUID(), iat: now };
  return signToken(key, { alg: "ES256", typ: "JWT", kid: key.kid }, { ...claims, exp: now + 60 });
}

async function refreshToken(): Promise<string> {
  const answer = await gate().exchange(client, await identityToken("at+jwt"));
  return bodyOf<{ refresh_token: string }>(answer, 200).refresh_token;
}

async function linkFor(id: string): Promise<string> {
  const { token } = await gate().newPerson([], ["links:create"]);
  const json = { approver: "bob", roles: ["approver"] };
  const made = await gate().call(`/v1/access-requests/${id}/links`, { token, json });
  const { url } = bodyOf<{ url: string }>(made, 201);
  return url.slice(url.lastIndexOf("/") + 1);
}

async function approvedByBackchannel(): Promise<string> {
  const form = { login_hint_token: await clientToken(gate().issuer, client), scope: "orders:read" };
  const asked = await gate().call("/oauth/bc-authorize", { client, form });
  const { auth_req_id } = bodyOf<{ auth_req_id: string }>(asked, 200);
  await review(gate(), stand.approver.token, auth_req_id);
  return auth_req_id;
}

function identityToken(typ: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: IDP,
    sub: "alice",
    aud: "portcullis",
    iat: now,
    exp: now + 300,
    roles: ["developer"],
  };
  return signToken(idp, { alg: "ES256", typ, kid: "idp-1" }, claims);
}

/** A click that decides nothing, as Slack signs it. */
function click() {
  const actions = [{ action_id: "open", value: slackEndpoint }];
  const payload = { type: "block_actions", user: { id: "UBOB" }, actions };
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
  const timestamp = String(signedAt);
  const mac = createHmac("sha256", SLACK.signing_secret).update(`v0:${timestamp}:${body}`);
  return { signature: `v0=${mac.digest("hex")}`, timestamp, body };
}

/** The same message each time: a repeat of it changes nothing. */
function decision() {
  const data = { access_request_id: pending, approver: "bob", outcome: "approve" };
  const body = JSON.stringify({ type: "access_request.review", data });
  return { headers: signed(endpoint.secret, "msg_cross_kind", signedAt, body), body };
}

describe("every kind of credential", () => {
  it.each(Object.entries(PLACES))("passes only where it belongs: %s", async (_name, { takes, send }) => {
    const passed: string[] = [];
    const faults: string[] = [];
    for (const [kind, make] of Object.entries(KINDS)) {
      const answered = await send(await make());
      if (answered < 300) passed.push(kind);
      if (answered >= 500) faults.push(`${kind}: ${answered}`);
    }
    expect(passed).toEqual(Object.keys(KINDS).filter((kind) => takes.includes(kind)));
    expect(takes.filter((kind) => !Object.hasOwn(KINDS, kind))).toEqual([]);
    expect(faults).toEqual([]);
  });
});
