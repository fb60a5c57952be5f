import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair } from "jose";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { ask, collect, read, review, type ShownRequest } from "../support/access.ts";
import { bodyOf, type Client, clientToken, type Receipt } from "../support/deployment.ts";
import { type PeopleStand, standUpWithPeople } from "../support/people-stand.ts";

const CIBA = "urn:openid:params:grant-type:ciba";
const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const SCOPES = ["requests:create", "requests:read", "machine:use"];
const CC = { grant_type: "client_credentials" };

let stand: PeopleStand;
/** Acts for itself, exchanges and asks by the backchannel. */
let machine: Client;
/** May act for `machine`. */
let actor: Client;

beforeAll(async () => {
  stand = await standUpWithPeople((policy) => ({
    ...policy,
    routes: [
      ...policy.routes,
      { id: "machine", path: "/machine", origin: "demo", access: { scopes: ["machine:use"] } },
    ],
    delegation: [
      { id: "a", actors: { roles: ["actor"] }, for: { roles: ["developer"] }, scopes: ["machine:use"] },
    ],
  }));
  const grant_types = ["client_credentials", TOKEN_EXCHANGE, CIBA];
  machine = await stand.gate.newClient({ grant_types, scopes: SCOPES, roles: ["developer"] });
  actor = await stand.gate.newClient({ grant_types, scopes: SCOPES, roles: ["actor"] });
});

afterAll(() => stand?.stop());

/** openid-client, unmodified: it reads our metadata and finds every endpoint there. */
function discover(id: string, authentication: openid.ClientAuth): Promise<openid.Configuration> {
  return openid.discovery(new URL(stand.gate.issuer), id, undefined, authentication, {
    algorithm: "oauth2",
    execute: [openid.allowInsecureRequests],
  });
}

/** What the client library was refused with. */
const fail = async (work: Promise<unknown>): Promise<{ error?: string; status?: number }> =>
  work.then(
    () => ({}),
    ({ error, status }) => ({ error, status }),
  );

async function keyPair(): Promise<{ privateKey: CryptoKey; jwks: object }> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  return { privateKey, jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256" }] } };
}

