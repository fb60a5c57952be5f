import { describe, expect, it } from "vitest";
import { type HealthDeps, healthRoutes } from "../../../src/control/health-routes.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";

const deps: HealthDeps = {
  clock: () => 0,
  replica: async () => ok({ seq: 1, policyVersion: 1 }),
  replicaAgeMs: () => 340,
  monitor: async () => ok(null),
  keyring: { ready: async () => ok({ overdue: [] }) },
};
const readyz = async (ready: Awaited<ReturnType<HealthDeps["keyring"]["ready"]>>) => {
  const routes = healthRoutes({ ...deps, keyring: { ready: async () => ready } });
  const answer = await routes.request("/readyz");
  const { checks } = (await answer.json()) as { checks: { name: string; ready: boolean; detail: string }[] };
  return { status: answer.status, keys: checks.filter(({ name }) => name.startsWith("key")) };
};

describe("readyz on signing keys", () => {
  it("is content with keys that are in time", async () => {
    const detail = "signing keys are published";
    expect(await readyz(ok({ overdue: [] }))).toEqual({
      status: 200,
      keys: [{ name: "keys", ready: true, detail }],
    });
  });

  it("names a rotation that is overdue, and when issuing stops", async () => {
    const overdue = {
      purpose: "assertion",
      kid: "k",
      due_at: 1_800_000_000,
      issuing_stops_at: 1_800_600_000,
    } as const;
    const { status, keys } = await readyz(ok({ overdue: [overdue] }));
    expect(status).toBe(503);
    expect(keys[0]).toMatchObject({ name: "keys", ready: true });
    expect(keys[1]).toMatchObject({ name: "key_rotation", ready: false });
    expect(keys[1]!.detail).toMatch(/assertion.*2027-01-15T08:00:00.000Z.*2027-01-22T06:40:00.000Z/);
  });

  it("says what is wrong where nothing can be signed", async () => {
    expect(await readyz(err(problem("unavailable", "nothing is signed")))).toEqual({
      status: 503,
      keys: [{ name: "keys", ready: false, detail: "nothing is signed" }],
    });
  });
});

describe("readyz on what no request depends on", () => {
  it("tells it, and is ready without it", async () => {
    const told = async (more: Partial<HealthDeps>) => {
      const answer = await healthRoutes({ ...deps, ...more }).request("/readyz");
      const { checks } = (await answer.json()) as {
        checks: { name: string; ready: boolean; detail: string }[];
      };
      const shown = checks.filter(({ name }) => name === "replica" || name === "monitor");
      return [answer.status, ...shown.map(({ name, ready, detail }) => `${name} ${ready}: ${detail}`)];
    };
    expect(await told({})).toEqual([
      200,
      "replica true: 340 ms old in this isolate",
      "monitor true: requests are counted",
    ]);
    const down = err(problem("unavailable", "the shard is down"));
    expect(await told({ monitor: async () => down, replicaAgeMs: () => undefined })).toEqual([
      200,
      "replica true: none in this isolate before",
      "monitor false: the shard is down",
    ]);
  });
});
