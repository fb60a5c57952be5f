import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Refusal, type RefuseReason, refusal } from "../../../src/edge/decision.ts";
import { openBoundMs, watch } from "../../../src/edge/watch.ts";
import type { Route } from "../../../src/policy/document.ts";
import type { VerifiedToken } from "../../../src/tokens/claims.ts";

const BOUND_MS = 2_000;
const route = {
  consistency: { tier: "bounded", max_staleness_ms: BOUND_MS },
  on_stale: "deny",
} as Route;

/** What a look finds; undefined where the request would still be let through. */
let found: RefuseReason | undefined;
let looks: number;
let cuts: Refusal[];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  found = undefined;
  looks = 0;
  cuts = [];
});
afterEach(() => vi.useRealTimers());

function start(secondsLeft = 600, recheck?: () => Promise<Refusal | undefined>): () => void {
  const token = { own: true, expiresAt: Date.now() / 1000 + secondsLeft } as VerifiedToken;
  const look = async () => {
    looks++;
    return found && refusal(found);
  };
  return watch({ route, token, recheck: recheck ?? look }, (why) => void cuts.push(why), Date.now);
}

const reasons = () => cuts.map(({ reason }) => reason);

describe("an open connection", () => {
  it("is looked at four times a bound, and goes on while it would be let through", async () => {
    start();
    await vi.advanceTimersByTimeAsync(10 * BOUND_MS);
    expect(looks).toBe(40);
    expect(cuts).toEqual([]);
  });

  it("is cut once, at the next look after it would be refused", async () => {
    start();
    await vi.advanceTimersByTimeAsync(BOUND_MS);
    found = "token_revoked";
    await vi.advanceTimersByTimeAsync(BOUND_MS / 4);
    expect(reasons()).toEqual(["token_revoked"]);
    const before = looks;
    await vi.advanceTimersByTimeAsync(10 * BOUND_MS);
    expect([cuts.length, looks]).toEqual([1, before]);
  });

  it("is looked at when its token's window ends, not a quarter of a bound later", async () => {
    start(1.3);
    await vi.advanceTimersByTimeAsync(1_299);
    found = "token_expired";
    expect(cuts).toEqual([]);
    await vi.advanceTimersByTimeAsync(2);
    expect(reasons()).toEqual(["token_expired"]);
  });

  it("is looked at no more often past its token's end, where a session has another token", async () => {
    start(1);
    await vi.advanceTimersByTimeAsync(1_000 + 10 * BOUND_MS);
    expect([looks, cuts]).toEqual([42, []]);
  });

  it("outlives what cannot be told for a moment, and not for longer than the bound", async () => {
    start();
    found = "stale";
    await vi.advanceTimersByTimeAsync(BOUND_MS * 0.75);
    found = undefined;
    await vi.advanceTimersByTimeAsync(BOUND_MS);
    found = "stale";
    await vi.advanceTimersByTimeAsync(BOUND_MS);
    expect(cuts).toEqual([]);
    await vi.advanceTimersByTimeAsync(BOUND_MS / 4);
    expect(reasons()).toEqual(["stale"]);
  });

  it("is cut where the look itself fails", async () => {
    start(600, () => Promise.reject(new Error("broken")));
    await vi.advanceTimersByTimeAsync(BOUND_MS / 4);
    expect(reasons()).toEqual(["internal"]);
  });

  it("is not looked at any more once it is over, also where that happens during a look", async () => {
    start()();
    await vi.advanceTimersByTimeAsync(BOUND_MS);
    expect(looks).toBe(0);
    const { promise, resolve: answer } = Promise.withResolvers<Refusal>();
    const stop = start(600, () => promise);
    await vi.advanceTimersByTimeAsync(BOUND_MS / 4);
    stop();
    answer(refusal("token_revoked"));
    await vi.advanceTimersByTimeAsync(BOUND_MS);
    expect(cuts).toEqual([]);
  });

  it("has the bound of its route; a strict one has a second", () => {
    const bound = (consistency: object) => openBoundMs({ ...route, consistency } as Route);
    expect(bound({ tier: "bounded", max_staleness_ms: 250 })).toBe(250);
    expect(bound({ tier: "eventual" })).toBe(60_000);
    expect(bound({ tier: "strict" })).toBe(1_000);
  });
});
