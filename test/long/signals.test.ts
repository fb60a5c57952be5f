import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { inflateSync } from "node:zlib";
import { createRemoteJWKSet, decodeJwt, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TOKEN_EXCHANGE } from "../../src/local/set-up.ts";
import { type SecurityEventName, securityEventUri } from "../../src/protocol/security-event.ts";
import { ask, review } from "../support/access.ts";
import { bodyOf, type Client } from "../support/deployment.ts";
import { type PeopleStand, standUpWithPeople } from "../support/people-stand.ts";
import { newKey, signToken, type TestKey } from "../support/token-factory.ts";

/** What `bounded` promises, and what a loaded machine adds. */
const WAIT = { timeout: 15_000, interval: 100 };
const AUD = "urn:gate:signals";
const TRANSMITTER = "https://signals.example.com";
const OTHER = "https://other-signals.example.com";

let stand: PeopleStand;
let client: Client;
let key: TestKey;
let otherKey: TestKey;
let made = 0;

beforeAll(async () => {
  [key, otherKey] = await Promise.all([newKey("ES256", "t-1"), newKey("ES256", "o-1")]);
  const transmitter = { algorithms: ["ES256"], audience: AUD, global_token_revocation: true };
  stand = await standUpWithPeople((policy) => ({
    ...policy,
    sessions: {},
    access_rules: [
      ...policy.access_rules,
      {
        ...{ id: "listed", resource: "listed", scopes: ["listed:read"], origin: "demo", status_list: true },
        ...{
          requesters: { roles: ["developer"] },
          stages: [{ roles: ["approver"] }],
          max_duration_seconds: 3600,
        },
      },
    ],
    signals: {
      transmitters: [
        {
          ...{ ...transmitter, id: "people", issuer: TRANSMITTER },
          ...{ jwks: { keys: [key.jwk] }, subjects_of: "people" },
        },
        {
          ...{ ...transmitter, id: "other", issuer: OTHER },
          ...{ jwks: { keys: [otherKey.jwk] }, subjects_of: "demo" },
        },
      ],
    },
  }));
  client = await stand.gate.newClient({
    grant_types: [TOKEN_EXCHANGE, "refresh_token"],
    scopes: ["requests:read"],
  });
}, 60_000);

afterAll(() => stand?.stop());

const now = () => Math.floor(Date.now() / 1000);
const idOf = (sub: string) => ({ format: "iss_sub", iss: stand.people.issuer, sub });

type Change = { claims?: object; header?: object; by?: TestKey };
const setOf = (event: SecurityEventName, sub: string, { claims, header, by = key }: Change = {}) =>
  signToken(
    by,
    { alg: "ES256", typ: "secevent+jwt", kid: by.kid, ...header },
    {
      ...{ iss: TRANSMITTER, aud: AUD, iat: now(), jti: `set-${++made}`, sub_id: idOf(sub) },
      ...{ events: { [securityEventUri(event)]: {} }, ...claims },
    },
  );

async function push(body: string): Promise<number> {
  const headers = { "content-type": "application/secevent+jwt" };
  const answer = await fetch(`${stand.gate.issuer}/v1/signals/events`, { method: "POST", headers, body });
  await answer.body?.cancel();
  return answer.status;
}

/** Somebody with a session, who is let in. */
async function signedIn(sub: string) {
  const opened = await stand.gate.exchange(
    client,
    await stand.people.token(sub, { scope: "requests:read", sid: `sid-${sub}` }),
  );
  const { access_token = "", refresh_token = "" } = bodyOf<Record<string, string>>(opened, 200);
  return {
    call: async () => (await stand.gate.call("/v1/access-requests", { token: access_token })).status,
    refresh: async () =>
      (
        await stand.gate.call("/oauth/token", {
          client,
          form: { grant_type: "refresh_token", refresh_token },
        })
      ).status,
  };
}

/** Everything that a signal could have changed, as operators see it. */
async function state(): Promise<string> {
  const paths = [
    "/v1/revocations?limit=200",
    "/v1/sessions?limit=200",
    "/v1/signals/events?transmitter=people&limit=200",
    "/v1/signals/events?transmitter=other&limit=200",
  ];
  const answers = await Promise.all(
    paths.map(async (path) => bodyOf(await stand.gate.asOperator(path), 200)),
  );
  return JSON.stringify(answers);
}

