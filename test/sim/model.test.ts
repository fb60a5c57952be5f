import fc from "fast-check";
import { expect, it } from "vitest";
import { schedules } from "../support/sim/commands.ts";
import { World } from "../support/sim/world.ts";

/** `SIM_RUNS=5000 SIM_SEED=… npx vitest run --config test/vitest.config.ts --project sim` looks longer. */
const RUNS = Number(process.env.SIM_RUNS ?? 300);
const SEED = process.env.SIM_SEED === undefined ? undefined : Number(process.env.SIM_SEED);
const STEPS = Number(process.env.SIM_STEPS ?? 60);

/** KV as it is documented (all in all 60 s late at most), and twice as late. */
const lag = fc.oneof(
  fc.record({ lagMs: fc.nat({ max: 30_000 }), cacheMs: fc.constantFrom(0, 30_000) }),
  fc.record({ lagMs: fc.nat({ max: 60_000 }), cacheMs: fc.constantFrom(0, 30_000, 60_000) }),
);
const setting = fc.record({ seed: fc.integer(), lags: fc.tuple(lag, lag) });

/** What a run of the usual length reaches; a schedule that does not get there proves nothing. */
const REACHED = [
  ...["strict", "bounded", "eventual"].flatMap((tier) => [
    `${tier} allow token`,
    ...["token_revoked", "token_expired", "token_unknown_key"].map((why) => `${tier} refuse ${why}`),
  ]),
  ...["strict", "bounded"].flatMap((tier) => [`${tier} refuse stale`, `${tier} refuse no_view`]),
  "rule compacted",
  "rule compacted and lifted",
];

it("keeps every promise under any schedule", { timeout: 3_600_000 }, async () => {
  let trace: string[] = [];
  const reached = new Map<string, number>();
  const property = fc.asyncProperty(setting, schedules(STEPS), async (options, schedule) => {
    const world = new World(options);
    const { heard } = world.judge;
    try {
      await world.time.simulate(async () => {
        await world.begin();
        await fc.asyncModelRun(() => ({ model: world, real: world }), schedule);
        await world.end();
      });
    } catch (fault) {
      trace = world.trace;
      throw fault;
    } finally {
      for (const [what, count] of heard) reached.set(what, (reached.get(what) ?? 0) + count);
      world.close();
    }
  });
  const found = await fc.check(property, {
    numRuns: RUNS,
    ...(SEED === undefined ? {} : { seed: SEED }),
    ...(process.env.SIM_PATH === undefined ? {} : { path: process.env.SIM_PATH }),
    endOnFailure: process.env.SIM_SHRINK === "no",
  });
  console.log(Object.fromEntries(reached));
  if (!found.failed) return expect([...reached.keys()]).toEqual(expect.arrayContaining(REACHED));
  const lines = trace.slice(-Number(process.env.SIM_TRACE ?? 60)).join("\n");
  expect.fail(
    `${found.errorInstance}\n${fc.defaultReportMessage(found)}\n\nThe shortest run that failed, to its end:\n${lines}`,
  );
});
