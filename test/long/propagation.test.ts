import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startOrigin } from "../../src/local/origin.ts";
import { bodyOf, clientToken, Deployment } from "../support/deployment.ts";
import { freeIssuer, type Runtime, startRuntime } from "../support/runtime.ts";

type Summary = { promise_ms: number; count: number; broken: number; p50: number; max: number };
type Propagation = {
  window_seconds: number;
  tiers: Record<"strict" | "bounded" | "eventual", Summary | null>;
  replica_age: Record<string, { at_most_ms: number | null; decisions: number }[]>;
};

let stateDir: string;
let runtime: Runtime;
let gate: Deployment;
let origin: Awaited<ReturnType<typeof startOrigin>>;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-propagation-"));
  const issuer = await freeIssuer();
  origin = await startOrigin({ port: 0, issuer });
  runtime = await startRuntime({ stateDir, issuer });
  gate = await Deployment.at(issuer);
  await gate.putPolicy({
    origins: { demo: { url: origin.url, audience: "https://demo.internal" } },
    routes: [{ id: "all", path: "/things", origin: "demo", access: { scopes: ["things:read"] } }],
  });
});

afterAll(async () => {
  await runtime?.stop();
  await origin?.close();
  await rm(stateDir, { recursive: true });
});

const propagation = async () =>
  bodyOf<Propagation>(await gate.asOperator("/v1/revocations/propagation"), 200);
const metrics = async (): Promise<string> => {
  const answer = await fetch(`${gate.issuer}/metrics`, {
    headers: { authorization: `Bearer ${gate.operator}` },
  });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return answer.text();
};
const seriesOf = (text: string, series: string): number => {
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  if (line === undefined) throw new Error(`no ${series} in\n${text}`);
  return Number(line.slice(series.length + 1));
};

describe("before the first cron", () => {
  it("says that nothing was measured", async () => {
    const { tiers, window_seconds } = await propagation();
    expect(tiers).toEqual({ strict: null, bounded: null, eventual: null });
    expect(window_seconds).toBe(86_400);
  });
});

describe("the cron", () => {
  it("has the canary measure every tier on the deployment as it runs, within its promise", async () => {
    await runtime.cron();
    const { tiers } = await vi.waitFor(
      async () => {
        const now = await propagation();
        expect(Object.values(now.tiers)).not.toContain(null);
        return now;
      },
      { timeout: 20_000, interval: 250 },
    );
    expect(tiers.strict).toMatchObject({ promise_ms: 0, count: 1, broken: 0 });
    expect(tiers.bounded).toMatchObject({ promise_ms: 2_000, count: 1, broken: 0 });
    expect(tiers.eventual).toMatchObject({ promise_ms: 60_000, count: 1, broken: 0 });
    expect(tiers.bounded!.max).toBeLessThanOrEqual(2_100);
    expect(runtime.logs.filter((line) => /canary\.|sweep\.failed/.test(line))).toEqual([]);
  });

  it("leaves no trace of the probes where people look", async () => {
    const listed = bodyOf<{ items: unknown[] }>(await gate.asOperator("/v1/revocations"), 200);
    expect(listed.items).toEqual([]);
  });
});

describe("GET /metrics", () => {
  it("states the log, what objects owe, the propagation and the age of the replica at decisions", async () => {
    const before = seriesOf(await metrics(), "portcullis_log_seq");
    await gate.revoke({ jti: "tok_nobody" });
    const text = await metrics();
    expect(seriesOf(text, "portcullis_log_seq")).toBe(before + 1);
    expect(seriesOf(text, "portcullis_revocation_rules")).toBeGreaterThanOrEqual(3);
    for (const name of ["log", "registry", "keyring", "directory", "monitor"]) {
      expect(seriesOf(text, `portcullis_outbox_rows{object="${name}"}`)).toBeGreaterThanOrEqual(0);
    }
    const quantile = seriesOf(text, 'portcullis_propagation_seconds{tier="bounded",quantile="0.99"}');
    expect(quantile * 1000).toBe((await propagation()).tiers.bounded!.max);
    expect(seriesOf(text, 'portcullis_canary_samples_total{tier="strict"}')).toBe(1);
    expect(seriesOf(text, 'portcullis_canary_broken_total{tier="strict"}')).toBe(0);
    expect(seriesOf(text, 'portcullis_denylist_drift_total{kind="missing"}')).toBe(0);
  });

  it("is for the scope metrics:read, the propagation for revocations:read", async () => {
    const client = await gate.newClient({ scopes: ["metrics:read"] });
    const token = await clientToken(gate.issuer, client);
    expect((await gate.call("/metrics", { token })).status).toBe(200);
    expect((await gate.call("/v1/revocations/propagation", { token })).status).toBe(403);
    const other = await clientToken(gate.issuer, await gate.newClient({ scopes: ["revocations:read"] }));
    expect((await gate.call("/metrics", { token: other })).status).toBe(403);
    expect((await gate.call("/v1/revocations/propagation", { token: other })).status).toBe(200);
    expect((await gate.call("/metrics")).status).toBe(401);
  });
});
