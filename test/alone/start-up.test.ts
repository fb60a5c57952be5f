import { copyFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, it } from "vitest";
import { startUpMs } from "../../bench/start-figures.ts";
import { freePort } from "../../src/local/ports.ts";

/** 50 ms are promised, of a processor that has nothing else to do. */
const MAX_START_MS = 75;
const EMPTY_WORKER = "export default { fetch: () => new Response() };";

it("starts within its budget of processor time", async () => {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-start-"));
  try {
    copyFileSync(inject("bundlePath"), join(folder, "worker.js"));
    writeFileSync(join(folder, "empty.js"), EMPTY_WORKER);
    const port = await freePort(25_500);
    const own = await startUpMs({ name: "own", folder, script: "worker.js", port });
    const empty = await startUpMs({ name: "empty", folder, script: "empty.js", port });
    expect(own.min - empty.min).toBeLessThan(MAX_START_MS);
    // It measures something.
    expect(own.min - empty.min).toBeGreaterThan(5);
  } finally {
    await rm(folder, { recursive: true });
  }
});
