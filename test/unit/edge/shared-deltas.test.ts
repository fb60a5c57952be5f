import { beforeEach, describe, expect, it } from "vitest";
import { Freshness, type Staleness, stalenessOf } from "../../../src/edge/freshness.ts";
import { EMPTY_POLICY } from "../../../src/policy/stored-policy.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { IsolateReplica } from "../../../src/replication/isolate-replica.ts";

const BOUNDED = stalenessOf({
  consistency: { tier: "bounded", max_staleness_ms: 2_000 },
  on_stale: { allow_for_seconds: 10 },
});
const STRICT = stalenessOf({ consistency: { tier: "strict" }, on_stale: "deny" });

let now: number;
/** How old an answer each question would take; and how old the answer is that another isolate was given. */
let asked: number[];
let sharedAgeMs: number | undefined;
let down: boolean;
let replica: IsolateReplica;
let freshness: Freshness;
const background: Promise<unknown>[] = [];

beforeEach(() => {
  now = 1_000_000;
  asked = [];
  sharedAgeMs = undefined;
  down = false;
  replica = new IsolateReplica({
    log: {
      since: async (_seq, maxAgeMs = 0) => {
        asked.push(maxAgeMs);
        if (down) return err(problem("unavailable", "down"));
        const shared = sharedAgeMs === undefined || maxAgeMs === 0 ? {} : { asked_at_ms: now - sharedAgeMs };
        return ok({ too_old: false as const, head_seq: 0, entries: [], ...shared });
      },
      snapshot: async () => ok({ seq: 0, at_ms: now, policy: EMPTY_POLICY, keys: [], rules: [] }),
    },
    filter: { load: async () => err(problem("unavailable", "There is none.")) },
    kv: {
      get: async () => ({ seq: 0, at_ms: now - 60_000, policy: EMPTY_POLICY, keys: [], rules: [] }),
    } as never,
    clock: () => now,
    logger: () => {},
  });
  freshness = new Freshness({
    replica,
    denylist: async () => ok(false),
    clock: () => now,
    log: () => {},
  });
});

const decide = async (staleness: Staleness) => {
  const view = (await freshness.first())!;
  return freshness.ensure(view, staleness, {}, (work) => void background.push(work));
};
const ageOf = async (decision: ReturnType<typeof decide>) => {
  const view = await decision;
  return view.ok ? now - view.value.fetchedAtMs : view.error;
};

describe("an answer that another isolate was given", () => {
  it("makes a view that is as old as that answer", async () => {
    sharedAgeMs = 700;
    expect(await ageOf(decide(BOUNDED))).toBe(700);
  });

  it("does not make a view older than it was, nor younger than when it was asked for", async () => {
    await replica.refresh();
    now += 300;
    sharedAgeMs = 900;
    await replica.refresh(2_000);
    expect(now - replica.peek()!.fetchedAtMs).toBe(300);
    sharedAgeMs = -50;
    await replica.refresh(2_000);
    expect(now - replica.peek()!.fetchedAtMs).toBe(0);
  });

  it("will do for a bounded route as far as its bound, and for a strict one never", async () => {
    await replica.refresh();
    asked = [];
    sharedAgeMs = 700;
    now += 2_001;
    expect(await ageOf(decide(BOUNDED))).toBe(700);
    expect(await ageOf(decide(STRICT))).toBe(0);
    now += 1_001;
    await decide(BOUNDED);
    await Promise.all(background);
    expect(asked).toEqual([2_000, 0, 2_000]);
  });

  it("will do for a cold isolate, and not where a refusal asks for what is new", async () => {
    const view = (await freshness.first())!;
    expect(asked).toEqual([2_000]);
    now += 1;
    await freshness.recheck(view, 0);
    expect(asked).toEqual([2_000, 0]);
    now += 2_001;
    await freshness.recheck(replica.peek()!, 2_000);
    expect(asked).toEqual([2_000, 0, 2_000]);
  });

  it("is seen in the age that is told also where the log is out of reach", async () => {
    await replica.refresh();
    down = true;
    now += 5_000;
    expect(await ageOf(decide(BOUNDED))).toBe(5_000);
    expect(await ageOf(decide(STRICT))).toBe("stale");
  });
});
