import { Hono } from "hono";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Actor, HttpEnv } from "../../../src/platform/http.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { problem, problemResponse } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { securityEventUri } from "../../../src/protocol/security-event.ts";
import { isSame, recordOf, type Signal } from "../../../src/signals/signal.ts";
import { inboundSignalRoutes, type SignalDeps, signalRoutes } from "../../../src/signals/signal-routes.ts";
import { RemoteKeys } from "../../../src/tokens/remote-keys.ts";
import { newKey, type Part, signToken, type TestKey } from "../../support/token-factory.ts";

const NOW = 1_800_000_000;
const OURS = "https://gate.example.com";
const IDP = "https://idp.example.com";
const HR = "https://hr.example.com";
const AUD = "https://gate.example.com/signals";
const GTR_URL = `${OURS}/v1/signals/global-token-revocation`;

let idpKey: TestKey;
let hrKey: TestKey;
let rsaKey: TestKey;
/** What each inbox was given, by the transmitter's `iss`. */
let given: { inbox: string; signal: Signal }[];
let down: { log?: boolean; policy?: boolean; keys?: boolean };
let lines: string[];
let requests = 0;
let actor: Actor | undefined;

beforeAll(async () => {
  [idpKey, hrKey, rsaKey] = await Promise.all([
    newKey("ES256", "idp-1"),
    newKey("ES256", "hr-1"),
    newKey("RS256", "idp-rsa"),
  ]);
});

beforeEach(() => {
  given = [];
  down = {};
  lines = [];
  actor = undefined;
});

const policy = () =>
  policySchema.parse({
    issuers: [
      { id: "corp", issuer: IDP, jwks: { keys: [idpKey.jwk] }, algorithms: ["ES256"], audience: "a" },
      { id: "staff", issuer: HR, jwks: { keys: [hrKey.jwk] }, algorithms: ["ES256"], audience: "a" },
    ],
    signals: {
      transmitters: [
        {
          ...{ id: "corp", issuer: IDP, algorithms: ["ES256"], audience: AUD, subjects_of: "corp" },
          ...(down.keys ? { jwks_uri: "https://away.example.com/jwks" } : {}),
          ...(down.keys ? {} : { jwks: { keys: [idpKey.jwk, rsaKey.jwk] } }),
          global_token_revocation: true,
        },
        {
          ...{ id: "hr", issuer: HR, algorithms: ["ES256"], audience: AUD, subjects_of: "staff" },
          jwks: { keys: [hrKey.jwk] },
        },
      ],
    },
  });

/** As the object: once for each jti, and only while the log answers. */
const inbox: SignalDeps["inbox"] = (name) => ({
  receive: async (signal) => {
    if (down.log) return err(problem("unavailable", "The log did not answer."));
    const known = given.find((each) => each.inbox === name && each.signal.jti === signal.jti);
    const record = recordOf(known?.signal ?? signal, "sig_1", NOW);
    if (known && !isSame(record, signal)) return err(problem("conflict", "used before"));
    if (!known) given.push({ inbox: name, signal });
    return ok({ signal: record, repeated: known !== undefined });
  },
  list: async ({ limit }) =>
    ok(given.slice(0, limit).map(({ signal }, n) => recordOf(signal, `sig_${n}`, NOW))),
});

function app() {
  const clock = () => NOW * 1000;
  const deps: SignalDeps = {
    issuer: OURS,
    clock,
    policy: async () => (down.policy ? err(problem("unavailable", "away")) : ok(policy())),
    keys: new RemoteKeys({ fetch: () => Promise.reject(new Error("away")), clock, log: () => {} }),
    inbox,
    logger: (_level, event, fields) => void lines.push(JSON.stringify({ event, ...fields })),
    authenticate: async () => actor ?? problemResponse(problem("invalid_token", "none"), "dec_1"),
  };
  return new Hono<HttpEnv>()
    .use(async (c, next) => {
      c.set("requestId", `dec_${++requests}`);
      if (actor) c.set("actor", actor);
      await next();
    })
    .route("/", inboundSignalRoutes(deps))
    .route("/", signalRoutes(deps));
}

