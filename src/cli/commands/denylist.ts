import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { RevocationLine } from "../../client/portcullis.ts";
import { act, type Cli, type Commands, examples } from "../cli.ts";
import { CliFailure, EXIT, usageFault } from "../failure.ts";

/** `denylist import|export`. */
export const denylistCommands: Commands = (program, world) => {
  const denylist = program.command("denylist").description("Move denied tokens in and out by the million.");
  examples(
    denylist
      .command("import <file>")
      .description(
        'Deny every token of a file (NDJSON, one {"jti": …} or rule a line; - reads standard input). Bad lines are named, the good ones stand.',
      )
      .option("--dry-run", "say what it would cut, and change nothing")
      .option("--lift", "lift what the file names instead")
      .option("--emergency", "more than one person may cut, at once; everybody who listens is told")
      .action(act(world, importDenylist)),
    [["denylist import stolen.ndjson --dry-run", "what would that cut?"]],
  );
  examples(
    denylist
      .command("export [file]")
      .description("Write every rule in force and every denied token as NDJSON.")
      .action(act(world, exportDenylist)),
    [["denylist export denylist.ndjson", "keep a copy"]],
  );
};

const IMPORT_TIMEOUT_MS = 3_600_000;

type ImportOptions = { dryRun?: true; lift?: true; emergency?: true };

async function importDenylist(
  cli: Cli,
  { dryRun, lift, emergency }: ImportOptions,
  file = "",
): Promise<void> {
  const size = file === "-" ? undefined : await sizeOf(file);
  const input = file === "-" ? cli.streams.stdin : createReadStream(file);
  const client = await cli.client();
  const query = {
    ...(dryRun ? { dry_run: true } : {}),
    ...(lift ? { lift: true } : {}),
    ...(emergency ? { emergency: true } : {}),
  };
  const outcome = await client.revocations
    .import(counted(cli, input, size), query, { timeoutMs: IMPORT_TIMEOUT_MS })
    .finally(() => cli.terminal.progressDone());
  cli.terminal.result(outcome, () => {
    if ("dry_run" in outcome) {
      const count = `${outcome.exact ? "" : "at least "}${outcome.would_cut.tokens} live tokens`;
      cli.terminal.say(
        `${outcome.tokens} tokens and ${outcome.rules} rules; they would cut ${count}. Nothing was changed.`,
      );
    } else {
      cli.terminal.say(
        `${outcome.accepted} taken, ${outcome.unchanged} were there already, ${outcome.refused} refused.`,
      );
    }
    for (const { line, error } of outcome.errors) cli.terminal.note(`line ${line}: ${error}`);
  });
  if (outcome.refused > 0) throw new CliFailure(`${outcome.refused} lines were refused.`, EXIT.refused);
}

/** The lines as they are, told as they go. */
async function* counted(
  cli: Cli,
  input: NodeJS.ReadableStream,
  size: number | undefined,
): AsyncGenerator<RevocationLine> {
  let sent = 0;
  // Made only now: lines that come before somebody reads them are lost.
  for await (const line of createInterface({ input })) {
    sent += Buffer.byteLength(line) + 1;
    cli.terminal.progress(bar(Math.min(sent, size ?? sent), size));
    // The client sends text as it is: what is wrong in it is the deployment's to say, with the line's number.
    yield line as unknown as RevocationLine;
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    throw usageFault(`${file} cannot be read.`);
  }
}

const BAR_CELLS = 30;

function bar(sent: number, size: number | undefined): string {
  const megabytes = `${(sent / 1e6).toFixed(1)} MB`;
  if (!size) return megabytes;
  const cells = Math.floor((BAR_CELLS * sent) / size);
  return `${"█".repeat(cells)}${"░".repeat(BAR_CELLS - cells)} ${Math.floor((100 * sent) / size)} %  ${megabytes}`;
}

async function exportDenylist(cli: Cli, _options: object, file?: string): Promise<void> {
  const client = await cli.client();
  const written = file === undefined || file === "-" ? undefined : createWriteStream(file, { mode: 0o600 });
  const out: NodeJS.WritableStream = written ?? cli.streams.stdout;
  let lines = 0;
  for await (const line of client.revocations.export({ signal: cli.signal })) {
    lines++;
    if (lines % 1000 === 0) cli.terminal.progress(`${lines} lines`);
    if (!out.write(`${JSON.stringify(line)}\n`)) await new Promise((resolve) => out.once("drain", resolve));
  }
  cli.terminal.progressDone();
  if (written) {
    await new Promise<void>((resolve, reject) => written.once("error", reject).end(resolve));
    cli.terminal.note(`${lines} lines written to ${file}.`);
  }
}
