import fc from "fast-check";
import type { CacheFault } from "./cache-double.ts";
import type { KvFault } from "./kv-double.ts";
import type { Fault } from "./network.ts";
import { ROUTES } from "./sim-policy.ts";
import { durationMs, hasTokens, Step, small, step } from "./step.ts";
import { WAY_COUNT } from "./world.ts";

export const wait = durationMs.map((ms) => new Step({ name: "wait", run: () => {} }, ms));
export const sleep = step(
  small.map((isolate) => ({
    name: `sleep(${isolate})`,
    check: (world) => world.isIdle(isolate),
    run: (world) => world.sleep(isolate),
  })),
);
export const evict = step(
  small.map((isolate) => ({ name: `evict(${isolate})`, run: (world) => world.evict(isolate) })),
);
export const crash = step(
  fc.constantFrom("log" as const, "denylist" as const).map((which) => ({
    name: `crash(${which})`,
    run: (world) => world.crash(which),
  })),
);
export const cron = step(fc.constant({ name: "cron", run: (world) => world.cron() }));

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constantFrom<Fault>({ kind: "refused" }, { kind: "answer_lost" }, { kind: "hangs" }),
  fc.nat({ max: 2_000 }).map((byMs) => ({ kind: "slow" as const, byMs })),
);
export const disturbWay = step(
  fc.tuple(fc.nat({ max: WAY_COUNT - 1 }), fault, durationMs).map(([way, how, ms]) => ({
    name: `disturb way(${way}, ${JSON.stringify(how)}, ${ms})`,
    run: (world) => world.disturbWay(way, how, ms),
  })),
);

const kvFault = fc.constantFrom<KvFault>("fails", "answer_lost", "too_many", "hangs", "slow");
const kvWhere = fc.constantFrom("writes" as const, "reads:0" as const, "reads:1" as const);
export const disturbKv = step(
  fc.tuple(kvWhere, kvFault, durationMs).map(([where, how, ms]) => ({
    name: `disturb KV(${where}, ${how}, ${ms})`,
    run: (world) => world.disturbKv(where, how, ms),
  })),
);

/** An isolate that has just begun, in a place where KV does not answer. */
export const coldStart = step(
  fc.tuple(fc.nat({ max: 3 }), fc.constantFrom<KvFault>("fails", "hangs", "slow")).map(([isolate, how]) => ({
    name: `cold start(${isolate}, KV ${how})`,
    check: hasTokens,
    run: (world) => {
      world.disturbKv(isolate < 2 ? "reads:0" : "reads:1", how, 20_000);
      world.evict(isolate);
      for (const route of ROUTES.keys()) world.call(isolate, -1, route);
    },
  })),
);

export const disturbCache = step(
  fc
    .tuple(fc.nat({ max: 1 }), fc.constantFrom<CacheFault>("fails", "hangs", "forgets"), durationMs)
    .map(([location, how, ms]) => ({
      name: `disturb cache(${location}, ${how}, ${ms})`,
      run: (world) => world.disturbCache(location, how, ms),
    })),
);
