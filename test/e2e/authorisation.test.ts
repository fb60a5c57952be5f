import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { TOKEN_EXCHANGE } from "../../src/local/set-up.ts";
import { ask, collect, review } from "../support/access.ts";
import { bodyOf, type Client } from "../support/deployment.ts";
import { type PeopleStand, standUpWithPeople } from "../support/people-stand.ts";
import { RATE_LIMITS } from "../support/rate-limits.ts";

const QUOTA = 10;
const PARALLEL = 50;
const MFA = "urn:example:mfa";

type Trace = {
  outcome: string;
  reason: string;
  status: number;
  checks: { check: string; outcome: string }[];
  remedies: unknown[];
};
type Tokens = { access_token: string; refresh_token: string };

let stand: PeopleStand;
let app: Client;
let pep: string;
let count = 0;

beforeAll(async () => {
  stand = await standUpWithPeople((policy) => {
    const route = { origin: "demo", methods: ["GET"] };
    const scoped = { access: { scopes: ["things:read"] } };
    return {
      ...policy,
      roles: { ...policy.roles, editor: { scopes: ["things:read", "requests:create", "requests:read"] } },
      sessions: { idle_seconds: 600, absolute_seconds: 3600 },
      routes: [
        ...policy.routes,
        { ...route, ...scoped, id: "things", path: "/things/**" },
        {
          ...route,
          id: "vault",
          path: "/vault",
          access: { step_up: { acr_values: [MFA], max_age_seconds: 300 } },
        },
        {
          ...route,
          id: "vault-orders",
          path: "/vault/orders",
          access: { scopes: ["orders:read"], resource: "orders", step_up: { acr_values: [MFA] } },
        },
        {
          ...route,
          id: "by-method",
          path: "/conditional/:mine",
          access: { condition: "request.params.mine == token.subject && token.age_seconds < 600" },
        },
        {
          ...route,
          ...scoped,
          id: "counted",
          path: "/counted",
          limit: { by: "subject", exact: { requests: QUOTA, period_seconds: 3_600 } },
        },
        {
          ...route,
          id: "bursts",
          path: "/bursts",
          access: "public",
          limit: { by: "ip", limiter: "burst_10s" },
        },
      ],
    };
  });
  app = await stand.gate.newClient({
    grant_types: [TOKEN_EXCHANGE, "refresh_token"],
    scopes: ["things:read", "requests:create", "requests:read"],
  });
  const decider = await stand.gate.newPerson([], ["decisions:evaluate"]);
  pep = decider.token;
});

afterAll(() => stand?.stop());

const now = () => Math.floor(Date.now() / 1000);

/** Somebody who has signed in, with our tokens for the origin. */
async function signedIn(claims: Record<string, unknown> = {}, audience = ORIGIN_AUDIENCE) {
  const sub = `person-${++count}`;
  const theirs = await stand.people.token(sub, { roles: ["editor"], ...claims });
  const tokens = bodyOf<Tokens>(await stand.gate.exchange(app, theirs, { audience }), 200);
  return { ...tokens, subject: `people|${sub}` };
}
const call = (path: string, token?: string) => stand.gate.call(path, token === undefined ? {} : { token });
const explain = async (members: object) =>
  bodyOf<Trace>(await stand.gate.asOperator("/v1/explain", { json: { method: "GET", ...members } }), 200);

describe("step-up (RFC 9470)", () => {
  it("asks for a sign-in, and takes the token of one; exchange, refresh and introspection carry it", async () => {
    const weak = await signedIn();
    const refused = await call("/vault", weak.access_token);
    expect(refused.status).toBe(401);
    const challenge = refused.headers.get("www-authenticate") ?? "";
    expect(challenge).toContain('error="insufficient_user_authentication"');
    expect(challenge).toContain(`acr_values="${MFA}"`);
    expect(challenge).toContain('max_age="300"');
    expect(refused.body).toMatchObject({ code: "insufficient_user_authentication" });

    const strong = await signedIn({ acr: MFA, auth_time: now() - 5 });
    expect((await call("/vault", strong.access_token)).status).toBe(200);
    const form = { grant_type: "refresh_token", refresh_token: strong.refresh_token };
    const refreshed = bodyOf<Tokens>(await stand.gate.call("/oauth/token", { form, client: app }), 200);
    expect(decodeJwt(refreshed.access_token)).toMatchObject({ acr: MFA });
    expect((await call("/vault", refreshed.access_token)).status).toBe(200);
    const introspected = await stand.gate.call("/oauth/introspect", {
      form: { token: refreshed.access_token },
      client: app,
    });
    expect(introspected.body).toMatchObject({ active: true, acr: MFA });
    const old = await signedIn({ acr: MFA, auth_time: now() - 301 });
    expect((await call("/vault", old.access_token)).status).toBe(401);
  });

  it("holds for tokens of a grant by how their holder had signed in when they were collected", async () => {
    const granted = async (claims: Record<string, unknown>) => {
      const holder = await signedIn({ roles: ["editor", "developer"], ...claims }, stand.gate.issuer);
      const { id } = await ask(stand.gate, holder.access_token);
      expect((await review(stand.gate, stand.approver.token, id)).status).toBe(201);
      return collect(stand.gate, holder.access_token, id);
    };
    expect((await call("/vault/orders", await granted({ acr: MFA }))).status).toBe(200);
    expect((await call("/vault/orders", await granted({}))).status).toBe(401);
  });
});

