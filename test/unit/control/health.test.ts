import { describe, expect, it } from "vitest";
import { type HealthDeps, healthRoutes } from "../../../src/control/health-routes.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";

const readyz = async (ready: Awaited<ReturnType<HealthDeps["keyring"]["ready"]>>) => {
  const routes = healthRoutes({
    clock: () => 0,
    replica: async () => ok({ seq: 1, policyVersion: 1 }),
    keyring: { ready: async () => ready },
  });
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
