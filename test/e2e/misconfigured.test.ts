import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../src/local/http-call.ts";
import { ask, type HeldGrant, hold, ORDERS, read } from "../support/access.ts";
import { bodyOf, Deployment, type Endpoint, type Person } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { RecordingOrigin } from "../support/recording-origin.ts";
import { freeIssuer, OPERATOR_SECRET, type Runtime, SECRET, startRuntime } from "../support/runtime.ts";
import { sendDecision } from "../support/signed-decision.ts";
import { APPROVER_SCOPES, REQUESTER_SCOPES, testPolicy } from "../support/test-policy.ts";

let stateDir: string;
let issuer: string;
let origin: RecordingOrigin;
let receiver: Receiver;
let endpoint: Endpoint;
let gate: Deployment;
let requester: Person;
let held: HeldGrant;
let pending: string;
let runtime: Runtime | undefined;

/** A deployment that works, with a policy, a token that is good and a request that waits; then it is stopped. */
beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-misconfigured-"));
  issuer = await freeIssuer();
  origin = await RecordingOrigin.start();
  receiver = await Receiver.start();
  runtime = await startRuntime({ stateDir, issuer });
  gate = await Deployment.at(issuer);
  await gate.putPolicy(testPolicy({ origin: origin.url, identityProvider: "http://127.0.0.1:9" }));
  requester = await gate.newPerson(["developer"], REQUESTER_SCOPES);
  const approver = await gate.newPerson(["approver"], APPROVER_SCOPES);
  held = await hold(gate, { requester, approver });
  pending = (await ask(gate, requester.token)).id;
  endpoint = await gate.newEndpoint({ url: receiver.url, reviews_as: { roles: ["approver"] } });
  receiver.trust(endpoint.secret);
  await runtime.stop();
});

afterEach(() => runtime?.stop());

afterAll(async () => {
  await origin?.close();
  await receiver?.close();
  await rm(stateDir, { recursive: true });
});

const CREDENTIALS = {
  client: { id: "operator", secret: OPERATOR_SECRET },
  form: { grant_type: "client_credentials" },
};

/** Calls of every kind, each of which a good deployment answers otherwise. */
async function everyCall(): Promise<Record<string, Answer>> {
  const { token } = held;
  return {
    guarded: await gate.call("/orders", { token }),
    "guarded, strict": await gate.call("/orders/1001", { token }),
    public: await gate.call("/public/status"),
    nowhere: await gate.call("/nowhere"),
    token: await gate.call("/oauth/token", CREDENTIALS),
    keys: await gate.call("/.well-known/jwks.json"),
    metadata: await gate.call("/.well-known/oauth-authorization-server"),
    ask: await gate.call("/v1/access-requests", { token: requester.token, json: ORDERS }),
    list: await gate.call("/v1/access-requests", { token: requester.token }),
    decision: await gate.call("/v1/hooks/decisions", { json: {} }),
  };
}

type Check = { name: string; ready: boolean; optional?: true; detail: string };
type Readiness = { ready: boolean; checks: Check[] };

const missing = (variable: string) => ({ variables: { [variable]: undefined } });
const secret = (value: string) => ({ variables: { PORTCULLIS_SECRET: value } });
const SAMPLES = ["change-me-change-me-change-me-0123456789", "your-secret-here-0123456789abcdefgh"];

