import { dirname } from "node:path";
import { inject } from "vitest";
import { createTestHarness, type TestHarness, type WorkerHandle } from "wrangler";
import { OBJECTS, OPERATOR_SECRET, SECRET } from "./runtime.ts";

export const OBJECT_BINDINGS = Object.keys(OBJECTS) as (keyof typeof OBJECTS)[];

export type Harness = {
  issuer: string;
  /** Reaches into the Worker: storage of objects, eviction, cron. */
  worker: WorkerHandle<Env>;
  /**
   * Evicts every object that runs: what it has in memory only is gone. This process stands still meanwhile, so
   * no object may be waiting for a server in here.
   */
  evictAll(): Promise<void>;
  stop(): Promise<void>;
};

/** The same bundle in wrangler's test harness, on a port of its own; its state is gone when it stops. */
export async function startHarness(): Promise<Harness> {
  const harness = createTestHarness();
  // The port is known only once it listens, and the issuer must name it.
  await harness.update(optionsFor("http://127.0.0.1"));
  const { origin } = (await harness.listen()).url;
  await harness.update(optionsFor(origin));
  const worker = harness.getWorker<Env>();
  return { issuer: origin, worker, evictAll: () => evictAll(worker), stop: () => harness.close() };
}

async function evictAll(worker: WorkerHandle<Env>): Promise<void> {
  for (const binding of OBJECT_BINDINGS) {
    for (const id of await worker.listDurableObjectIds(binding)) {
      await worker.evictDurableObject(binding, { id }).catch((fault: Error) => {
        if (!fault.message.includes("not currently running")) throw fault;
      });
    }
  }
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
