import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { RateLimitObject } from "../../src/limits/rate-limit-object.ts";
import type { Take } from "../../src/limits/token-bucket.ts";
import { expectValue, remote } from "../support/remote.ts";

/** Nothing comes back while a test runs. */
const LIMIT = { requests: 20, period_seconds: 3_600 };
const PARALLEL = 50;
let count = 0;

function newShard() {
  const stub = env.RATE_LIMIT.getByName(`shard-${count++}`);
  return Object.assign(remote<RateLimitObject>(stub), { stub });
}
const take = async (shard: ReturnType<typeof newShard>, name = "ann"): Promise<Take> =>
  expectValue(await shard.take(name, LIMIT));

describe("an exact limit", () => {
  it("lets exactly so many through of fifty at once, each told another number", async () => {
    const shard = newShard();
    const taken = await Promise.all(Array.from({ length: PARALLEL }, () => take(shard)));
    const passed = taken.filter(({ allowed }) => allowed);
    expect(passed.map(({ remaining }) => remaining).sort((a, b) => a - b)).toEqual(
      Array.from({ length: LIMIT.requests }, (_, i) => i),
    );
    expect(taken).toHaveLength(PARALLEL);
    expect(await take(shard, "bob")).toMatchObject({ allowed: true, remaining: LIMIT.requests - 1 });
  });

  it("gives nothing back when its object is evicted", async () => {
    const shard = newShard();
    for (let n = 0; n < LIMIT.requests; n++) expect((await take(shard)).allowed).toBe(true);
    await evictDurableObject(shard.stub);
    expect(await take(shard)).toMatchObject({ allowed: false, remaining: 0, resetSeconds: 180 });
  });

  it("forgets a bucket that is full again, and no other", async () => {
    const shard = newShard();
    const quick = { requests: 1_000, period_seconds: 1 };
    await shard.take("quick", quick);
    await take(shard);
    const names = () =>
      runInDurableObject(shard.stub, (_object, state) =>
        state.storage.sql
          .exec<{ bucket: string }>("SELECT bucket FROM buckets ORDER BY bucket")
          .toArray()
          .map(({ bucket }) => bucket),
      );
    expect(await names()).toEqual(["ann", "quick"]);
    expect(await runInDurableObject(shard.stub, (_object, state) => state.storage.getAlarm())).not.toBeNull();
    await runDurableObjectAlarm(shard.stub);
    expect(await names()).toEqual(["ann"]);
  });
});
