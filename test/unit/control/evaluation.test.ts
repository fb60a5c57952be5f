import { Hono } from "hono";
import { beforeEach, describe, expect, it } from "vitest";
import {
  type DecisionDeps,
  decisionMetadataRoutes,
  decisionRoutes,
} from "../../../src/control/decision-routes.ts";
import type { HttpEnv } from "../../../src/platform/http.ts";
import type { DecisionAsk, DecisionTrace } from "../../../src/protocol/decision-trace.ts";

const ISSUER = "https://auth.example.com";
const EVALUATION = {
  subject: { type: "access_token", id: "aaa.bbb.ccc" },
  action: { name: "GET" },
  resource: { type: "url", id: "https://api.example.com/yes" },
};

let asked: DecisionAsk[];
let scopes: string[];

beforeEach(() => {
  asked = [];
  scopes = ["decisions:evaluate", "policy:read"];
});

/** Allows what ends in /yes; of /down nobody can tell. */
const decide: DecisionDeps["decide"] = async (ask) => {
  asked.push(ask);
  const allow = ask.url.endsWith("/yes");
  const trace: DecisionTrace = {
    trace_version: 1,
    decision_id: "dec_1",
    outcome: allow ? "allow" : "refuse",
    reason: allow ? "token" : "scope_missing",
    status: allow ? 200 : ask.url.endsWith("/down") ? 503 : 403,
    route: "orders",
    checks: [],
    remedies: allow ? [] : [{ kind: "scope", missing: ["orders:read"] }],
  };
  return trace;
};

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const app = new Hono<HttpEnv>();
  app.use(async (c, next) => {
    c.set("requestId", "dec_1");
    c.set("actor", { subject: "pep", clientId: "pep", scopes, roles: [] });
    await next();
  });
  app.route("/", decisionRoutes({ issuer: ISSUER, local: false, decide, explain: decide }));
  const response = await app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
const evaluate = (body: unknown, headers?: Record<string, string>) =>
  post("/access/v1/evaluation", body, headers);
const at = (path: string) => ({ resource: { type: "url", id: `https://api.example.com${path}` } });

describe("AuthZEN evaluation (Authorization API 1.0 §6)", () => {
  it("is a decision with its reason", async () => {
    const allowed = await evaluate(EVALUATION);
    expect(allowed.status).toBe(200);
    expect(allowed.body).toEqual({
      decision: true,
      context: { id: "dec_1", reason: "token", route: "orders" },
    });
    expect(asked[0]).toMatchObject({ method: "GET", url: "https://api.example.com/yes" });
    expect(asked[0]!.headers.get("authorization")).toBe("Bearer aaa.bbb.ccc");
    const refused = await evaluate({ ...EVALUATION, ...at("/no") });
    expect(refused.status).toBe(200);
    expect(refused.body).toEqual({
      decision: false,
      context: {
        id: "dec_1",
        reason: "scope_missing",
        route: "orders",
        remedies: [{ kind: "scope", missing: ["orders:read"] }],
      },
    });
  });

  it("takes a subject that the caller vouches for, and what it knows of the request", async () => {
    const properties = {
      scopes: ["a"],
      roles: ["r"],
      resources: ["projects/1"],
      acr: "mfa",
      department: "x",
    };
    const context = { ip: "203.0.113.9", cf: { country: "DE" }, time: "2026-11-22T09:00:00Z" };
    await evaluate({ ...EVALUATION, subject: { type: "subject", id: "demo|ann", properties }, context });
    const { department: _, acr, ...known } = properties;
    expect(asked[0]).toMatchObject({
      assumed: { subject: "demo|ann", ...known, sign_in: { acr } },
      cf: { country: "DE" },
    });
    expect(asked[0]!.headers.get("cf-connecting-ip")).toBe("203.0.113.9");
    expect(asked[0]!.headers.has("authorization")).toBe(false);
  });

  it("leaves members out of account that the standard does not name", async () => {
    expect((await evaluate({ ...EVALUATION, later: 1, action: { name: "GET", later: 2 } })).status).toBe(200);
  });

  it.each([
    [{}],
    [{ ...EVALUATION, subject: undefined }],
    [{ ...EVALUATION, subject: { type: "access_token" } }],
    [{ ...EVALUATION, subject: { type: "access_token", id: 7 } }],
    [{ ...EVALUATION, subject: { type: "user", id: "ann" } }],
    [{ ...EVALUATION, subject: { type: "access_token", id: "line\nbreak" } }],
    [{ ...EVALUATION, subject: { type: "subject", id: "ann", properties: { scopes: "a b" } } }],
    [{ ...EVALUATION, action: undefined }],
    [{ ...EVALUATION, action: { name: "can_read" } }],
    [{ ...EVALUATION, resource: { type: "document", id: "1" } }],
    [{ ...EVALUATION, resource: { type: "url" } }],
    [{ ...EVALUATION, context: { ip: "nowhere" } }],
    [{ ...EVALUATION, context: [] }],
    [{ ...EVALUATION, resource: { type: "url", id: `${ISSUER}/v1/policy` } }],
    [{ ...EVALUATION, resource: { type: "url", id: "http://api.example.com/yes" } }],
    [[EVALUATION]],
  ])("refuses what is none, without a decision: %j", async (body) => {
    const refused = await evaluate(body);
    expect(refused.status).toBe(400);
    expect(refused.body).not.toHaveProperty("decision");
    expect(asked).toEqual([]);
  });

  it("needs its scope, which is not that of an explanation", async () => {
    scopes = ["policy:read"];
    expect((await evaluate(EVALUATION)).status).toBe(403);
    expect((await post("/access/v1/evaluations", EVALUATION)).status).toBe(403);
    scopes = ["decisions:evaluate"];
    expect((await evaluate(EVALUATION)).status).toBe(200);
    expect((await post("/v1/explain", { method: "GET", url: "https://a/" })).status).toBe(403);
  });

  it("answers with the caller's own id of the request (§10.1)", async () => {
    const answered = await evaluate(EVALUATION, { "x-request-id": "bfe9eb29-ab87" });
    expect(answered.headers.get("x-request-id")).toBe("bfe9eb29-ab87");
    expect((await evaluate(EVALUATION)).headers.has("x-request-id")).toBe(false);
    expect(
      (await evaluate(EVALUATION, { "x-request-id": "x".repeat(129) })).headers.has("x-request-id"),
    ).toBe(false);
  });
});

