import type { Command } from "commander";
import type { Portcullis } from "../client/portcullis.ts";
import { Connection } from "./connection.ts";
import { type Environment, type Streams, Terminal } from "./terminal.ts";

/** What a command works with. */
export type Cli = {
  terminal: Terminal;
  connection: Connection;
  streams: Streams;
  environment: Environment;
  /** Ends what waits, on Ctrl-C. */
  signal: AbortSignal;
  client(): Promise<Portcullis>;
};

/** What the process, or a test, gives the program. */
export type World = {
  streams: Streams;
  environment: Environment;
  signal: AbortSignal;
  /** Told the exit code that a command ends with where it is not 0 without having failed. */
  exitWith(code: number): void;
};

type GlobalOptions = { issuer?: string; json?: boolean; color?: boolean };

/** Adds a group of commands to the program. */
export type Commands = (program: Command, world: World) => void;

/** A command's action: what it works with, its own options, and its arguments. */
export type Action<Options> = (cli: Cli, options: Options, ...args: string[]) => Promise<void>;

/** What commander calls, made of an action. */
export function act<Options>(world: World, action: Action<Options>) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const { issuer: _issuer, json: _json, color: _color, ...own } = given.at(-2) as GlobalOptions;
    const args = given.slice(0, -2) as string[];
    await action(cliOf(world, globalOptions(command)), own as Options, ...args);
  };
}

/** Given before the command or after it. */
function globalOptions(command: Command | null): GlobalOptions {
  if (!command) return {};
  const outer = globalOptions(command.parent);
  const { issuer, json, color } = command.opts<GlobalOptions>();
  return {
    ...outer,
    ...(issuer === undefined ? {} : { issuer }),
    ...(json ? { json } : {}),
    ...(color === false ? { color } : {}),
  };
}

function cliOf({ streams, environment, signal }: World, options: GlobalOptions): Cli {
  const colour = options.color !== false && !environment.NO_COLOR && Boolean(streams.stdout.isTTY);
  const connection = new Connection(environment, options.issuer);
  return {
    ...{ streams, environment, signal, connection },
    terminal: new Terminal(streams, { json: options.json ?? false, colour }),
    client: () => connection.client(),
  };
}

/** Examples below a command's help: what one types, and what that does. */
export function examples(command: Command, lines: readonly (readonly [string, string])[]): Command {
  const text = lines.map(([typed, what]) => `  # ${what}\n${folded(`  $ portcullis ${typed}`)}`).join("\n");
  return command.addHelpText("after", `\nExamples:\n${text}`);
}

const HELP_COLUMNS = 80;

/** A command as it may be typed over several lines, each of which begins with a flag. */
function folded(typed: string): string {
  const lines: string[] = [];
  for (const part of typed.split(/ (?=--)/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length + 3 <= HELP_COLUMNS)
      lines[lines.length - 1] += ` ${part}`;
    else lines.push(last === undefined ? part : `      ${part}`);
  }
  return lines.join(" \\\n");
}
