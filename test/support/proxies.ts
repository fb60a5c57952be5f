import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../src/local/ports.ts";

/** A proxy that asks the gate and forwards itself, run with the configuration of docs/forward-auth. */
export type ProxyKind = "nginx" | "caddy";
export type RunningProxy = { url: string; stop(): Promise<void> };
export type ProxyPlace = { issuer: string; origin: string; secret: string };

const START_TIMEOUT_MS = 20_000;
const FIRST_PORT = 31_000;
const PORT_STEPS = 900;

/** What `apt-get install` brings, outside of the PATH of some users. */
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

export function isInstalled(kind: ProxyKind): boolean {
  try {
    execFileSync(kind, [kind === "nginx" ? "-v" : "version"], {
      env: { ...process.env, PATH },
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}

/** Starts the proxy in front of the origin, on a port of its own, with nothing of its own outside a new folder. */
export async function startProxy(kind: ProxyKind, place: ProxyPlace): Promise<RunningProxy> {
  const folder = await mkdtemp(join(tmpdir(), `portcullis-${kind}-`));
  const port = await freePort(FIRST_PORT + 10 * Math.floor(Math.random() * PORT_STEPS));
  const url = `http://127.0.0.1:${port}`;
  const child = await (kind === "nginx" ? startNginx : startCaddy)(folder, port, place);
  const said: string[] = [];
  child.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true });
  };
  try {
    await untilUp(url, child, said);
  } catch (fault) {
    await stop();
    throw fault;
  }
  return { url, stop };
}

async function startNginx(folder: string, port: number, place: ProxyPlace): Promise<ChildProcess> {
  const { host } = new URL(place.issuer);
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (each) => `${each}_temp_path ${folder}/${each};`,
  );
  const config = replaced("nginx.conf", [
    ["http {", `http {\n  access_log off;\n  ${paths.join("\n  ")}`],
    ["listen 8080;", `listen 127.0.0.1:${port};`],
    ["server_name api.example.com;", "server_name 127.0.0.1;"],
    ["server auth.example.com:443;", `server ${host};`],
    ["https://portcullis/", "http://portcullis/"],
    ["Host auth.example.com;", `Host ${host};`],
    [/ *proxy_ssl_.*\n/g, ""],
    ["<the secret>", place.secret],
    ["server 127.0.0.1:9000;", `server ${new URL(place.origin).host};`],
  ]);
  const file = join(folder, "nginx.conf");
  await writeFile(file, config);
  const globals = `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr error;`;
  return spawn("nginx", ["-p", folder, "-e", "stderr", "-c", file, "-g", globals], spawnOptions({}));
}

async function startCaddy(folder: string, port: number, place: ProxyPlace): Promise<ChildProcess> {
  const config = replaced("Caddyfile", [
    [/^api\.example\.com/m, `{\n\tadmin off\n}\n\nhttp://127.0.0.1:${port}`],
    ["forward_auth https://auth.example.com", `forward_auth ${place.issuer}`],
    ["127.0.0.1:9000\n\t}", `${new URL(place.origin).host}\n\t}`],
  ]);
  const file = join(folder, "Caddyfile");
  await writeFile(file, config);
  const homes = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const environment = { ...homes, PORTCULLIS_FORWARD_AUTH_SECRET: place.secret };
  return spawn("caddy", ["run", "--config", file, "--adapter", "caddyfile"], spawnOptions(environment));
}

/** The documented configuration with what a place differs in; throws where it no longer says what is replaced. */
function replaced(name: string, changes: [string | RegExp, string][]): string {
  const file = new URL(`../../docs/forward-auth/${name}`, import.meta.url).pathname;
  let text = readFileSync(file, "utf8");
  for (const [from, to] of changes) {
    const changed = text.replace(from, () => to);
    if (changed === text) throw new Error(`docs/forward-auth/${name} no longer says: ${from}`);
    text = changed;
  }
  return text;
}

function spawnOptions(environment: Record<string, string>) {
  return {
    env: { ...process.env, PATH, ...environment },
    stdio: ["ignore", "ignore", "pipe"],
  } satisfies import("node:child_process").SpawnOptions;
}

async function untilUp(url: string, child: ChildProcess, said: readonly string[]): Promise<void> {
  for (const end = Date.now() + START_TIMEOUT_MS; Date.now() < end; await sleep(50)) {
    if (child.exitCode !== null) break;
    const answer = await fetch(url).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer) return;
  }
  throw new Error(`no answer at ${url}: ${said.join("").slice(-2000)}`);
}
