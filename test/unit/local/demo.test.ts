import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LoopbackServer, listen } from "../../../src/local/loopback-server.ts";
import { Narrator } from "../../../src/local/narrator.ts";
import { startReceiver } from "../../../src/local/receiver.ts";
import { exchange, type Stage, StoryFault, untilRefused } from "../../../src/local/stage.ts";

const DEMO = resolve(import.meta.dirname, "../../../src/local/demo.ts");

/** A gate that answers with these statuses in turn, the last one for ever. */
let statuses: number[];
let gate: LoopbackServer;
let stage: Stage;
const lines: string[] = [];

beforeEach(async () => {
  gate = await listen(0, (req, res) => {
    const known = req.url === "/instance";
    res.writeHead(known ? 200 : statuses.length > 1 ? statuses.shift()! : statuses[0]!);
    res.end(JSON.stringify(known ? { pid: process.pid } : { detail: "because" }));
  });
  const { url } = gate;
  stage = {
    running: {
      pid: process.pid,
      worker_pid: 0,
      ready: true,
      issuer: url,
      origin: url,
      identity_provider: url,
    },
    client: { id: "cli_1", secret: "s" },
    receiver: await startReceiver(),
    tell: new Narrator((line) => lines.push(line)),
    signal: new AbortController().signal,
  };
});
afterEach(async () => {
  await stage.receiver.close();
  await gate.close();
});

describe("exchange", () => {
  it("gives the answer where the status is as told", async () => {
    statuses = [403];
    const answer = await exchange(stage, "GET", "/x", { status: 403 });
    expect(answer.body).toEqual({ detail: "because" });
  });

  it("stops the story where it is not, with what was expected and what came", async () => {
    statuses = [403];
    const fault = await exchange(stage, "GET", "/x", { status: 200 }).catch((error) => error);
    expect(fault).toBeInstanceOf(StoryFault);
    expect(fault).toMatchObject({ expected: "status 200", came: "status 403: because" });
  });
});

describe("untilRefused", () => {
  it("ends with the first 401", async () => {
    statuses = [200, 200, 401];
    const end = await untilRefused(stage, "/x", "token", 2_000);
    expect(end.answer.status).toBe(401);
    expect(end.lastAcceptedSentMs).toBeGreaterThan(0);
    expect(end.refusedMs).toBeGreaterThanOrEqual(end.lastAcceptedSentMs);
  });

  it.each([
    ["nothing is ever refused", [200], "status 200 for 150 ms"],
    ["something else comes", [200, 503], "status 503: because"],
  ])("stops the story where %s", async (_name, given, came) => {
    statuses = given;
    await expect(untilRefused(stage, "/x", "token", 150)).rejects.toMatchObject({ came });
  });
});

describe("npm run demo", () => {
  it("exits with 1 and says what was expected and what came, at a gate that lets everyone in", async () => {
    statuses = [200];
    const stateDir = await mkdtemp(join(tmpdir(), "portcullis-demo-"));
    await writeFile(join(stateDir, "running.json"), JSON.stringify(stage.running));
    await writeFile(join(stateDir, "demo.json"), JSON.stringify({ client: stage.client, addresses: {} }));
    const demo = spawn(process.execPath, [DEMO, "--state-dir", stateDir], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    let output = "";
    for (const stream of [demo.stdout, demo.stderr]) {
      stream.on("data", (part) => {
        output += part;
      });
    }
    expect(await new Promise((done) => demo.once("close", done))).toBe(1);
    expect(output).toContain("Step 1 is not as told.\n  expected: status 401\n  came:     status 200");
    await rm(stateDir, { recursive: true });
  });
});
