import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { TOKEN_EXCHANGE } from "../../src/local/set-up.ts";
import { bodyOf, type Client, clientToken, type Receipt } from "../support/deployment.ts";
import { type PeopleStand, standUpWithPeople } from "../support/people-stand.ts";
import { Receiver } from "../support/receiver.ts";

const ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token";
const SCOPES = ["things:read", "things:write", "requests:read"];
const THINGS = "/things/1";
const INACTIVE = { status: 200, body: { active: false } };

type Tokens = { access_token: string; refresh_token: string; expires_in: number; scope: string };

let stand: PeopleStand;
let app: Client;
let document: Record<string, unknown> & { roles: Record<string, { scopes: string[] }> };
let persons = 0;
const secrets: string[] = [];

beforeAll(async () => {
  stand = await standUpWithPeople((policy) => {
    const thing = { path: "/things/**", origin: "demo" };
    document = {
      ...policy,
      routes: [
        ...policy.routes,
        { ...thing, id: "things-read", methods: ["GET"], access: { scopes: ["things:read"] } },
        { ...thing, id: "things-write", methods: ["POST"], access: { scopes: ["things:write"] } },
      ],
      roles: { ...policy.roles, editor: { scopes: SCOPES }, reader: { scopes: ["things:read"] } },
      sessions: { idle_seconds: 600, absolute_seconds: 3600 },
    };
    return document;
  });
  app = await stand.gate.newClient({ grant_types: [TOKEN_EXCHANGE, "refresh_token"], scopes: SCOPES });
});

afterAll(() => stand?.stop());

const form = (path: string, client: Client | undefined, members: Record<string, string>) =>
  stand.gate.call(path, { form: members, ...(client ? { client } : {}) });
const introspect = (token: string, client: Client | undefined = app) =>
  form("/oauth/introspect", client, { token });
const revoke = (token: string, client: Client | undefined = app) => form("/oauth/revoke", client, { token });
const refresh = (refresh_token: string, more: Record<string, string> = {}, client = app) =>
  form("/oauth/token", client, { grant_type: "refresh_token", refresh_token, ...more });
const use = async (token: string, method = "GET") =>
  (await stand.gate.call(THINGS, { token, method })).status;

function kept(tokens: Tokens): Tokens {
  secrets.push(tokens.access_token, tokens.refresh_token);
  return tokens;
}

/** Somebody new who has signed in through a client, for the origin unless another audience is named. */
async function signedIn(through = app, audience = ORIGIN_AUDIENCE, roles = ["editor"]) {
  const sub = `person-${++persons}`;
  const answer = await stand.gate.exchange(through, await stand.people.token(sub, { roles }), { audience });
  const tokens = kept(bodyOf<Tokens>(answer, 200));
  return { sub, subject: `people|${sub}`, sid: String(decodeJwt(tokens.access_token).sid), ...tokens };
}