describe("a security event token", () => {
  it("ends the sessions of whom it names within the bound, and nobody else's", async () => {
    const [alice, bob] = await Promise.all([signedIn("alice"), signedIn("bob")]);
    expect([await alice.call(), await bob.call()]).toEqual([200, 200]);
    expect(await push(await setOf("session-revoked", "alice"))).toBe(202);
    await expect.poll(alice.call, WAIT).toBe(401);
    expect(await alice.refresh()).toBe(400);
    expect([await bob.call(), await bob.refresh()]).toEqual([200, 200]);
    // Whoever signs in again is let in again.
    await sleep(2_100);
    expect(await (await signedIn("alice")).call()).toBe(200);
  });

  it("changes nothing where it is forged, stale, for others, of another transmitter, or came before", async () => {
    const carol = await signedIn("carol");
    const spent = await setOf("credential-compromise", "nobody");
    expect(await push(spent)).toBe(202);
    // What the first one led to, such as the end of sessions, comes to rest.
    await expect.poll(async () => (await state()) === (await sleep(300).then(state)), WAIT).toBe(true);
    const before = await state();
    const change = (claims: object) => setOf("session-revoked", "carol", { claims });
    const good = await setOf("session-revoked", "carol");
    const [header = "", claims = "", signature = ""] = good.split(".");
    const [, spentClaims = ""] = spent.split(".");
    const refused = [
      `${header}.${claims}.${signature.slice(0, -4)}AAAA`,
      `${header}.${spentClaims}.${signature}`,
      `${header}.${claims}.`,
      await setOf("session-revoked", "carol", { by: otherKey }),
      await setOf("session-revoked", "carol", { by: { ...otherKey, kid: "t-1" } }),
      await setOf("session-revoked", "carol", { by: otherKey, claims: { iss: OTHER } }),
      await setOf("session-revoked", "carol", { header: { typ: "JWT" } }),
      await setOf("session-revoked", "carol", { header: { typ: "at+jwt" } }),
      await setOf("session-revoked", "carol", { header: { alg: "none" } }),
      await change({ iss: stand.people.issuer }),
      await change({ aud: "urn:gate" }),
      await change({ iat: now() - 86_500 }),
      await change({ iat: now() + 120 }),
      await change({ jti: undefined }),
      await change({ sub_id: { format: "iss_sub", iss: "http://127.0.0.1:9", sub: "carol" } }),
      await stand.people.token("carol"),
    ];
    for (const body of refused) expect(await push(body)).toBe(400);
    expect(await push(spent)).toBe(202);
    await sleep(1_000);
    expect(await state()).toBe(before);
    expect([await carol.call(), await carol.refresh()]).toEqual([200, 200]);
    // The neighbour: the very token that was tampered with.
    expect(await push(good)).toBe(202);
    expect(await state()).not.toBe(before);
  });

  it("is in force after kill -9 the instant after its 202, and counts once however often it is sent", async () => {
    const dave = await signedIn("dave");
    const set = await setOf("session-revoked", "dave");
    expect(await push(set)).toBe(202);
    await stand.runtime.kill();
    await expect.poll(dave.call, WAIT).toBe(401);
    const ofDave = async () => {
      const { items } = bodyOf<{ items: { match: { sub?: string } }[] }>(
        await stand.gate.asOperator("/v1/revocations?limit=200"),
        200,
      );
      return items.filter(({ match }) => match.sub === "people|dave").length;
    };
    expect(await ofDave()).toBe(1);
    for (let i = 0; i < 3; i++) expect(await push(set)).toBe(202);
    expect(await ofDave()).toBe(1);
  });

  it("keeps a person out whose account is disabled, until it is enabled", async () => {
    const erin = await signedIn("erin");
    expect(await push(await setOf("account-disabled", "erin"))).toBe(202);
    await expect.poll(erin.call, WAIT).toBe(401);
    const again = async () =>
      (await stand.gate.exchange(client, await stand.people.token("erin", { sid: `sid-${++made}` }))).status;
    expect(await again()).toBe(400);
    expect(await push(await setOf("account-enabled", "erin"))).toBe(202);
    await expect.poll(again, WAIT).toBe(200);
    // What ended stays ended.
    expect(await erin.refresh()).toBe(400);
  });

  it("names one session by the provider's id, and leaves the person's others", async () => {
    const frank = await signedIn("frank");
    const other = bodyOf<Record<string, string>>(
      await stand.gate.exchange(
        client,
        await stand.people.token("frank", { scope: "requests:read", sid: "sid-frank-2" }),
      ),
      200,
    );
    const sub_id = { format: "complex", user: idOf("frank"), session: { format: "opaque", id: "sid-frank" } };
    expect(await push(await setOf("session-revoked", "frank", { claims: { sub_id } }))).toBe(202);
    await expect.poll(frank.call, WAIT).toBe(401);
    expect((await stand.gate.call("/v1/access-requests", { token: other.access_token! })).status).toBe(200);
  });
});

