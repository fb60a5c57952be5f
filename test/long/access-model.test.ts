import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ask, collect, review } from "../support/access.ts";
import { AccessModel, schedule } from "../support/access-model.ts";
import { bodyOf, clientToken, Deployment } from "../support/deployment.ts";
import { type Stand, standUp } from "../support/stand.ts";
import { seededRandom } from "../support/token-factory.ts";

const RUNS = Number(process.env.MODEL_RUNS ?? 60);
const KILLS = Number(process.env.KILLS ?? 25);
const SEED = Number(process.env.KILL_SEED ?? Math.floor(Math.random() * 2 ** 31));
const CALLERS = 50;
const LIFE_MS = 400;

let stand: Stand;
let model: AccessModel;

beforeAll(async () => {
  stand = await standUp();
  model = await AccessModel.on(stand);
});

afterAll(async () => {
  await stand?.stop();
  await model?.close();
});

it(`${RUNS} schedules over the HTTP API are as the model says`, { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(schedule, (commands) => model.run(commands)),
    { numRuns: RUNS, endOnFailure: true },
  );
});

it(`${KILLS} times kill -9 while fifty use a counted grant: never more than it has`, {
  timeout: 600_000,
}, async () => {
  const random = seededRandom(SEED);
  console.log(`KILL_SEED=${SEED}`);
  const { gate, runtime, origin } = stand;
  const forwarded = (grant: string) =>
    origin.received.filter(({ headers }) =>
      headers.some(([name, value]) => name.toLowerCase() === "x-portcullis-grant" && value === grant),
    ).length;
  const status = (token: string) => gate.call("/orders", { token }).then((answer) => answer.status);
  const grants: { id: string; token: string; max: number }[] = [];
  let cutOff = 0;
  for (let round = 0; round < KILLS; round++) {
    const max = 1 + Math.floor(random() ** 2 * 120);
    // The ones that they began with may be over by now.
    const [requester, approver] = await Promise.all([
      clientToken(gate.issuer, stand.requester),
      clientToken(gate.issuer, stand.approver),
    ]);
    const { id: request } = await ask(gate, requester, { max_uses: max });
    const approved = await review(gate, approver, request);
    const { id } = bodyOf<{ grant: { id: string } }>(approved, 201).grant;
    const token = await collect(gate, requester, request);
    grants.push({ id, token, max });
    let going = true;
    const callers = Array.from({ length: CALLERS }, async () => {
      while (going) {
        const answered = await status(token).catch(() => undefined);
        if (answered === undefined) cutOff++;
        if (answered === 403) return;
      }
    });
    await new Promise((resolve) => setTimeout(resolve, LIFE_MS * random()));
    await runtime.kill();
    going = false;
    await Promise.all(callers);
    for (let n = 0; n < 3; n++) await status(token);
    expect(forwarded(id), `after kill ${round + 1}`).toBeLessThanOrEqual(max);
  }
  expect(cutOff).toBeGreaterThan(0);
  const { operator } = await Deployment.at(gate.issuer);
  // What died with an isolate counts as used after half a minute: in the end every grant is over, and none was exceeded.
  await Promise.all(
    grants.map(async ({ id, token, max }) => {
      const state = async () => {
        while ((await status(token).catch(() => undefined)) === 200);
        return bodyOf<{ state: string }>(await gate.call(`/v1/grants/${id}`, { token: operator }), 200).state;
      };
      await expect.poll(state, { timeout: 240_000, interval: 500 }).toBe("used_up");
      expect(forwarded(id)).toBeLessThanOrEqual(max);
    }),
  );
  const lost = grants.reduce((sum, { id, max }) => sum + max - forwarded(id), 0);
  console.log(`${grants.reduce((sum, { max }) => sum + max, 0)} uses, ${lost} lost, ${cutOff} calls cut off`);
});