describe("unmodified clients", () => {
  it("exchange, refresh, introspect and revoke with oauth4webapi", async () => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(stand.gate.issuer);
    const discovered = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
    const server = await oauth.processDiscoveryResponse(issuer, discovered);
    const client = { client_id: app.id };
    const auth = oauth.ClientSecretBasic(app.secret);
    const exchanged = await oauth.processGenericTokenEndpointResponse(
      server,
      client,
      await oauth.genericTokenEndpointRequest(
        server,
        client,
        auth,
        TOKEN_EXCHANGE,
        {
          subject_token: await stand.people.token("ann", { roles: ["editor"] }),
          subject_token_type: ACCESS_TOKEN_TYPE,
          audience: ORIGIN_AUDIENCE,
        },
        insecure,
      ),
    );
    const refreshed = await oauth.processRefreshTokenResponse(
      server,
      client,
      await oauth.refreshTokenGrantRequest(server, client, auth, exchanged.refresh_token!, insecure),
    );
    expect(refreshed.refresh_token).not.toBe(exchanged.refresh_token);
    expect(await use(refreshed.access_token)).toBe(200);
    const seen = await oauth.processIntrospectionResponse(
      server,
      client,
      await oauth.introspectionRequest(server, client, auth, refreshed.access_token, insecure),
    );
    expect(seen).toMatchObject({ active: true, sub: "people|ann", client_id: app.id, token_type: "Bearer" });
    const revoked = await oauth.revocationRequest(server, client, auth, refreshed.refresh_token!, insecure);
    expect(await oauth.processRevocationResponse(revoked)).toBeUndefined();
    await expect(
      oauth
        .refreshTokenGrantRequest(server, client, auth, refreshed.refresh_token!, insecure)
        .then((answer) => oauth.processRefreshTokenResponse(server, client, answer)),
    ).rejects.toMatchObject({ error: "invalid_grant" });
  });

  it("do the same with openid-client", async () => {
    const config = await openid.discovery(
      new URL(stand.gate.issuer),
      app.id,
      undefined,
      openid.ClientSecretPost(app.secret),
      { algorithm: "oauth2", execute: [openid.allowInsecureRequests] },
    );
    const exchanged = await openid.genericGrantRequest(config, TOKEN_EXCHANGE, {
      subject_token: await stand.people.token("ben", { roles: ["reader"] }),
      subject_token_type: ACCESS_TOKEN_TYPE,
      audience: ORIGIN_AUDIENCE,
    });
    const refreshed = await openid.refreshTokenGrant(config, exchanged.refresh_token!, {
      scope: "things:read",
    });
    expect(await openid.tokenIntrospection(config, refreshed.access_token)).toMatchObject({ active: true });
    expect(await openid.tokenIntrospection(config, refreshed.refresh_token!)).toMatchObject({
      active: true,
      sub: "people|ben",
    });
    await openid.tokenRevocation(config, refreshed.access_token);
    expect(await openid.tokenIntrospection(config, refreshed.access_token)).toEqual({ active: false });
    expect(await openid.tokenIntrospection(config, refreshed.refresh_token!)).toMatchObject({ active: true });
  });
});

describe("metadata", () => {
  it("lists the grant types that are taken, and no others are", async () => {
    const { body } = await stand.gate.call("/.well-known/oauth-authorization-server");
    const metadata = body as Record<string, string[]>;
    const known = [
      ...[
        "authorization_code",
        "implicit",
        "password",
        "client_credentials",
        "refresh_token",
        TOKEN_EXCHANGE,
      ],
      ...["urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:saml2-bearer"],
      ...["urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba"],
    ];
    const taken = await Promise.all(
      known.map(async (grant_type) => {
        const answer = await form("/oauth/token", app, { grant_type });
        return (answer.body as { error: string }).error === "unsupported_grant_type" ? [] : [grant_type];
      }),
    );
    expect(taken.flat().toSorted()).toEqual(metadata.grant_types_supported?.toSorted());
  });

  it("names endpoints that answer a client by each method that it lists, and nobody without", async () => {
    const { body } = await stand.gate.call("/.well-known/oauth-authorization-server");
    const metadata = body as Record<string, string & string[]>;
    for (const name of ["token", "introspection", "revocation"]) {
      const path = new URL(metadata[`${name}_endpoint`]!).pathname;
      expect(await form(path, undefined, { token: "x" })).toMatchObject({
        status: 401,
        body: { error: "invalid_client" },
      });
      const methods = metadata[`${name}_endpoint_auth_methods_supported`]!;
      expect(methods).toContain("client_secret_basic");
      expect(methods).toContain("client_secret_post");
      const members = { grant_type: "refresh_token", token: "x" };
      const byPost = await form(path, undefined, {
        ...members,
        client_id: app.id,
        client_secret: app.secret,
      });
      for (const answer of [await form(path, app, members), byPost]) {
        expect((answer.body as { error?: string })?.error).not.toBe("invalid_client");
      }
    }
  });
});