describe("a global token revocation", () => {
  const jwt = (claims: object = {}, by = key) =>
    signToken(
      by,
      { alg: "ES256", typ: "JWT", kid: by.kid },
      {
        ...{ iss: TRANSMITTER, sub: "gate", iat: now(), exp: now() + 300, jti: `gtr-${++made}` },
        ...{ aud: `${stand.gate.issuer}/v1/signals/global-token-revocation`, ...claims },
      },
    );
  const revoke = async (token: string, sub_id: object) => {
    const path = "/v1/signals/global-token-revocation";
    const init = {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ sub_id }),
    };
    const answer = await fetch(`${stand.gate.issuer}${path}`, init);
    await answer.body?.cancel();
    return answer.status;
  };

  it("ends everything of a person for a transmitter, once for each JWT, and for a client with the scope", async () => {
    const [gina, henry] = await Promise.all([signedIn("gina"), signedIn("henry")]);
    const token = await jwt();
    expect(await revoke(token, idOf("gina"))).toBe(204);
    await expect.poll(gina.call, WAIT).toBe(401);
    expect(await gina.refresh()).toBe(400);
    const before = await state();
    expect(await revoke(token, idOf("henry"))).toBe(401);
    expect(await revoke(await jwt({}, otherKey), idOf("henry"))).toBe(401);
    expect(await revoke(await jwt({ iss: OTHER }, otherKey), idOf("henry"))).toBe(403);
    expect(await revoke(await jwt({ exp: now() - 1 }), idOf("henry"))).toBe(401);
    expect(await revoke(await jwt({ aud: AUD }), idOf("henry"))).toBe(401);
    const { token: asker } = await stand.gate.newPerson([], ["requests:read"]);
    expect(await revoke(asker, idOf("henry"))).toBe(403);
    expect(await state()).toBe(before);
    expect(await henry.call()).toBe(200);
    const { token: responder } = await stand.gate.newPerson([], ["signals:revoke"]);
    expect(await revoke(responder, { format: "opaque", id: "people|henry" })).toBe(204);
    await expect.poll(henry.call, WAIT).toBe(401);
  });
});

