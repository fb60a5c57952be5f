import { expect, it } from "vitest";
import { EdgeWorld, policyOf } from "../../support/edge-world.ts";
import { newKey } from "../../support/token-factory.ts";

const POLICY = policyOf([{ path: "/orders", access: {} }]);
const AT_ONCE = 5;

/** A warm isolate, and a token of a key that was published since. */
async function rotated() {
  const world = await EdgeWorld.create(POLICY);
  expect((await world.call("/orders", { token: await world.token() })).status).toBe(200);
  const key = await newKey("ES256", "own-2");
  const keys = new Map(world.log.keys);
  keys.set(key.kid, { kid: key.kid, purpose: "access_token", alg: key.alg, key: key.publicKey });
  world.append({ keys });
  world.nowMs += 1_500;
  world.refreshes = 0;
  return { world, token: await world.token({}, key) };
}

it("accepts all that come at once with a key that is new to the isolate, and asks once", async () => {
  const { world, token } = await rotated();
  world.whileRefreshing = () => new Promise((resolve) => setTimeout(resolve, 30));
  const calls = Array.from({ length: AT_ONCE }, () => world.call("/orders", { token }));
  const statuses = (await Promise.all(calls)).map(({ status }) => status);
  expect(statuses).toEqual(Array.from({ length: AT_ONCE }, () => 200));
  expect(world.refreshes).toBe(1);
});

it("refuses all that come at once with a key that nobody published, and asks once", async () => {
  const { world } = await rotated();
  const token = await world.token({}, await newKey("ES256", "unknown"));
  world.whileRefreshing = () => new Promise((resolve) => setTimeout(resolve, 30));
  const calls = Array.from({ length: AT_ONCE }, () => world.call("/orders", { token }));
  const statuses = (await Promise.all(calls)).map(({ status }) => status);
  expect(statuses).toEqual(Array.from({ length: AT_ONCE }, () => 401));
  expect(world.refreshes).toBe(1);
});

it("asks in the place of one that was cancelled once that has had a second, all of them once", async () => {
  const { world, token } = await rotated();
  // The request that asks is never resumed.
  world.whileRefreshing = () => new Promise(() => {});
  void world.call("/orders", { token });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const waiting = Array.from({ length: AT_ONCE }, () => world.call("/orders", { token }));
  setTimeout(() => {
    world.whileRefreshing = undefined;
    world.nowMs += 1_001;
  }, 30);
  const statuses = (await Promise.all(waiting)).map(({ status }) => status);
  expect(statuses).toEqual(Array.from({ length: AT_ONCE }, () => 200));
  expect(world.refreshes).toBe(2);
});

it("is not sure that there is no route or key where the log does not answer", async () => {
  const { world } = await rotated();
  const stranger = await world.token({}, await newKey("ES256", "unknown"));
  const token = await world.token();
  const ask = async () => [
    (await world.call("/elsewhere", { token })).status,
    (await world.call("/orders", { token: stranger })).status,
  ];
  world.nowMs += 2_001;
  expect(await ask()).toEqual([404, 401]);
  world.logDown = true;
  world.nowMs += 5_000;
  expect(await ask()).toEqual([503, 503]);
});