describe("who gets a refresh token", () => {
  it("is a person through a client that is registered for it, where the policy has sessions", async () => {
    const { gate } = stand;
    const { access_token, expires_in } = await signedIn();
    expect(decodeJwt(access_token).sid).toMatch(/^ses_/);
    expect(expires_in).toBe(300);
    const without = await gate.newExchangeClient(SCOPES);
    const alone = bodyOf(await gate.exchange(without, await stand.people.token("dan")), 200);
    expect(alone).not.toHaveProperty("refresh_token");
    expect(decodeJwt(String(alone.access_token))).not.toHaveProperty("sid");
    const machine = await gate.newClient({
      grant_types: ["client_credentials", "refresh_token"],
      scopes: SCOPES,
    });
    const own = await form("/oauth/token", machine, { grant_type: "client_credentials" });
    expect(bodyOf(own, 200)).not.toHaveProperty("refresh_token");
  });

  it("uses it as the client that got it: another one, or one without the grant type, does not", async () => {
    const { refresh_token } = await signedIn();
    const other = await stand.gate.newClient({ grant_types: ["refresh_token"], scopes: SCOPES });
    expect(await refresh(refresh_token, {}, other)).toMatchObject({
      status: 400,
      body: { error: "invalid_grant" },
    });
    const unregistered = await stand.gate.newExchangeClient(SCOPES);
    expect(await refresh(refresh_token, {}, unregistered)).toMatchObject({
      body: { error: "unauthorized_client" },
    });
    expect((await refresh(refresh_token)).status).toBe(200);
  });
});

describe("a refresh", () => {
  it("rotates, answers a repeat with the same bytes, and ends the session where a spent token comes later", async () => {
    const receiver = await Receiver.start();
    const endpoint = await stand.gate.newEndpoint({ url: receiver.url, events: ["session.reuse_detected"] });
    receiver.trust(endpoint.secret);
    const { refresh_token, sid } = await signedIn();
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(refresh_token)));
    const first = kept(bodyOf<Tokens>(answers[0]!, 200));
    for (const { body, headers } of answers) {
      expect(JSON.stringify(body)).toBe(JSON.stringify(first));
      expect(headers.get("cache-control")).toBe("no-store");
    }
    const second = kept(bodyOf<Tokens>(await refresh(first.refresh_token), 200));
    expect(await use(second.access_token)).toBe(200);
    expect(await refresh(refresh_token)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
    expect(await refresh(second.refresh_token)).toMatchObject({ body: { error: "invalid_grant" } });
    await expect.poll(() => use(second.access_token), { timeout: 5_000 }).toBe(401);
    const told = await receiver.waitFor("session.reuse_detected");
    expect(told.data).toMatchObject({
      session: { id: sid, state: "revoked", ended: { by: "reuse_detection" } },
    });
    await receiver.close();
  });

  it.each([
    ["no token", {}, "invalid_request"],
    ["an access token of ours", { refresh_token: "access" }, "invalid_grant"],
    ["one that was changed", { refresh_token: "changed" }, "invalid_grant"],
    ["another audience", { refresh_token: "own", audience: "issuer" }, "invalid_target"],
    ["a scope that it never had", { refresh_token: "own", scope: "keys:rotate" }, "invalid_scope"],
    ["an unknown parameter", { refresh_token: "own", surprise: "x" }, "invalid_request"],
    ["somebody else's subject token", { refresh_token: "own", subject_token: "foreign" }, "invalid_grant"],
  ])("with %s is refused and changes nothing", async (_what, members: Record<string, string>, error) => {
    const { access_token, refresh_token } = await signedIn();
    const changed = refresh_token.slice(0, -1) + (refresh_token.endsWith("A") ? "B" : "A");
    const values: Record<string, string> = {
      access: access_token,
      own: refresh_token,
      changed,
      issuer: stand.gate.issuer,
      foreign: await stand.people.token("somebody-else"),
    };
    const sent = Object.fromEntries(
      Object.entries(members).map(([name, value]) => [name, values[value] ?? value]),
    );
    if (sent.subject_token) sent.subject_token_type = ACCESS_TOKEN_TYPE;
    expect(await form("/oauth/token", app, { grant_type: "refresh_token", ...sent })).toMatchObject({
      status: 400,
      body: { error },
    });
    expect((await refresh(refresh_token)).status).toBe(200);
  });

  it("looks at policy and roles anew: what was taken away is gone with the next token", async () => {
    const person = await signedIn();
    expect(await use(person.access_token, "POST")).toBe(200);
    await stand.gate.putPolicy({
      ...document,
      roles: { ...document.roles, editor: { scopes: ["things:read"] } },
    });
    const fewer = kept(bodyOf<Tokens>(await refresh(person.refresh_token), 200));
    expect(fewer.scope).toBe("things:read");
    expect([await use(fewer.access_token), await use(fewer.access_token, "POST")]).toEqual([200, 403]);
    await stand.gate.putPolicy({ ...document, issuers: [] });
    expect(await refresh(fewer.refresh_token)).toMatchObject({ body: { error: "invalid_grant" } });
    await stand.gate.putPolicy({ ...document, sessions: undefined });
    expect(await refresh(fewer.refresh_token)).toMatchObject({ body: { error: "invalid_grant" } });
    await stand.gate.putPolicy(document);
    expect(bodyOf<Tokens>(await refresh(fewer.refresh_token), 200).scope).toBe(person.scope);
  });

  it("takes a fresh token of the identity provider: a person who lost a role loses it", async () => {
    const { sub, refresh_token } = await signedIn();
    const subject_token = await stand.people.token(sub, { roles: ["reader"] });
    const fresh = { subject_token, subject_token_type: ACCESS_TOKEN_TYPE };
    const { scope, access_token } = bodyOf<Tokens>(await refresh(refresh_token, fresh), 200);
    expect(scope).toBe("things:read");
    expect(decodeJwt(access_token).roles).toEqual(["reader"]);
  });

  it("of a person who was revoked is refused, and so is the session from then on", async () => {
    const { subject, refresh_token, sid } = await signedIn();
    const { id } = await stand.gate.revoke({ sub: subject });
    expect(await refresh(refresh_token)).toMatchObject({ body: { error: "invalid_grant" } });
    await stand.gate.asOperator(`/v1/revocations/${id}`, { method: "DELETE" });
    expect(await refresh(refresh_token)).toMatchObject({ body: { error: "invalid_grant" } });
    expect(await stand.gate.asOperator(`/v1/sessions/${sid}`)).toMatchObject({ body: { state: "revoked" } });
  });
});

