import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE, startOrigin } from "../../src/local/origin.ts";
import { type Client, clientToken, Deployment } from "../support/deployment.ts";
import { freeIssuer, type Runtime, startRuntime } from "../support/runtime.ts";
import { seededRandom } from "../support/token-factory.ts";

const KILLS = Number(process.env.KILLS ?? 50);
const SEED = Number(process.env.KILL_SEED ?? Math.floor(Math.random() * 2 ** 31));
const REVOCATIONS_A_ROUND = 5;
const CALLERS = 4;
/** Requests and the kill fall anywhere in this time, in which a new workerd has just got warm. */
const LIFE_MS = 350;
const MINTED_AT_ONCE = 8;

const STRICT = "/orders/1001";
const BOUNDED = "/orders/1002";

let stateDir: string;
let runtime: Runtime;
let gate: Deployment;
let origin: Awaited<ReturnType<typeof startOrigin>>;
let client: Client;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-kill-"));
  const issuer = await freeIssuer();
  origin = await startOrigin({ port: 0, issuer });
  runtime = await startRuntime({ stateDir, issuer });
  gate = await Deployment.at(issuer);
  await gate.putPolicy({
    origins: { demo: { url: origin.url, audience: ORIGIN_AUDIENCE } },
    routes: [
      { id: "strict", path: STRICT, origin: "demo", access: {}, consistency: { tier: "strict" } },
      { id: "bounded", path: BOUNDED, origin: "demo", access: {} },
    ],
  });
  client = await gate.newClient({ scopes: ["orders:read"] });
});

afterAll(async () => {
  await runtime?.stop();
  await origin?.close();
  await rm(stateDir, { recursive: true });
});

async function mint(count: number): Promise<string[]> {
  const tokens: string[] = [];
  while (tokens.length < count) {
    const batch = Array.from({ length: MINTED_AT_ONCE }, () =>
      clientToken(gate.issuer, client, ORIGIN_AUDIENCE),
    );
    tokens.push(...(await Promise.all(batch)));
  }
  return tokens;
}

async function use(token: string, path: string): Promise<number> {
  return (await gate.call(path, { token })).status;
}

/** The receipt, or undefined where no answer came. */
async function revoke(token: string): Promise<{ id: string } | undefined> {
  try {
    return await gate.revoke({ jti: decodeJwt(token).jti! });
  } catch {
    return undefined;
  }
}

/** Calls the gate until it is told to stop; nothing but an answer of the gate counts. */
async function callOn(token: string, going: () => boolean): Promise<void> {
  while (going()) await use(token, BOUNDED).catch(() => {});
}

describe(`${KILLS} times kill -9 under load`, () => {
  it("enforces every acknowledged revocation after the restart, and lists it in KV", async () => {
    const random = seededRandom(SEED);
    console.log(`KILL_SEED=${SEED}`);
    const tokens = await mint(KILLS * REVOCATIONS_A_ROUND + 1);
    const [kept] = tokens.splice(0, 1) as [string];
    const acknowledged: string[] = [];
    let unanswered = 0;
    for (let round = 0; round < KILLS; round++) {
      let going = true;
      const callers = Array.from({ length: CALLERS }, () => callOn(kept, () => going));
      const mine = tokens.slice(round * REVOCATIONS_A_ROUND, (round + 1) * REVOCATIONS_A_ROUND);
      const revocations = mine.map(async (token) => {
        await sleep(random() * LIFE_MS);
        return { token, receipt: await revoke(token) };
      });
      await sleep(LIFE_MS * (0.3 + 0.7 * random()));
      const killed = runtime.kill();
      // What comes after the kill was acknowledged by the next workerd, and is held to the same.
      const answers = await Promise.all(revocations);
      going = false;
      await Promise.all([killed, ...callers]);
      const held = answers.filter(({ receipt }) => receipt).map(({ token }) => token);
      unanswered += answers.length - held.length;
      acknowledged.push(...held);
      const statuses = await Promise.all(held.map((token) => use(token, STRICT)));
      expect(statuses, `after kill ${round + 1}`).toEqual(held.map(() => 401));
    }
    // Both happened, or nothing was tried.
    expect(acknowledged.length).toBeGreaterThan(KILLS);
    expect(unanswered).toBeGreaterThan(0);
    expect([await use(kept, STRICT), await use(kept, BOUNDED)]).toEqual([200, 200]);
    for (const token of acknowledged) {
      expect(await use(token, BOUNDED)).toBe(401);
      const { jti } = decodeJwt(token);
      await expect
        .poll(() => runtime.kv(`deny:jti:${jti}`), { timeout: 10_000 })
        .toMatchObject([{ match: { jti } }]);
    }
    console.log(`${acknowledged.length} acknowledged, ${unanswered} cut off`);
  });
});