const SUB_ID = { format: "iss_sub", iss: IDP, sub: "alice" };
const REVOKED = { [securityEventUri("session-revoked")]: { event_timestamp: NOW - 10 } };

const setClaims = (claims: object = {}) => ({
  ...{ iss: IDP, aud: AUD, iat: NOW - 5, jti: "j-1", sub_id: SUB_ID, events: REVOKED },
  ...claims,
});
const set = (claims: object = {}, header: object = {}, key = idpKey) =>
  signToken(key, { alg: key.alg, typ: "secevent+jwt", kid: key.kid, ...header }, setClaims(claims) as Part);

async function push(body: string, type = "application/secevent+jwt") {
  const init = { method: "POST", headers: { "content-type": type }, body };
  const answer = await app().request("/v1/signals/events", init);
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, ...(text ? JSON.parse(text) : {}) };
}

describe("POST /v1/signals/events", () => {
  it("answers 202 without a body, and hands on what is said of whom", async () => {
    expect(await push(await set())).toMatchObject({ status: 202, text: "" });
    expect(given).toEqual([
      {
        inbox: IDP,
        signal: {
          actor: "transmitter:corp",
          via: "security_event_token",
          jti: "j-1",
          event: "session-revoked",
          action: "revoke_session",
          issued_at: NOW - 5,
          issuer: { id: "corp", issuer: IDP },
          named: { sub: "alice" },
        },
      },
    ]);
  });

  it.each<[string, () => Promise<string>]>([
    ["one of several audiences", () => set({ aud: ["other", AUD] })],
    ["a typ with application/ and capitals", () => set({}, { typ: "application/SecEvent+JWT" })],
    ["no kid, where one key fits", () => set({}, { kid: undefined })],
    ["iat a minute ahead", () => set({ iat: NOW + 60 })],
    ["iat a day ago", () => set({ iat: NOW - 86_400 })],
    ["an exp that is not over", () => set({ exp: NOW + 1 })],
    [
      "the subject in the event, as before SSF 1.0",
      () =>
        set({ sub_id: undefined, events: { [securityEventUri("session-revoked")]: { subject: SUB_ID } } }),
    ],
    ["txn and toe", () => set({ txn: "t", toe: NOW - 9 })],
  ])("takes %s", async (_what, make) => {
    expect((await push(await make())).status).toBe(202);
    expect(given).toHaveLength(1);
    expect(given[0]!.signal.named).toEqual({ sub: "alice" });
  });

  it("takes the media type with a parameter and in capitals", async () => {
    expect((await push(await set(), "Application/SecEvent+JWT; charset=utf-8")).status).toBe(202);
  });

  const other = (claims: object) => () => set(claims);
  it.each<[string, string, () => Promise<string> | string]>([
    ["nothing", "invalid_request", () => ""],
    ["what is no JWT", "invalid_request", () => "hello"],
    ["a JWT of two parts", "invalid_request", async () => (await set()).replace(/\.[^.]+$/, "")],
    ["a JWT without a signature", "authentication_failed", async () => (await set()).replace(/[^.]+$/, "")],
    [
      "duplicate claims",
      "invalid_request",
      () =>
        signToken(idpKey, { alg: "ES256", typ: "secevent+jwt", kid: "idp-1" }, `{"iss":"x","iss":"${IDP}"}`),
    ],
    ["no typ", "invalid_request", () => set({}, { typ: undefined })],
    ["an access token's typ", "invalid_request", () => set({}, { typ: "at+jwt" })],
    ["a logout token's typ", "invalid_request", () => set({}, { typ: "logout+jwt" })],
    ["an ID token's typ", "invalid_request", () => set({}, { typ: "JWT" })],
    ["a key in the header", "invalid_request", () => set({}, { jwk: idpKey.jwk })],
    ["crit", "invalid_request", () => set({}, { crit: ["exp"] })],
    ["an issuer that is not configured", "invalid_issuer", other({ iss: "https://evil.example.com" })],
    ["no issuer", "invalid_issuer", other({ iss: undefined })],
    ["an issuer with a slash more", "invalid_issuer", other({ iss: `${IDP}/` })],
    ["ourselves as issuer", "invalid_issuer", other({ iss: OURS })],
    ["a key that nobody has", "invalid_key", () => set({}, { kid: "idp-2" })],
    ["the key of another transmitter", "invalid_key", () => set({}, {}, hrKey)],
    ["an algorithm that is not configured", "invalid_key", () => set({}, {}, rsaKey)],
    ["alg none", "invalid_key", () => set({}, { alg: "none" })],
    ["HS256", "invalid_key", () => set({}, { alg: "HS256" })],
    [
      "another transmitter's key under this kid",
      "authentication_failed",
      () => set({}, { kid: "idp-1" }, { ...hrKey, kid: "idp-1" }),
    ],
    [
      "a forged claim",
      "authentication_failed",
      async () => {
        const [header, , signature] = (await set()).split(".");
        const [, claims] = (await set({ jti: "j-2" })).split(".");
        return `${header}.${claims}.${signature}`;
      },
    ],
    ["another audience", "invalid_audience", other({ aud: "https://other.example.com" })],
    ["no audience", "invalid_audience", other({ aud: undefined })],
    ["an audience that only begins like ours", "invalid_audience", other({ aud: `${AUD}/x` })],
    ["an iat more than a minute ahead", "invalid_request", other({ iat: NOW + 61 })],
    ["an iat more than a day ago", "invalid_request", other({ iat: NOW - 86_401 })],
    ["no iat", "invalid_request", other({ iat: undefined })],
    ["an iat that is text", "invalid_request", other({ iat: String(NOW) })],
    ["an exp that is over", "invalid_request", other({ exp: NOW - 60 })],
    ["no jti", "invalid_request", other({ jti: undefined })],
    ["an empty jti", "invalid_request", other({ jti: "" })],
    ["a jti over 255 characters", "invalid_request", other({ jti: "x".repeat(256) })],
    ["no events", "invalid_request", other({ events: undefined })],
    ["events of none", "invalid_request", other({ events: {} })],
    ["two events", "invalid_request", other({ events: { ...REVOKED, [securityEventUri("opt-in")]: {} } })],
    ["an event that is no object", "invalid_request", other({ events: { [securityEventUri("opt-in")]: 1 } })],
    ["no subject", "invalid_request", other({ sub_id: undefined })],
    [
      "a subject in a format that names nobody",
      "invalid_request",
      other({
        sub_id: { format: "email", email: "alice@example.com" },
      }),
    ],
    ["a person of another issuer", "access_denied", other({ sub_id: { ...SUB_ID, iss: HR } })],
  ])("refuses %s with %s, and hands on nothing", async (_what, code, make) => {
    const answer = await push(await make());
    expect(answer).toMatchObject({ status: 400, err: code, description: expect.any(String) });
    expect(answer.headers.get("content-type")).toContain("application/json");
    expect(answer.headers.get("content-language")).toBe("en");
    expect(given).toEqual([]);
  });

  it.each(["application/jwt", "application/json", "text/plain", ""])(
    "refuses %j as media type",
    async (type) => {
      expect(await push(await set(), type)).toMatchObject({ status: 400, err: "invalid_request" });
      expect(given).toEqual([]);
    },
  );

  it("refuses a body over 64 KiB", async () => {
    expect(await push("x".repeat(64 * 1024 + 1))).toMatchObject({ status: 400, err: "invalid_request" });
  });

  it("lets a transmitter speak of its own people only, whatever it signs", async () => {
    const staff = { format: "iss_sub", iss: HR, sub: "alice" };
    expect((await push(await set({ iss: HR, sub_id: staff }, {}, hrKey))).status).toBe(202);
    expect(await push(await set({ iss: HR }, {}, hrKey))).toMatchObject({
      status: 400,
      err: "access_denied",
    });
    expect(given.map(({ inbox: name, signal }) => [name, signal.issuer?.id])).toEqual([[HR, "staff"]]);
  });

  it("acknowledges the same token again without a second effect, and refuses its jti for another event", async () => {
    expect((await push(await set())).status).toBe(202);
    expect((await push(await set())).status).toBe(202);
    expect(given).toHaveLength(1);
    const another = { events: { [securityEventUri("account-disabled")]: {} } };
    expect(await push(await set(another))).toMatchObject({ status: 400, err: "invalid_request" });
    expect(given).toHaveLength(1);
    // The same jti of another transmitter is another one.
    const staff = { format: "iss_sub", iss: HR, sub: "alice" };
    expect((await push(await set({ iss: HR, sub_id: staff }, {}, hrKey))).status).toBe(202);
    expect(given).toHaveLength(2);
  });

  it("keeps what is not for us to act on, without looking whom it names", async () => {
    const bare = (name: string, payload = {}) =>
      set({ sub_id: undefined, jti: name, events: { [name]: payload } });
    const ssf = "https://schemas.openid.net/secevent/ssf/event-type/";
    expect((await push(await bare("https://example.com/new-event"))).status).toBe(202);
    expect((await push(await bare(`${ssf}verification`, { state: "x" }))).status).toBe(202);
    expect((await push(await bare(`${ssf}stream-updated`, { status: "paused" }))).status).toBe(202);
    expect((await push(await bare(securityEventUri("session-presented")))).status).toBe(202);
    const email = { format: "email", email: "alice@example.com" };
    const changed = { sub_id: email, jti: "c", events: { [securityEventUri("identifier-changed")]: {} } };
    expect((await push(await set(changed))).status).toBe(202);
    expect(given.map(({ signal }) => [signal.event, signal.action, signal.kind])).toEqual([
      ["unknown", "ignore", undefined],
      ["verification", "ignore", undefined],
      ["stream-updated", "notify", "paused"],
      ["session-presented", "ignore", undefined],
      ["identifier-changed", "notify", undefined],
    ]);
  });

  it.each([{ log: true }, { policy: true }, { keys: true }])(
    "does not acknowledge what it cannot keep: 503, to be sent again: %j",
    async (fault) => {
      down = fault;
      const answer = await push(await set());
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("5");
      expect(given).toEqual([]);
      down = {};
      expect((await push(await set())).status).toBe(202);
    },
  );

  it("writes down who was refused and why, and nothing of the token", async () => {
    const token = await set({ aud: "other" });
    await push(token);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("invalid_audience");
    for (const part of token.split(".")) expect(lines[0]).not.toContain(part);
  });
});

