import { mkdtemp, rm } from "node:fs/promises";
import { request as rawRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEMO_SCOPES } from "../../src/local/demo-policy.ts";
import type { Answer } from "../../src/local/http-call.ts";
import { startIdentityProvider } from "../../src/local/identity-provider.ts";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { signIn } from "../../src/local/sign-in.ts";
import { ask, collect, type HeldGrant, hold, review } from "../support/access.ts";
import { bodyOf, clientToken, type Person } from "../support/deployment.ts";
import { type Stand, standUp } from "../support/stand.ts";
import type { testPolicy } from "../support/test-policy.ts";

const STRICT = "/orders/1001";
const OTHER_AUDIENCE = "urn:portcullis:other-origin";

let stateDir: string;
let idp: Awaited<ReturnType<typeof startIdentityProvider>>;
let stand: Stand;
let reader: HeldGrant;
let machine: Person;
/** Alice's token as the identity provider made it. */
let theirs: string;

/** Beside the tests' policy: one route for machines at each of two origins, and one for an issuer's own roles. */
function withMachines(policy: ReturnType<typeof testPolicy>) {
  const { demo } = policy.origins;
  const machines = { methods: ["GET"], access: { roles: ["machine"] } };
  const staff = { id: "staff", path: "/staff", origin: "demo", access: { roles: ["developer"] } };
  return {
    ...policy,
    origins: { demo, other: { ...demo, audience: OTHER_AUDIENCE } },
    routes: [
      ...policy.routes,
      { ...machines, id: "machine", path: "/machine", origin: "demo" },
      { ...machines, id: "other", path: "/other", origin: "other" },
      { ...staff, identity_headers: ["subject"] },
    ],
  };
}

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-idp-"));
  idp = await startIdentityProvider({ port: 0, keyFile: join(stateDir, "key.json") });
  stand = await standUp(withMachines, idp.url);
  reader = await hold(stand.gate, stand);
  machine = await stand.gate.newPerson(["machine"], []);
  theirs = await signIn({ idp: idp.url, user: "alice" });
});

afterAll(async () => {
  await stand?.stop();
  await idp?.close();
  await rm(stateDir, { recursive: true });
});

/** The origin must not hear of what is refused. */
async function refusedAtGate(path: string, options: Parameters<Stand["gate"]["call"]>[1]): Promise<Answer> {
  const before = stand.origin.received.length;
  const answer = await stand.gate.call(path, options);
  expect(stand.origin.received.length, `${path} must not reach the origin`).toBe(before);
  return answer;
}

async function letThrough(path: string, options: Parameters<Stand["gate"]["call"]>[1]) {
  const before = stand.origin.received.length;
  expect((await stand.gate.call(path, options)).status).toBe(200);
  expect(stand.origin.received.length).toBe(before + 1);
  return stand.origin.received.at(-1)!;
}

const INVALID = { status: 401, body: { code: "invalid_token" } };

