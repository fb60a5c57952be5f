import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { applied, MUTANTS } from "../support/mutants.ts";

const root = new URL("../..", import.meta.url).pathname;

/** Runs the simulation with the bug planted; answers what it printed, or undefined where it passed. */
function simulate(bug: string, seed: number): Promise<string | undefined> {
  const args = [
    `${root}node_modules/vitest/vitest.mjs`,
    "run",
    "--config",
    "test/vitest.config.ts",
    "--project",
    "sim",
    "test/sim/model.test.ts",
  ];
  const env = {
    ...process.env,
    PLANTED_BUG: bug,
    SIM_RUNS: "2000",
    SIM_SEED: String(seed),
    SIM_SHRINK: "no",
    NO_COLOR: "1",
  };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd: root, env, maxBuffer: 64 * 1024 * 1024 },
      (fault, stdout, stderr) => {
        resolve(fault ? `${stdout}\n${stderr}` : undefined);
      },
    );
  });
}

/** The promises are only worth something where a bug breaks them, and the simulation says which. */
describe.concurrent("a planted bug is caught", () => {
  it.each(Object.entries(MUTANTS))("%s", async (bug, mutant) => {
    expect(applied(mutant, readFileSync(root + mutant.file, "utf8"))).not.toContain(mutant.find);
    const report = await simulate(bug, mutant.seed);
    expect(report, "the simulation passed with the bug planted").toBeDefined();
    expect(report).toMatch(mutant.caughtAs);
  });
});
