import { beforeEach, describe, expect, it } from "vitest";
import type { Decision } from "../../../src/edge/decision.ts";
import { explain } from "../../../src/edge/explain.ts";
import { CHECKS, type DecisionAsk, type DecisionTrace } from "../../../src/protocol/decision-trace.ts";
import { EdgeWorld, HOST, policyOf } from "../../support/edge-world.ts";

const POLICY = policyOf([
  {
    path: "/projects/:id",
    methods: ["GET"],
    access: {
      scopes: ["projects:read"],
      any_scopes: ["x", "y"],
      roles: ["developer"],
      resource: "projects/:id",
      max_token_age_seconds: 600,
      step_up: { acr_values: ["mfa"] },
      condition: "cf.country == 'DE'",
    },
    limit: { by: "token", exact: { requests: 1, period_seconds: 60 } },
  },
  { path: "/open", access: "public" },
  { path: "/strict", access: {}, consistency: { tier: "strict" } },
]);
const DETAILS = [{ type: "portcullis_resource", identifier: "projects/42" }];
const GOOD = { scope: "projects:read y", roles: ["developer"], acr: "mfa", authorization_details: DETAILS };

let world: EdgeWorld;

beforeEach(async () => {
  world = await EdgeWorld.create(POLICY);
});

/** The same request, explained and made. */
async function both(
  path: string,
  claims: Record<string, unknown> | undefined,
  more: Partial<DecisionAsk> = {},
) {
  const token = claims && (await world.token(claims));
  const trace = await why(path, token, more);
  const cf = more.cf;
  const answer = await world.call(path, {
    ...(more.method ? { method: more.method } : {}),
    ...(token ? { token } : {}),
    ...(cf ? { cf } : {}),
  });
  return { trace, answer, token };
}

function why(
  path: string,
  token: string | undefined,
  more: Partial<DecisionAsk> = {},
): Promise<DecisionTrace> {
  const headers = new Headers(token ? { authorization: `Bearer ${token}` } : {});
  return explain({ method: "GET", url: HOST + path, headers, ...more }, world.deps, "dec_1");
}
const outcomes = ({ checks }: DecisionTrace) => checks.map(({ check, outcome }) => `${check} ${outcome}`);

