import { styleText } from "node:util";
import { Narrator } from "./narrator.ts";
import { type LocalOptions, readOptions } from "./places.ts";
import { startReceiver } from "./receiver.ts";
import { findRunning, type RunningRecord } from "./running.ts";
import { demoClient } from "./set-up.ts";
import { startStack } from "./stack.ts";
import { StoryFault } from "./stage.ts";
import { stopSignal } from "./stop-signal.ts";
import { playStory } from "./story.ts";

/** `npm run demo`: exit code 0 where everything went as told, 1 where not, 130 where it was interrupted. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  const signal = stopSignal();
  await using cleanup = new AsyncDisposableStack();
  const tell = new Narrator();
  try {
    const running = await runningOrStarted(options, signal, cleanup);
    const client = await demoClient(options.places.demoFile);
    const receiver = await startReceiver();
    cleanup.defer(receiver.close);
    console.log(styleText("bold", "\nPortcullis: access is asked for, approved, used, and taken back"));
    console.log(`The gate ${running.issuer} stands in front of ${running.origin}.`);
    const startedMs = Date.now();
    await playStory({ running, client, receiver, tell, signal });
    const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
    console.log(styleText("green", `\nAll ${tell.steps} steps went as told, in ${seconds} s.`));
    return 0;
  } catch (fault) {
    if (signal.aborted) return 130;
    console.error(styleText("red", `\n${reportOf(fault, tell.steps)}`));
    return 1;
  }
}

async function runningOrStarted(
  options: LocalOptions,
  signal: AbortSignal,
  cleanup: AsyncDisposableStack,
): Promise<RunningRecord> {
  const running = await findRunning(options.places.runningFile);
  if (running) return running;
  console.log("Nothing runs yet: starting the gate, the demo origin and the identity provider.");
  const stack = await startStack(options, signal, (line) => console.log(line));
  cleanup.defer(stack.stop);
  return stack.running;
}

function reportOf(fault: unknown, step: number): string {
  if (fault instanceof StoryFault) {
    return `Step ${step} is not as told.\n  expected: ${fault.expected}\n  came:     ${fault.came}`;
  }
  const text = fault instanceof Error ? fault.message : String(fault);
  return step === 0 ? text : `Step ${step} failed: ${text}`;
}

try {
  process.exitCode = await main();
} catch (fault) {
  console.error(fault instanceof Error ? fault.message : fault);
  process.exitCode = 1;
}