describe("introspection", () => {
  it("tells the token's client and the resource servers of its audience, and nobody else", async () => {
    const { access_token, refresh_token, subject, sid } = await signedIn();
    const server = await stand.gate.newClient({ introspects: [ORIGIN_AUDIENCE] });
    const elsewhere = await stand.gate.newClient({ introspects: ["urn:elsewhere"] });
    const { exp, iat, jti } = decodeJwt(access_token);
    for (const client of [app, server]) {
      expect((await introspect(access_token, client)).body).toEqual({
        active: true,
        scope: SCOPES.join(" "),
        token_type: "Bearer",
        iss: stand.gate.issuer,
        sub: subject,
        aud: [ORIGIN_AUDIENCE],
        client_id: app.id,
        iat,
        nbf: iat,
        exp,
        jti,
        sid,
      });
    }
    expect(await introspect(access_token, elsewhere)).toMatchObject(INACTIVE);
    expect((await introspect(refresh_token)).body).toMatchObject({ active: true, sub: subject, sid });
    expect((await introspect(refresh_token, server)).body).toEqual({ active: false });
    expect((await introspect(refresh_token)).headers.get("cache-control")).toBe("no-store");
  });

  it("says active: false and nothing else of whatever is not good", async () => {
    const { access_token, refresh_token } = await signedIn();
    const { refresh_token: next } = kept(bodyOf<Tokens>(await refresh(refresh_token), 200));
    const theirs = await stand.people.token("somebody");
    const changed = `${access_token.slice(0, -2)}AA`;
    for (const token of [refresh_token, theirs, changed, "x", `${next}x`, `prt_v1.AAAA.AAAA`]) {
      expect((await introspect(token)).body).toEqual({ active: false });
    }
    expect((await introspect(next)).body).toMatchObject({ active: true });
    await revoke(next);
    for (const token of [next, access_token])
      expect((await introspect(token)).body).toEqual({ active: false });
  });

  it("needs a client that authenticates, and one token", async () => {
    const { access_token } = await signedIn();
    for (const client of [undefined, { ...app, secret: "wrong" }]) {
      expect(await form("/oauth/introspect", client, { token: access_token })).toMatchObject({ status: 401 });
    }
    expect(await form("/oauth/introspect", app, {})).toMatchObject({
      status: 400,
      body: { error: "invalid_request" },
    });
    const json = await stand.gate.call("/oauth/introspect", { client: app, json: { token: access_token } });
    expect(json).toMatchObject({ status: 400, body: { error: "invalid_request" } });
  });

  it("needs no hint, and is not misled by a wrong one", async () => {
    const { access_token, refresh_token } = await signedIn();
    for (const token_type_hint of ["access_token", "refresh_token", "no_such_type"]) {
      for (const token of [access_token, refresh_token]) {
        const answer = await form("/oauth/introspect", app, { token, token_type_hint, surprise: "x" });
        expect(answer.body).toMatchObject({ active: true });
      }
    }
    await form("/oauth/revoke", app, { token: refresh_token, token_type_hint: "access_token" });
    expect((await introspect(refresh_token)).body).toEqual({ active: false });
  });

  it("for an audience is given by whoever writes the policy only", async () => {
    const clerk = await stand.gate.newClient({ scopes: ["clients:write"] });
    const token = await clientToken(stand.gate.issuer, clerk);
    const register = (json: object) =>
      stand.gate.call("/v1/clients", { token, json: { name: "x", ...json } });
    expect(await register({ introspects: [ORIGIN_AUDIENCE] })).toMatchObject({ status: 403 });
    expect((await register({})).status).toBe(201);
  });
});

