import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { call } from "./http-call.ts";
import { startIdentityProvider } from "./identity-provider.ts";
import { startOrigin } from "./origin.ts";
import type { LocalOptions, Places } from "./places.ts";
import { freePort } from "./ports.ts";
import { claim, type RunningRecord, update } from "./running.ts";
import { ensureSecrets } from "./secrets.ts";
import { setUp } from "./set-up.ts";
import { startWorker } from "./worker-process.ts";

/** The whole local deployment: Worker, demo origin and identity provider. */
export type Stack = {
  running: RunningRecord;
  /** Settles when the Worker ended by itself, with what to tell about it. */
  failed: Promise<string>;
  stop(): Promise<void>;
};

const READY_TIMEOUT_MS = 60_000;
const CRON_INTERVAL_MS = 60_000;

/**
 * Starts everything and waits until it is ready; what was started is stopped again where a step fails or
 * `signal` aborts. `note` gets one line for whatever is not as asked for, such as a port that is taken.
 */
export async function startStack(
  { places, port }: LocalOptions,
  signal: AbortSignal,
  note: (line: string) => void,
): Promise<Stack> {
  const started = new AsyncDisposableStack();
  try {
    await mkdir(places.stateDir, { recursive: true, mode: 0o700 });
    if (existsSync(places.workerStateDir) && !existsSync(places.secretsFile)) throw secretsGone(places);
    const { secrets, made } = await ensureSecrets(places.secretsFile);
    if (made) note(`Made new secrets: ${places.secretsFile}`);
    const running = await startServers(started, places, port, note);
    signal.throwIfAborted();
    const { failed, ended } = await startGate(started, places, running);
    const either = AbortSignal.any([signal, ended]);
    await makeReady(running, places.demoFile, secrets.PORTCULLIS_OPERATOR_SECRET, either);
    started.defer(fireCrons(running.issuer));
    running.ready = true;
    await update(places.runningFile, running);
    return { running, failed, stop: () => started.disposeAsync() };
  } catch (fault) {
    await started.disposeAsync();
    throw fault;
  }
}

/** New secrets would not open what the old ones closed. */
function secretsGone({ secretsFile, workerStateDir }: Places): Error {
  return new Error(
    `${secretsFile} is missing, but ${workerStateDir} was made with its secrets. ` +
      "Put the file back, or delete that folder to begin anew.",
  );
}

/** The servers in this process, and the record by which others find them. */
async function startServers(
  started: AsyncDisposableStack,
  places: Places,
  port: number,
  note: (line: string) => void,
): Promise<RunningRecord> {
  const gatePort = await takePort("gate", port, note);
  const originPort = await takePort("demo origin", port + 1, note);
  const identityPort = await takePort("identity provider", port + 2, note);
  const running: RunningRecord = {
    pid: process.pid,
    worker_pid: 0,
    ready: false,
    issuer: `http://localhost:${gatePort}`,
    origin: `http://127.0.0.1:${originPort}`,
    identity_provider: `http://127.0.0.1:${identityPort}`,
  };
  const { identityKeyFile: keyFile } = places;
  const identity = await startIdentityProvider({
    port: identityPort,
    keyFile,
    info: { pid: process.pid },
    gate: { issuer: running.issuer },
  });
  started.defer(identity.close);
  await claim(places.runningFile, running);
  started.defer(() => rm(places.runningFile, { force: true }));
  const origin = await startOrigin({ port: originPort, issuer: running.issuer });
  started.defer(origin.close);
  return running;
}

/** The Worker; `ended` aborts when it ends, with what to tell about it as the reason. */
async function startGate(started: AsyncDisposableStack, places: Places, running: RunningRecord) {
  const { issuer } = running;
  const worker = startWorker({ port: Number(new URL(issuer).port), issuer, places });
  started.defer(worker.stop);
  running.worker_pid = worker.pid;
  await update(places.runningFile, running);
  const ended = new AbortController();
  const failed = worker.ended.then(({ how, lastOutput }) => {
    const told = `The Worker ended (${how}). Its last output:\n${lastOutput}`;
    ended.abort(new Error(told));
    return told;
  });
  return { failed, ended: ended.signal };
}

async function takePort(name: string, wanted: number, note: (line: string) => void): Promise<number> {
  const port = await freePort(wanted);
  if (port !== wanted) note(`Port ${wanted} is taken: the ${name} takes ${port}.`);
  return port;
}

async function makeReady(
  running: RunningRecord,
  demoFile: string,
  operatorSecret: string,
  signal: AbortSignal,
): Promise<void> {
  const { issuer, origin, identity_provider: identityProvider } = running;
  await untilOk(`${issuer}/healthz`, signal);
  // Not awaited: the canary takes its time.
  void fireCron(issuer);
  signal.throwIfAborted();
  await setUp({ issuer, operatorSecret, addresses: { origin, identityProvider }, demoFile });
  await untilOk(`${issuer}/readyz`, signal);
}

/** Asks until the answer is 200; throws the signal's reason, or what was answered last. */
async function untilOk(url: string, signal: AbortSignal): Promise<void> {
  let last = "no answer";
  for (const end = Date.now() + READY_TIMEOUT_MS; Date.now() < end; await sleep(50)) {
    signal.throwIfAborted();
    const answer = await call(url, { timeoutMs: 5_000 }).catch(() => undefined);
    if (answer?.status === 200) return;
    if (answer) last = `status ${answer.status}: ${JSON.stringify(answer.body)}`;
  }
  throw new Error(`${url} is not ready after ${READY_TIMEOUT_MS / 1000} s (${last})`);
}

/** Local workerd fires no cron triggers: this does, every minute, until the returned function is called. */
function fireCrons(issuer: string): () => void {
  const timer = setInterval(() => void fireCron(issuer), CRON_INTERVAL_MS);
  return () => clearInterval(timer);
}

async function fireCron(issuer: string): Promise<void> {
  // A fault is in the Worker's own log; the next minute tries again.
  await call(`${issuer}/cdn-cgi/local/scheduled?cron=*+*+*+*+*`).catch(() => undefined);
}