describe("a condition", () => {
  it("is asked of the request as it comes, and refuses without a word on why", async () => {
    const person = await signedIn();
    const mine = `/conditional/${encodeURIComponent(person.subject)}`;
    expect((await call(mine, person.access_token)).status).toBe(200);
    const refused = await call("/conditional/other", person.access_token);
    expect(refused.status).toBe(403);
    expect(refused.body).toMatchObject({ code: "forbidden" });
    expect(JSON.stringify(refused.body)).not.toContain("params");
  });
});

describe("limits", () => {
  it("that are exact let exactly so many through of fifty at once, and tell the others when to come again", async () => {
    const person = await signedIn();
    const before = stand.origin.received.length;
    const answers = await Promise.all(
      Array.from({ length: PARALLEL }, () => call("/counted", person.access_token)),
    );
    const passed = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    expect([passed.length, refused.length]).toEqual([QUOTA, PARALLEL - QUOTA]);
    expect(stand.origin.received.length - before).toBe(QUOTA);
    const left = passed.map(({ headers }) => /;r=(\d+);/.exec(headers.get("ratelimit") ?? "")?.[1]);
    expect(left.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: QUOTA }, (_, i) => i));
    for (const { headers } of refused) {
      expect(Number(headers.get("retry-after"))).toBeGreaterThan(300);
      expect(headers.get("ratelimit")).toMatch(/^"counted";r=0;t=\d+$/);
      expect(headers.get("ratelimit-policy")).toBe(`"counted";q=${QUOTA};w=3600`);
    }
    expect((await call("/counted", (await signedIn()).access_token)).status).toBe(200);
    expect((await call("/things/1", person.access_token)).status).toBe(200);
    await stand.runtime.kill();
    expect((await call("/counted", person.access_token)).status).toBe(429);
  });

  it("of the platform end a burst, without figures", async () => {
    const { limit, period } = RATE_LIMITS.LIMITER_BURST_10S.simple;
    const statuses = new Map<number, number>();
    // Twice the limit, and one more: a period may end in between.
    for (let n = 0; n <= 2 * limit; n++) {
      const answer = await call("/bursts");
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (answer.status !== 429) continue;
      expect(answer.headers.get("retry-after")).toBe(String(period));
      expect(answer.headers.has("ratelimit")).toBe(false);
    }
    expect([...statuses.keys()].sort()).toEqual([200, 429]);
    expect(statuses.get(200)).toBeGreaterThanOrEqual(limit);
  });

  it("that no deployment has are refused when the policy is put", async () => {
    const current = bodyOf<{ document: { routes: object[] } }>(
      await stand.gate.asOperator("/v1/policy"),
      200,
    );
    const { document } = current;
    const bad = { ...document.routes[0], limit: { by: "ip", limiter: "other_60s" } };
    const json = { ...document, routes: [bad, ...document.routes.slice(1)] };
    const checked = await stand.gate.asOperator("/v1/policy/check", { json });
    expect(checked.status).toBe(400);
    expect(JSON.stringify(checked.body)).toContain("it has burst_10s, standard_60s");
  });
});

