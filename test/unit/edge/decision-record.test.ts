import { beforeEach, describe, expect, it } from "vitest";
import { checksOf, failedCheck } from "../../../src/edge/checks.ts";
import { refusal } from "../../../src/edge/decision.ts";
import { recordOf } from "../../../src/edge/decision-record.ts";
import { DecisionRecorder } from "../../../src/edge/decision-recorder.ts";
import { explain } from "../../../src/edge/explain.ts";
import { REFUSE_REASONS } from "../../../src/edge/refusal.ts";
import type { DecisionLogPolicy } from "../../../src/policy/decision-log.ts";
import { MAX_RECORDS_A_REPORT } from "../../../src/remediation/traffic-report.ts";
import type { Effect } from "../../../src/revocation/rule.ts";
import { EdgeWorld, HOST, ISSUER, policyOf } from "../../support/edge-world.ts";
import { newKey } from "../../support/token-factory.ts";

const DEMANDING = {
  scopes: ["projects:read"],
  any_scopes: ["x", "y"],
  roles: ["developer"],
  resource: "projects/:id",
  max_token_age_seconds: 600,
  step_up: { acr_values: ["mfa"] },
  condition: "cf.country == 'DE'",
};
const POLICY = policyOf([
  { path: "/projects/:id", methods: ["GET"], access: DEMANDING },
  { path: "/open", access: "public" },
  { path: "/strict", access: {}, consistency: { tier: "strict" } },
  { path: "/eventual", access: {}, consistency: { tier: "eventual" } },
  { path: "/limited", access: {}, limit: { by: "token", exact: { requests: 1, period_seconds: 60 } } },
  { path: "/bound", access: {}, dpop: { mode: "required" } },
]);
const DETAILS = [{ type: "portcullis_resource", identifier: "projects/42" }];
const GOOD = { scope: "projects:read y", roles: ["developer"], acr: "mfa", authorization_details: DETAILS };
const KEPT: DecisionLogPolicy = { sample_accepted: 0, retention_hours: 24, addresses: false };

let world: EdgeWorld;

beforeEach(async () => {
  world = await EdgeWorld.create(POLICY);
});

type Case = {
  path?: string;
  claims?: Record<string, unknown> | null;
  token?: (world: EdgeWorld) => Promise<string>;
  cf?: { country: string };
  method?: string;
  before?: (world: EdgeWorld) => void;
};

function logBreaks(w: EdgeWorld): void {
  w.logDown = true;
}

const CASES: [reason: string, given: Case][] = [
  ["token", {}],
  ["public", { path: "/open", claims: null }],
  ["token", { path: "/open" }],
  ["token", { path: "/strict" }],
  ["target_double_slash", { path: "/a//b" }],
  ["credential_in_query", { path: "/open?access_token=x" }],
  ["no_route", { path: "/nowhere" }],
  ["method_not_allowed", { method: "PUT" }],
  ["credential_missing", { claims: null }],
  ["credential_malformed", { token: async () => "a b" }],
  ["token_malformed", { token: async () => "abc" }],
  ["token_signature", { token: async (w) => `${(await w.token()).slice(0, -8)}AAAAAAAA` }],
  ["token_unknown_key", { token: async (w) => w.token({}, await newKey("ES256", "stranger")) }],
  ["token_expired", { claims: { exp: 1_700_000_000 } }],
  ["token_audience", { claims: { aud: "https://other" } }],
  ["sender_unbound", { path: "/bound" }],
  ["stale", { path: "/strict", before: logBreaks }],
  ["token_revoked", { before: (w) => void w.revoke({ sub: "demo|alice" }) }],
  ["scope_missing", { claims: { ...GOOD, scope: "y" } }],
  ["role_missing", { claims: { ...GOOD, roles: [] } }],
  ["resource_not_granted", { path: "/projects/43" }],
  ["issued_too_long_ago", { claims: { ...GOOD, iat: 1_800_000_000 - 601 } }],
  ["step_up_needed", { claims: { ...GOOD, acr: "pwd" } }],
  ["condition_not_met", { cf: { country: "FR" } }],
  [
    "scope_missing",
    { before: (w) => void constrain(w, { kind: "shrink_scope", scopes: ["projects:read"] }) },
  ],
  ["step_up_needed", { before: (w) => void constrain(w, { kind: "step_up", acr_values: ["hwk"] }) }],
];

