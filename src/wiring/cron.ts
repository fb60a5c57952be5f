import { runCanary } from "../control/canary.ts";
import { sweep } from "../control/sweep.ts";
import type { WaitUntil } from "../edge/freshness.ts";
import { faultText } from "../platform/log.ts";
import { canaryDeps } from "./canary.ts";
import type { SharedVerifier } from "./edge.ts";
import { type SweepWiring, wireSweep } from "./sweep.ts";

/** What happens once a minute: the sweep, which is waited for, and the canary, which takes up to a minute. */
export async function runCron(
  { verifier, ...wiring }: SweepWiring & { verifier: SharedVerifier },
  kv: KVNamespace,
  waitUntil: WaitUntil,
): Promise<void> {
  const { objects, log } = wiring;
  const { keyring, monitor } = objects;
  const canary = canaryDeps({ ...verifier, keyring, revocations: objects.log, monitor, kv });
  await sweep(wireSweep(wiring));
  waitUntil(runCanary(canary).catch((fault) => log("error", "canary.fault", { fault: faultText(fault) })));
}
