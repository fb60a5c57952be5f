import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import type { TokenMix } from "./tokens.ts";

/** What one run of wrk saw. */
export type LoadResult = {
  requests: number;
  seconds: number;
  p50_ms: number;
  p99_ms: number;
  failed: number;
};

const SCRIPT = new URL("./load.lua", import.meta.url).pathname;
const run = promisify(execFile);

/** What to do where the load cannot be made; undefined where it can. */
export function missingLoader(): string | undefined {
  const found = spawnSync("wrk", ["-v"]).error === undefined;
  return found
    ? undefined
    : "wrk is not installed, and it makes the load: apt-get install wrk (or brew install wrk)";
}

/**
 * Puts load on a URL over so many connections, as much as they carry, or with pauses of so many ms on average between
 * the requests of each. The tokens that are not in constant use go round and round.
 */
export async function load(
  url: string,
  mix: TokenMix,
  options: { connections: number; seconds: number; pauseMs?: number },
): Promise<LoadResult> {
  const { stdout } = await run("wrk", [
    // A neighbour that takes the processor for a while is no failure.
    ...[
      "-t1",
      "--timeout",
      "10s",
      `-c${options.connections}`,
      `-d${options.seconds}s`,
      "-s",
      SCRIPT,
      url,
      "--",
    ],
    ...[mix.file, String(mix.hot), String(mix.hotPercent), String(mix.next), String(options.pauseMs ?? 0)],
  ]);
  const line = stdout.split("\n").find((each) => each.startsWith("{"));
  if (line === undefined) throw new Error(`wrk told nothing: ${stdout}`);
  const result = JSON.parse(line) as LoadResult;
  mix.next = (mix.next + result.requests) % Math.max(1, mix.count - mix.hot);
  return result;
}
