/**
 * What the gate costs, beside a Worker that only forwards and beside what one would use instead, in one run:
 * `npm run bench` (about twenty minutes), `npm run bench -- --quick` (under a minute, nothing written).
 * `--only=a;b` measures the subjects whose names hold one of these, `--without=c` leaves some out; `--rounds=` and
 * `--seconds=` as they say.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../src/local/ports.ts";
import { type Backstage, startKv } from "./backstage.ts";
import { compare, compareLatency, type Measured, type Subject } from "./compare.ts";
import { type GateSubject, startGate } from "./gate-subject.ts";
import { haproxyVersion, startHaproxy } from "./haproxy.ts";
import { missingLoader } from "./load.ts";
import { startOrigin } from "./origin.ts";
import { printTables, writeReport } from "./report.ts";
import { bundleFigures, coldStart, type StartFigures } from "./start-figures.ts";
import { type Algorithm, type Asymmetric, AUDIENCE, BenchIssuer, ISSUER, type TokenMix } from "./tokens.ts";
import { bundle, type Running, serve } from "./workerd.ts";

const quick = process.argv.includes("--quick");
const only = textFrom("--only=")?.split(";");
const without = textFrom("--without=")?.split(";");
const FIRST_PORT = 26_000;
const ROUNDS = numberFrom("--rounds=") ?? (quick ? 3 : 7);
const SECONDS = numberFrom("--seconds=") ?? (quick ? 1 : 3);
const ORDER = "/orders/42?expand=lines";

function textFrom(flag: string): string | undefined {
  return process.argv.find((arg) => arg.startsWith(flag))?.slice(flag.length);
}

function numberFrom(flag: string): number | undefined {
  const text = textFrom(flag);
  return text === undefined ? undefined : Number(text);
}

const work = mkdtempSync(join(tmpdir(), "portcullis-bench-"));
const stops: (() => unknown)[] = [];
let nextPort = FIRST_PORT;

async function port(): Promise<number> {
  const free = await freePort(nextPort);
  nextPort = free + 10;
  return free;
}

function folder(name: string): string {
  const path = join(work, name);
  mkdirSync(path);
  return path;
}

function started<R extends Running>(running: R): R {
  stops.push(() => running.stop());
  return running;
}

/** One of the Workers that we compare with. */
async function serveSubject(name: string, origin: Backstage, issuer: BenchIssuer, kvPort: number) {
  const path = folder(name);
  bundle(path, `bench/subjects/${name}.ts`);
  const vars = { ORIGIN: origin.url, ISSUER, AUDIENCE, SECRET: issuer.secret };
  const json = { JWK: issuer.jwk("ES256"), JWKS: issuer.jwks() };
  const worker = { name, folder: path, script: `${name}.js`, port: await port(), vars, json, kvPort };
  return { worker, running: started(await serve(worker)) };
}

async function gateWith(
  name: string,
  denied: number,
  bundled: string,
  origin: Backstage,
  issuer: BenchIssuer,
) {
  const path = folder(`gate-${name}`);
  copyFileSync(join(bundled, "worker.js"), join(path, "worker.js"));
  copyFileSync(join(bundled, "backdoor.js"), join(path, "backdoor.js"));
  const options = { folder: path, port: await port(), origin: origin.url, issuer, denied };
  const gate = started(await startGate(options));
  stops.push(() => gate.close());
  return gate;
}

/** A subject that is started only where it is measured. */
type Planned = { name: string; quick?: boolean; start(): Promise<Subject> };

function others(origin: Backstage, issuer: BenchIssuer): Planned[] {
  const worker = (
    name: string,
    script: string,
    { quick: isQuick = false, alg = "ES256" as Algorithm } = {},
  ): Planned => ({
    name,
    quick: isQuick,
    start: async () => {
      const kv = await startKv();
      stops.push(() => kv.close());
      const { running } = await serveSubject(script, origin, issuer, kv.port);
      // Hono takes no other `typ`.
      return { name, running, path: ORDER, mix: issuer.mix(alg, 1_000, { typ: "JWT" }) };
    },
  });
  const version = haproxyVersion();
  if (version === undefined) console.log("haproxy is not installed: left out");
  const haproxy = (verify?: Asymmetric): Planned => {
    const name = `HAProxy ${version}, ${verify ? `jwt_verify ${verify}` : "pass"}`;
    const start = async () => {
      const options = { folder: work, port: await port(), originPort: origin.port, issuer };
      const running = started(await startHaproxy({ ...options, ...(verify ? { verify } : {}) }));
      return { name, running, path: ORDER, mix: issuer.mix(verify ?? "ES256", 1_000) };
    };
    return { name, start };
  };
  return [
    worker("headers changed both ways, a time limit; nothing decided", "least-gate", { quick: true }),
    worker("jose, ES256, no revocation", "jose"),
    worker("Hono + hono/jwk, ES256", "hono-jwk"),
    worker("Hono + hono/jwt, HS256", "hono-jwt", { alg: "HS256" }),
    worker("tutorial: jose + KV read, ES256", "tutorial", { quick: true }),
    ...(version === undefined ? [] : [haproxy(), haproxy("RS256"), haproxy("ES256")]),
  ];
}

