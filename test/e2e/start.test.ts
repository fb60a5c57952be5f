import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { freePort } from "../../src/local/ports.ts";
import type { RunningRecord } from "../../src/local/running.ts";
import { Browser } from "../support/browser.ts";

const LOCAL = resolve(import.meta.dirname, "../../src/local");
const FIRST_PORT = 21_787;

/** One process, with everything that it prints. */
class Command {
  output = "";
  readonly #child: ChildProcess;
  readonly exited: Promise<number | null>;

  constructor(file: string, args: string[], env: Record<string, string> = {}) {
    this.#child = spawn(file, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", ...env },
    });
    commands.push(this);
    const keep = (part: Buffer) => {
      this.output += part.toString();
    };
    this.#child.stdout?.on("data", keep);
    this.#child.stderr?.on("data", keep);
    this.exited = new Promise((done) => this.#child.once("close", (code) => done(code)));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits until it prints the text; rejects with what it printed where it ends before. */
  async prints(text: string): Promise<void> {
    let ended = false;
    void this.exited.then(() => {
      ended = true;
    });
    while (!this.output.includes(text)) {
      if (ended) throw new Error(`It ended without printing "${text}":\n${this.output}`);
      await sleep(50);
    }
  }

  async end(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal("SIGINT");
    return this.exited;
  }
}

let stateDir: string;
let port: number;
const commands: Command[] = [];

function argsOf(script: string): string[] {
  return [join(LOCAL, script), "--state-dir", stateDir, "--port", String(port)];
}

function run(script: string): Command {
  return new Command(process.execPath, argsOf(script));
}

async function up(): Promise<{ command: Command; running: RunningRecord }> {
  const command = run("start.ts");
  await command.prints("Try next");
  return { command, running: await record() };
}

async function record(): Promise<RunningRecord> {
  return JSON.parse(await readFile(join(stateDir, "running.json"), "utf8"));
}

function lives(id: number): boolean {
  try {
    return process.kill(id, 0);
  } catch {
    return false;
  }
}

async function untilEnded(id: number): Promise<void> {
  for (let i = 0; i < 200 && lives(id); i++) await sleep(50);
  expect(lives(id)).toBe(false);
}

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-start-"));
  port = await freePort(FIRST_PORT);
});
afterEach(async () => {
  for (const command of commands.splice(0)) await command.end();
  await rm(stateDir, { recursive: true });
});

