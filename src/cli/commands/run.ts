import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { type Portcullis, PortcullisProblem } from "../../client/portcullis.ts";
import { act, type Cli, type Commands, examples, type World } from "../cli.ts";
import { CliFailure, EXIT, usageFault } from "../failure.ts";
import type { Environment } from "../terminal.ts";
import { readDuration } from "../times.ts";
import { type AskOptions, askFor, askOptions, untilDecided } from "./access.ts";

type RunOptions = AskOptions & { resource: string; reason?: string; env: string; curl?: true; wait?: number };

/** As shells do: a command that is not there, and one that a signal ended. */
const NOT_FOUND = 127;
const SIGNAL_BASE = 128;

/** `run --resource … -- command`: a child process that has a token for as long as it runs. */
export const runCommand: Commands = (program, world) => {
  const command = program
    .command("run [command...]")
    .summary("run a command with a token, and give the access back after it")
    .description(
      "Run a command with an access token in its environment, never in its arguments. Access that you do not have yet is asked for first, and given back when the command ends.",
    )
    .passThroughOptions()
    .requiredOption("--resource <resource>", "what it needs access to")
    .option("--env <name>", "the variable that holds the token", "PORTCULLIS_TOKEN")
    .option("--curl", "the command is curl: it reads the token from a file that only you can read")
    .option("--wait <time>", "wait for the decision so long at most", readDuration);
  askOptions(command);
  // Who has the access already need not say why.
  command.options.find(({ long }) => long === "--reason")!.mandatory = false;
  examples(
    command.action(
      act(world, (cli: Cli, options: RunOptions, ...rest: unknown[]) =>
        run(cli, world, options, rest[0] as unknown as string[]),
      ),
    ),
    [
      [
        'run --resource orders --scope orders:read --reason "ticket 42" -- ./report.sh',
        "$PORTCULLIS_TOKEN is there while it runs",
      ],
      [
        "run --resource orders --scope orders:read --curl -- curl https://api.example.com/orders",
        "curl, with the token",
      ],
    ],
  );
};

async function run(cli: Cli, world: World, options: RunOptions, command: string[] = []): Promise<void> {
  const [program, ...args] = command;
  if (program === undefined)
    throw usageFault("Which command?", "portcullis run --resource orders --scope orders:read -- <command>");
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(options.env))
    throw usageFault(`"${options.env}" is no name of a variable.`);
  const client = await cli.client();
  const access = await obtain(cli, client, options);
  const folder = options.curl ? await mkdtemp(join(tmpdir(), "portcullis-run-")) : undefined;
  try {
    const environment = { ...cli.environment, [options.env]: access.token };
    if (folder !== undefined) {
      const file = join(folder, ".curlrc");
      await writeFile(file, `header = "authorization: Bearer ${access.token}"\n`, { mode: 0o600 });
      environment.CURL_HOME = folder;
    }
    world.exitWith(await childExit(program, args, environment));
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    if (access.grant !== undefined) await giveBack(cli, client, access.grant);
  }
}

/** `grant`: the one that was made for this run. */
async function obtain(
  cli: Cli,
  client: Portcullis,
  options: RunOptions,
): Promise<{ token: string; grant?: string }> {
  const { resource, scope, reason } = options;
  try {
    return { token: (await client.grants.token({ resource, scope })).access_token };
  } catch (fault) {
    if (!(fault instanceof PortcullisProblem) || fault.code !== "not_found") throw fault;
  }
  if (reason === undefined) {
    throw usageFault("You have no such access now, so it has to be asked for: say why with --reason.");
  }
  const asked = await askFor(client, resource, { ...options, reason });
  cli.terminal.note(`Asked for access: ${asked.id}`);
  const decided = asked.state === "pending" ? await untilDecided(cli, asked.id, options.wait) : asked;
  const token = (await client.accessRequests.token(decided.id)).access_token;
  return { token, ...(decided.grant ? { grant: decided.grant.id } : {}) };
}

async function giveBack(cli: Cli, client: Portcullis, grant: string): Promise<void> {
  try {
    await client.grants.revoke(grant, { reason: "The command that needed it has ended." });
    cli.terminal.note(`Given back: ${grant}`);
  } catch (fault) {
    // It may have ended by itself.
    if (fault instanceof PortcullisProblem && fault.status === 410) return;
    cli.terminal.note(
      `${grant} could not be given back: it ends by itself. portcullis grants return ${grant} tries again.`,
    );
  }
}

/** The child gets the terminal, and its signals: a Ctrl-C reaches it before it reaches us. */
async function childExit(program: string, args: string[], environment: Environment): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", env: environment as NodeJS.ProcessEnv });
  const passOn = () => child.kill("SIGTERM");
  process.once("SIGTERM", passOn);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once("error", (fault: NodeJS.ErrnoException) => {
        const what =
          fault.code === "ENOENT"
            ? `There is no command ${program}.`
            : `${program} cannot be run: ${fault.code}.`;
        reject(new CliFailure(what, fault.code === "ENOENT" ? NOT_FOUND : EXIT.usage));
      });
      child.once("exit", (code, signal) => resolve(code ?? SIGNAL_BASE + constants.signals[signal!]));
    });
  } finally {
    process.removeListener("SIGTERM", passOn);
  }
}
