import { dirname } from "node:path";
import { inject } from "vitest";
import { createTestHarness, type TestHarness, type WorkerHandle } from "wrangler";
import { OPERATOR_SECRET, SECRET } from "./runtime.ts";

export type Harness = {
  issuer: string;
  /** Reaches into the Worker: storage of objects, eviction, cron. */
  worker: WorkerHandle<Env>;
  stop(): Promise<void>;
};

/** The same bundle in wrangler's test harness, on a port of its own; its state is gone when it stops. */
export async function startHarness(): Promise<Harness> {
  const harness = createTestHarness();
  // The port is known only once it listens, and the issuer must name it.
  await harness.update(optionsFor("http://127.0.0.1"));
  const { origin } = (await harness.listen()).url;
  await harness.update(optionsFor(origin));
  return { issuer: origin, worker: harness.getWorker<Env>(), stop: () => harness.close() };
}

function optionsFor(issuer: string): Parameters<TestHarness["update"]>[0] {
  return {
    root: new URL("../..", import.meta.url).pathname,
    workers: [
      {
        configPath: "wrangler.toml",
        prebuiltWorkerDir: dirname(inject("bundlePath")),
        vars: { ISSUER: issuer },
        secrets: { PORTCULLIS_SECRET: SECRET, PORTCULLIS_OPERATOR_SECRET: OPERATOR_SECRET },
      },
    ],
  };
}
