import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startOrigin } from "../../src/local/origin.ts";
import type { DecisionRecord } from "../../src/protocol/decision-trace.ts";
import type { TrafficView } from "../../src/remediation/traffic-series.ts";
import { bodyOf, clientToken, Deployment } from "../support/deployment.ts";
import { type Family, parseExposition } from "../support/prometheus.ts";
import { freeIssuer, type Runtime, startRuntime } from "../support/runtime.ts";

let stateDir: string;
let runtime: Runtime;
let gate: Deployment;
let origin: Awaited<ReturnType<typeof startOrigin>>;
let token: string;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-observability-"));
  const issuer = await freeIssuer();
  origin = await startOrigin({ port: 0, issuer });
  runtime = await startRuntime({ stateDir, issuer });
  gate = await Deployment.at(issuer);
  const audience = "https://demo.internal";
  await gate.putPolicy({
    origins: {
      demo: { url: origin.url, audience },
      gone: { url: "http://127.0.0.1:1", audience },
    },
    routes: [
      { id: "things", path: "/things", origin: "demo", access: { scopes: ["things:read"] } },
      { id: "admin", path: "/admin", origin: "demo", access: { scopes: ["admin"] } },
      { id: "gone", path: "/gone", origin: "gone", access: { scopes: ["things:read"] } },
    ],
  });
  const client = await gate.newClient({ scopes: ["things:read"] });
  token = await clientToken(issuer, client, audience);
});

afterAll(async () => {
  await runtime?.stop();
  await origin?.close();
  await rm(stateDir, { recursive: true });
});

/** What isolates counted is told within two seconds. */
const soon = <T>(look: () => Promise<T>) => vi.waitFor(look, { timeout: 25_000, interval: 500 });
const metrics = async (): Promise<Map<string, Family>> => {
  const headers = { authorization: `Bearer ${gate.operator}` };
  return parseExposition(await (await fetch(`${gate.issuer}/metrics`, { headers })).text());
};
const sumOfSeries = (families: Map<string, Family>, name: string, labels: Record<string, string>) => {
  const { samples = [] } = families.get(name.replace(/_(bucket|sum|count)$/, "")) ?? {};
  const found = samples.filter(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return found.reduce((sum, { value }) => sum + value, 0);
};
const traffic = async (query = "") => {
  const answer = await gate.asOperator(`/v1/traffic${query}`);
  return bodyOf<TrafficView & { since: number; until: number; step_seconds: number }>(answer, 200);
};

describe("traffic", () => {
  it("is counted by route, outcome and reason, with the time of decisions and origins", async () => {
    const statuses = await Promise.all([
      ...Array.from({ length: 20 }, () => gate.call("/things", { token })),
      ...Array.from({ length: 5 }, () => gate.call("/admin", { token })),
      ...Array.from({ length: 3 }, () => gate.call("/things")),
      gate.call("/gone", { token }),
      gate.call("/nowhere", { token }),
      gate.call("/v1/keys", { token }),
    ]).then((answers) => answers.map(({ status }) => status));
    expect(statuses.slice(20)).toEqual([403, 403, 403, 403, 403, 401, 401, 401, 502, 404, 401]);
    const families = await soon(async () => {
      const read = await metrics();
      expect(sumOfSeries(read, "portcullis_decisions_total", {})).toBe(31);
      return read;
    });
    const decisions = (route: string, reason: string) =>
      sumOfSeries(families, "portcullis_decisions_total", { route, reason });
    expect([decisions("things", "token"), decisions("admin", "scope_missing")]).toEqual([20, 5]);
    expect([decisions("(none)", "no_route"), decisions("(control)", "token_audience")]).toEqual([1, 1]);
    expect(sumOfSeries(families, "portcullis_decisions_total", { outcome: "allow" })).toBe(21);
    expect(sumOfSeries(families, "portcullis_origin_seconds_count", { origin: "demo" })).toBe(20);
    expect(sumOfSeries(families, "portcullis_origin_faults_total", { fault: "origin_unreachable" })).toBe(1);
    expect(sumOfSeries(families, "portcullis_decision_seconds_count", { outcome: "allow" })).toBe(21);
    expect(sumOfSeries(families, "portcullis_replica_age_seconds_count", { tier: "bounded" })).toBe(21);
    expect(sumOfSeries(families, "portcullis_token_cache_hits_total", {})).toBeGreaterThan(20);
  });

  it("is shown over time, with the routes and the tokens that were refused most", async () => {
    const { series, routes, tokens, since, until } = await traffic();
    expect(series.reduce((sum, { allow }) => sum + allow, 0)).toBe(21);
    expect(series.reduce((sum, { reasons }) => sum + (reasons.scope_missing ?? 0), 0)).toBe(5);
    expect(routes[0]).toMatchObject({ route: "admin", allow: 0, refuse: 5 });
    const { iss, jti } = decodeJwt(token);
    expect(tokens).toEqual([{ iss, jti, refused: 6 }]);
    expect(until - since).toBeGreaterThanOrEqual(3_600);
    const hours = await traffic(`?step_seconds=3600&route=things`);
    expect(hours.series.reduce((sum, { allow, refuse }) => sum + allow + refuse, 0)).toBe(23);
    expect(hours.routes.map(({ route }) => route)).toEqual(["things"]);
  });

  it("says what cannot be asked for, and is for the scope metrics:read", async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const query of [
      "?step_seconds=30",
      "?since=5&until=4",
      `?since=${now - 40 * 86_400}`,
      `?since=${now - 2 * 86_400}&step_seconds=60`,
      "?routes=x",
    ]) {
      expect((await gate.asOperator(`/v1/traffic${query}`)).status).toBe(400);
    }
    expect((await gate.asOperator(`/v1/traffic?since=${now - 2 * 86_400}`)).status).toBe(200);
    const other = await clientToken(gate.issuer, await gate.newClient({ scopes: ["policy:read"] }));
    expect((await gate.call("/v1/traffic", { token: other })).status).toBe(403);
  });
});