const FAULTS: [string, { variables?: Record<string, string | undefined>; without?: string[] }, RegExp][] = [
  ["no PORTCULLIS_SECRET", missing("PORTCULLIS_SECRET"), /^PORTCULLIS_SECRET: is not set$/],
  ["an empty PORTCULLIS_SECRET", secret(""), /^PORTCULLIS_SECRET: is not set$/],
  ["a short PORTCULLIS_SECRET", secret("q8Zr4Lw0"), /^PORTCULLIS_SECRET: must have at least 32/],
  ["a PORTCULLIS_SECRET of one letter", secret("a".repeat(64)), /^PORTCULLIS_SECRET: is a sample value/],
  ["a sample PORTCULLIS_SECRET", secret(SAMPLES[0]!), /^PORTCULLIS_SECRET: is a sample value/],
  ["another sample PORTCULLIS_SECRET", secret(SAMPLES[1]!), /^PORTCULLIS_SECRET: is a sample value/],
  [
    "no PORTCULLIS_OPERATOR_SECRET",
    missing("PORTCULLIS_OPERATOR_SECRET"),
    /^PORTCULLIS_OPERATOR_SECRET: is not set$/,
  ],
  ["the same secret twice", secret(OPERATOR_SECRET), /^PORTCULLIS_OPERATOR_SECRET: must differ/],
  [
    "a PORTCULLIS_SECRET_PREVIOUS that is the secret in use",
    { variables: { PORTCULLIS_SECRET_PREVIOUS: SECRET } },
    /^PORTCULLIS_SECRET_PREVIOUS: must be the secret before/,
  ],
  [
    "a short secret of an issuer",
    { variables: { ISSUER_SECRET_LEGACY: "only-31-bytes-are-in-this-one-x" } },
    /^ISSUER_SECRET_LEGACY: must have at least 32 bytes/,
  ],
  ["no ISSUER", missing("ISSUER"), /^ISSUER: is not set$/],
  ["an empty ISSUER", { variables: { ISSUER: "" } }, /^ISSUER: is not set$/],
  [
    "an ISSUER with a path",
    { variables: { ISSUER: "https://auth.example.com/x" } },
    /^ISSUER: must be an https origin/,
  ],
  [
    "a plain http ISSUER",
    { variables: { ISSUER: "http://auth.example.com" } },
    /^ISSUER: must be an https origin/,
  ],
  ...["KV", "LOG", "REGISTRY", "KEYRING", "ACCESS_REQUEST", "DIRECTORY", "ENDPOINT"].map(
    (name): (typeof FAULTS)[number] => [
      `no binding ${name}`,
      { without: [name] },
      new RegExp(`^${name}: the binding`),
    ],
  ),
];

describe("a deployment that is not configured", () => {
  it.each(FAULTS)(
    "with %s refuses everything, says why, and reaches no origin",
    async (_name, wrong, fault) => {
      runtime = await startRuntime({ stateDir, issuer, ...wrong });
      const before = origin.received.length;
      const answers = await everyCall();
      const health = await gate.call("/healthz");
      const ready = await gate.call("/readyz");

      for (const [kind, answer] of Object.entries(answers)) {
        expect(answer, kind).toMatchObject({ status: 503, body: { code: "misconfigured", status: 503 } });
        expect(answer.headers.get("content-type"), kind).toBe("application/problem+json");
      }
      expect(origin.received.length).toBe(before);
      expect(health).toMatchObject({ status: 200, body: { status: "ok" } });
      const { checks } = bodyOf<Readiness>(ready, 503);
      const [variable] = checks[0]!.detail.split(":");
      expect(checks[0]!.detail).toMatch(fault);
      expect(checks.filter(({ detail }) => !detail.startsWith(`${variable}: `))).toEqual([]);
      expect(checks.every((check) => check.name === "configuration" && !check.ready)).toBe(true);

      await expect.poll(() => runtime!.logs.join("\n")).toContain("misconfigured");
      expect(runtime.logs.join("\n")).toContain(checks[0]!.detail);
      const told = JSON.stringify([answers, ready.body]) + runtime.logs.join("\n");
      for (const value of [SECRET, OPERATOR_SECRET, ...Object.values(wrong.variables ?? {})]) {
        if (value) expect(told).not.toContain(value);
      }
    },
  );

  it("names every fault at once", async () => {
    runtime = await startRuntime({
      stateDir,
      issuer,
      variables: { ISSUER: undefined, PORTCULLIS_SECRET: "x" },
      without: ["KV"],
    });
    const { checks } = bodyOf<Readiness>(await gate.call("/readyz"), 503);
    const named = new Set(checks.map(({ detail }) => detail.split(":")[0]));
    expect([...named]).toEqual(["KV", "ISSUER", "PORTCULLIS_SECRET"]);
  });

  it("serves again once it is configured, on the state that it had", async () => {
    runtime = await startRuntime({ stateDir, issuer });
    const before = origin.received.length;
    const { nowhere, decision, ...served } = await everyCall();
    for (const [kind, { status }] of Object.entries(served)) expect([200, 201], kind).toContain(status);
    expect(nowhere).toMatchObject({ status: 404, body: { code: "no_route" } });
    expect(decision).toMatchObject({ status: 401, body: { code: "invalid_signature" } });
    expect(origin.received.length).toBe(before + 3);
    expect(await gate.call("/readyz")).toMatchObject({ status: 200, body: { ready: true } });
  });
});