describe("what a token may be used for", () => {
  it("answers a scope that is missing with what to ask for and where; asked for like that, it is let through", async () => {
    const { gate, requester, approver } = stand;
    const refused = await refusedAtGate("/orders", { method: "POST", token: reader.token });
    expect(refused).toMatchObject({
      status: 403,
      body: {
        code: "insufficient_scope",
        scope: "orders:write",
        ask: {
          resource: "orders",
          scope: "orders:write",
          authorization_details: [
            { type: "portcullis_resource", identifier: "orders", actions: ["orders:write"] },
          ],
          request_url: `${gate.issuer}/v1/access-requests`,
        },
        decision_id: expect.stringMatching(/^dec_/),
      },
    });
    const challenge = refused.headers.get("www-authenticate");
    expect(challenge).toContain('error="insufficient_scope"');
    expect(challenge).toContain('scope="orders:write"');

    const { scope, resource } = (refused.body as { ask: { scope: string; resource: string } }).ask;
    expect(refused.headers.get("link")).toBe(
      `<${gate.issuer}/v1/access-requests>; rel="urn:portcullis:rel:access-request"`,
    );
    const { id } = await ask(gate, requester.token, { scope, resource });
    bodyOf(await review(gate, approver.token, id), 201);
    const token = await collect(gate, requester.token, id);
    await letThrough("/orders", { method: "POST", token });
    await letThrough("/orders", { token: reader.token });
  });

  it("keeps a grant to its resource", async () => {
    const { gate } = stand;
    const held = await hold(gate, stand, { resource: "projects/42", scope: "projects:read" });
    const refused = await refusedAtGate("/projects/43", { token: held.token });
    expect(refused).toMatchObject({
      status: 403,
      body: { code: "insufficient_scope", ask: { resource: "projects/43" } },
    });
    expect((await refusedAtGate("/orders", { token: held.token })).status).toBe(403);
    const { headers } = await letThrough("/projects/42", { token: held.token });
    expect(Object.fromEntries(headers)).toMatchObject({ "x-portcullis-grant": held.grant });
  });

  it("takes a role that is needed from the token only", async () => {
    const { gate, requester } = stand;
    const without = await clientToken(gate.issuer, requester, ORIGIN_AUDIENCE);
    const refused = await refusedAtGate("/machine", { token: without });
    expect(refused).toMatchObject({ status: 403, body: { code: "insufficient_scope" } });
    await letThrough("/machine", { token: await clientToken(gate.issuer, machine, ORIGIN_AUDIENCE) });
  });

  it("keeps a token to its audience: origin by origin, and the control plane apart", async () => {
    const { gate, requester } = stand;
    const forDemo = await clientToken(gate.issuer, machine, ORIGIN_AUDIENCE);
    const forOther = await clientToken(gate.issuer, machine, OTHER_AUDIENCE);
    expect(await refusedAtGate("/machine", { token: forOther })).toMatchObject(INVALID);
    expect(await refusedAtGate("/other", { token: forDemo })).toMatchObject(INVALID);
    await letThrough("/machine", { token: forDemo });
    await letThrough("/other", { token: forOther });

    expect(await refusedAtGate("/machine", { token: machine.token })).toMatchObject(INVALID);
    const atControl = await clientToken(gate.issuer, requester, ORIGIN_AUDIENCE);
    for (const token of [forDemo, reader.token, atControl]) {
      const refused = await gate.call("/v1/access-requests", { token });
      expect(refused).toMatchObject(INVALID);
      expect(refused.headers.get("www-authenticate")).toContain('error="invalid_token"');
    }
    expect((await gate.call("/v1/access-requests", { token: requester.token })).status).toBe(200);
    const nowhere = { grant_type: "client_credentials", audience: "urn:nobody" };
    expect(await gate.call("/oauth/token", { client: machine, form: nowhere })).toMatchObject({
      status: 400,
      body: { error: "invalid_target" },
    });
  });

  it("takes an identity provider's token for exchange and where a route trusts its roles, not at the control plane", async () => {
    const { gate } = stand;
    expect(await gate.call("/v1/access-requests", { token: theirs })).toMatchObject(INVALID);
    const client = await gate.newExchangeClient(DEMO_SCOPES);
    const ours = bodyOf<{ access_token: string; scope: string }>(await gate.exchange(client, theirs), 200);
    expect(decodeJwt(ours.access_token)).toMatchObject({ sub: "demo|alice", aud: gate.issuer });
    expect((await gate.call("/v1/access-requests", { token: ours.access_token })).status).toBe(200);
    const { headers } = await letThrough("/staff", { token: theirs });
    expect(Object.fromEntries(headers)).toMatchObject({ "x-portcullis-subject": "demo|alice" });
    expect((await refusedAtGate("/machine", { token: theirs })).status).toBe(403);
    // Our own tokens are narrowed by the client that got them, and by no other; without the grant type by nobody.
    expect((await gate.exchange(client, ours.access_token)).status).toBe(200);
    const other = await gate.newExchangeClient(DEMO_SCOPES);
    expect(await gate.exchange(other, ours.access_token)).toMatchObject({
      status: 400,
      body: { error: "invalid_request" },
    });
    expect(await gate.exchange(machine, theirs)).toMatchObject({ body: { error: "unauthorized_client" } });
    expect(await gate.exchange(client, theirs, { scope: "keys:rotate" })).toMatchObject({
      body: { error: "invalid_scope" },
    });
  });

  it("asks each call of the control plane for its scope", async () => {
    const { gate, requester, approver } = stand;
    const calls: [string, object][] = [
      ["/v1/policy", {}],
      ["/v1/clients", {}],
      ["/v1/keys", {}],
      ["/v1/webhook-endpoints", {}],
      ["/v1/revocations", { json: { match: { sub: "x" }, reason: "x" } }],
    ];
    for (const [path, options] of calls) {
      const refused = await gate.call(path, { token: requester.token, ...options });
      expect(refused, path).toMatchObject({ status: 403, body: { code: "insufficient_scope" } });
      expect((await gate.call(path)).status, path).toBe(401);
      expect((await gate.asOperator(path)).status, path).toBe(200);
    }
    expect((await gate.call("/v1/access-requests", { token: approver.token, json: {} })).status).toBe(403);
    expect((await gate.call(`/v1/access-requests?requester=${approver.id}`, requester)).status).toBe(403);
    expect((await gate.call(`/v1/access-requests?requester=${requester.id}`, requester)).status).toBe(200);
  });
});

