import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { GateSubject } from "./gate-subject.ts";
import type { TokenMix } from "./tokens.ts";
import { cpuSeconds, residentBytes, type ServedWorker, serve } from "./workerd.ts";

/** How long a new process takes to its first decision, median of some restarts. */
export type StartFigures = {
  denied: number;
  firstAnswerMs: number;
  secondAnswerMs: number;
  residentMib: number;
};
export type BundleFigures = { kib: number; gzipKib: number; startCpuMs: number };

const STARTS = 7;

/** The bundle's size, and the processor time of its start beyond that of the floor's Worker. */
export async function bundleFigures(
  folder: string,
  floor: ServedWorker,
  port: number,
): Promise<BundleFigures> {
  const code = readFileSync(join(folder, "worker.js"));
  const gate = { ...floor, folder, script: "worker.js", port, vars: {}, json: {} };
  const own = await startUpMs(gate);
  const base = await startUpMs({ ...floor, port });
  return {
    kib: Math.round(code.length / 1024),
    gzipKib: Math.round(gzipSync(code).length / 1024),
    startCpuMs: Math.round(own.median - base.median),
  };
}

/**
 * Processor time from the start of the process until it has answered once: the Worker is compiled and evaluated for
 * that. Without its bindings the gate answers `/healthz` and loads nothing for it.
 */
export async function startUpMs(worker: ServedWorker): Promise<{ median: number; min: number }> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const running = await serve(worker);
    await (await fetch(`${running.url}/healthz`)).text();
    times.push(cpuSeconds(running) * 1000);
    await running.stop();
  }
  return { median: median(times), min: Math.min(...times) };
}

/** Restarts the gate's process and asks it at once. The snapshot comes from KV, the log from its disk. */
export async function coldStart(
  denied: number,
  gate: GateSubject,
  path: string,
  token: TokenMix,
): Promise<StartFigures> {
  const authorization = `Bearer ${readFileSync(token.file, "utf8").trim()}`;
  const first: number[] = [];
  const second: number[] = [];
  let resident = 0;
  for (let i = 0; i < STARTS; i++) {
    const running = await gate.restart();
    const ask = async () => {
      const began = performance.now();
      const answer = await fetch(running.url + path, { headers: { authorization } });
      await answer.text();
      if (answer.status !== 200) throw new Error(`a cold gate answered ${answer.status}`);
      return performance.now() - began;
    };
    first.push(await ask());
    second.push(await ask());
    resident = residentBytes(running);
  }
  return {
    denied,
    firstAnswerMs: Math.round(median(first)),
    secondAnswerMs: Math.round(median(second)),
    residentMib: Math.round(resident / 1024 / 1024),
  };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