describe("a PORTCULLIS_SECRET that is not the one the state was made with", () => {
  const another = { variables: { PORTCULLIS_SECRET: "YW5vdGhlci1zZWNyZXQtdGhhdC1pcy1nb29kLWJ5LWl0c2VsZg" } };

  it("mints nothing, signs nothing and takes no decision, and readyz names it", async () => {
    runtime = await startRuntime({ stateDir, issuer, ...another });
    const before = origin.received.length;
    const { checks } = bodyOf<Readiness>(await gate.call("/readyz"), 503);
    expect(checks.filter(({ ready, optional }) => !ready && !optional)).toEqual([
      { name: "keys", ready: false, detail: expect.stringContaining("PORTCULLIS_SECRET") },
    ]);

    expect(await gate.call("/oauth/token", CREDENTIALS)).toMatchObject({
      status: 503,
      body: { error: "temporarily_unavailable" },
    });
    const collecting = { method: "POST", token: requester.token };
    expect(await gate.call(`/v1/access-requests/${held.request}/token`, collecting)).toMatchObject({
      status: 503,
      body: { code: "misconfigured" },
    });
    // The token itself is good, but to the origin nobody can be vouched for.
    for (const path of ["/orders", "/orders/1001"]) {
      const refused = await gate.call(path, { token: held.token });
      expect(refused, path).toMatchObject({ status: 503, body: { code: "unavailable" } });
    }
    expect((await gate.call("/orders", { token: `${held.token}x` })).status).toBe(401);
    expect(origin.received.length).toBe(before);

    const decision = { access_request_id: pending, approver: "bob", outcome: "approve" };
    expect(await sendDecision(gate, endpoint, decision)).toMatchObject({
      status: 401,
      body: { code: "invalid_signature" },
    });
    expect(await read(gate, pending)).toMatchObject({ state: "pending", reviews: [] });
  });

  it("has spoilt nothing: with the right one everything is as it was", async () => {
    runtime = await startRuntime({ stateDir, issuer });
    expect((await gate.call("/readyz")).status).toBe(200);
    expect((await gate.call("/oauth/token", CREDENTIALS)).status).toBe(200);
    expect((await gate.call("/orders", { token: held.token })).status).toBe(200);
    expect(await read(gate, pending)).toMatchObject({ state: "pending", reviews: [] });
    const decision = { access_request_id: pending, approver: "bob", outcome: "approve" };
    expect(await sendDecision(gate, endpoint, decision)).toMatchObject({ body: { state: "approved" } });
    await receiver.waitFor("access_request.approved");
  });
});