describe("revocation (RFC 7009)", () => {
  it("of a refresh token ends its session and the access tokens that came of it", async () => {
    const { access_token, refresh_token, sid } = await signedIn();
    const neighbour = await signedIn();
    expect(await use(access_token)).toBe(200);
    const answer = await revoke(refresh_token);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"]);
    await expect.poll(() => use(access_token), { timeout: 5_000 }).toBe(401);
    expect(await refresh(refresh_token)).toMatchObject({ body: { error: "invalid_grant" } });
    expect(await stand.gate.asOperator(`/v1/sessions/${sid}`)).toMatchObject({
      body: { state: "revoked", ended: { by: app.id } },
    });
    expect((await revoke(refresh_token)).status).toBe(200);
    expect(await use(neighbour.access_token)).toBe(200);
  });

  it("of an access token ends that one, and the session goes on", async () => {
    const { access_token, refresh_token } = await signedIn();
    expect((await revoke(access_token)).status).toBe(200);
    await expect.poll(() => use(access_token), { timeout: 5_000 }).toBe(401);
    const next = bodyOf<Tokens>(await refresh(refresh_token), 200);
    expect(await use(next.access_token)).toBe(200);
  });

  it("answers 200 for what is unknown or another client's, and does nothing", async () => {
    const { access_token, refresh_token } = await signedIn();
    const other = await stand.gate.newClient({ introspects: [ORIGIN_AUDIENCE] });
    for (const token of [
      access_token,
      refresh_token,
      "x",
      `${access_token.slice(0, -2)}AA`,
      await stand.people.token("p"),
    ]) {
      expect((await revoke(token, other)).status).toBe(200);
    }
    expect((await introspect(access_token)).body).toMatchObject({ active: true });
    expect((await introspect(refresh_token)).body).toMatchObject({ active: true });
    expect((await form("/oauth/revoke", undefined, { token: refresh_token })).status).toBe(401);
    expect((await form("/oauth/revoke", app, {})).body).toMatchObject({ error: "invalid_request" });
  });

  it("takes a token with five seconds left", async () => {
    await stand.gate.putPolicy({ ...document, sessions: { access_token_ttl_seconds: 5 } });
    const { access_token, expires_in } = await signedIn();
    expect(expires_in).toBe(5);
    expect((await revoke(access_token)).status).toBe(200);
    expect((await introspect(access_token)).body).toEqual({ active: false });
    const { jti } = decodeJwt(access_token);
    await expect
      .poll(() => stand.runtime.kv(`deny:jti:${jti}`), { timeout: 5_000 })
      .toMatchObject([{ match: { jti } }]);
    await stand.gate.putPolicy(document);
  });
});