describe("openid-client", () => {
  it("gets a client's token by each way to authenticate, and no other way than the registered one", async () => {
    const { gate } = stand;
    for (const authentication of [
      openid.ClientSecretBasic(machine.secret),
      openid.ClientSecretPost(machine.secret),
    ]) {
      const config = await discover(machine.id, authentication);
      const tokens = await openid.clientCredentialsGrant(config, { scope: "machine:use" });
      expect(tokens).toMatchObject({ token_type: "bearer", scope: "machine:use", expires_in: 300 });
      expect(decodeProtectedHeader(tokens.access_token)).toMatchObject({ typ: "at+jwt" });
    }
    const pinned = await gate.newClient({ scopes: ["machine:use"], auth_method: "client_secret_post" });
    const post = await discover(pinned.id, openid.ClientSecretPost(pinned.secret));
    expect((await openid.clientCredentialsGrant(post)).scope).toBe("machine:use");
    const basic = await discover(pinned.id, openid.ClientSecretBasic(pinned.secret));
    expect((await fail(openid.clientCredentialsGrant(basic))).status).toBe(401);
  });

  it("authenticates by private_key_jwt, with keys that can be changed", async () => {
    const { gate } = stand;
    const [first, second] = await Promise.all([keyPair(), keyPair()]);
    const members = { scopes: ["machine:use"], auth_method: "private_key_jwt", jwks: first.jwks };
    const created = await gate.asOperator("/v1/clients", { json: { name: "keyed", ...members } });
    const { id, ...shown } = bodyOf<{ id: string }>(created, 201);
    expect(shown).not.toHaveProperty("client_secret");
    const withKey = (key: CryptoKey) => discover(id, openid.PrivateKeyJwt({ key, kid: "k1" }));
    const [one, two] = await Promise.all([withKey(first.privateKey), withKey(second.privateKey)]);
    expect((await openid.clientCredentialsGrant(one)).scope).toBe("machine:use");
    expect((await fail(openid.clientCredentialsGrant(two))).status).toBe(401);
    const json = { jwks: second.jwks };
    bodyOf(await gate.asOperator(`/v1/clients/${id}`, { method: "PATCH", json }), 200);
    expect((await openid.clientCredentialsGrant(two)).scope).toBe("machine:use");
    expect((await fail(openid.clientCredentialsGrant(one))).status).toBe(401);
  });

  it("exchanges: narrower, for an origin, and with an actor", async () => {
    const { gate, origin } = stand;
    const config = await discover(machine.id, openid.ClientSecretBasic(machine.secret));
    const subject_token = await clientToken(gate.issuer, machine);
    const subject = { subject_token, subject_token_type: ACCESS_TOKEN };
    const narrowed = await openid.genericGrantRequest(config, TOKEN_EXCHANGE, {
      ...subject,
      scope: "machine:use",
      audience: ORIGIN_AUDIENCE,
    });
    expect(narrowed).toMatchObject({ scope: "machine:use", issued_token_type: ACCESS_TOKEN });
    const before = decodeJwt(subject_token);
    const after = decodeJwt(narrowed.access_token);
    expect(after).toMatchObject({ sub: machine.id, aud: ORIGIN_AUDIENCE, client_id: machine.id });
    expect(after.exp!).toBeLessThanOrEqual(before.exp!);
    const wider = { subject_token: narrowed.access_token, subject_token_type: ACCESS_TOKEN };
    for (const [more, error] of [
      [{ scope: "requests:read" }, "invalid_scope"],
      [{ audience: gate.issuer }, "invalid_target"],
    ] as const) {
      const work = openid.genericGrantRequest(config, TOKEN_EXCHANGE, { ...wider, ...more });
      expect((await fail(work)).error).toBe(error);
    }

    const acting = await discover(actor.id, openid.ClientSecretBasic(actor.secret));
    const actor_token = await clientToken(gate.issuer, actor);
    const delegated = await openid.genericGrantRequest(acting, TOKEN_EXCHANGE, {
      ...subject,
      ...{ actor_token, actor_token_type: ACCESS_TOKEN, audience: ORIGIN_AUDIENCE },
    });
    expect(decodeJwt(delegated.access_token)).toMatchObject({
      sub: machine.id,
      client_id: actor.id,
      scope: "machine:use",
      act: { sub: actor.id },
    });
    const through = await gate.call("/machine", { token: delegated.access_token });
    expect(through.status).toBe(200);
    const headers = new Headers(origin.received.at(-1)!.headers);
    expect(decodeJwt(headers.get("x-portcullis-assertion")!)).toMatchObject({
      sub: machine.id,
      act: { sub: actor.id },
    });
    // Without an actor it is not this client's token, and nobody delegates the other way round.
    const stolen = openid.genericGrantRequest(acting, TOKEN_EXCHANGE, subject);
    expect((await fail(stolen)).error).toBe("invalid_request");
    const reversed = openid.genericGrantRequest(config, TOKEN_EXCHANGE, {
      ...{ subject_token: actor_token, subject_token_type: ACCESS_TOKEN },
      ...{ actor_token: subject_token, actor_token_type: ACCESS_TOKEN },
    });
    expect((await fail(reversed)).error).toBe("invalid_request");
  });

  it("asks an approver by the backchannel and polls until the token is there", {
    timeout: 60_000,
  }, async () => {
    const { gate, approver } = stand;
    const config = await discover(machine.id, openid.ClientSecretBasic(machine.secret));
    const ask = async (more: Record<string, string> = {}) =>
      openid.initiateBackchannelAuthentication(config, {
        scope: "orders:read",
        login_hint_token: await clientToken(gate.issuer, machine),
        authorization_details: JSON.stringify([{ type: "portcullis_resource", identifier: "orders" }]),
        binding_message: "W4SCT",
        ...more,
      });
    const [asked, denied] = await Promise.all([ask(), ask({ requested_expiry: "600" })]);
    expect(asked).toMatchObject({ auth_req_id: expect.stringMatching(/^req_/), interval: 5 });
    expect(denied.expires_in).toBeLessThanOrEqual(600);
    const waiting = openid.pollBackchannelAuthenticationGrant(config, asked);
    await sleep(6_000);
    bodyOf(await review(gate, approver.token, asked.auth_req_id), 201);
    bodyOf(await review(gate, approver.token, denied.auth_req_id, { outcome: "deny" }), 201);
    const [tokens, refusal] = await Promise.all([
      waiting,
      fail(openid.pollBackchannelAuthenticationGrant(config, denied)),
    ]);
    expect(refusal.error).toBe("access_denied");
    expect(tokens).toMatchObject({
      scope: "orders:read",
      authorization_details: [{ type: "portcullis_resource", identifier: "orders" }],
    });
    expect(tokens.access_token.length).toBeLessThanOrEqual(1_024);
    expect((await gate.call("/orders", { token: tokens.access_token })).status).toBe(200);
  });
});

