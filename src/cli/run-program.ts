import { CommanderError } from "commander";
import type { World } from "./cli.ts";
import { EXIT, failureOf } from "./failure.ts";
import { program } from "./program.ts";
import { wrapped } from "./terminal.ts";

/** Carries out one command line. Answers the exit code; what is wrong was told on standard error. */
export async function runProgram(
  args: readonly string[],
  version: string,
  world: Omit<World, "exitWith">,
): Promise<number> {
  let exitCode: number = EXIT.done;
  const exitWith = (code: number) => {
    exitCode = code;
  };
  try {
    await program({ ...world, exitWith }, version).parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (fault) {
    if (fault instanceof CommanderError) return fault.exitCode === 0 ? EXIT.done : EXIT.usage;
    const failure = world.signal.aborted
      ? { message: "Interrupted.", hint: undefined, exitCode: EXIT.interrupted }
      : failureOf(fault);
    const { stderr } = world.streams;
    stderr.write(`${wrapped(`portcullis: ${failure.message}`, stderr.columns)}\n`);
    if (failure.hint !== undefined) stderr.write(`${wrapped(`  ${failure.hint}`, stderr.columns)}\n`);
    return failure.exitCode;
  }
}
