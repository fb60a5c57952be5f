import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { call, memberOf } from "./http-call.ts";
import { gone } from "./worker-process.ts";

/** What `npm start` leaves for others to find it by; removed when it stops. */
export type RunningRecord = {
  pid: number;
  /** Process group of `wrangler dev`; 0 before it is started. */
  worker_pid: number;
  ready: boolean;
  issuer: string;
  origin: string;
  identity_provider: string;
};

const PROBE_TIMEOUT_MS = 2_000;
const START_TIMEOUT_MS = 60_000;
const ORPHAN_TIMEOUT_MS = 10_000;

/** The deployment that runs from this file, once it is ready; undefined where nobody answers any more. */
export async function findRunning(file: string): Promise<RunningRecord | undefined> {
  for (const end = Date.now() + START_TIMEOUT_MS; Date.now() < end; await sleep(200)) {
    const record = await readRecord(file);
    if (record === undefined || !(await answers(record))) return undefined;
    if (record.ready) return record;
  }
  return undefined;
}

/**
 * Puts the record where no other process of ours runs. A record that was left behind is replaced, once the
 * Worker that belonged to it has ended: two of them on one state would spoil it.
 */
export async function claim(file: string, record: RunningRecord): Promise<void> {
  const left = await readRecord(file);
  if (left && !(await answers(left))) {
    if (left.worker_pid > 0 && (await healthy(left)) && !(await gone(-left.worker_pid, ORPHAN_TIMEOUT_MS))) {
      throw new Error(
        `A Worker of an earlier start still answers at ${left.issuer} (process group ${left.worker_pid}). End it: kill -- -${left.worker_pid}`,
      );
    }
    await rm(file, { force: true });
  }
  const handle = await open(file, "wx", 0o600).catch((fault: NodeJS.ErrnoException) => {
    throw fault.code === "EEXIST"
      ? new Error("Another start is under way in the same state directory.")
      : fault;
  });
  await handle.writeFile(JSON.stringify(record));
  await handle.close();
}

/** Replaces the record as a whole: a reader never sees half of one. */
export async function update(file: string, record: RunningRecord): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

async function readRecord(file: string): Promise<RunningRecord | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** The identity provider lives in the process of `npm start`: that it names its pid is the proof of life. */
async function answers(record: RunningRecord): Promise<boolean> {
  const answer = await call(`${record.identity_provider}/instance`, { timeoutMs: PROBE_TIMEOUT_MS }).catch(
    () => undefined,
  );
  return answer?.status === 200 && memberOf(answer.body, "pid") === record.pid;
}

async function healthy(record: RunningRecord): Promise<boolean> {
  const answer = await call(`${record.issuer}/healthz`, { timeoutMs: PROBE_TIMEOUT_MS }).catch(
    () => undefined,
  );
  return answer?.status === 200;
}