const callerClaims = (claims: object = {}) => ({
  ...{ iss: IDP, sub: "gate-app", aud: GTR_URL, iat: NOW - 5, exp: NOW + 295, jti: "c-1" },
  ...claims,
});
const callerJwt = (claims: object = {}, header: object = {}, key = idpKey) =>
  signToken(key, { alg: key.alg, typ: "JWT", kid: key.kid, ...header }, callerClaims(claims) as Part);

async function revoke(authorization: string | undefined, body: unknown, type = "application/json") {
  const headers = { "content-type": type, ...(authorization === undefined ? {} : { authorization }) };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await app().request("/v1/signals/global-token-revocation", {
    method: "POST",
    headers,
    body: text,
  });
  return answer.status;
}
const asTransmitter = async (claims = {}, body: unknown = { sub_id: SUB_ID }) =>
  revoke(`Bearer ${await callerJwt(claims)}`, body);

describe("POST /v1/signals/global-token-revocation", () => {
  const person = (scopes: string[]): Actor => ({ subject: "cli_1", clientId: "cli_1", scopes, roles: [] });

  it("ends everything of a person on the word of a transmitter that may", async () => {
    expect(await asTransmitter()).toBe(204);
    expect(given).toMatchObject([
      {
        inbox: IDP,
        signal: {
          ...{ actor: "transmitter:corp", via: "global_token_revocation", jti: "c-1" },
          ...{ event: "global-token-revocation", action: "revoke_sessions", named: { sub: "alice" } },
        },
      },
    ]);
  });

  it.each<[string, () => Promise<string>]>([
    ["its own type", () => callerJwt({}, { typ: "global-token-revocation+jwt" })],
    ["no type", () => callerJwt({}, { typ: undefined })],
    ["ten minutes of life", () => callerJwt({ iat: NOW - 300, exp: NOW + 300 })],
  ])("takes a JWT with %s", async (_what, make) => {
    expect(await revoke(`Bearer ${await make()}`, { sub_id: SUB_ID })).toBe(204);
    expect(given).toHaveLength(1);
  });

  it.each<[string, () => Promise<string>]>([
    ["a security event token's type", () => callerJwt({}, { typ: "secevent+jwt" })],
    ["an access token's type", () => callerJwt({}, { typ: "at+jwt" })],
    ["a logout token's type", () => callerJwt({}, { typ: "logout+jwt" })],
    ["the key of another transmitter", () => callerJwt({}, {}, hrKey)],
    ["that key under this kid", () => callerJwt({}, { kid: "idp-1" }, { ...hrKey, kid: "idp-1" })],
    ["an algorithm that is not configured", () => callerJwt({}, {}, rsaKey)],
    ["another audience", () => callerJwt({ aud: AUD })],
    ["the audience among others", () => callerJwt({ aud: [GTR_URL] })],
    ["the URL with a query", () => callerJwt({ aud: `${GTR_URL}?x` })],
    ["a nonce", () => callerJwt({ nonce: "n" })],
    ["no exp", () => callerJwt({ exp: undefined })],
    ["an exp that is over", () => callerJwt({ exp: NOW })],
    ["an iat in the future", () => callerJwt({ iat: NOW + 61, exp: NOW + 100 })],
    ["no iat", () => callerJwt({ iat: undefined })],
    ["too long a life", () => callerJwt({ iat: NOW - 301, exp: NOW + 300 })],
    ["no jti", () => callerJwt({ jti: undefined })],
  ])("refuses a JWT with %s: 401, and nothing is changed", async (_what, make) => {
    expect(await revoke(`Bearer ${await make()}`, { sub_id: SUB_ID })).toBe(401);
    expect(given).toEqual([]);
  });

  it("takes a JWT once, for the same person and for any other", async () => {
    expect(await asTransmitter()).toBe(204);
    expect(await asTransmitter()).toBe(401);
    expect(await asTransmitter({}, { sub_id: { ...SUB_ID, sub: "bob" } })).toBe(401);
    expect(given).toHaveLength(1);
    expect(await asTransmitter({ jti: "c-2" })).toBe(204);
  });

  it("is not for a transmitter that the policy does not let, nor for people of another issuer: 403", async () => {
    const staff = { format: "iss_sub", iss: HR, sub: "bob" };
    expect(await revoke(`Bearer ${await callerJwt({ iss: HR }, {}, hrKey)}`, { sub_id: staff })).toBe(403);
    expect(await asTransmitter({}, { sub_id: staff })).toBe(403);
    expect(given).toEqual([]);
  });

  it.each<[string, unknown, number]>([
    ["what is no JSON", "{", 400],
    ["duplicate members", `{"sub_id":{},"sub_id":${JSON.stringify(SUB_ID)}}`, 400],
    ["no sub_id", {}, 400],
    ["another member", { sub_id: SUB_ID, reason: "x" }, 400],
    ["a sub_id that is text", { sub_id: "alice" }, 400],
    ["an unknown format", { sub_id: { format: "name", name: "Alice" } }, 400],
    ["a sub_id without its sub", { sub_id: { format: "iss_sub", iss: IDP } }, 400],
    ["an email that is nobody's sub", { sub_id: { format: "email", email: "a@example.com" } }, 422],
    ["a session alone", { sub_id: { format: "complex", session: { format: "opaque", id: "s" } } }, 422],
    ["an opaque sub", { sub_id: { format: "opaque", id: "alice" } }, 204],
  ])("answers %s as the draft says", async (_what, body, status) => {
    expect(await asTransmitter({}, body)).toBe(status);
    expect(given).toHaveLength(status === 204 ? 1 : 0);
  });

  it("is also for a client with the scope, for people of any issuer that is trusted", async () => {
    actor = person(["signals:revoke"]);
    expect(await revoke("Bearer own", { sub_id: { ...SUB_ID, iss: HR } })).toBe(204);
    expect(await revoke("Bearer own", { sub_id: { format: "opaque", id: "corp|bob" } })).toBe(204);
    expect(
      given.map(({ inbox: name, signal }) => [name, signal.actor, signal.issuer?.id, signal.named]),
    ).toEqual([
      [OURS, "cli_1", "staff", { sub: "alice" }],
      [OURS, "cli_1", "corp", { sub: "bob" }],
    ]);
  });

  it.each<[string, object, number]>([
    ["of an issuer that nobody trusts", { ...SUB_ID, iss: "https://x.example.com" }, 404],
    ["of an issuer's id that nobody has", { format: "opaque", id: "x|bob" }, 404],
    ["without an issuer", { format: "opaque", id: "bob" }, 404],
    ["in an unknown format", { format: "name", name: "bob" }, 400],
    ["by phone", { format: "phone_number", phone_number: "+12065550100" }, 422],
  ])("tells that client that it names nobody: %s", async (_what, sub_id, status) => {
    actor = person(["signals:revoke"]);
    expect(await revoke("Bearer own", { sub_id })).toBe(status);
    expect(given).toEqual([]);
  });

  it("refuses a client without the scope, and who shows nothing", async () => {
    actor = person(["revocations:read", "signals:read"]);
    expect(await revoke("Bearer own", { sub_id: SUB_ID })).toBe(403);
    actor = undefined;
    expect(await revoke("Bearer own", { sub_id: SUB_ID })).toBe(401);
    expect(await revoke(undefined, { sub_id: SUB_ID })).toBe(401);
    expect(await revoke(`DPoP ${await callerJwt()}`, { sub_id: SUB_ID })).toBe(401);
    expect(given).toEqual([]);
  });

  it("does not acknowledge what it cannot keep, and takes the same JWT again then", async () => {
    down = { log: true };
    expect(await asTransmitter()).toBe(503);
    down = {};
    expect(await asTransmitter()).toBe(204);
  });
});

describe("GET /v1/signals/events", () => {
  const list = (query: string) => app().request(`/v1/signals/events${query}`);

  it("lists what a transmitter told to who may read it", async () => {
    await push(await set());
    actor = { subject: "o", clientId: "o", scopes: ["signals:read"], roles: [] };
    const answer = await list("?transmitter=corp&limit=1");
    expect(await answer.json()).toMatchObject({
      items: [{ event: "session-revoked" }],
      next_cursor: "sig_0",
    });
    expect((await list("?transmitter=nobody")).status).toBe(404);
    expect((await list("")).status).toBe(400);
    actor = { ...actor, scopes: ["sessions:read"] };
    expect((await list("?transmitter=corp")).status).toBe(403);
  });
});
