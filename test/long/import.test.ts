import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../src/local/ports.ts";
import { bodyOf, Deployment, type Receipt } from "../support/deployment.ts";
import { HeapWatch } from "../support/heap.ts";
import { freeIssuer, type Runtime, startRuntime } from "../support/runtime.ts";

/** A million with `PORTCULLIS_IMPORT_LINES=1000000`; see docs/performance.md. */
const LINES = Number(process.env.PORTCULLIS_IMPORT_LINES ?? 100_000);
/** What an isolate may hold. The Worker and all of its objects are one isolate here: twice the load of one alone. */
const ISOLATE_BYTES = 128 * 1024 * 1024;
/** V8 ends the process where it needs more: what is left of the isolate's memory is for array buffers. */
const HEAP_LIMIT = "--max-heap-size=96";
const ISS = "https://idp.example.com/realms/staff";

type Outcome = {
  accepted: number;
  unchanged: number;
  refused: number;
  errors: { line: number; error: string }[];
  receipt?: Receipt;
};

let stateDir: string;
let runtime: Runtime;
let inspectorPort: number;
let gate: Deployment;
const ends = Math.floor(Date.now() / 1000) + 86_400;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-import-"));
  const issuer = await freeIssuer();
  inspectorPort = await freePort(Number(new URL(issuer).port) + 1);
  runtime = await startRuntime({ stateDir, issuer, inspectorPort, v8Flags: [HEAP_LIMIT] });
  gate = await Deployment.at(issuer);
});

afterAll(async () => {
  await runtime?.stop();
  await rm(stateDir, { recursive: true });
});

const tokenLine = (prefix: string, i: number) =>
  `${JSON.stringify({ jti: `${prefix}-${i}`, iss: ISS, expires_at: ends })}\n`;

/** Lines in chunks as they would come from a file; `pause` is awaited at the line it names. */
function stream(lines: Iterable<string>, pause?: { at: number; until: Promise<unknown> }): ReadableStream {
  const iterator = lines[Symbol.iterator]();
  let sent = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        let chunk = "";
        while (chunk.length < 64 * 1024) {
          const next = iterator.next();
          if (next.done) {
            if (chunk) controller.enqueue(Buffer.from(chunk));
            return controller.close();
          }
          chunk += next.value;
          if (++sent === pause?.at) {
            controller.enqueue(Buffer.from(chunk));
            return void (await pause.until);
          }
        }
        controller.enqueue(Buffer.from(chunk));
      },
    },
    { highWaterMark: 0 },
  );
}

function* manyLines(prefix: string, count: number, first: string[] = []): Generator<string> {
  yield* first;
  for (let i = 0; i < count; i++) yield tokenLine(prefix, i);
}

async function send(body: ReadableStream | string, query = ""): Promise<Response> {
  const init = {
    method: "POST",
    headers: { authorization: `Bearer ${gate.operator}` },
    body,
    duplex: "half",
  };
  return fetch(`${gate.issuer}/v1/revocations/import${query}`, init as RequestInit);
}

async function imported(body: ReadableStream | string, query = ""): Promise<Outcome> {
  const answer = await send(body, query);
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  return JSON.parse(text);
}

async function exported(): Promise<string[]> {
  const headers = { authorization: `Bearer ${gate.operator}` };
  const text = await (await fetch(`${gate.issuer}/v1/revocations/export`, { headers })).text();
  return text.split("\n").filter(Boolean);
}

/** Somebody whose token of ours can be denied by name. */
async function newHolder() {
  const { token } = await gate.newPerson([], ["revocations:read"]);
  const status = async () => (await gate.call("/v1/revocations?limit=1", { token })).status;
  return { token, jti: decodeJwt(token).jti!, iss: gate.issuer, status };
}