describe("oauth4webapi", () => {
  it("gets tokens with all of its checks, and a replayed assertion gets none", async () => {
    const { gate } = stand;
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(gate.issuer);
    const discovered = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
    const as = await oauth.processDiscoveryResponse(issuer, discovered);
    const { privateKey, jwks } = await keyPair();
    const members = { name: "keyed", scopes: ["machine:use"], auth_method: "private_key_jwt", jwks };
    const { id } = bodyOf<{ id: string }>(await gate.asOperator("/v1/clients", { json: members }), 201);
    let sent = "";
    const get = async (by: oauth.ClientAuth, client_id: string) => {
      const client = { client_id };
      const response = await oauth.clientCredentialsGrantRequest(as, client, by, new URLSearchParams(), {
        ...insecure,
        [oauth.customFetch]: (url, options) => {
          sent = String(options.body);
          return fetch(url, options as RequestInit);
        },
      });
      return oauth.processClientCredentialsResponse(as, client, response);
    };
    expect((await get(oauth.ClientSecretBasic(machine.secret), machine.id)).token_type).toBe("bearer");
    expect((await get(oauth.ClientSecretPost(machine.secret), machine.id)).token_type).toBe("bearer");
    expect((await get(oauth.PrivateKeyJwt({ key: privateKey, kid: "k1" }), id)).scope).toBe("machine:use");
    const form = Object.fromEntries(new URLSearchParams(sent));
    const replays = await Promise.all(Array.from({ length: 5 }, () => gate.call("/oauth/token", { form })));
    for (const answer of replays) {
      expect(answer).toMatchObject({ status: 401, body: { error: "invalid_client" } });
    }
  });
});

