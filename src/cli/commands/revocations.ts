import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Command } from "commander";
import type { Receipt, Revocation, RevocationLine, RevocationsCreateBody } from "../../client/portcullis.ts";
import { act, type Cli, type Commands, examples, type World } from "../cli.ts";
import { CliFailure, EXIT, usageFault } from "../failure.ts";
import { first } from "../first.ts";
import { MAX_PAGE, readMoment, readWholeNumber, shownMoment } from "../times.ts";
import { showReceipt } from "./receipt.ts";

type Match = RevocationsCreateBody["match"];

/** Flags of `revoke`, by the member of a rule that each of them sets. */
const MATCHES: readonly (readonly [keyof Match, string, string])[] = [
  ["jti", "--token <jti>", "one access token, by its jti"],
  ["grant", "--grant <id>", "every token of a grant"],
  ["session", "--session <id>", "every token of a session"],
  ["sub", "--subject <subject>", "every token of a person or client"],
  ["client_id", "--client <id>", "every token that a client got"],
  ["kid", "--key <kid>", "every token that a key signed"],
  ["jkt", "--sender-key <thumbprint>", "every token that is bound to a sender's key"],
  ["iss", "--from-issuer <url>", "with the others: of this issuer only"],
];

/** `revoke`, `revocations …`, `denylist import|export`. */
export const revocationCommands: Commands = (program, world) => {
  revokeCommand(program, world);
  const revocations = program.command("revocations").description("See, confirm and lift revocations.");
  revocations
    .command("list")
    .description("List revocations, the newest first.")
    .option("--limit <n>", "at most so many", readWholeNumber, 50)
    .option("--search <text>", "with this in what they name, in a reason or in who gave it")
    .option("--state <state>", "in this state, such as in_force, lifted or awaiting_confirmation")
    .action(act(world, listRevocations));
  revocations
    .command("show <id>")
    .description("Show a revocation and what became of it.")
    .action(
      act(world, async (cli: Cli, _options: object, id = "") => {
        const found = await (await cli.client()).revocations.get(id);
        cli.terminal.result(found, () => showRevocation(cli, found));
      }),
    );
  revocations
    .command("confirm <id>")
    .description("Confirm, as the second person, a revocation that waits for one.")
    .option("--comment <text>", "for the record")
    .action(
      act(world, async (cli: Cli, options: { comment?: string }, id = "") => {
        const receipt = await (await cli.client()).revocations.confirm(id, options);
        showReceipt(cli, receipt, `${id} is in force.`);
      }),
    );
  examples(
    revocations
      .command("lift <id>")
      .description("Lift a revocation, or cancel one that waits for a second person.")
      .option("--reason <text>", "why, for the record")
      .action(
        act(world, async (cli: Cli, options: { reason?: string }, id = "") => {
          const lifted = await (await cli.client()).revocations.lift(id, options);
          if ("effective_by" in lifted)
            showReceipt(
              cli,
              lifted as Receipt,
              `${id} is lifted. What it hit is taken again, unless something else hits it.`,
              "lifted",
            );
          else cli.terminal.result(lifted, () => cli.terminal.line(`${id} is cancelled.`));
        }),
      ),
    [['revocations lift rev_01jd… --reason "wrong person"', "undo a revocation"]],
  );
  denylistCommands(program, world);
};

type RevokeOptions = Partial<Record<string, string>> & {
  reason: string;
  issuedBefore?: number;
  expires?: number;
  dryRun?: true;
};

function revokeCommand(program: Command, world: World): void {
  const revoke = program
    .command("revoke")
    .summary("take access back, everywhere")
    .description(
      "Revoke tokens by what they say; all that is given must hold. The answer says by when every edge refuses them.",
    );
  for (const [, flag, what] of MATCHES) revoke.option(flag, what);
  examples(
    revoke
      .option(
        "--issued-before <moment>",
        "only tokens issued before it, as now or -1h; alone: every token",
        (text) => readMoment(text),
      )
      .option(
        "--expires <moment>",
        "until when it is in force (default: as long as what it can hit)",
        (text) => readMoment(text),
      )
      .requiredOption("--reason <text>", "why, for the record")
      .option("--dry-run", "say what it would cut, and change nothing")
      .action(act(world, revokeTokens)),
    [
      ['revoke --subject "demo|mallory" --issued-before now --reason left --dry-run', "what would that cut?"],
      ['revoke --token tok_01jd… --reason "in a log"', "one token"],
      ["revoke --key 8Zq… --reason leaked", "everything that a key signed"],
    ],
  );
}

