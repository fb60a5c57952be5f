#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 22;
const [major] = process.versions.node.split(".");
if (Number(major) < OLDEST_NODE) {
  process.stderr.write(`portcullis needs Node ${OLDEST_NODE} or later; this is ${process.versions.node}.\n`);
  process.exit(2);
}
// Only now: what an older Node does not have would be its error, not ours.
const { runProgram } = await import("./run-program.ts");

const aborted = new AbortController();
// The first Ctrl-C ends what waits, in order; the second one ends the process.
process.once("SIGINT", () => {
  process.once("SIGINT", () => process.exit(130));
  aborted.abort();
});
process.once("SIGTERM", () => aborted.abort());
// Whoever reads has had enough, as `head` does.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (fault: NodeJS.ErrnoException) => {
    if (fault.code === "EPIPE") process.exit(0);
    throw fault;
  });
}

const { version } = JSON.parse(
  readFileSync(fileURLToPath(import.meta.resolve("../../package.json")), "utf8"),
) as {
  version: string;
};
process.exitCode = await runProgram(process.argv.slice(2), version, {
  streams: process,
  environment: process.env,
  signal: aborted.signal,
});
