import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const ROOT = resolve(import.meta.dirname, "../..");
const DEFAULT_PORT = 8787;

/** Where the local deployment keeps what it needs; all of it is git-ignored. */
export type Places = {
  stateDir: string;
  /** What the Worker's objects and its KV hold. */
  workerStateDir: string;
  /** The Worker's two secrets. Next to wrangler.toml by default, so that plain `wrangler dev` has them too. */
  secretsFile: string;
  /** Who runs, and where (`RunningRecord`). */
  runningFile: string;
  /** The demo's OAuth client and the addresses that the policy was last given. */
  demoFile: string;
  /** Signing key of the demo identity provider. */
  identityKeyFile: string;
  /** What the Worker printed since its start. */
  logFile: string;
};

export type LocalOptions = { places: Places; port: number };

/** Reads `--state-dir DIR` and `--port PORT` of `npm start` and `npm run demo`; throws on anything else. */
export function readOptions(args: string[]): LocalOptions {
  const { values } = parseArgs({
    args,
    options: { "state-dir": { type: "string" }, port: { type: "string" } },
  });
  const port = values.port === undefined ? DEFAULT_PORT : Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_000) throw new Error("--port must be 1–65000.");
  return { places: placesIn(values["state-dir"]), port };
}

function placesIn(chosen: string | undefined): Places {
  const stateDir = chosen === undefined ? join(ROOT, ".portcullis") : resolve(chosen);
  return {
    stateDir,
    workerStateDir: join(stateDir, "state"),
    secretsFile: chosen === undefined ? join(ROOT, ".dev.vars") : join(stateDir, "dev.vars"),
    runningFile: join(stateDir, "running.json"),
    demoFile: join(stateDir, "demo.json"),
    identityKeyFile: join(stateDir, "identity-provider.jwk.json"),
    logFile: join(stateDir, "worker.log"),
  };
}