describe("a backchannel request", () => {
  const poll = (by: Client, auth_req_id: string) =>
    stand.gate.call("/oauth/token", { client: by, form: { grant_type: CIBA, auth_req_id } });

  it("is the client's that made it, and polled no faster than it was told, also after an eviction", async () => {
    const { gate, runtime } = stand;
    const login_hint_token = await clientToken(gate.issuer, machine);
    const ask = (form: Record<string, string>) =>
      gate.call("/oauth/bc-authorize", { client: machine, form: { login_hint_token, ...form } });
    const opened = await ask({ scope: "payouts:read" });
    const { auth_req_id } = bodyOf<{ auth_req_id: string }>(opened, 200);
    expect(opened.headers.get("cache-control")).toBe("no-store");
    expect(await poll(actor, auth_req_id)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
    const pending = { status: 400, body: { error: "authorization_pending" } };
    expect(await poll(machine, auth_req_id)).toMatchObject(pending);
    await runtime.kill();
    expect(await poll(machine, auth_req_id)).toMatchObject({ status: 400, body: { error: "slow_down" } });
    expect(await ask({ scope: "keys:rotate" })).toMatchObject({ status: 400 });
    const orders = JSON.stringify([{ type: "portcullis_resource", identifier: "peers" }]);
    expect(await ask({ scope: "peers:read", authorization_details: orders })).toMatchObject({
      status: 403,
      body: { error: "access_denied" },
    });
  });

  it("for somebody else names the client as the one who acts, to approvers and in its tokens", async () => {
    const { gate, approver } = stand;
    const login_hint_token = await stand.people.token("ann", {
      scope: "requests:create",
      roles: ["developer"],
    });
    const form = { login_hint_token, scope: "payouts:read" };
    const opened = await gate.call("/oauth/bc-authorize", { client: machine, form });
    const { auth_req_id } = bodyOf<{ auth_req_id: string }>(opened, 200);
    const shown = { requester: "people|ann", client_id: machine.id, actors: [machine.id] };
    expect(await read(gate, auth_req_id)).toMatchObject(shown);
    bodyOf(await review(gate, approver.token, auth_req_id), 201);
    const { access_token } = bodyOf<{ access_token: string }>(await poll(machine, auth_req_id), 200);
    expect(decodeJwt(access_token)).toMatchObject({ sub: "people|ann", act: { sub: machine.id } });
    expect((await gate.call("/payouts", { token: access_token })).status).toBe(200);
  });

  it("is over when it says", async () => {
    const login_hint_token = await clientToken(stand.gate.issuer, machine);
    const form = { login_hint_token, scope: "payouts:read", requested_expiry: "1" };
    const opened = await stand.gate.call("/oauth/bc-authorize", { client: machine, form });
    const { auth_req_id } = bodyOf<{ auth_req_id: string }>(opened, 200);
    await sleep(1_500);
    expect(await poll(machine, auth_req_id)).toMatchObject({ body: { error: "expired_token" } });
  });
});

describe("who acts for somebody (`act`)", () => {
  const CONTROL = ["requests:create", "requests:read", "requests:review"];
  const grant_types = ["client_credentials", TOKEN_EXCHANGE];
  let boss: Client;
  let agent: Client;
  let acting: string;

  beforeAll(async () => {
    const { gate } = stand;
    boss = await gate.newClient({ grant_types, scopes: [...CONTROL, "links:create"], roles: ["developer"] });
    agent = await gate.newClient({ grant_types, scopes: [...CONTROL, "links:create"], roles: ["developer"] });
    const policy = bodyOf<{ document: { access_rules: object[]; delegation: object[] } }>(
      await gate.asOperator("/v1/policy"),
      200,
    ).document;
    const named = { subjects: [boss.id, agent.id] };
    const rule = { id: "acted", resource: "acted", origin: "demo", scopes: ["acted:read"] };
    const acts = { id: "b", actors: { subjects: [agent.id] }, for: { subjects: [boss.id] } };
    await gate.putPolicy({
      ...policy,
      access_rules: [
        ...policy.access_rules,
        {
          ...rule,
          requesters: named,
          stages: [{ ...named, roles: ["approver"] }],
          max_duration_seconds: 3600,
        },
      ],
      delegation: [...policy.delegation, { ...acts, scopes: [...CONTROL, "links:create"] }],
    });
    const form = {
      ...{ grant_type: TOKEN_EXCHANGE, subject_token_type: ACCESS_TOKEN, actor_token_type: ACCESS_TOKEN },
      subject_token: await clientToken(gate.issuer, boss),
      actor_token: await clientToken(gate.issuer, agent),
      audience: gate.issuer,
    };
    const exchanged = await gate.call("/oauth/token", { client: agent, form });
    acting = bodyOf<{ access_token: string }>(exchanged, 200).access_token;
    expect(decodeJwt(acting)).toMatchObject({ sub: boss.id, act: { sub: agent.id } });
  });

  it("reviews neither an own request nor that of the other, whoever asked; others review as ever", async () => {
    const { gate } = stand;
    const wish = { resource: "acted", scope: "acted:read" };
    const own = {
      boss: await clientToken(gate.issuer, boss),
      agent: await clientToken(gate.issuer, agent),
    };
    const asked = [
      await ask(gate, own.boss, wish),
      await ask(gate, acting, wish),
      await ask(gate, own.agent, wish),
    ];
    for (const { id } of asked) {
      expect(await review(gate, acting, id)).toMatchObject({ status: 403, body: { code: "forbidden" } });
      // Nor by a link that is made with such a token, and sent to whom it may.
      const json = { approver: boss.id, roles: [] };
      const link = await gate.call(`/v1/access-requests/${id}/links`, { token: acting, json });
      expect(link.status).toBe(403);
    }
    const together = asked[1]!;
    for (const token of [own.boss, own.agent]) {
      expect(await review(gate, token, together.id)).toMatchObject({ status: 403 });
    }
    expect(await read(gate, together.id)).toMatchObject({ actors: [agent.id], state: "pending" });
    // Alone, each of them may review what the other asked for alone; and somebody else all of it.
    expect((await review(gate, own.boss, asked[2]!.id)).status).toBe(201);
    for (const { id } of asked.slice(0, 2)) {
      const shown = bodyOf<ShownRequest>(await review(gate, stand.approver.token, id), 201);
      expect(shown.state).toBe("approved");
    }
  });

  it("is in the token that it collects", async () => {
    const { gate, approver } = stand;
    const { id } = await ask(gate, acting, { resource: "acted", scope: "acted:read" });
    bodyOf(await review(gate, approver.token, id), 201);
    const collected = async (token: string) => decodeJwt(await collect(gate, token, id));
    expect(await collected(acting)).toMatchObject({ sub: boss.id, act: { sub: agent.id } });
    expect(await collected(await clientToken(gate.issuer, boss))).not.toHaveProperty("act");
  });
});

describe("the endpoints", () => {
  it("take POST, a form and nothing twice, and no answer of theirs is kept", async () => {
    const { gate } = stand;
    for (const path of ["token", "bc-authorize", "introspect", "revoke"].map((each) => `/oauth/${each}`)) {
      const get = await gate.call(path);
      expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
      const type = { "content-type": "application/x-www-form-urlencoded" };
      for (const [text, headers] of [
        ["{}", { "content-type": "application/json" }],
        ["scope=a&scope=b", type],
        [`scope=${"x".repeat(33 * 1024)}`, type],
      ] as const) {
        const answer = await gate.postText(path, text, headers);
        expect(answer).toMatchObject({ status: 400, body: { error: "invalid_request" } });
        expect(answer.headers.get("cache-control")).toBe("no-store");
        expect(answer.headers.get("pragma")).toBe("no-cache");
      }
      const nobody = await gate.postText(path, "", type);
      expect(nobody).toMatchObject({ status: 401, body: { error: "invalid_client" } });
      expect(nobody.headers.get("www-authenticate")).toMatch(/^Basic /);
    }
  });

  it("are listed as they work", async () => {
    const { gate } = stand;
    const server = bodyOf<Record<string, string[]>>(
      await gate.call("/.well-known/oauth-authorization-server"),
      200,
    );
    for (const grant_type of server.grant_types_supported!) {
      const answer = await gate.call("/oauth/token", { client: machine, form: { grant_type } });
      expect(answer.body, grant_type).not.toMatchObject({ error: "unsupported_grant_type" });
    }
    const other = await gate.call("/oauth/token", { client: machine, form: { grant_type: "password" } });
    expect(other.body).toMatchObject({ error: "unsupported_grant_type" });
    const resource = bodyOf(await gate.call("/.well-known/oauth-protected-resource"), 200);
    expect(resource).toMatchObject({ resource: gate.issuer, authorization_servers: [gate.issuer] });
  });

  it("look at no more guesses from one address than ten, and then not at the right secret either", async () => {
    const { gate } = stand;
    const victim = await gate.newClient({ scopes: [] });
    const guess = { ...victim, secret: "x".repeat(43) };
    const guesses = await Promise.all(
      Array.from({ length: 20 }, () => gate.call("/oauth/token", { client: guess, form: CC })),
    );
    const statuses = guesses.map(({ status }) => status);
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(12);
    const locked = await gate.call("/oauth/token", { client: victim, form: CC });
    expect(locked).toMatchObject({ status: 429, body: { error: "slow_down" } });
    const seconds = Number(locked.headers.get("retry-after"));
    expect(seconds).toBeGreaterThan(0);
    await sleep(seconds * 1000);
    expect((await gate.call("/oauth/token", { client: victim, form: CC })).status).toBe(200);
  });
});

describe("a client", () => {
  const statusAt = async (token: string) => (await stand.gate.call("/machine", { token })).status;

  async function untilRefused(token: string, receipt: Receipt): Promise<void> {
    for (;;) {
      const sentAt = Date.now() / 1000;
      if ((await statusAt(token)) === 401) return;
      expect(sentAt).toBeLessThanOrEqual(receipt.effective_by.bounded);
      await sleep(50);
    }
  }

  it("that is disabled gets no token, and those that it has die within the bound", {
    timeout: 30_000,
  }, async () => {
    const { gate } = stand;
    const members = { scopes: ["machine:use"] };
    const client = await gate.newClient(members);
    const token = await clientToken(gate.issuer, client, ORIGIN_AUDIENCE);
    expect(await statusAt(token)).toBe(200);
    const path = `/v1/clients/${client.id}`;
    const patch = (json: object, headers: Record<string, string> = {}) =>
      gate.asOperator(path, { method: "PATCH", json, headers });
    expect((await patch({ disabled: true }, { "if-match": '"9"' })).status).toBe(412);
    const { receipt } = bodyOf<{ receipt: Receipt }>(await patch({ disabled: true }), 200);
    expect(await gate.call("/oauth/token", { client, form: CC })).toMatchObject({ status: 401 });
    await untilRefused(token, receipt);
    const enabled = await patch({ disabled: false });
    expect(bodyOf(enabled, 200)).toMatchObject({ disabled: false });
    expect(enabled.headers.get("etag")).toBe('"3"');
    const fresh = await clientToken(gate.issuer, client, ORIGIN_AUDIENCE);
    while ((await statusAt(fresh)) !== 200) await sleep(50);
    expect(await statusAt(token)).toBe(401);
    expect(await patch({ secret_hashes: [] })).toMatchObject({ status: 400 });
  });

  /** Guesses are counted by slots that clients share: one in 64 shares that of the client which was guessed at above. */
  async function unlockedClient() {
    for (;;) {
      const client = await stand.gate.newClient({ scopes: ["machine:use"] });
      const wrong = { id: client.id, secret: "x".repeat(43) };
      const { status } = await stand.gate.call("/oauth/token", { client: wrong, form: CC });
      if (status === 401) return client;
    }
  }

  it("whose secret is compromised loses it and what was got with it, at once", async () => {
    const { gate } = stand;
    const client = await unlockedClient();
    const token = await clientToken(gate.issuer, client, ORIGIN_AUDIENCE);
    const path = `/v1/clients/${client.id}/rotate-secret`;
    const usual = bodyOf<{ client_secret: string }>(await gate.asOperator(path, { method: "POST" }), 200);
    const form = { form: CC };
    expect((await gate.call("/oauth/token", { client, ...form })).status).toBe(200);
    const rotated = await gate.asOperator(path, { json: { compromised: true } });
    const { client_secret, receipt } = bodyOf<{ client_secret: string; receipt: Receipt }>(rotated, 200);
    for (const secret of [client.secret, usual.client_secret]) {
      const answer = await gate.call("/oauth/token", { client: { id: client.id, secret }, ...form });
      expect(answer.status).toBe(401);
    }
    await untilRefused(token, receipt);
    const renewed = { id: client.id, secret: client_secret };
    const fresh = await clientToken(gate.issuer, renewed, ORIGIN_AUDIENCE);
    expect(await statusAt(fresh)).toBe(200);
    expect(await gate.asOperator(path, { json: { force: true } })).toMatchObject({ status: 400 });
  });
});
