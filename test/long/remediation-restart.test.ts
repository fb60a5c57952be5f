import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE, startOrigin } from "../../src/local/origin.ts";
import { auditVerdict } from "../support/audit.ts";
import { bodyOf, clientToken, Deployment } from "../support/deployment.ts";
import { CUT_AND_UNDONE, RuleFirings, until } from "../support/rule-firings.ts";
import { freeIssuer, type Runtime, startRuntime } from "../support/runtime.ts";

const KILLS = Number(process.env.KILLS ?? 6);
const ORDERS = "/orders/1001";
const USES = 300;
const AT_ONCE = 10;

let stateDir: string;
let issuer: string;
let runtime: Runtime;
let gate: Deployment;
let origin: Awaited<ReturnType<typeof startOrigin>>;

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-remediation-"));
  issuer = await freeIssuer();
  origin = await startOrigin({ port: 0, issuer });
  runtime = await startRuntime({ stateDir, issuer });
  gate = await Deployment.at(issuer);
});

afterEach(async () => {
  await runtime?.stop();
  await origin?.close();
  await rm(stateDir, { recursive: true });
});

const policy = (more: object) => ({
  origins: { demo: { url: origin.url, audience: ORIGIN_AUDIENCE } },
  routes: [{ id: "orders", path: ORDERS, origin: "demo", access: {} }],
  ...more,
});
const statusOf = async (token: string) => (await gate.call(ORDERS, { token })).status;
const untilStatus = (token: string, status: number) =>
  until(`status ${status}`, async () => ((await statusOf(token)) === status ? true : undefined));

describe(`${KILLS} times kill -9 the moment after a rule has fired or was taken back`, () => {
  it("does once what was committed: the cut, its undo, their records and their counts", async () => {
    await gate.putPolicy(
      policy({
        detections: { token_overused: { threshold: 150, window_seconds: 10, times_own_rate: 1_000 } },
      }),
    );
    const client = await gate.newClient({ scopes: ["orders:read"] });
    const firings = new RuleFirings(gate);
    const rounds = Math.ceil(KILLS / 2);
    for (let round = 1; round <= rounds; round++) {
      const token = await clientToken(issuer, client, ORIGIN_AUDIENCE);
      const { jti } = decodeJwt(token);
      for (let done = 0; done < USES; done += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, () => statusOf(token)));
      }
      const committed = async () =>
        (await firings.of("overused-token")).find(({ actions }) => actions[0]?.on?.jti === jti);
      const { id } = await until("a firing", committed, { everyMs: 5 });
      await runtime.kill();
      await untilStatus(token, 401);
      const fired = await firings.settled("overused-token", (on) => on.jti === jti);
      expect(fired).toMatchObject({ id, state: "acted" });
      expect(await firings.undo(id)).toMatchObject({ state: "undone" });
      await runtime.kill();
      await untilStatus(token, 200);
      expect(await firings.audited(fired)).toEqual(CUT_AND_UNDONE);
      expect(await firings.of("overused-token")).toHaveLength(round);
    }
    const { items } = bodyOf<{ items: { reason: string }[] }>(await gate.asOperator("/v1/revocations"), 200);
    expect(items.filter(({ reason }) => reason.startsWith("Rule "))).toHaveLength(rounds);
    const counts = [
      `portcullis_detections_total{kind="token_overused"} ${rounds}`,
      `portcullis_remediations_total{rule="overused-token",outcome="acted"} ${rounds}`,
    ];
    await expect.poll(metrics, { timeout: 20_000 }).toEqual(expect.stringContaining(counts[0]!));
    await expect.poll(metrics, { timeout: 20_000 }).toEqual(expect.stringContaining(counts[1]!));
    expect(await auditVerdict(gate)).toMatchObject({ intact: true });
  });
});

describe("a deployment that was down while its signing keys should have been replaced", () => {
  const KEYS = { rotation_seconds: 45, publish_ahead_seconds: 15 };
  /** A rotation that is later than a minute was missed. */
  const OVERDUE_AFTER_MS = 61_000;

  it("notices it when it is up again, begins the rotation by rule, and is ready once the next key signs", async () => {
    await gate.putPolicy(policy({ keys: KEYS }));
    await runtime.cron();
    const [before] = await signing();
    const { signs_from } = before!;
    await runtime.stop();
    await sleep(Math.max(0, (signs_from + KEYS.rotation_seconds) * 1000 + OVERDUE_AFTER_MS - Date.now()));
    runtime = await startRuntime({ stateDir, issuer });
    gate = await Deployment.at(issuer);
    expect(await missing()).toContain("key_rotation");
    await runtime.cron();
    const firings = new RuleFirings(gate);
    const fired = await firings.settled("missed-rotation", ({ kid }) => kid === before!.kid);
    expect(fired).toMatchObject({ state: "acted", detection_kind: "key_rotation_overdue" });
    expect(fired.actions[0]).toMatchObject({ kind: "rotate_key", result: expect.stringContaining("signs") });
    await until("ready", async () => ((await missing()).length === 0 ? true : undefined), {
      limitMs: 60_000,
    });
    expect((await signing()).map(({ kid }) => kid)).not.toContain(before!.kid);
    // The operator's token is of the key before: nobody's ends by a rotation, and nothing of it can be taken back.
    await expect(firings.undo(fired.id)).rejects.toThrow("409");
    expect(await firings.audited(fired)).toEqual(["remediation.acted by portcullis"]);
    expect(await auditVerdict(gate)).toMatchObject({ intact: true });
  });
});

async function metrics(): Promise<string> {
  const answer = await fetch(`${issuer}/metrics`, { headers: { authorization: `Bearer ${gate.operator}` } });
  return answer.text();
}

/** What `/readyz` says is missing. */
async function missing(): Promise<string[]> {
  const { body } = await gate.call("/readyz");
  const { checks } = body as { checks: { name: string; ready: boolean; optional?: true }[] };
  return checks.flatMap(({ name, ready, optional }) => (ready || optional ? [] : [name]));
}

async function signing(): Promise<{ kid: string; signs_from: number }[]> {
  type Key = { kid: string; state: string; purpose: string; signs_from: number };
  const { items } = bodyOf<{ items: Key[] }>(await gate.asOperator("/v1/keys"), 200);
  return items.filter(({ state, purpose }) => state === "current" && purpose === "access_token");
}