describe("the change of PORTCULLIS_SECRET, with the one before it in PORTCULLIS_SECRET_PREVIOUS", () => {
  const PORTCULLIS_SECRET = "YS1uZXctc2VjcmV0LW9ubHktZm9yLXRoZS10ZXN0cy0wMg";
  const during = { variables: { PORTCULLIS_SECRET, PORTCULLIS_SECRET_PREVIOUS: SECRET } };
  const after = { variables: { PORTCULLIS_SECRET } };

  const worksAsBefore = async () => {
    expect((await gate.call("/readyz")).status).toBe(200);
    expect((await gate.call("/oauth/token", CREDENTIALS)).status).toBe(200);
    for (const path of ["/orders", "/orders/1001"]) {
      expect((await gate.call(path, { token: held.token })).status, path).toBe(200);
    }
    const { id } = await ask(gate, requester.token);
    const decision = { access_request_id: id, approver: "bob", outcome: "approve" };
    expect(await sendDecision(gate, endpoint, decision)).toMatchObject({ body: { state: "approved" } });
    await receiver.waitFor(({ type, body }) => type === "access_request.approved" && body.includes(id));
  };
  const stillWrapped = async () => {
    const { access_token } = bodyOf<{ access_token: string }>(
      await gate.call("/oauth/token", CREDENTIALS),
      200,
    );
    const headers = { authorization: `Bearer ${access_token}` };
    const text = await (await fetch(`${issuer}/metrics`, { headers })).text();
    return [...text.matchAll(/^portcullis_previous_secret_values\{.*\} (\d+)$/gm)].map(([, n]) => Number(n));
  };

  it("loses nothing: the cron wraps anew, a metric tells when it is done, and then the old one may go", async () => {
    runtime = await startRuntime({ stateDir, issuer, ...during });
    await worksAsBefore();
    await runtime.cron();
    const first = await stillWrapped();
    expect(first).toHaveLength(4);
    for (const wrapped of first) expect(wrapped).toBeGreaterThan(0);
    await runtime.cron();
    expect(await stillWrapped()).toEqual([0, 0, 0, 0]);
    await runtime.stop();
    runtime = await startRuntime({ stateDir, issuer, ...after });
    await worksAsBefore();
  });
});

describe("a secret that an issuer shares with the deployment", () => {
  const shared = "c2hhcmVkLXdpdGgtdGhlLWlzc3Vlci0wMTIzNDU2Nzg5";
  const PORTCULLIS_SECRET = "YS1uZXctc2VjcmV0LW9ubHktZm9yLXRoZS10ZXN0cy0wMg";
  const issuers = [
    {
      ...{ id: "legacy", issuer: "https://legacy.example.com", audience: "portcullis" },
      ...{ secret_ref: "ISSUER_SECRET_LEGACY", algorithms: ["HS256"], claims: { scopes: "scope" } },
    },
  ];
  const tokenWith = (secret: string) =>
    new SignJWT({ scope: "things:read", client_id: "legacy-client" })
      .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
      .setIssuer("https://legacy.example.com")
      .setSubject("zoe")
      .setAudience("portcullis")
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(new TextEncoder().encode(secret));

  it("opens the gate to the issuer's tokens, is never shown, and its loss is not the client's fault", async () => {
    const policy = testPolicy({ origin: origin.url, identityProvider: "http://127.0.0.1:9" });
    const route = { id: "things", path: "/things", origin: "demo", access: { scopes: ["things:read"] } };
    const document = {
      ...policy,
      issuers: [...policy.issuers, ...issuers],
      routes: [...policy.routes, route],
    };

    runtime = await startRuntime({ stateDir, issuer, variables: { PORTCULLIS_SECRET } });
    gate = await Deployment.at(issuer);
    await expect(gate.putPolicy(document)).rejects.toThrow(/no secret ISSUER_SECRET_LEGACY/);
    await runtime.stop();

    const variables = { PORTCULLIS_SECRET, ISSUER_SECRET_LEGACY: shared };
    runtime = await startRuntime({ stateDir, issuer, variables });
    await gate.putPolicy(document);
    expect((await gate.call("/things", { token: await tokenWith(shared) })).status).toBe(200);
    expect((await gate.call("/things", { token: await tokenWith(`${shared}x`) })).status).toBe(401);
    const shown = JSON.stringify([(await gate.asOperator("/v1/policy")).body, await runtime.kv("snapshot")]);
    expect(shown).toContain("ISSUER_SECRET_LEGACY");
    expect(shown).not.toContain(shared);
    await runtime.stop();

    runtime = await startRuntime({ stateDir, issuer, variables: { PORTCULLIS_SECRET } });
    expect((await gate.call("/things", { token: await tokenWith(shared) })).status).toBe(503);
  });
});