function constrain(w: EdgeWorld, effect: Effect): void {
  w.revoke({ sub: "demo|alice" }, { effect });
}

describe("the checks of a decision that was taken", () => {
  it.each(CASES)("are those that explain it: %s", async (reason, given) => {
    const { path = "/projects/42", claims = GOOD, cf = { country: "DE" }, method = "GET" } = given;
    const token = given.token ? await given.token(world) : claims && (await world.token(claims));
    await world.freshness.first();
    given.before?.(world);
    world.nowMs += 2_001;
    await world.replica.refresh();
    const headers = new Headers(token ? { authorization: `Bearer ${token}` } : {});
    const trace = await explain({ method, url: HOST + path, headers, cf }, world.deps, "dec_1");
    await world.call(path, { method, cf, ...(token ? { token } : {}) });
    const [{ decision, ask, atMs }] = world.decided as [(typeof world.decided)[0]];
    expect(decision.reason).toBe(reason);
    const record = recordOf(decision, ask, "dec_1", "proxy", atMs, false);
    const { at, surface, method: asked, token: ids, unverified, ...rest } = record;
    expect(rest).toEqual(trace);
    expect({ at, surface, asked }).toEqual({ at: world.nowMs / 1000, surface: "proxy", asked: method });
    if (token) expect(JSON.stringify(record)).not.toContain(token.split(".")[2]);
    if (unverified)
      expect([reason, ids]).toEqual([expect.stringMatching(/signature|unknown_key/), undefined]);
  });

  it("tell of a limit, a use and a blocked address what an explanation cannot", async () => {
    const token = await world.token();
    for (let n = 0; n < 2; n++) await world.call("/limited", { token });
    const last = (n: number) => {
      const { decision, atMs } = world.decided.at(n)!;
      return checksOf(decision, atMs / 1000).at(-1);
    };
    expect([last(0)?.check, last(0)?.outcome]).toEqual(["limit", "passed"]);
    expect([last(1)?.check, last(1)?.outcome]).toEqual(["limit", "failed"]);
    const counted = await world.token({ grant: "grt_1", max_uses: 3 });
    await world.call("/strict", { token: counted });
    expect([last(-1)?.check, last(-1)?.outcome]).toEqual(["uses", "failed"]);
    world.revoke({ address: "192.0.2.1" });
    world.nowMs += 2_001;
    await world.call("/strict", { token, headers: { "cf-connecting-ip": "192.0.2.1" } });
    expect([last(-1)?.check, last(-1)?.outcome]).toEqual(["address", "failed"]);
  });

  it("say of a token that only the denylist in KV knew nothing of what was not looked at", async () => {
    const token = await world.token();
    await world.call("/eventual", { token });
    world.logDown = true;
    world.denied = world.revoke({ sub: "demo|alice" });
    world.nowMs += 61_000;
    await world.call("/eventual", { token });
    const { decision } = world.decided.at(-1)!;
    expect(decision.reason).toBe("token_revoked");
    const checks = checksOf(decision, world.nowMs / 1000).map(({ check, outcome }) => `${check} ${outcome}`);
    expect(checks.slice(-2)).toEqual(["sender passed", "revocation failed"]);
  });

  it("end with one that failed for every reason but those that no check looks at", () => {
    const without = REFUSE_REASONS.filter((reason) => failedCheck(reason) === undefined);
    expect(without.sort()).toEqual([
      "assertion_unavailable",
      "internal",
      "no_view",
      "origin_timeout",
      "origin_unreachable",
      "request_body",
    ]);
  });
});