/** What commander calls the value of a flag. */
function valueName(flag: string): string {
  return flag
    .slice(2, flag.indexOf(" "))
    .replaceAll(/-([a-z])/g, (_dash, letter: string) => letter.toUpperCase());
}

async function revokeTokens(cli: Cli, options: RevokeOptions): Promise<void> {
  const given = MATCHES.flatMap(([member, flag]) => {
    const value = options[valueName(flag)];
    return value === undefined ? [] : [[member, value] as const];
  });
  if (given.length === 0 && options.issuedBefore === undefined) {
    throw usageFault(
      "Say what to revoke, such as --subject or --token.",
      "portcullis revoke --help lists them.",
    );
  }
  const { reason, issuedBefore, expires } = options;
  const body: RevocationsCreateBody = {
    match: Object.fromEntries(given) as Match,
    reason,
    ...(issuedBefore === undefined ? {} : { issued_before: issuedBefore }),
    ...(expires === undefined ? {} : { expires_at: expires }),
  };
  const client = await cli.client();
  if (options.dryRun) {
    const dry = await client.revocations.dryRun(body);
    const { tokens, grants, subjects } = dry.would_cut;
    const count = `${dry.exact ? "" : "at least "}${tokens} live tokens, ${grants} grants, ${subjects} subjects`;
    return cli.terminal.result(dry, () => cli.terminal.line(`It would cut ${count}. Nothing was changed.`));
  }
  const done = await client.revocations.create(body);
  if ("effective_by" in done) return showReceipt(cli, done, "Revoked.");
  if ("dry_run" in done) return;
  cli.terminal.result(done, () =>
    cli.terminal.line(`${done.id} waits for a second person: it would cut more than one person may.`),
  );
  cli.terminal.next(`portcullis revocations confirm ${done.id}`, "Somebody else confirms it");
}

type ListOptions = { limit: number; search?: string; state?: Revocation["state"] };

async function listRevocations(cli: Cli, { limit, search, state }: ListOptions): Promise<void> {
  const client = await cli.client();
  const query = { ...(search === undefined ? {} : { q: search }), ...(state === undefined ? {} : { state }) };
  const items = await first(client.revocations.list({ ...query, limit: Math.min(limit, MAX_PAGE) }), limit);
  cli.terminal.result(items, () =>
    cli.terminal.table(
      items,
      [
        { title: "id", value: ({ id }) => id, whole: true },
        { title: "what", value: shownMatch },
        { title: "why", value: ({ reason }) => reason },
        { title: "who", value: ({ actor }) => actor },
        { title: "since", value: ({ created_at }) => shownMoment(created_at) },
      ],
      "There are no revocations.",
    ),
  );
}

function shownMatch({ match, issued_before }: Revocation): string {
  const parts = Object.entries(match).map(([member, value]) => `${member}=${value}`);
  if (issued_before !== undefined) parts.push(`issued before ${shownMoment(issued_before)}`);
  return parts.join(" ");
}

function showRevocation({ terminal }: Cli, revocation: Revocation): void {
  terminal.fields({
    revocation: revocation.id,
    what: shownMatch(revocation),
    why: revocation.reason,
    who: revocation.actor,
    since: shownMoment(revocation.created_at),
    until: shownMoment(revocation.expires_at),
  });
}

function denylistCommands(program: Command, world: World): void {
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
}

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
      cli.terminal.line(
        `${outcome.tokens} tokens and ${outcome.rules} rules; they would cut ${count}. Nothing was changed.`,
      );
    } else {
      cli.terminal.line(
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
