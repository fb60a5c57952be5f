import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** A process under test. */
export type Running = {
  url: string;
  pid: number;
  stop(): Promise<void>;
  /** Of tokens that were looked up so far, how many were in memory. */
  cacheReading?(): Promise<{ hits: number; misses: number }>;
};

/** A Worker as plain workerd serves it. Names of `objects` are bindings, their values classes. */
export type ServedWorker = {
  name: string;
  folder: string;
  /** The bundle, a file in the folder. */
  script: string;
  port: number;
  vars?: Record<string, string>;
  json?: Record<string, object>;
  kvPort?: number;
  objects?: Record<string, string>;
  /** A Worker of the same process that uses this one's objects. */
  beside?: { script: string; port: number };
  /** Addresses that it may connect to, as they are resolved; any where left out. */
  reaches?: "public";
  /** Gets each line that the Worker logs; without it they are dropped. */
  onLog?: (line: string) => void;
};

const ROOT = new URL("..", import.meta.url).pathname;
const WORKERD = join(ROOT, "node_modules/workerd/bin/workerd");
const COMPATIBILITY_DATE = "2026-10-30";
/** As in wrangler.toml. */
const COMPATIBILITY_FLAGS = `["no_nodejs_global_timers"]`;
const START_TIMEOUT_MS = 20_000;

/** Bundles a Worker as `wrangler deploy` would upload it; without an entry, the product. Answers the folder. */
export function bundle(folder: string, entry?: string): void {
  const what = entry ? [entry, "--config", "bench/subjects/wrangler.toml"] : [];
  execFileSync("npx", ["wrangler", "deploy", ...what, "--dry-run", "--outdir", folder], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_WRITE_LOGS: "false",
    },
  });
}

/** Starts plain `workerd serve`; resolves when it takes connections. */
export async function serve(worker: ServedWorker): Promise<Running> {
  const file = join(worker.folder, `${worker.name}.capnp`);
  writeFileSync(file, capnp(worker));
  const { onLog } = worker;
  const child = spawn(WORKERD, ["serve", "--experimental", file], {
    stdio: ["ignore", onLog ? "pipe" : "ignore", "inherit"],
  });
  if (onLog) createInterface({ input: child.stdout! }).on("line", onLog);
  return whenUp(child, worker.port);
}

export async function whenUp(child: ChildProcess, port: number): Promise<Running> {
  const url = `http://127.0.0.1:${port}`;
  process.once("exit", () => child.kill("SIGKILL"));
  for (const end = Date.now() + START_TIMEOUT_MS; Date.now() < end; await sleep(2)) {
    if (child.exitCode !== null) break;
    if (await isListening(port)) return { url, pid: child.pid!, stop: () => stop(child) };
  }
  child.kill("SIGKILL");
  throw new Error(`nothing listens at ${url}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Processor time that the threads of the process have used so far. Ticks of the clock are too coarse for a start. */
export function cpuSeconds({ pid }: Running): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}

export function residentBytes({ pid }: Running): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

function capnp({
  name,
  script,
  folder,
  port,
  vars,
  json,
  kvPort,
  objects = {},
  beside,
  reaches,
}: ServedWorker): string {
  const text = (value: string) => JSON.stringify(value);
  const bindings = [
    ...Object.entries(vars ?? {}).map(([key, value]) => `(name = ${text(key)}, text = ${text(value)})`),
    ...Object.entries(json ?? {}).map(
      ([key, value]) => `(name = ${text(key)}, json = ${text(JSON.stringify(value))})`,
    ),
    ...(kvPort === undefined ? [] : [`(name = "KV", kvNamespace = "kv")`]),
    ...Object.entries(objects).map(
      ([key, className]) => `(name = ${text(key)}, durableObjectNamespace = ${text(className)})`,
    ),
  ];
  const classes = Object.values(objects).map(
    (className) => `(className = ${text(className)}, uniqueKey = ${text(className)}, enableSql = true)`,
  );
  const sockets = [[name, port] as const, ...(beside ? [["beside", beside.port] as const] : [])].map(
    ([service, at]) =>
      `(name = ${text(service)}, address = "127.0.0.1:${at}", http = (), service = ${text(service)})`,
  );
  const services = [
    `(name = ${text(name)}, worker = .subject)`,
    `(name = "internet", network = (allow = ${reaches ? '["public"]' : '["public", "private"]'}))`,
    `(name = "state", disk = (path = ${text(folder)}, writable = true))`,
    ...(kvPort === undefined
      ? []
      : [`(name = "kv", external = (address = "127.0.0.1:${kvPort}", http = ()))`]),
    ...(beside ? [`(name = "beside", worker = .beside)`] : []),
  ];
  const storage = classes.length > 0 ? `durableObjectStorage = (localDisk = "state"),` : "";
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [${services.join(", ")}], sockets = [${sockets.join(", ")}]);
const subject :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed ${text(script)})],
  compatibilityDate = "${COMPATIBILITY_DATE}", compatibilityFlags = ${COMPATIBILITY_FLAGS},
  globalOutbound = "internet", ${storage}
  bindings = [${bindings.join(", ")}], durableObjectNamespaces = [${classes.join(", ")}],
);
${beside ? besideWorker(beside.script, name) : ""}`;
}

function besideWorker(script: string, gate: string): string {
  return `const beside :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed ${JSON.stringify(script)})],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [(name = "LOG", durableObjectNamespace = (className = "LogObject", serviceName = ${JSON.stringify(gate)}))],
);
`;
}