describe("POST /v1/explain", () => {
  it("says what the gate does, check by check, and asks no origin", async () => {
    const person = await signedIn();
    const url = (path: string) => `${stand.gate.issuer}${path}`;
    const before = stand.origin.received.length;
    for (const path of ["/things/1", "/vault", "/nowhere", "/conditional/other", "/orders"]) {
      const trace = await explain({ url: url(path), token: person.access_token });
      const answer = await call(path, person.access_token);
      expect([path, trace.status]).toEqual([path, answer.status]);
      const last = trace.checks.at(-1)!;
      expect(last.outcome).toBe(trace.outcome === "allow" ? "passed" : "failed");
      expect(JSON.stringify(trace)).not.toContain(person.access_token.slice(-43));
    }
    // The allowed call itself.
    expect(stand.origin.received.length - before).toBe(1);
    const lacking = await explain({ url: url("/orders"), token: person.access_token });
    expect(lacking).toMatchObject({ remedies: [{ kind: "scope", missing: ["orders:read"] }] });
  });

  it("looks at what Cloudflare would tell, uses up no limit and leaves no token in the log", async () => {
    const person = await signedIn();
    for (let n = 0; n < QUOTA + 1; n++) {
      const trace = await explain({ url: `${stand.gate.issuer}/counted`, token: person.access_token });
      expect(trace.outcome).toBe("allow");
    }
    expect((await call("/counted", person.access_token)).headers.get("ratelimit")).toContain(
      `;r=${QUOTA - 1};`,
    );
    const signature = person.access_token.split(".")[2]!;
    expect(stand.runtime.logs.filter((line) => line.includes(signature))).toEqual([]);
  });

  it("is for whoever may read the policy", async () => {
    const json = { method: "GET", url: `${stand.gate.issuer}/things/1` };
    expect((await stand.gate.call("/v1/explain", { json })).status).toBe(401);
    expect((await stand.gate.call("/v1/explain", { json, token: pep })).status).toBe(403);
  });
});

describe("AuthZEN 1.0", () => {
  const evaluate = (json: object, token: string | undefined = pep) =>
    stand.gate.call("/access/v1/evaluation", { json, ...(token ? { token } : {}) });
  const resource = (path: string) => ({ type: "url", id: `${stand.gate.issuer}${path}` });
  const action = { name: "GET" };

  it("is found by its metadata, and is for clients that may ask", async () => {
    const { body } = await stand.gate.call("/.well-known/authzen-configuration");
    const metadata = body as Record<string, string>;
    expect(metadata.policy_decision_point).toBe(stand.gate.issuer);
    expect(metadata.access_evaluation_endpoint).toBe(`${stand.gate.issuer}/access/v1/evaluation`);
    const asked = { subject: { type: "subject", id: "x" }, action, resource: resource("/things/1") };
    expect((await stand.gate.call("/access/v1/evaluation", { json: asked })).status).toBe(401);
    expect((await evaluate(asked, stand.requester.token)).status).toBe(403);
    expect((await evaluate(asked)).status).toBe(200);
  });

  it("decides on a token as the gate does, until it is revoked", async () => {
    const person = await signedIn();
    const subject = { type: "access_token", id: person.access_token };
    const decisionOf = async (path: string) => {
      const { body } = await evaluate({ subject, action, resource: resource(path) });
      return (body as { decision: boolean }).decision;
    };
    expect(await decisionOf("/things/1")).toBe(true);
    expect(await decisionOf("/vault")).toBe(false);
    expect(await decisionOf("/nowhere")).toBe(false);
    await stand.gate.revoke({ sub: person.subject });
    await expect.poll(() => decisionOf("/things/1"), { timeout: 10_000 }).toBe(false);
    const { body } = await evaluate({ subject, action, resource: resource("/things/1") });
    expect(body).toMatchObject({ context: { reason: "token_revoked" } });
    expect(JSON.stringify(body)).not.toContain(person.access_token.slice(-43));
  });

  it("decides on subjects that the caller vouches for, many at once, with the caller's request id", async () => {
    const subject = { type: "subject", id: "people|zoe", properties: { scopes: ["things:read"] } };
    const evaluations = ["/things/1", "/vault", "/things/2"].map((path) => ({ resource: resource(path) }));
    const json = { subject, action, evaluations, options: { evaluations_semantic: "deny_on_first_deny" } };
    const headers = { "x-request-id": "pep-17" };
    const answer = await stand.gate.call("/access/v1/evaluations", { json, token: pep, headers });
    expect(answer.headers.get("x-request-id")).toBe("pep-17");
    expect(answer.body).toMatchObject({ evaluations: [{ decision: true }, { decision: false }] });
    expect((answer.body as { evaluations: unknown[] }).evaluations).toHaveLength(2);
  });
});
