import { copyFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inject } from "vitest";
import { startKv } from "../../bench/backstage.ts";
import { deployedObjects } from "../../bench/gate-subject.ts";
import { serve } from "../../bench/workerd.ts";
import { Deployment } from "./deployment.ts";
import { RecordingOrigin } from "./recording-origin.ts";
import { freeIssuer, variablesOf } from "./runtime.ts";
import { requestBytes, sendAll, type WireAnswer } from "./wire.ts";

/** What the gate logged about a refusal. */
type RefusalLine = { event: string; decision_id: string; reason: string };

/** The gate on plain workerd, with nothing before it that would mend a request, and a Worker that does nothing. */
export type BareStand = {
  gate: Deployment;
  origin: RecordingOrigin;
  host: string;
  stateDir: string;
  /** The same bytes to the gate and to the empty Worker. */
  tryAll(requests: readonly string[]): Promise<Tried[]>;
  /** Starts the gate anew on the same state, as the platform runs it: it connects to public addresses only. */
  reachPublicOnly(): Promise<void>;
  stop(): Promise<void>;
};

export type Tried = { answer: WireAnswer; empty: WireAnswer; reason: string | undefined };

/** Reads what it is sent, as whoever forwards it must, and does nothing else. */
const EMPTY_WORKER =
  "export default { async fetch(request) { await request.arrayBuffer(); return new Response(); } };";
const LOG_TIMEOUT_MS = 20_000;

export async function bareStand(policyOf: (origin: string) => object): Promise<BareStand> {
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "portcullis-bare-"));
  started.defer(() => rm(folder, { recursive: true }));
  copyFileSync(inject("bundlePath"), join(folder, "worker.js"));
  writeFileSync(join(folder, "empty.js"), EMPTY_WORKER);
  const origin = await RecordingOrigin.start();
  started.defer(() => origin.close());
  const kv = await startKv();
  started.defer(() => kv.close());
  const issuer = await freeIssuer();
  const { host } = new URL(issuer);
  const reasons = new Map<string, string>();
  const worker = {
    ...{ name: "gate", folder, script: "worker.js", port: portOf(issuer), kvPort: kv.port },
    vars: variablesOf({ issuer }),
    objects: deployedObjects(),
    onLog: (line: string) => {
      if (!line.includes('"gate.refused"')) return;
      const { decision_id, reason } = JSON.parse(line) as RefusalLine;
      reasons.set(decision_id, reason);
    },
  };
  let running = await serve(worker);
  started.defer(() => running.stop());
  const emptyPort = portOf(await freeIssuer());
  const empty = await serve({ name: "empty", folder, script: "empty.js", port: emptyPort });
  started.defer(() => empty.stop());
  const gate = await Deployment.at(issuer);
  await gate.putPolicy(policyOf(origin.url));
  const tryAll = async (requests: readonly string[]): Promise<Tried[]> => {
    const answers = await sendAll(worker.port, requests);
    const empties = await sendAll(emptyPort, requests);
    // What was logged last was logged after all of theirs.
    const [last] = await sendAll(worker.port, [requestBytes("/nowhere;", host, [])]);
    await until(() => reasons.has(last!.requestId!));
    return answers.map((answer, i) => {
      const reason = answer.requestId === undefined ? undefined : reasons.get(answer.requestId);
      return { answer, empty: empties[i]!, reason };
    });
  };
  const reachPublicOnly = async () => {
    await running.stop();
    running = await serve({ ...worker, reaches: "public" });
  };
  const stopping = started.move();
  return {
    gate,
    origin,
    host,
    stateDir: folder,
    tryAll,
    reachPublicOnly,
    stop: () => stopping.disposeAsync(),
  };
}

async function until(isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + LOG_TIMEOUT_MS; !isSo(); await sleep(10)) {
    if (Date.now() > end) throw new Error("the gate did not log what it refused");
  }
}

function portOf(issuer: string): number {
  return Number(new URL(issuer).port);
}
