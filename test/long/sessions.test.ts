import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TOKEN_EXCHANGE } from "../../src/local/set-up.ts";
import { bodyOf, type Client } from "../support/deployment.ts";
import { type PeopleStand, standUpWithPeople } from "../support/people-stand.ts";
import { playSessions } from "../support/session-model.ts";
import { seededRandom } from "../support/token-factory.ts";

const STEPS = Number(process.env.SESSION_STEPS ?? 100_000);
const KILLS = Number(process.env.KILLS ?? 30);
const SEED = Number(process.env.SESSION_SEED ?? Math.floor(Math.random() * 2 ** 30));
const PARALLEL = 10;
/** The kill falls anywhere in this time, in which the refreshes are on their way. */
const LIFE_MS = 150;
const ROUND_TIMEOUT_MS = 9_000;

it(`a session is what the reference model says, over ${STEPS} steps`, { timeout: 900_000 }, async () => {
  console.log(`SESSION_SEED=${SEED}`);
  expect(await playSessions(STEPS, SEED)).toBeGreaterThanOrEqual(STEPS);
});

describe(`${KILLS} times kill -9 while a session is refreshed ${PARALLEL} times at once`, () => {
  let stand: PeopleStand;
  let client: Client;

  beforeAll(async () => {
    stand = await standUpWithPeople((policy) => ({
      ...policy,
      sessions: {},
    }));
    client = await stand.gate.newClient({
      grant_types: [TOKEN_EXCHANGE, "refresh_token"],
      scopes: ["requests:read"],
    });
  });

  afterAll(() => stand?.stop());

  /** The answer's text; undefined where none came. */
  async function refresh(token: string): Promise<string | undefined> {
    const form = { grant_type: "refresh_token", refresh_token: token };
    const answer = await stand.gate.call("/oauth/token", { client, form }).catch(() => undefined);
    if (answer === undefined || answer.status >= 500) return undefined;
    return JSON.stringify(bodyOf(answer, 200));
  }

  it("leaves one family with one live successor, and never takes a retry for reuse", {
    timeout: 300_000,
  }, async () => {
    const random = seededRandom(SEED);
    const { gate, runtime } = stand;
    const opened = bodyOf<Record<string, string>>(
      await gate.exchange(client, await stand.people.token("ann")),
      200,
    );
    const { sid } = decodeJwt(opened.access_token!);
    let token = opened.refresh_token!;
    const spent: string[] = [];
    let cut = 0;
    for (let round = 0; round < KILLS; round++) {
      const refreshes = Array.from({ length: PARALLEL }, async () => {
        await sleep(random() * LIFE_MS);
        return refresh(token);
      });
      await sleep(random() * LIFE_MS);
      await runtime.kill();
      const answers = await Promise.all(refreshes);
      cut += answers.filter((answer) => answer === undefined).length;
      // A client that got no answer sends the same token again.
      let retried: string | undefined;
      for (const end = Date.now() + ROUND_TIMEOUT_MS; retried === undefined && Date.now() < end; ) {
        retried = await refresh(token);
      }
      const texts = new Set([...answers, retried].filter((answer) => answer !== undefined));
      expect(texts.size, `after kill ${round + 1}`).toBe(1);
      spent.push(token);
      token = JSON.parse([...texts][0]!).refresh_token;
    }
    expect(cut).toBeGreaterThan(0);
    expect(cut).toBeLessThan(KILLS * PARALLEL);
    const seen = async (each: string) =>
      (await gate.call("/oauth/introspect", { client, form: { token: each } })).body;
    expect(await seen(token)).toMatchObject({ active: true, sid });
    for (const each of spent) expect(await seen(each)).toEqual({ active: false });
    expect(await gate.asOperator(`/v1/sessions/${sid}`)).toMatchObject({ body: { state: "active" } });
    console.log(`${cut} of ${KILLS * PARALLEL} refreshes were cut off`);
  });
});
