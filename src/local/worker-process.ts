import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import type { Places } from "./places.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const STOP_TIMEOUT_MS = 5_000;
const KEPT_OUTPUT_CHARS = 8_000;

/** `wrangler dev` in a process group of its own. */
export type WorkerProcess = {
  pid: number;
  /** Settles when it has ended, with how it ended and the last of what it printed. */
  ended: Promise<{ how: string; lastOutput: string }>;
  /** Ends it and everything that it started; safe to call twice. */
  stop(): Promise<void>;
};

type WorkerOptions = { port: number; issuer: string; places: Places };

/**
 * Starts the Worker in workerd with persistent state. Its output goes to the log file; what it prints as an
 * error also goes to this process's stderr.
 */
export function startWorker(options: WorkerOptions): WorkerProcess {
  const child = spawn(process.execPath, commandLine(options), {
    cwd: ROOT,
    env: environment(options.places),
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // A group of its own: Ctrl-C in the terminal reaches only us, and we end the group in order.
    detached: true,
  });
  const tail = keepOutput(child, options.places.logFile);
  const ended = new Promise<{ how: string; lastOutput: string }>((resolve) => {
    child.once("error", (fault) => resolve({ how: fault.message, lastOutput: tail() }));
    child.once("close", (code, signal) =>
      resolve({ how: signal ? `signal ${signal}` : `exit code ${code}`, lastOutput: tail() }),
    );
  });
  const pid = child.pid ?? 0;
  return { pid, ended, stop: () => stopGroup(child, pid) };
}

function commandLine({ port, issuer, places }: WorkerOptions): string[] {
  return [
    "--no-warnings",
    ...["--import", new URL("./die-with-parent.ts", import.meta.url).href],
    createRequire(import.meta.url).resolve("wrangler"),
    "dev",
    ...["--port", String(port), "--ip", "127.0.0.1", "--inspector-port", "0"],
    ...["--var", `ISSUER:${issuer}`, "--env-file", places.secretsFile],
    ...["--persist-to", places.workerStateDir, "--show-interactive-dev-session=false"],
  ];
}

/** Nothing leaves the machine, and nothing of the shell's environment replaces our variables. */
function environment({ stateDir }: Places): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_WRITE_LOGS: "false",
    WRANGLER_REGISTRY_PATH: join(stateDir, "registry"),
    FORCE_COLOR: "0",
  };
  for (const name of Object.keys(env)) if (/^(?:ISSUER|PORTCULLIS_)/.test(name)) delete env[name];
  return env;
}

function keepOutput(child: ChildProcess, logFile: string): () => string {
  const log = createWriteStream(logFile, { flags: "w", mode: 0o600 });
  let kept = "";
  const keep = (part: string) => {
    const text = stripVTControlCharacters(part);
    log.write(text);
    kept = (kept + text).slice(-KEPT_OUTPUT_CHARS);
    return text;
  };
  child.stdout?.setEncoding("utf8").on("data", keep);
  child.stderr?.setEncoding("utf8").on("data", (part: string) => {
    const text = keep(part);
    if (text.includes("[ERROR]")) process.stderr.write(text);
  });
  child.once("close", () => log.end());
  return () => kept.trim();
}

async function stopGroup(child: ChildProcess, pid: number): Promise<void> {
  if (pid === 0) return;
  const running = child.exitCode === null && child.signalCode === null;
  if (running && signal(pid, "SIGTERM") && (await gone(-pid, STOP_TIMEOUT_MS))) return;
  signal(-pid, "SIGKILL");
  if (!(await gone(-pid, STOP_TIMEOUT_MS))) child.unref();
}

/** True once no process of the id (negative: of the group) is left. */
export async function gone(id: number, withinMs: number): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end; await sleep(50)) {
    if (!signal(id, 0)) return true;
  }
  return !signal(id, 0);
}

function signal(id: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(id, name);
  } catch {
    return false;
  }
}