describe("AuthZEN evaluations (§7)", () => {
  const { resource: _, ...common } = EVALUATION;
  const run = async (paths: string[], semantic?: string) => {
    const options = semantic === undefined ? {} : { options: { evaluations_semantic: semantic } };
    const { status, body } = await post("/access/v1/evaluations", {
      ...common,
      evaluations: paths.map(at),
      ...options,
    });
    if (status !== 200) return status;
    return (body as { evaluations: { decision: boolean }[] }).evaluations.map(({ decision }) => decision);
  };

  it("answer each in its order, by what stands beside them where it says nothing itself", async () => {
    expect(await run(["/yes", "/no", "/yes"])).toEqual([true, false, true]);
    expect(asked.map(({ method }) => method)).toEqual(["GET", "GET", "GET"]);
    await post("/access/v1/evaluations", { ...EVALUATION, evaluations: [{}, { action: { name: "PUT" } }] });
    expect(asked.slice(3).map(({ method }) => method)).toEqual(["GET", "PUT"]);
  });

  it.each([
    ["execute_all", ["/yes", "/no", "/yes"], [true, false, true]],
    ["deny_on_first_deny", ["/yes", "/no", "/yes"], [true, false]],
    ["deny_on_first_deny", ["/yes", "/yes"], [true, true]],
    ["permit_on_first_permit", ["/no", "/yes", "/no"], [false, true]],
    ["permit_on_first_permit", ["/no", "/no"], [false, false]],
    ["some_other", ["/yes"], 400],
  ])("%s of %j", async (semantic, paths, expected) => {
    expect(await run(paths, semantic)).toEqual(expected);
    if (Array.isArray(expected)) expect(asked).toHaveLength(expected.length);
  });

  it("without any of them are one evaluation", async () => {
    for (const body of [EVALUATION, { ...EVALUATION, evaluations: [] }]) {
      expect((await post("/access/v1/evaluations", body)).body).toMatchObject({ decision: true });
    }
    expect((await post("/access/v1/evaluations", common)).status).toBe(400);
  });

  it("say of each what is wrong with it, and of none that it is allowed", async () => {
    const evaluations = [{}, { resource: { type: "document", id: "1" } }, at("/down"), at("/yes")];
    const { body } = await post("/access/v1/evaluations", { ...common, evaluations });
    expect(body).toMatchObject({
      evaluations: [
        { decision: false, context: { error: { status: 400 } } },
        { decision: false, context: { error: { status: 400 } } },
        { decision: false, context: { error: { status: 503 } } },
        { decision: true },
      ],
    });
    expect(await run(Array(101).fill("/yes"))).toBe(400);
    expect(await run(Array(100).fill("/yes"))).toHaveLength(100);
  });
});

describe("AuthZEN metadata (§9)", () => {
  it("names what works", async () => {
    const metadata = await decisionMetadataRoutes({ issuer: ISSUER }).request(
      "/.well-known/authzen-configuration",
    );
    expect(metadata.headers.get("content-type")).toBe("application/json");
    expect(await metadata.json()).toEqual({
      policy_decision_point: ISSUER,
      access_evaluation_endpoint: `${ISSUER}/access/v1/evaluation`,
      access_evaluations_endpoint: `${ISSUER}/access/v1/evaluations`,
    });
  });
});

describe("an explanation", () => {
  const explain = (body: object) => post("/v1/explain", body);
  const request = { method: "GET", url: "https://api.example.com/yes" };

  it("is for whatever the gate decides on, at the issuer's own address too", async () => {
    expect((await explain({ ...request, url: `${ISSUER}/yes` })).status).toBe(200);
    expect((await explain({ ...request, url: `${ISSUER}.evil.example/v1/policy` })).status).toBe(200);
  });

  it("is the trace of the decision, by the headers and the token that it is given", async () => {
    const { status, body } = await explain({
      ...request,
      headers: { "X-Token": "t" },
      token: "a.b.c",
      cf: { asn: 1 },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ trace_version: 1, outcome: "allow", checks: [] });
    expect(asked[0]!.headers.get("x-token")).toBe("t");
    expect(asked[0]!.headers.get("authorization")).toBe("Bearer a.b.c");
    expect(asked[0]!.cf).toEqual({ asn: 1 });
  });

  it.each([
    [{}],
    [{ ...request, method: "get" }],
    [{ ...request, body: "x" }],
    [{ ...request, url: `${ISSUER}/oauth/token?x` }],
    [{ ...request, url: "http://api.example.com/yes" }],
    [{ ...request, token: "a.b.c", headers: { Authorization: "Bearer d.e.f" } }],
    [{ ...request, token: "a\nb" }],
    [{ ...request, headers: { "a b": "c" } }],
    [{ ...request, headers: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`x-${i}`, ""])) }],
  ])("refuses %j, and repeats no token", async (body) => {
    const refused = await explain(body);
    expect(refused.status).toBe(400);
    expect(JSON.stringify(refused.body)).not.toContain("a.b.c");
  });
});
