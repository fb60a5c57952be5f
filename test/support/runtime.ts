import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  convertV4MiniflareOptions,
  Miniflare,
  type Request as MiniflareRequest,
  type Response as MiniflareResponse,
} from "miniflare";
import { inject } from "vitest";
import { freePort } from "../../src/local/ports.ts";
import { RATE_LIMITS } from "./rate-limits.ts";

export const OPERATOR_SECRET = "b3BlcmF0b3Itc2VjcmV0LW9ubHktZm9yLXRlc3RzLTAx";
export const SECRET = "dGVzdC1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3RzLTAx";

/** Below the ports that the system gives to outgoing connections: a killed workerd finds its port free again. */
const FIRST_PORT = 23_000;
const PORT_STEPS = 170;
/** Files that run at the same time look for ports apart: two that look at once could take the same one. */
const PORTS_A_WORKER = 10 * PORT_STEPS;
const PORT_RANGES = 4;
const RESTART_TIMEOUT_MS = 15_000;
/** Of Linux, whatever the machine. */
const CLOCK_TICKS_A_SECOND = 100;

export type RuntimeOptions = {
  /** Where Durable Objects and KV live on; the same folder again is the same deployment. */
  stateDir: string;
  issuer: string;
  /** Variables and secrets that differ from a good deployment's; undefined leaves one out. */
  variables?: Record<string, string | undefined>;
  /** Names of bindings that the deployment lacks. */
  without?: readonly string[];
  /** Other Workers that it is bound to. */
  services?: Record<string, (request: MiniflareRequest) => Promise<MiniflareResponse>>;
  /** Flags of V8, like a limit of the heap. */
  v8Flags?: readonly string[];
  /** Workers beside it, with a service binding `PORTCULLIS`. */
  beside?: readonly { name: string; contents: string }[];
  /** Where V8's inspector listens; nowhere without it. */
  inspectorPort?: number;
};

export type Runtime = {
  /** The JSON value of a KV key, null where there is none. */
  kv(key: string): Promise<unknown>;
  /** Sends a request to one of the Workers beside it. */
  callBeside(name: string, url: string, init?: RequestInit): Promise<Response>;
  /** Fires the cron trigger; resolves when the Worker's handler and all that it left running are done. */
  cron(): Promise<void>;
  /** What the Worker wrote to its log, one line each. */
  logs: string[];
  /**
   * `kill -9` of workerd at this very moment; resolves when a new one answers on the same state, and the policy
   * that was put last has reached every isolate: a new one may start with what its location heard before.
   */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** Memory that workerd holds now: all of it, the isolate and SQLite's pages among it. */
  residentBytes(): number;
  /** Time that workerd has kept a processor busy: what else the machine does is not in it. */
  cpuSeconds(): number;
};

/** What is as old as this has reached every isolate, a new one too. */
const POLICY_BOUND_MS = 2_100;
let policyPutAtMs = 0;

/** Says that a policy was acknowledged a moment ago. */
export function notePolicyPut(): void {
  policyPutAtMs = Date.now();
}

/** As in wrangler.toml. */
export const COMPATIBILITY = {
  compatibilityDate: "2026-10-30",
  compatibilityFlags: ["global_fetch_strictly_public", "no_nodejs_global_timers"],
};

/** The Durable Object classes, by binding. */
export const OBJECTS = {
  AUDIT: "AuditObject",
  LOG: "LogObject",
  REGISTRY: "RegistryObject",
  KEYRING: "KeyringObject",
  ACCESS_REQUEST: "AccessRequestObject",
  DIRECTORY: "DirectoryObject",
  ENDPOINT: "EndpointObject",
  DENYLIST: "DenylistObject",
  MONITOR: "MonitorObject",
  TRAFFIC: "TrafficObject",
  DETECTOR: "DetectorObject",
  REMEDIATION: "RemediationObject",
  DEVICE_LOGIN: "DeviceLoginObject",
  PASSKEY: "PasskeyObject",
  PROOF: "ProofObject",
  SESSION: "SessionObject",
  RATE_LIMIT: "RateLimitObject",
  SIGNAL_INBOX: "SignalInboxObject",
  STREAM: "StreamObject",
  STATUS_LIST: "StatusListObject",
};