it("a refresh token opens nothing but the token endpoint, to its client", async () => {
  const { gate } = stand;
  const { refresh_token: token } = await signedIn();
  expect(await use(token)).toBe(401);
  expect((await gate.call("/v1/sessions", { token })).status).toBe(401);
  expect(await gate.exchange(app, token)).toMatchObject({ body: { error: "invalid_request" } });
  const asSecret = await form("/oauth/token", { ...app, secret: token }, { grant_type: "refresh_token" });
  expect(asSecret).toMatchObject({ status: 401, body: { error: "invalid_client" } });
  expect((await refresh(token)).status).toBe(200);
});

describe("/v1/sessions", () => {
  it("shows people their own, and others' to those who may", async () => {
    const { gate } = stand;
    const person = await signedIn(app, gate.issuer);
    const other = await signedIn();
    const mine = () => gate.call("/v1/sessions", { token: person.access_token });
    const record = {
      id: person.sid,
      subject: person.subject,
      client_id: app.id,
      state: "active",
      issuer_id: "people",
    };
    await expect.poll(mine, { timeout: 5_000 }).toMatchObject({ status: 200, body: { items: [record] } });
    const [shown] = bodyOf<{ items: object[] }>(await mine(), 200).items;
    expect(JSON.stringify(shown)).not.toMatch(/credential|current|sealed|facts/);
    const asPerson = (path: string) => gate.call(path, { token: person.access_token });
    expect(await asPerson(`/v1/sessions?subject=${encodeURIComponent(other.subject)}`)).toMatchObject({
      status: 403,
    });
    expect(await asPerson(`/v1/sessions/${other.sid}`)).toMatchObject({ status: 404 });
    expect(await asPerson(`/v1/sessions/${person.sid}`)).toMatchObject({ body: record });
    expect(await gate.asOperator(`/v1/sessions/${other.sid}`)).toMatchObject({ body: { id: other.sid } });
    expect(await gate.asOperator("/v1/sessions?limit=1")).toMatchObject({
      body: { items: [{}], next_cursor: expect.stringMatching(/^ses_/) },
    });
    expect(await gate.asOperator("/v1/sessions?state=odd")).toMatchObject({ status: 400 });
  });

  it("are revoked by their person or an operator, with a receipt that holds", async () => {
    const { gate } = stand;
    const person = await signedIn(app, gate.issuer);
    const other = await signedIn();
    const asPerson = (sid: string) =>
      gate.call(`/v1/sessions/${sid}/revoke`, { token: person.access_token, json: { reason: "lost phone" } });
    expect(await asPerson(other.sid)).toMatchObject({ status: 404 });
    const receipt = bodyOf<Receipt>(await asPerson(person.sid), 200);
    expect(receipt.effective_by.bounded).toBeGreaterThan(receipt.accepted_at);
    expect(await refresh(person.refresh_token)).toMatchObject({ body: { error: "invalid_grant" } });
    const byOperator = await gate.asOperator(`/v1/sessions/${other.sid}/revoke`, {
      json: { reason: "left" },
    });
    const { effective_by } = bodyOf<Receipt>(byOperator, 200);
    await sleep(Math.max(0, effective_by.bounded * 1000 - Date.now()));
    expect(await use(other.access_token)).toBe(401);
    expect(await gate.asOperator(`/v1/sessions/${other.sid}/revoke`, { json: {} })).toMatchObject({
      status: 400,
    });
  });
});

it("writes no token to its log", () => {
  const text = stand.runtime.logs.join("\n");
  expect(secrets.length).toBeGreaterThan(20);
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
  expect(text).not.toMatch(/prt_v1/);
});