describe("npm start and npm run demo", () => {
  it("starts, is found by a second start and by the demo, and stops on Ctrl-C without a trace", async () => {
    const { command, running } = await up();
    for (const address of [running.issuer, running.origin, running.identity_provider]) {
      expect(command.output).toContain(address);
    }
    expect(running.issuer).toBe(`http://localhost:${port}`);
    expect((await fetch(`${running.issuer}/public/status`)).status).toBe(200);
    expect((await fetch(`${running.issuer}/orders`)).status).toBe(401);
    const page = await new Browser("alice").open(`${running.issuer}/me`);
    expect([page.url.href, page.status]).toEqual([`${running.issuer}/me`, 200]);
    expect(JSON.parse(page.text)).toMatchObject({ identity: { subject: "demo|alice" } });
    for (const file of ["dev.vars", "demo.json", "running.json", "identity-provider.jwk.json"]) {
      expect((await stat(join(stateDir, file))).mode & 0o777).toBe(0o600);
    }

    const second = run("start.ts");
    expect(await second.exited).toBe(0);
    expect(second.output.trim()).toBe(`Already running at ${running.issuer}, pid ${command.pid}.`);

    const demo = run("demo.ts");
    expect(await demo.exited, demo.output).toBe(0);
    expect(demo.output).toContain("All 7 steps went as told");
    expect(demo.output).not.toMatch(/eyJ[\w-]{20}|whsec_\w/);

    command.signal("SIGINT");
    expect(await command.exited).toBe(0);
    await expect(stat(join(stateDir, "running.json"))).rejects.toThrow("ENOENT");
    expect(lives(-running.worker_pid)).toBe(false);
    for (const used of [port, port + 1, port + 2]) expect(await freePort(used)).toBe(used);
  });

  it("keeps its state over a restart, and moves to another port where one is taken", async () => {
    const first = await up();
    const keys = await (await fetch(`${first.running.issuer}/.well-known/jwks.json`)).json();
    const client = await readFile(join(stateDir, "demo.json"), "utf8");
    await first.command.end();

    const occupied = await Promise.all([occupy(port), occupy(port + 1)]);
    try {
      const { command, running } = await up();
      expect(command.output).toContain(`Port ${port} is taken: the gate takes ${port + 10}.`);
      expect(running.issuer).toBe(`http://localhost:${port + 10}`);
      expect(await (await fetch(`${running.issuer}/.well-known/jwks.json`)).json()).toEqual(keys);
      expect(JSON.parse(await readFile(join(stateDir, "demo.json"), "utf8")).client).toEqual(
        JSON.parse(client).client,
      );
      const demo = run("demo.ts");
      expect(await demo.exited, demo.output).toBe(0);
    } finally {
      for (const server of occupied) server.close();
    }
  });

  it("ends with exit code 1 and the Worker's last output where the Worker ends by itself", async () => {
    const { command, running } = await up();
    process.kill(running.worker_pid, "SIGKILL");
    expect(await command.exited).toBe(1);
    expect(command.output).toContain("The Worker ended (signal SIGKILL)");
    expect(lives(-running.worker_pid)).toBe(false);
    await expect(stat(join(stateDir, "running.json"))).rejects.toThrow("ENOENT");
  });

  it("takes its Worker along when it is killed, and starts again over what it left", async () => {
    const { command, running } = await up();
    command.signal("SIGKILL");
    expect(await command.exited).toBe(null);
    await untilEnded(-running.worker_pid);
    expect((await stat(join(stateDir, "running.json"))).isFile()).toBe(true);
    const again = await up();
    expect(again.running.pid).toBe(again.command.pid);
    expect((await fetch(`${again.running.issuer}/public/status`)).status).toBe(200);
  });

  it("stops at once when interrupted while it starts", async () => {
    const command = run("start.ts");
    await command.prints("Made new secrets");
    command.signal("SIGTERM");
    expect(await command.exited).toBe(0);
    expect(command.output).not.toContain("Try next");
    await expect(stat(join(stateDir, "running.json"))).rejects.toThrow("ENOENT");
  });

  it("stops when the shell is gone that npm started it with, which passes no signal on", async () => {
    const line = [process.execPath, ...argsOf("start.ts")].map((word) => `'${word}'`).join(" ");
    const shell = new Command("sh", ["-c", `${line}; true`], { npm_lifecycle_event: "start" });
    await shell.prints("Made new secrets");
    const { pid } = await vi.waitUntil(() => record().catch(() => undefined), { timeout: 10_000 });
    expect(pid).not.toBe(shell.pid);
    shell.signal("SIGTERM");
    await untilEnded(pid);
    await expect(stat(join(stateDir, "running.json"))).rejects.toThrow("ENOENT");
  });

  it("says so where the state is there but its secrets are gone, and makes no new ones", async () => {
    await mkdir(join(stateDir, "state"));
    const command = run("start.ts");
    expect(await command.exited).toBe(1);
    expect(command.output).toContain(`${join(stateDir, "dev.vars")} is missing`);
    await expect(stat(join(stateDir, "dev.vars"))).rejects.toThrow("ENOENT");
  });

  it("refuses an option that it does not know", async () => {
    const command = new Command(process.execPath, [join(LOCAL, "start.ts"), "--ports", "1"]);
    expect(await command.exited).toBe(1);
    expect(command.output).toContain("--ports");
  });
});

async function occupy(taken: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((done, fail) => {
    server.once("error", fail);
    server.listen(taken, "127.0.0.1", done);
  });
  return server;
}
