import { relative } from "node:path";
import { type LocalOptions, readOptions } from "./places.ts";
import { findRunning, type RunningRecord } from "./running.ts";
import { type Stack, startStack } from "./stack.ts";
import { stopSignal } from "./stop-signal.ts";

/** `npm start`: runs until Ctrl-C (exit code 0) or until the Worker ends by itself (exit code 1). */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  const running = await findRunning(options.places.runningFile);
  if (running) {
    console.log(`Already running at ${running.issuer}, pid ${running.pid}.`);
    return 0;
  }
  const stop = stopSignal();
  let stack: Stack;
  try {
    stack = await startStack(options, stop, (line) => console.log(line));
  } catch (fault) {
    if (stop.aborted) return 0;
    throw fault;
  }
  console.log(welcome(stack.running, options));
  const aborted = new Promise<undefined>((resolve) => {
    if (stop.aborted) resolve(undefined);
    stop.addEventListener("abort", () => resolve(undefined));
  });
  const failure = await Promise.race([stack.failed, aborted]);
  if (failure === undefined) console.log("Stopping.");
  else console.error(failure);
  await stack.stop();
  return failure === undefined ? 0 : 1;
}

function welcome(running: RunningRecord, { places }: LocalOptions): string {
  const flags = process.argv.slice(2).join(" ");
  const demo = flags === "" ? "npm run demo" : `npm run demo -- ${flags}`;
  return `
Portcullis is up. Ctrl-C stops it.
  gate               ${running.issuer}
  demo origin        ${running.origin}   behind the gate
  identity provider  ${running.identity_provider}   alice, bob and olivia, no password
  kept               ${shortPath(places.stateDir)} and ${shortPath(places.secretsFile)}
Try next, in a second terminal:
  ${demo.padEnd(45)} the whole story
  ${`curl -i ${running.issuer}/orders`.padEnd(45)} refused: no token
  ${`curl -i ${running.issuer}/public/status`.padEnd(45)} open to all
Or in a browser, signed in as one of the three:
  ${running.issuer}/console
  ${running.issuer}/me
`;
}

function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}

try {
  process.exitCode = await main();
} catch (fault) {
  console.error(fault instanceof Error ? fault.message : fault);
  process.exitCode = 1;
}