describe("a stream of our own", () => {
  const BASE = "/v1/signals/streams";

  /** Takes what is pushed; `answer` says how. */
  async function receiver(answer: () => number) {
    const came: { type: string | undefined; authorization: string | undefined; set: string }[] = [];
    const server = createServer(async (request, response) => {
      let set = "";
      for await (const chunk of request) set += chunk;
      const { "content-type": type, authorization } = request.headers;
      came.push({ type, authorization, set });
      response.writeHead(answer()).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/events`;
    return { came, url, stop: () => new Promise((resolve) => server.close(resolve)) };
  }

  async function verified(set: string, audience: string) {
    const jwks = createRemoteJWKSet(new URL(`${stand.gate.issuer}/.well-known/jwks.json`));
    const { issuer } = stand.gate;
    return (await jwtVerify(set, jwks, { issuer, audience, typ: "secevent+jwt" })).payload;
  }

  it("pushes every revocation to its receiver, also after kill -9, and again until it is taken", async () => {
    let status = 503;
    const { came, url, stop } = await receiver(() => status);
    const { id, token } = await stand.gate.newPerson([], ["ssf:manage"]);
    const delivery = {
      method: "urn:ietf:rfc:8935",
      endpoint_url: url,
      authorization_header: "Bearer r-secret",
    };
    bodyOf(await stand.gate.call(BASE, { token, json: { delivery } }), 201);
    const { id: revocation } = await stand.gate.revoke({ sub: "people|ivan" });
    await stand.runtime.kill();
    await expect.poll(() => came.length, { timeout: 60_000 }).toBeGreaterThan(0);
    status = 202;
    const first = came[0]!;
    expect(first).toMatchObject({ type: "application/secevent+jwt", authorization: "Bearer r-secret" });
    expect(await verified(first.set, id)).toMatchObject({
      sub_id: { format: "iss_sub", iss: stand.gate.issuer, sub: "people|ivan" },
      txn: revocation,
      events: { [securityEventUri("session-revoked")]: { initiating_entity: "admin" } },
    });
    await expect.poll(() => came.length, { timeout: 60_000 }).toBeGreaterThan(1);
    const jtis = came.map(({ set }) => decodeJwt(set).jti);
    expect(new Set(jtis).size).toBe(1);
    await stop();
  });

  it("is polled: what is not acknowledged is given again, what is told to us is told on", async () => {
    const { id, token } = await stand.gate.newPerson([], ["ssf:manage"]);
    const made = await stand.gate.call(BASE, { token, json: {} });
    const { stream_id } = bodyOf<{ stream_id: string }>(made, 201);
    const poll = async (json: object) => {
      const answer = await stand.gate.call(`${BASE}/${stream_id}/poll`, { token, json });
      return bodyOf<{ sets: Record<string, string> }>(answer, 200).sets;
    };
    const waiting = poll({});
    expect(await push(await setOf("credential-compromise", "judy"))).toBe(202);
    const sets = await waiting;
    const [jti = ""] = Object.keys(sets);
    expect(await verified(sets[jti]!, id)).toMatchObject({
      jti,
      sub_id: { sub: "people|judy" },
      events: { [securityEventUri("session-revoked")]: { initiating_entity: "system" } },
    });
    expect(Object.keys(await poll({ returnImmediately: true }))).toEqual([jti]);
    expect(await poll({ returnImmediately: true, ack: [jti] })).toEqual({});
    const subject = { format: "iss_sub", iss: stand.gate.issuer, sub: "people|kate" };
    await stand.gate.call(`${BASE}/subjects/remove`, { token, json: { stream_id, subject } });
    await stand.gate.revoke({ sub: "people|kate" });
    await stand.gate.revoke({ kid: "of-nobody" });
    await stand.gate.revoke({ sub: "people|lena" });
    await expect.poll(async () => Object.keys(await poll({ returnImmediately: true })).length, WAIT).toBe(1);
    const [last = ""] = Object.values(await poll({ returnImmediately: true }));
    expect(decodeJwt(last)).toMatchObject({ sub_id: { sub: "people|lena" } });
    // A client that is deleted is told nothing more.
    await stand.gate.asOperator(`/v1/clients/${id}`, { method: "DELETE" });
    const status = async () => {
      const json = { returnImmediately: true };
      return (await stand.gate.call(`${BASE}/${stream_id}/poll`, { token, json })).status;
    };
    await expect.poll(status, WAIT).toBe(401);
  });
});

describe("a token status list", () => {
  it("tells a verifier that never asks the gate which grants are revoked", async () => {
    const { gate, requester, approver } = stand;
    const granted = async () => {
      const { id } = await ask(gate, requester.token, { resource: "listed", scope: "listed:read" });
      await review(gate, approver.token, id);
      const path = `/v1/access-requests/${id}/token`;
      const answer = await gate.call(path, { token: requester.token, method: "POST" });
      const { access_token = "" } = bodyOf<{ access_token?: string }>(answer, 200);
      return decodeJwt(access_token) as {
        grant: string;
        status: { status_list: { idx: number; uri: string } };
      };
    };
    const [one, other] = [await granted(), await granted()];
    const isInvalid = async ({ status: { status_list } }: typeof one) => {
      const answer = await fetch(status_list.uri);
      expect(answer.headers.get("content-type")).toBe("application/statuslist+jwt");
      const jwks = createRemoteJWKSet(new URL(`${gate.issuer}/.well-known/jwks.json`));
      const terms = { typ: "statuslist+jwt", subject: status_list.uri, requiredClaims: ["exp", "ttl"] };
      const { payload } = await jwtVerify(await answer.text(), jwks, terms);
      const bytes = inflateSync(Buffer.from((payload.status_list as { lst: string }).lst, "base64url"));
      return ((bytes[status_list.idx >> 3]! >> (status_list.idx & 7)) & 1) === 1;
    };
    expect([await isInvalid(one), await isInvalid(other)]).toEqual([false, false]);
    await gate.asOperator(`/v1/grants/${one.grant}/revoke`, { json: { reason: "a test" } });
    // Isolates keep a signed list for half a minute.
    await expect.poll(() => isInvalid(one), { timeout: 60_000, interval: 500 }).toBe(true);
    expect(await isInvalid(other)).toBe(false);
    expect((await fetch(`${gate.issuer}/v1/status-lists/1`)).status).toBe(404);
  });
});
