import { beforeEach, describe, expect, it } from "vitest";
import { EdgeWorld, policyOf } from "../../support/edge-world.ts";

const access = { scopes: ["orders:read"] };
const consistency = { tier: "bounded", max_staleness_ms: 1000 };
const POLICY = policyOf([
  { path: "/strict", access, consistency: { tier: "strict" } },
  { path: "/bounded", access, consistency },
  { path: "/lenient", access, consistency, on_stale: { allow_for_seconds: 60 } },
]);

let world: EdgeWorld;
let token: string;

beforeEach(async () => {
  world = await EdgeWorld.create(POLICY);
  token = await world.token();
});

const status = async (path: string) => (await world.call(path, { token })).status;
const all = async (count: number, path: string) =>
  new Set(await Promise.all(Array.from({ length: count }, () => status(path))));
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

describe("many requests at once", () => {
  it("ask the log once in a cold isolate, and once past the bound", async () => {
    world.whileRefreshing = pause;
    expect(await all(50, "/bounded")).toEqual(new Set([200]));
    expect(world.refreshes).toBe(1);
    world.nowMs += 1001;
    world.revoke({ jti: "tok_01jd0000000000000000000000" });
    expect(await all(50, "/bounded")).toEqual(new Set([401]));
    expect(world.refreshes).toBe(2);
  });

  it("each ask the log on a strict route, or share what is asked after they came", async () => {
    expect(await status("/strict")).toBe(200);
    const before = world.refreshes;
    world.sleep = () => new Promise(() => {});
    world.whileRefreshing = pause;
    for (let n = 0; n < 3; n++) expect(await status("/strict")).toBe(200);
    expect(world.refreshes).toBe(before + 3);
    expect(await all(40, "/strict")).toEqual(new Set([200]));
    // The first one's own, and one that is asked when that is answered, for all the others.
    expect(world.refreshes).toBe(before + 5);
  });

  it("never share on a strict route what was asked before they came", async () => {
    expect(await status("/strict")).toBe(200);
    world.sleep = () => new Promise(() => {});
    const answers: (() => void)[] = [];
    world.whileRefreshing = () => new Promise<void>((resolve) => void answers.push(resolve));
    const early = status("/strict");
    await pause();
    expect(answers).toHaveLength(1);
    world.revoke({ jti: "tok_01jd0000000000000000000000" });
    const late = Array.from({ length: 20 }, () => status("/strict"));
    await pause();
    world.whileRefreshing = undefined;
    for (const answer of answers) answer();
    expect(await early).toBe(200);
    expect(new Set(await Promise.all(late))).toEqual(new Set([401]));
  });

  it("do not wait for long for a strict one that was cancelled while it asked", async () => {
    expect(await status("/strict")).toBe(200);
    world.whileRefreshing = () => new Promise<void>(() => {});
    void status("/strict");
    await pause();
    world.whileRefreshing = undefined;
    expect(await all(20, "/strict")).toEqual(new Set([200]));
    // It is taken for lost, and nobody waits for it any more.
    world.sleep = () => new Promise(() => {});
    world.nowMs += 2_001;
    expect(await status("/strict")).toBe(200);
  });

  it("do not hang on one that was cancelled while it asked", async () => {
    expect(await status("/bounded")).toBe(200);
    world.nowMs += 1001;
    let asked = 0;
    world.whileRefreshing = () => (asked++ === 0 ? new Promise<void>(() => {}) : undefined);
    world.sleep = async (ms) => {
      world.nowMs += ms;
    };
    void status("/bounded");
    await pause();
    expect(await status("/bounded")).toBe(200);
    expect(asked).toBe(2);
  });
});

describe("a log that does not answer", () => {
  it("counts as out of reach", async () => {
    expect(await status("/bounded")).toBe(200);
    world.whileRefreshing = () => {
      throw new Error("broken");
    };
    world.nowMs += 1001;
    expect(await status("/bounded")).toBe(503);
    expect(await status("/strict")).toBe(503);
  });

  it("holds up one request a second, and the others not at all", async () => {
    expect(await status("/lenient")).toBe(200);
    world.logDown = true;
    world.nowMs += 1001;
    expect(await status("/lenient")).toBe(200);
    world.nowMs += 1001;
    world.whileRefreshing = () => new Promise<void>(() => {});
    void status("/lenient");
    await pause();
    const before = world.refreshes;
    expect(await all(20, "/lenient")).toEqual(new Set([200]));
    expect(world.refreshes).toBe(before);
  });
});
