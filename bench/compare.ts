import { type LoadResult, load } from "./load.ts";
import type { TokenMix } from "./tokens.ts";
import { cpuSeconds, type Running, residentBytes } from "./workerd.ts";

/** One thing that is measured: a process, and what it is asked. */
export type Subject = {
  name: string;
  running: Running;
  path: string;
  mix: TokenMix;
  /** Seconds of load before the first measurement; between measurements one second is enough. */
  warmUpSeconds?: number;
};

export type Measured = {
  name: string;
  /** Medians of the rounds. */
  cpuUs: number;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** To the floor, which was measured in the same round right before. */
  cpuRatio: Spread;
  p99Ratio: Spread;
  /** Of the gate's tokens, how many of 100 were in memory. */
  hitPercent?: number;
  residentMib: { first: number; last: number };
  requests: number;
};

export type Spread = { median: number; min: number; max: number };
type Run = LoadResult & { cpuUs: number; hitPercent?: number };

export const CONNECTIONS = 32;

/** Measures each subject right after the floor, in rounds, so that what else the machine does hits both. */
export async function compare(
  floor: Subject,
  subjects: readonly Subject[],
  options: { rounds: number; seconds: number; progress: (line: string) => void },
): Promise<Measured[]> {
  for (const subject of [floor, ...subjects]) await warmUp(subject, subject.warmUpSeconds ?? 2);
  const all = subjects.map(() => ({ pairs: [] as [Run, Run][], first: 0, requests: 0 }));
  for (let round = 0; round < options.rounds; round++) {
    for (const [i, subject] of subjects.entries()) {
      // Who was idle takes a quarter of a second for its first answers.
      await warmUp(floor, 1);
      const before = await measure(floor, options.seconds);
      await warmUp(subject, 1);
      const run = await measure(subject, options.seconds);
      const seen = all[i]!;
      seen.pairs.push([before, run]);
      seen.requests += run.requests;
      seen.first ||= residentBytes(subject.running);
      options.progress(
        `round ${round + 1}: ${subject.name}: ${run.cpuUs.toFixed(0)} µs, ${(run.cpuUs / before.cpuUs).toFixed(2)} ×`,
      );
    }
  }
  return subjects.map((subject, i): Measured => {
    const { pairs, first, requests } = all[i]!;
    const runs = pairs.map(([, run]) => run);
    return {
      name: subject.name,
      cpuUs: spread(runs.map((run) => run.cpuUs)).median,
      requestsPerSecond: spread(runs.map((run) => run.requests / run.seconds)).median,
      p50Ms: spread(runs.map((run) => run.p50_ms)).median,
      p99Ms: spread(runs.map((run) => run.p99_ms)).median,
      cpuRatio: spread(pairs.map(([base, run]) => run.cpuUs / base.cpuUs)),
      p99Ratio: spread(pairs.map(([base, run]) => run.p99_ms / base.p99_ms)),
      ...(runs[0]?.hitPercent === undefined
        ? {}
        : { hitPercent: spread(runs.map((run) => run.hitPercent ?? 0)).median }),
      residentMib: { first: mib(first), last: mib(residentBytes(subject.running)) },
      requests,
    };
  });
}

/** How long answers take where nothing is at its limit. */
export type Latency = {
  name: string;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  p99Ratio: Spread;
};

/** Between two requests of a connection: together they ask for about a third of what the floor can do. */
const PAUSE_MS = 15;

/** As {@link compare}, at a load that leaves time: under one that does not, the tail is the queue's. */
export async function compareLatency(
  floor: Subject,
  subjects: readonly Subject[],
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Latency[]> {
  const paced = ({ running, path, mix }: Subject) =>
    load(running.url + path, mix, { connections: CONNECTIONS, seconds, pauseMs: PAUSE_MS });
  const all = [floor, ...subjects];
  const seen = all.map((): [LoadResult, LoadResult][] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, subject] of all.entries()) {
      await warmUp(floor, 1);
      const before = await paced(floor);
      await warmUp(subject, 1);
      seen[i]!.push([before, await paced(subject)]);
    }
  }
  return all.map(({ name }, i) => {
    const runs = seen[i]!.map(([, run]) => run);
    return {
      name,
      requestsPerSecond: spread(runs.map((run) => run.requests / run.seconds)).median,
      p50Ms: spread(runs.map((run) => run.p50_ms)).median,
      p99Ms: spread(runs.map((run) => run.p99_ms)).median,
      p99Ratio: spread(seen[i]!.map(([base, run]) => run.p99_ms / base.p99_ms)),
    };
  });
}

async function warmUp({ running, path, mix }: Subject, seconds: number): Promise<void> {
  const { failed } = await load(running.url + path, mix, { connections: CONNECTIONS, seconds });
  if (failed > 0) throw new Error(`${running.url}${path}: ${failed} requests failed`);
}

async function measure({ running, path, mix, name }: Subject, seconds: number): Promise<Run> {
  const cache = await running.cacheReading?.();
  const before = cpuSeconds(running);
  const result = await load(running.url + path, mix, { connections: CONNECTIONS, seconds });
  const used = cpuSeconds(running) - before;
  if (result.failed > 0) throw new Error(`${name}: ${result.failed} requests failed`);
  const cacheNow = await running.cacheReading?.();
  const run = { ...result, cpuUs: (used * 1e6) / result.requests };
  if (!cache || !cacheNow) return run;
  const hits = cacheNow.hits - cache.hits;
  return { ...run, hitPercent: (100 * hits) / (hits + cacheNow.misses - cache.misses) };
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
