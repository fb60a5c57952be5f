import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startOrigin } from "../../src/local/origin.ts";
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
