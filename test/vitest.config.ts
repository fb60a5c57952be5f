import { readdirSync, readFileSync } from "node:fs";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./support/longest-first.ts";
import { plant } from "./support/mutants.ts";

const root = new URL("..", import.meta.url).pathname;

// Secrets of the Worker under test; they guard nothing else.
process.env.PORTCULLIS_SECRET = "dGVzdC1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3RzLTAx";
process.env.PORTCULLIS_OPERATOR_SECRET = "b3BlcmF0b3Itc2VjcmV0LW9ubHktZm9yLXRlc3RzLTAx";

/** Tests that stop the clock of their whole worker: nothing else may run in it. */
const WITH_THE_CLOCK = readdirSync(`${root}test/unit`, { recursive: true, encoding: "utf8" })
  .map((path) => `test/unit/${path}`)
  .filter(
    (path) =>
      /\.test\.tsx?$/.test(path) &&
      /useFakeTimers|spyOn|stub(?:Env|Global)/.test(readFileSync(root + path, "utf8")),
  );
const pure = { include: ["test/unit/**/*.test.{ts,tsx}"], testTimeout: 30_000 };

/** Real workerd processes. */
const overHttp = {
  globalSetup: ["test/support/bundle.ts"],
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // What comes in the end may come late where several files run: KV hears within a second of a machine of its own.
  expect: { poll: { timeout: 15_000 } },
};
/** Files mostly wait: for bounds, kills, retries. More at once would want as many port ranges in support/runtime.ts. */
const atOnce = { fileParallelism: true, maxWorkers: 3 };

/**
 * Pure logic in Node; objects inside workerd; a simulation of many edges in virtual time; the whole product
 * over HTTP; what takes minutes: many kills, a million entries, planted bugs; and what measures how long the
 * product takes, which wants the machine for itself (`npm run test:long` runs both).
 */
export default defineConfig({
  root,
  test: {
    silent: "passed-only",
    sequence: { sequencer: LongestFirst },
    projects: [
      // Modules are evaluated once for each worker: that was a third of the time.
      { root, test: { ...pure, name: "unit", exclude: WITH_THE_CLOCK, isolate: false } },
      { root, test: { ...pure, name: "unit-clock", include: WITH_THE_CLOCK } },
      {
        root,
        plugins: [
          cloudflareTest({
            wrangler: { configPath: `${root}wrangler.toml` },
            miniflare: { bindings: { ISSUER: "http://localhost:8787" } },
          }),
        ],
        test: { name: "worker", include: ["test/worker/**/*.test.ts"] },
      },
      {
        root,
        plugins: [plant(process.env.PLANTED_BUG)],
        resolve: { alias: { "cloudflare:workers": `${root}test/support/sim/cloudflare-workers.ts` } },
        test: { name: "sim", include: ["test/sim/**/*.test.ts"] },
      },
      {
        root,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          ...overHttp,
          ...atOnce,
          sequence: { groupOrder: 1 },
        },
      },
      {
        root,
        test: {
          name: "long",
          include: ["test/long/**/*.test.ts"],
          ...overHttp,
          ...atOnce,
          testTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        root,
        test: {
          name: "alone",
          include: ["test/alone/**/*.test.ts"],
          ...overHttp,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