describe("what the cron finds", () => {
  it("is in the metrics: keys, grants, outboxes", async () => {
    await runtime.cron();
    const families = await metrics();
    for (const purpose of ["access_token", "assertion"]) {
      const [key] = families
        .get("portcullis_key_age_seconds")!
        .samples.filter(({ labels }) => labels.purpose === purpose);
      expect(key!.value).toBeGreaterThanOrEqual(0);
      expect(key!.value).toBeLessThan(600);
    }
    expect(sumOfSeries(families, "portcullis_grants", {})).toBe(0);
    expect(families.get("portcullis_grants")!.samples).toHaveLength(4);
    expect(sumOfSeries(families, "portcullis_access_requests_pending", {})).toBe(0);
    expect(families.get("portcullis_outbox_rows")!.samples.length).toBeGreaterThan(4);
  });

  it("is in readyz, with what no request depends on", async () => {
    const { checks } = bodyOf<{ checks: { name: string; ready: boolean }[] }>(
      await gate.call("/readyz"),
      200,
    );
    expect(checks.filter(({ ready }) => ready).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["replica", "log", "policy", "keys", "monitor"]),
    );
  });
});

describe("decisions", () => {
  type Page = { items: DecisionRecord[]; next_cursor?: string };
  const list = async (query: string) => bodyOf<Page>(await gate.asOperator(`/v1/decisions${query}`), 200);

  it("are explained by their id, long after the answer", async () => {
    const refused = await gate.call("/admin", { token });
    const id = refused.headers.get("x-request-id")!;
    const record = await soon(async () =>
      bodyOf<DecisionRecord>(await gate.asOperator(`/v1/decisions/${id}`), 200),
    );
    const { iss, jti, sub } = decodeJwt(token);
    expect(record).toMatchObject({
      ...{ decision_id: id, outcome: "refuse", reason: "scope_missing", status: 403, route: "admin" },
      ...{ surface: "proxy", method: "GET", token: { iss, jti, sub } },
      remedies: [{ kind: "scope", missing: ["admin"] }],
    });
    const explained = await gate.asOperator("/v1/explain", {
      json: { method: "GET", url: `${gate.issuer}/admin`, token },
    });
    expect(record.checks).toEqual(bodyOf<DecisionRecord>(explained, 200).checks);
    expect(JSON.stringify(record)).not.toContain(token.split(".")[2]);
    expect(record).not.toHaveProperty("address");
  });

  it("of an origin that fails say what came of them", async () => {
    const id = (await gate.call("/gone", { token })).headers.get("x-request-id")!;
    await soon(async () =>
      expect((await gate.asOperator(`/v1/decisions/${id}`)).body).toMatchObject({
        ...{ outcome: "allow", reason: "token", origin_fault: "origin_unreachable", status: 502 },
      }),
    );
  });

  it("are listed page by page, of all isolates, by what they are about", async () => {
    const { jti } = decodeJwt(token);
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    const [again] = await Promise.all([
      gate.call("/admin", { token }),
      gate.call("/things", { token: forged }),
      gate.call("/things", { token }),
    ]);
    const id = again.headers.get("x-request-id")!;
    await soon(async () =>
      expect(
        (await list(`?jti=${jti}&reason=scope_missing`)).items.map((each) => each.decision_id),
      ).toContain(id),
    );
    const first = await list("?limit=1");
    const second = await list(`?limit=1&cursor=${first.next_cursor}`);
    expect(second.items[0]!.decision_id < first.items[0]!.decision_id).toBe(true);
    const [tampered] = (await list("?reason=token_signature")).items;
    expect(tampered).toMatchObject({ unverified: { iss: gate.issuer, jti } });
    expect(tampered).not.toHaveProperty("token");
    // No acceptance is kept where none is asked for.
    expect((await list("?outcome=allow&route=things")).items).toEqual([]);
  });

  it("are kept of acceptances where the policy asks for it, with addresses where it says so", async () => {
    const current = bodyOf<{ document: object }>(await gate.asOperator("/v1/policy"), 200);
    await gate.putPolicy({ ...current.document, decision_log: { sample_accepted: 1, addresses: true } });
    const headers = { "cf-connecting-ip": "192.0.2.7" };
    const id = (await gate.call("/things", { token, headers })).headers.get("x-request-id")!;
    const record = await soon(async () =>
      bodyOf<DecisionRecord>(await gate.asOperator(`/v1/decisions/${id}`), 200),
    );
    expect(record).toMatchObject({ outcome: "allow", reason: "token", remedies: [] });
    expect(record.checks.every(({ outcome }) => outcome === "passed")).toBe(true);
    expect(record).toHaveProperty("address");
    expect(runtime.logs.filter((line) => line.includes(`"gate.allowed"`) && line.includes(id))).toHaveLength(
      1,
    );
  });

  it("are for the scope decisions:read, and what is not kept is not found", async () => {
    const other = await clientToken(gate.issuer, await gate.newClient({ scopes: ["policy:read"] }));
    expect((await gate.call("/v1/decisions", { token: other })).status).toBe(403);
    for (const id of ["dec_01kb3v9e2hq4m0c5t7y8w1x2z3", "nonsense"]) {
      expect((await gate.asOperator(`/v1/decisions/${id}`)).status).toBe(404);
    }
    for (const query of ["?outcome=maybe", "?limit=0", "?cursor=x", "?subject=x"]) {
      expect((await gate.asOperator(`/v1/decisions${query}`)).status).toBe(400);
    }
  });
});