describe("how a token is sent", () => {
  it("takes exactly one, from Authorization", async () => {
    const { token } = reader;
    const sent: [number, Record<string, string>, string?][] = [
      [401, { authorization: `Basic ${token}` }],
      [401, { authorization: token }],
      [401, { authorization: `Bearer ${token}x` }],
      [401, { authorization: `Bearer ${token.slice(0, -1)}` }],
      [401, { authorization: `Bearer ${respelled(token)}` }],
      [401, { authorization: `Bearer ${unsigned(token)}` }],
      [400, { authorization: `Bearer ${token}, Bearer ${token}` }],
      [400, {}, `?access_token=${token}`],
      [400, { authorization: `Bearer ${token}` }, `?access%5Ftoken=${token}`],
    ];
    for (const [status, headers, search = ""] of sent) {
      const refused = await refusedAtGate(`/orders${search}`, { headers });
      expect(refused.status, JSON.stringify(headers).slice(0, 40) + search.slice(0, 20)).toBe(status);
      expect(JSON.stringify(refused.body)).not.toContain(token.slice(0, 30));
      // A credential that cannot be read is not the same as none.
      expect((await refusedAtGate(`/public/status${search}`, { headers })).status).toBe(status);
    }
    await letThrough("/orders", { headers: { authorization: `Bearer ${token}` } });
    await letThrough("/orders?token=x", { headers: { authorization: `bearer ${token}` } });
    await letThrough("/public/status", {});
    await letThrough("/public/status", { token });
  });
});

describe("a token that is revoked", () => {
  it("is refused with its other signature too, and another token of the same grant is not", async () => {
    const { gate, requester } = stand;
    const { token, request } = await hold(gate, stand);
    await letThrough(STRICT, { token: twin(token) });
    await gate.revoke({ jti: decodeJwt(token).jti! });
    for (const spelling of [token, twin(token)]) {
      expect(await refusedAtGate(STRICT, { token: spelling })).toMatchObject(INVALID);
      expect(await refusedAtGate("/orders", { token: spelling })).toMatchObject(INVALID);
    }
    await letThrough(STRICT, { token: await collect(gate, requester.token, request) });
  });
});

describe("where a request goes", () => {
  it("refuses a target that gate and origin could read differently", async () => {
    const hostile = ["/orders%2f1001", "/orders//1001", "/orders;x=1", "/public/%00", "/%6frders"];
    for (const target of hostile) {
      const before = stand.origin.received.length;
      expect(await rawStatus(target, reader.token), target).toBe(400);
      expect(stand.origin.received.length, target).toBe(before);
    }
    // The runtime resolves dot segments before anybody decides; what comes out is what is decided on.
    expect(await rawStatus("/public/../orders", "")).toBe(401);
    expect(await rawStatus("/public/%2e%2e/orders", "")).toBe(401);
    expect(await rawStatus("/public/x/../status", "")).toBe(200);
    expect(await rawStatus("/orders/caf%C3%A9?next=%2Fa%00b;c", reader.token)).toBe(200);
    expect(stand.origin.received.at(-1)).toMatchObject({ url: "/orders/caf%C3%A9?next=%2Fa%00b;c" });
  });

  it("refuses a method and a path that no route takes, and names the methods that one does", async () => {
    const refused = await refusedAtGate("/orders", { method: "DELETE", token: reader.token });
    expect(refused).toMatchObject({ status: 405, body: { code: "method_not_allowed" } });
    expect(refused.headers.get("allow")).toBe("GET, HEAD, POST");
    const nowhere = await refusedAtGate("/ordersx", { token: reader.token });
    expect(nowhere).toMatchObject({ status: 404, body: { code: "no_route" } });
    await letThrough("/orders/", { token: reader.token });
  });
});

/** Sends the very target, which `fetch` would normalise. */
function rawStatus(path: string, token: string): Promise<number> {
  const { hostname, port } = new URL(stand.gate.issuer);
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  return new Promise((resolve, reject) => {
    rawRequest({ hostname, port, path, headers }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode!));
    })
      .on("error", reject)
      .end();
  });
}

const P256_ORDER = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

/** The same claims with the other signature that the same key could have made: (r, n − s). It verifies. */
function twin(token: string): string {
  const [header, claims, signature] = token.split(".");
  const bytes = Buffer.from(signature!, "base64url");
  const s = P256_ORDER - BigInt(`0x${bytes.subarray(32).toString("hex")}`);
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex")]);
  return `${header}.${claims}.${other.toString("base64url")}`;
}

/** The same bytes in another spelling: 64 bytes leave four spare bits in the last character. */
function respelled(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) + 1];
}

function unsigned(token: string): string {
  const header = Buffer.from(JSON.stringify({ alg: "none", typ: "at+jwt" })).toString("base64url");
  return `${header}.${token.split(".")[1]}.`;
}