describe("an explained decision", () => {
  it("lists every check in its order, with what the policy asks for", async () => {
    world.revoke({ address: "203.0.113.9" });
    const { trace, answer } = await both("/projects/42", GOOD, { cf: { country: "DE" } });
    expect(answer.status).toBe(200);
    expect(trace).toMatchObject({
      ...{ trace_version: 1, decision_id: "dec_1", outcome: "allow", reason: "token", status: 200 },
      ...{ route: "route-0", origin: "orders", seq: 2, replica_age_ms: 0, remedies: [] },
    });
    expect(outcomes(trace)).toEqual(
      CHECKS.filter((check) => check !== "credential" && check !== "uses").map((check) =>
        check === "limit" ? "limit skipped" : `${check} passed`,
      ),
    );
    const demands = Object.fromEntries(trace.checks.map(({ check, demand }) => [check, demand]));
    expect(demands).toMatchObject({
      scopes: { all_of: ["projects:read"], any_of: ["x", "y"] },
      roles: { any_of: ["developer"] },
      resource: { resource: "projects/42" },
      token_age: { max_seconds: 600 },
      step_up: { acr_values: ["mfa"] },
      condition: { condition: "cf.country == 'DE'" },
    });
  });

  it.each<[string, Record<string, unknown> | undefined, Partial<DecisionAsk>, string, unknown[]]>([
    ["/none", undefined, {}, "route", []],
    ["/opens", undefined, {}, "route", [{ kind: "other_route", route: "route-1", path: "/open" }]],
    ["/projects/42", GOOD, { method: "PUT" }, "route", [{ kind: "method", allow: ["GET"] }]],
    ["/projects//42", GOOD, {}, "target", []],
    ["/projects/42", undefined, {}, "credential", [{ kind: "send_token" }]],
    ["/projects/42", { exp: 1 }, {}, "token", [{ kind: "new_token" }]],
    ["/projects/42", { aud: "https://other" }, {}, "audience", [{ kind: "new_token" }]],
    [
      "/projects/42",
      { ...GOOD, scope: "a" },
      {},
      "scopes",
      [{ kind: "scope", missing: ["projects:read"], any_of: ["x", "y"] }],
    ],
    ["/projects/42", { ...GOOD, roles: [] }, {}, "roles", [{ kind: "role", any_of: ["developer"] }]],
    ["/projects/43", GOOD, {}, "resource", [{ kind: "grant", resource: "projects/43" }]],
    ["/projects/42", { ...GOOD, acr: "pwd" }, {}, "step_up", [{ kind: "sign_in", acr_values: ["mfa"] }]],
    ["/projects/42", GOOD, { cf: { country: "FR" } }, "condition", []],
  ])(
    "of %s with %j ends at the check that failed, and says what would help",
    async (path, claims, more, check, remedies) => {
      const { trace, answer, token } = await both(path, claims, more);
      expect(trace.outcome).toBe("refuse");
      expect(outcomes(trace).at(-1)).toBe(`${check} failed`);
      expect(trace.remedies).toEqual(remedies);
      expect(trace).toMatchObject({ reason: world.lastReason, status: answer.status });
      if (token) expect(JSON.stringify(trace)).not.toContain(token.split(".")[2]);
    },
  );

  it("is the same as the gate's where time, keys and the log decide", async () => {
    const token = await world.token();
    expect((await why("/strict", token)).outcome).toBe("allow");
    world.revoke({ jti: "tok_1", sub: "demo|alice" });
    world.revoke({ sub: "demo|alice" });
    const revoked = await why("/strict", token);
    expect(outcomes(revoked).at(-1)).toBe("revocation failed");
    expect((await world.call("/strict", { token })).status).toBe(revoked.status);
    world.logDown = true;
    const stale = await why("/strict", token);
    expect(stale).toMatchObject({ reason: "stale", status: 503, remedies: [{ kind: "wait" }] });
    expect(outcomes(stale).at(-1)).toBe("freshness failed");
  });

  it("forwards nothing, counts nothing and logs nothing", async () => {
    const token = await world.token(GOOD);
    for (let n = 0; n < 3; n++) {
      expect((await why("/projects/42", token, { cf: { country: "DE" } })).outcome).toBe("allow");
    }
    expect(world.originCalls).toEqual([]);
    expect(world.lines).toEqual([]);
    expect((await world.call("/projects/42", { token, cf: { country: "DE" } })).status).toBe(200);
  });

  it("tells the checks of the last view alone, where the policy changed meanwhile", async () => {
    await why("/open", undefined);
    world.nowMs += 2_001;
    world.append({ policy: POLICY });
    const trace = await why("/projects/42", await world.token(GOOD), { cf: { country: "DE" } });
    expect(trace.outcome).toBe("allow");
    const names = trace.checks.map(({ check }) => check);
    expect(new Set(names).size).toBe(names.length);
  });

  it("that is taken on a real request tells nobody of other routes", async () => {
    const told: Decision[] = [];
    const ask = { method: "GET", url: `${HOST}/opens`, headers: new Headers() };
    const trace = await explain(ask, world.deps, "dec_1", (decision) => void told.push(decision));
    expect(trace).toMatchObject({ reason: "no_route", remedies: [] });
    expect(told).toMatchObject([{ reason: "no_route" }]);
    await world.call("/opens");
    expect(world.lastReason).toBe("no_route");
  });

  it("of a public route needs no token, and names none", async () => {
    const { trace } = await both("/open", undefined);
    expect(trace).toMatchObject({ outcome: "allow", reason: "public" });
    expect(outcomes(trace)).toEqual(["target passed", "route passed", "freshness passed"]);
  });
});

describe("a subject that somebody vouches for", () => {
  const assumed = {
    subject: "demo|ann",
    scopes: ["projects:read", "x"],
    roles: ["developer"],
    resources: ["projects/*"],
  };
  const ask = { cf: { country: "DE" }, assumed: { ...assumed, sign_in: { acr: "mfa" } } };

  it("is decided on as its token would be", async () => {
    expect(await why("/projects/42", undefined, ask)).toMatchObject({ outcome: "allow", reason: "vouched" });
    const lacking = { ...ask, assumed: { ...ask.assumed, scopes: [] } };
    expect(await why("/projects/42", undefined, lacking)).toMatchObject({ reason: "scope_missing" });
    expect(await why("/projects/42", undefined, { ...ask, cf: {} })).toMatchObject({
      reason: "condition_not_met",
    });
  });

  it("is refused where it is banned, and a token beside it opens nothing", async () => {
    world.revoke({ sub: "demo|ann" });
    expect(await why("/projects/42", undefined, ask)).toMatchObject({ reason: "token_revoked" });
    const token = await world.token(GOOD);
    expect(await why("/projects/42", token, ask)).toMatchObject({ reason: "token_revoked" });
  });
});