/** An issuer on loopback on a port that nobody listens at. */
export async function freeIssuer(): Promise<string> {
  const range = Number(process.env.VITEST_POOL_ID ?? 0) % PORT_RANGES;
  const wanted = FIRST_PORT + range * PORTS_A_WORKER + 10 * Math.floor(Math.random() * PORT_STEPS);
  return `http://127.0.0.1:${await freePort(wanted)}`;
}

/** The deployable bundle on real workerd, listening on the issuer's port, with state on disk. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { issuer, stateDir, without = [], v8Flags = [], inspectorPort, beside = [] } = options;
  const logs: string[] = [];
  const present = <T>(entries: [string, T][]) => entries.filter(([name]) => !without.includes(name));
  const objects = Object.entries(OBJECTS).map(
    ([name, className]): [string, { className: string; useSQLite: true }] => [
      name,
      { className, useSQLite: true },
    ],
  );
  // Miniflare takes flags of V8 from nowhere else.
  process.env.MINIFLARE_WORKERD_V8_FLAGS = v8Flags.join(" ");
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: Number(new URL(issuer).port),
      ...(inspectorPort === undefined ? {} : { inspectorPort }),
      workers: [
        {
          ...moduleWorker("portcullis", readFileSync(inject("bundlePath"), "utf8")),
          bindings: variablesOf(options),
          kvNamespaces: present([["KV", null]]).map(([name]) => name),
          serviceBindings: options.services ?? {},
          durableObjects: Object.fromEntries(present(objects)),
          ratelimits: RATE_LIMITS,
        },
        ...beside.map(({ name, contents }) => ({
          ...moduleWorker(name, contents),
          serviceBindings: { PORTCULLIS: { name: "portcullis", entrypoint: "Portcullis" } },
        })),
      ],
      resourcePersistencePath: stateDir,
      handleStructuredLogs: ({ message }) => logs.push(message),
    }),
  );
  const { port } = await miniflare.ready;
  let pid = workerdPid(port);
  return {
    logs,
    cron: async () => {
      await (await miniflare.getWorker("portcullis")).scheduled({ cron: "* * * * *" });
    },
    callBeside: async (name, url, init) => {
      const { fetch } = await miniflare.getWorker(name);
      const answer = await fetch(url, init as never);
      return new Response(await answer.text(), { status: answer.status, headers: [...answer.headers] });
    },
    kv: async (key) => (await miniflare.getKVNamespace("KV", "portcullis")).get(key, "json"),
    kill: async () => {
      if (pid === undefined) throw new Error("no workerd of this runtime is running");
      process.kill(pid, "SIGKILL");
      pid = await nextWorkerd(pid, port, issuer);
      await sleep(Math.max(0, policyPutAtMs + POLICY_BOUND_MS - Date.now()));
    },
    stop: () => miniflare.dispose(),
    cpuSeconds: () => {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop()!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_A_SECOND;
    },
    residentBytes: () => {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
    },
  };
}

function moduleWorker(name: string, contents: string) {
  return { name, modules: [{ type: "ESModule" as const, path: `${name}.js`, contents }], ...COMPATIBILITY };
}

export function variablesOf({
  issuer,
  variables,
}: Pick<RuntimeOptions, "issuer" | "variables">): Record<string, string> {
  const all = {
    ISSUER: issuer,
    PORTCULLIS_SECRET: SECRET,
    PORTCULLIS_OPERATOR_SECRET: OPERATOR_SECRET,
    ...variables,
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** The id of the workerd that takes the place of the one that was killed, once it answers. */
async function nextWorkerd(killed: number, port: string, issuer: string): Promise<number> {
  for (const end = Date.now() + RESTART_TIMEOUT_MS; Date.now() < end; await sleep(5)) {
    const pid = workerdPid(port, killed);
    if (pid === undefined) continue;
    const answer = await fetch(`${issuer}/healthz`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return pid;
  }
  throw new Error(`workerd did not come back within ${RESTART_TIMEOUT_MS} ms`);
}

/** Our own child process that is workerd on this port. */
function workerdPid(port: string, notThis?: number): number | undefined {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => pid !== notThis && isWorkerd(pid, port));
}

function isWorkerd(pid: number, port: string): boolean {
  try {
    const parent = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop()?.split(" ")[1];
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    const onPort = new RegExp(`:${port}(?!\\d)`).test(command);
    return parent === String(process.pid) && command.includes("workerd") && onPort;
  } catch {
    return false;
  }
}