describe("a record", () => {
  it("has ids of the token, and where the client was only where the policy says so", async () => {
    const headers = { "cf-connecting-ip": "192.0.2.1" };
    const token = await world.token({ ...GOOD, jti: "tok_1", grant: "grt_1", sid: "ses_1" });
    await world.call("/projects/43", { token, headers, cf: { country: "DE", asn: 64_500 } });
    const { decision, ask, atMs } = world.decided.at(-1)!;
    const record = recordOf(decision, ask, "dec_1", "proxy", atMs, false);
    expect(record.token).toEqual({
      ...{ iss: ISSUER, sub: "demo|alice", kid: "own-1", jti: "tok_1", grant: "grt_1", session: "ses_1" },
      client_id: expect.any(String),
    });
    expect(JSON.stringify(record)).not.toContain("192.0.2.1");
    expect(recordOf(decision, ask, "dec_1", "proxy", atMs, true)).toEqual({
      ...record,
      ...{ address: "192.0.2.1", country: "DE", asn: 64_500 },
    });
  });
});

describe("what is kept of decisions", () => {
  const lines: string[] = [];
  const recorderOf = (policy: Partial<DecisionLogPolicy>, random = () => 0.5) =>
    new DecisionRecorder({
      policy: () => ({ ...KEPT, ...policy }),
      log: (_level, event, fields) => void lines.push(`${event} ${fields?.decision_id}`),
      random,
    });
  const allowed = async () => {
    await world.call("/projects/42", { token: await world.token(GOOD), cf: { country: "DE" } });
    return world.decided.at(-1)!;
  };

  it("is every refusal, and no acceptance where none is asked for", async () => {
    const recorder = recorderOf({});
    const { decision, ask, atMs } = await allowed();
    recorder.decided(decision, ask, "dec_1", "proxy", atMs);
    recorder.decided(refusal("no_route"), ask, "dec_2", "service", atMs);
    const { records, dropped, retention_hours } = recorder.taken();
    expect(records.map(({ decision_id, reason }) => [decision_id, reason])).toEqual([["dec_2", "no_route"]]);
    expect([dropped, retention_hours, recorder.taken().records]).toEqual([0, 24, []]);
  });

  it("is the share of acceptances that the policy asks for, with a line for each", async () => {
    const { decision, ask, atMs } = await allowed();
    const kept = (share: number, random: number) => {
      const recorder = recorderOf({ sample_accepted: share }, () => random);
      recorder.decided(decision, ask, "dec_3", "proxy", atMs);
      return recorder.taken().records.length;
    };
    lines.length = 0;
    expect([kept(0.25, 0.24), kept(0.25, 0.25), kept(1, 0.999), kept(0, 0)]).toEqual([1, 0, 1, 0]);
    expect(lines).toEqual(["gate.allowed dec_3", "gate.allowed dec_3"]);
  });

  it("is every fault of an origin, as what came of an acceptance", async () => {
    const recorder = recorderOf({});
    const { decision, ask, atMs } = await allowed();
    if (decision.outcome !== "allow") throw new Error(decision.reason);
    recorder.answered(decision, undefined, ask, "dec_4", atMs);
    recorder.answered(decision, refusal("origin_timeout"), ask, "dec_5", atMs);
    expect(recorder.taken().records).toMatchObject([
      {
        decision_id: "dec_5",
        outcome: "allow",
        reason: "token",
        origin_fault: "origin_timeout",
        status: 504,
      },
    ]);
  });

  it("is bounded in a storm, which is counted", async () => {
    const recorder = recorderOf({});
    const { ask, atMs } = await allowed();
    for (let n = 0; n < 10_000; n++) recorder.decided(refusal("no_route"), ask, `dec_${n}`, "proxy", atMs);
    const { records, dropped } = recorder.taken();
    expect([records.length, dropped]).toEqual([MAX_RECORDS_A_REPORT, 10_000 - MAX_RECORDS_A_REPORT]);
    expect(JSON.stringify(records).length).toBeLessThan(200_000);
  });
});
