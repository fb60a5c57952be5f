/**
 * What the gate's process holds over a million and a half requests, an isolate's hour at 400 a second:
 * `npm run bench:memory` (about eight minutes), `-- --requests=` as it says. 100,000 tokens, nine of ten requests with
 * 5,000 of them, so that the map of verified tokens is full and turns over.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../src/local/ports.ts";
import { CONNECTIONS } from "./compare.ts";
import { startGate } from "./gate-subject.ts";
import { load, missingLoader } from "./load.ts";
import { startOrigin } from "./origin.ts";
import { BenchIssuer } from "./tokens.ts";
import { bundle, residentBytes } from "./workerd.ts";

const ROWS = 10;
const CHUNK_SECONDS = 5;
const FIRST_PORT = 26_700;
const asked = process.argv.find((arg) => arg.startsWith("--requests="))?.split("=")[1];
const total = Number(asked ?? 1_500_000);

const missing = missingLoader();
if (missing !== undefined) {
  console.error(`skipped: ${missing}`);
  process.exit(0);
}
const work = mkdtempSync(join(tmpdir(), "portcullis-memory-"));
const stops: (() => unknown)[] = [];
try {
  const issuer = new BenchIssuer(work);
  const origin = await startOrigin(work, await freePort(FIRST_PORT));
  stops.push(() => origin.close());
  bundle(work);
  bundle(work, "bench/subjects/backdoor.ts");
  const port = await freePort(FIRST_PORT + 10);
  const gate = await startGate({ folder: work, port, origin: origin.url, issuer, denied: 0 });
  stops.push(
    () => gate.stop(),
    () => gate.close(),
  );
  const mix = issuer.mix("ES256", 100_000, { hot: 5_000, hotPercent: 90 });
  console.log("| requests | memory of the process |\n| --- | --- |");
  let requests = 0;
  for (let row = 1; row <= ROWS; row++) {
    while (requests < (total * row) / ROWS) {
      const options = { connections: CONNECTIONS, seconds: CHUNK_SECONDS };
      const run = await load(`${gate.url}/orders/42?expand=lines`, mix, options);
      if (run.failed > 0) throw new Error(`${run.failed} requests failed`);
      requests += run.requests;
    }
    const mib = Math.round(residentBytes(gate) / 1024 / 1024);
    console.log(`| ${requests.toLocaleString("en")} | ${mib} MiB |`);
  }
} finally {
  for (const stop of stops.reverse()) await stop();
  rmSync(work, { recursive: true, force: true });
}