function ours(gate: (denied: number, own?: string) => Promise<GateSubject>, issuer: BenchIssuer): Planned[] {
  const plan = (
    what: string,
    mix: (gate: GateSubject) => TokenMix,
    more: { denied?: number; own?: string; path?: string; warmUpSeconds?: number; quick?: boolean } = {},
  ): Planned => {
    const { denied = 0, own, path = ORDER, warmUpSeconds = 2, quick: isQuick = false } = more;
    const name = `gate, ${what}`;
    const start = async () => {
      const running = await gate(denied, own);
      return { name, running, path, mix: mix(running), warmUpSeconds };
    };
    return { name, quick: isQuick, start };
  };
  const thousand = () => issuer.mix("ES256", 1_000);
  // The object does not know of this filter, and could not clear those whom it suspects (0.4 %). In a deployment
  // each of them costs one call for each build of the filter.
  const unsuspected = (running: GateSubject) =>
    issuer.mix("ES256", 1_000, { skips: (jti) => running.suspects(jti) });
  const known = { hot: 5_000, hotPercent: 90 };
  return [
    plan("1 token, ES256", () => issuer.mix("ES256", 1)),
    plan("1,000 tokens, ES256", thousand, { quick: true }),
    plan("1,000 tokens, RS256", () => issuer.mix("RS256", 1_000)),
    plan("1,000 tokens, EdDSA", () => issuer.mix("EdDSA", 1_000)),
    plan("1,000 tokens, ES256, strict", thousand, { path: "/strict/42?expand=lines", quick: true }),
    plan("100,000 tokens, 90 % of requests by 5,000", () => issuer.mix("ES256", 100_000, known), {
      // The tokens of other subjects would push these out of the memory that they share.
      ...{ own: "known", warmUpSeconds: 12 },
    }),
    plan("every token for the first time", () => issuer.mix("ES256", 30_000, { hot: 0, hotPercent: 0 })),
    ...[1e5, 1e7].map((denied) =>
      plan(`1,000 tokens, ES256, ${denied.toLocaleString("en")} denied tokens`, unsuspected, { denied }),
    ),
  ];
}

const missing = missingLoader();
if (missing !== undefined) {
  console.error(`skipped: ${missing}`);
  process.exit(0);
}
// What was started goes with us.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
process.setMaxListeners(0);
try {
  const issuer = new BenchIssuer(work);
  const origin = await startOrigin(work, await port());
  stops.push(() => origin.close());
  const bundled = folder("bundle");
  bundle(bundled);
  bundle(bundled, "bench/subjects/backdoor.ts");
  const floorWorker = await serveSubject("pass-through", origin, issuer, origin.port);
  const floor: Subject = {
    ...{ name: "floor: a Worker that only forwards", running: floorWorker.running, path: ORDER },
    mix: issuer.mix("ES256", 1_000),
  };
  const gates = new Map<number, Promise<GateSubject>>();
  const gate = (denied: number, own?: string) => {
    if (own !== undefined) return gateWith(own, denied, bundled, origin, issuer);
    const known = gates.get(denied) ?? gateWith(String(denied), denied, bundled, origin, issuer);
    gates.set(denied, known);
    return known;
  };
  const named = (words: string[] | undefined, { name }: Planned) =>
    words?.some((word) => name.includes(word));
  const wanted = (plan: Planned) => !named(without, plan) && (named(only, plan) ?? (plan.quick || !quick));
  const subjects = only || quick ? [] : [floor];
  for (const plan of [...others(origin, issuer), ...ours(gate, issuer)].filter(wanted)) {
    subjects.push(await plan.start());
  }
  const measured: Measured[] = await compare(floor, subjects, {
    ...{ rounds: ROUNDS, seconds: SECONDS, progress: (line: string) => console.log(line) },
  });
  const warm = subjects.filter(
    (subject) => subject !== floor && (subject.warmUpSeconds ?? 2) <= 2 && subject.mix.hotPercent === 100,
  );
  const latencies = await compareLatency(floor, warm, { rounds: ROUNDS, seconds: SECONDS });
  printTables(measured, latencies);
  const starts: StartFigures[] = [];
  const token = issuer.mix("ES256", 1);
  for (const [denied, running] of gates) starts.push(await coldStart(denied, await running, ORDER, token));
  const figures = {
    latencies,
    bundle: await bundleFigures(bundled, floorWorker.worker, await port()),
    starts,
  };
  console.log(JSON.stringify(figures, null, 2));
  if (!quick && !only) writeReport(measured, figures, { rounds: ROUNDS, seconds: SECONDS });
} finally {
  for (const stop of stops.reverse()) await stop();
  rmSync(work, { recursive: true, force: true });
}