describe("an import", () => {
  it(`takes ${LINES} lines in, in bounded memory, and denies each of them within the bound`, async () => {
    const [holder, other] = [await newHolder(), await newHolder()];
    expect([await holder.status(), await other.status()]).toEqual([200, 200]);
    const watch = await HeapWatch.on(inspectorPort);
    const [startedMs, cpuBefore] = [Date.now(), runtime.cpuSeconds()];
    const own = `${JSON.stringify({ jti: holder.jti, reason: "a lost laptop" })}\n`;
    const outcome = await imported(stream(manyLines("m", LINES, [own])));
    const { heapBytes, bufferBytes, samples } = watch.stop();
    const seconds = (Date.now() - startedMs) / 1000;
    const cpuSeconds = runtime.cpuSeconds() - cpuBefore;
    console.log(JSON.stringify({ lines: LINES, seconds, cpuSeconds, heapBytes, bufferBytes, samples }));
    expect(outcome).toMatchObject({ accepted: LINES + 1, unchanged: 0, refused: 0, errors: [] });
    expect(samples).toBeGreaterThan(10);
    expect(heapBytes + bufferBytes).toBeLessThan(ISOLATE_BYTES);
    expect(cpuSeconds).toBeLessThan(5 + (30 * LINES) / 1e6);
    const { bounded } = outcome.receipt!.effective_by;
    await expect.poll(holder.status, { timeout: 3_000, interval: 20 }).toBe(401);
    expect(Date.now() / 1000).toBeLessThanOrEqual(bounded + 0.5);
    expect(await other.status()).toBe(200);
  });

  it("is harmless a second time, and the export is what imports to the same", async () => {
    const again = await imported(stream(manyLines("m", LINES)));
    expect(again).toMatchObject({ accepted: 0, unchanged: LINES, refused: 0 });
    const rule = { match: { sub: "demo|mallory" }, reason: "left the company" };
    const { accepted, receipt } = await imported(`${JSON.stringify(rule)}\n`);
    expect({ accepted, seq: receipt!.seq > again.receipt!.seq }).toEqual({ accepted: 1, seq: true });
    const jti = bodyOf<Receipt>(
      await gate.asOperator("/v1/revocations", { json: { match: { jti: "by-hand" }, reason: "x" } }),
      201,
    );
    const lines = await exported();
    expect(lines).toHaveLength(LINES + 3);
    expect(new Set(lines).size).toBe(LINES + 3);
    expect(lines.filter((line) => line.includes(jti.id))).toHaveLength(1);
    expect(lines).toContain(JSON.stringify({ jti: "m-7", iss: ISS, expires_at: ends }));
    const same = await imported(stream(lines.map((line) => `${line}\n`)));
    expect(same).toMatchObject({ accepted: 0, unchanged: LINES + 3, refused: 0 });
    expect(new Set(await exported())).toEqual(new Set(lines));
  });

  it("names a bad line by its number, and the rest stands", async () => {
    const good = (name: string) => JSON.stringify({ jti: name, expires_at: ends });
    const bad = ['{"jti":', '{"jti":"a","jti":"b"}', '{"jti":"c","exp":5}', '{"jti":"d","expires_at":5}'];
    const body = [good("l1"), bad[0], "", bad[1], bad[2], good("l6"), bad[3], "x".repeat(5_000), good("l9")];
    const outcome = await imported(body.join("\r\n"));
    expect(outcome).toMatchObject({ accepted: 3, unchanged: 0, refused: 5 });
    expect(outcome.errors.map(({ line }) => line)).toEqual([2, 4, 5, 7, 8]);
    expect(JSON.stringify(outcome.errors)).not.toContain("xxxx");
    expect(outcome.errors[4]).toEqual({ line: 8, error: "the line is over 4096 bytes" });
  });

  it("refuses who may not, and an option that it does not know", async () => {
    const holder = await newHolder();
    const call = { method: "POST", token: holder.token };
    expect(await gate.call("/v1/revocations/import", call)).toMatchObject({ status: 403 });
    expect(await gate.asOperator("/v1/revocations/import?publsih=false", call)).toMatchObject({
      status: 403,
    });
    expect((await send("", "?publsih=false")).status).toBe(400);
    expect(await imported("")).toMatchObject({ accepted: 0, unchanged: 0, refused: 0 });
  });

  it("lets a token through again once it is lifted", async () => {
    const holder = await newHolder();
    const line = `${JSON.stringify({ jti: holder.jti, iss: holder.iss })}\n`;
    expect(await imported(line)).toMatchObject({ accepted: 1 });
    await expect.poll(holder.status, { timeout: 3_000 }).toBe(401);
    expect(await imported(line, "?lift=true")).toMatchObject({ accepted: 1, refused: 0 });
    await expect.poll(holder.status, { timeout: 3_000 }).toBe(200);
    expect(await imported(line, "?lift=true")).toMatchObject({ accepted: 0, unchanged: 1 });
  });

  it("only loads where that is asked for, and becomes effective with the next that publishes", async () => {
    const holder = await newHolder();
    const loaded = await imported(`${JSON.stringify({ jti: holder.jti })}\n`, "?publish=false");
    expect(loaded).toMatchObject({ accepted: 1 });
    expect(loaded.receipt).toBeUndefined();
    await sleep(2_500);
    expect(await holder.status()).toBe(200);
    expect((await imported("")).receipt).toBeDefined();
    await expect.poll(holder.status, { timeout: 3_000 }).toBe(401);
  });

  it("that is killed half way keeps what it stored, puts it in force by itself, and can be sent again", async () => {
    const holder = await newHolder();
    const count = 20_000;
    const first = [`${JSON.stringify({ jti: holder.jti })}\n`];
    let release = () => {};
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    const sending = send(stream(manyLines("k", count, first), { at: 12_000, until })).then(
      (answer) => answer.status,
      () => "lost",
    );
    const stored = async () => (await exported()).filter((line) => line.includes('"k-')).length;
    await expect.poll(stored, { timeout: 20_000, interval: 250 }).toBeGreaterThan(5_000);
    await runtime.kill();
    release();
    expect(await sending).not.toBe(200);
    await expect.poll(holder.status, { timeout: 20_000, interval: 250 }).toBe(401);
    const outcome = await imported(stream(manyLines("k", count, first)));
    expect(outcome.accepted + outcome.unchanged).toBe(count + 1);
    expect(outcome.unchanged).toBeGreaterThan(1_000);
    expect(outcome.accepted).toBeGreaterThan(1_000);
    expect(await stored()).toBe(count);
  });
});
