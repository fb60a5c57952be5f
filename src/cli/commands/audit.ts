import { hash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { AuditRecord } from "../../client/portcullis.ts";
import { verifyExport } from "../../protocol/audit-verifier.ts";
import { act, type Cli, type Commands, examples } from "../cli.ts";
import { CliFailure, EXIT, usageFault } from "../failure.ts";
import { first } from "../first.ts";
import { plain } from "../terminal.ts";
import { MAX_PAGE, readMoment, readWholeNumber, shownMoment } from "../times.ts";

const FOLLOW_MS = 2_000;

/** `audit list|tail|export|verify|key`, and `watch`. */
export const auditCommands: Commands = (program, world) => {
  const audit = program.command("audit").description("Read, export and verify the audit log.");
  examples(
    audit
      .command("list")
      .description("List what was recorded, the newest first.")
      .option("--type <type>", "of one type, or of a family (grant.*)")
      .option("--actor <subject>", "what somebody did")
      .option("--about <subject>", "what was done about somebody")
      .option("--since <moment>", "since then, as -1d or 2026-12-24", (text) => readMoment(text))
      .option("--limit <n>", "at most so many", readWholeNumber, 50)
      .action(act(world, list)),
    [["audit list --about 'corp|alice' --since -7d", "what happened to somebody's access"]],
  );
  const follow = (command: Command) =>
    command
      .option("--lines <n>", "so many of those that are there", readWholeNumber, 10)
      .action(act(world, tail));
  follow(audit.command("tail")).description(
    "Print the latest records, and those that come, until Ctrl-C. With --json one a line.",
  );
  follow(program.command("watch"))
    .summary("watch what happens")
    .description("Print every change of authority as it happens, until Ctrl-C. With --json one a line.");
  audit
    .command("export [file]")
    .description("Write the log as NDJSON, with its signed checkpoints.")
    .option("--from <seq>", "from this record on", readSequence, 0)
    .action(act(world, exportLog));
  examples(
    audit
      .command("verify <file>")
      .description(
        "Verify an export, without a deployment: whether it is the log, whole, in order and unchanged. Names the first record that is not.",
      )
      .option(
        "--key <key>",
        "the verifier key that you kept (portcullis audit key), instead of the export's own",
      )
      .option("--anchor <file...>", "checkpoints that were kept elsewhere")
      .action(act(world, verify)),
    [['audit verify audit.ndjson --key "$(cat audit.key)"', "exit code 1 where it is not intact"]],
  );
  audit
    .command("key")
    .description(
      "Print the key that verifies checkpoints. Keep it where the deployment's operator cannot change it.",
    )
    .action(
      act(world, async (cli: Cli) =>
        cli.terminal.line((await (await cli.connection.get("/v1/audit/key")).text()).trim()),
      ),
    );
};

function readSequence(text: string): number {
  return text === "0" ? 0 : readWholeNumber(text);
}

type ListOptions = { type?: string; actor?: string; about?: string; since?: number; limit: number };

async function list(cli: Cli, { limit, ...query }: ListOptions): Promise<void> {
  const client = await cli.client();
  const records = await first(
    client.audit.list({ ...query, limit: Math.min(limit, MAX_PAGE) } as never),
    limit,
  );
  cli.terminal.result(records, () => {
    for (const record of records) cli.terminal.flow(partsOf(record));
    if (records.length === 0) cli.terminal.note("Nothing of this kind was recorded.");
  });
}

async function tail(cli: Cli, { lines }: { lines: number }): Promise<void> {
  const client = await cli.client();
  const latest = await first(client.audit.list({ limit: Math.min(lines, MAX_PAGE) }), lines);
  let seen = latest[0]?.seq ?? -1;
  for (const record of latest.reverse()) tell(cli, record);
  while (!cli.signal.aborted) {
    // Broken off by Ctrl-C, which is how one ends it.
    await sleep(FOLLOW_MS, undefined, { signal: cli.signal }).catch(() => undefined);
    if (cli.signal.aborted) return;
    const fresh: AuditRecord[] = [];
    for await (const record of client.audit.list({ limit: MAX_PAGE })) {
      if (record.seq <= seen) break;
      fresh.push(record);
    }
    for (const record of fresh.reverse()) tell(cli, record);
    seen = fresh.at(-1)?.seq ?? seen;
  }
}

function tell({ terminal }: Cli, record: AuditRecord): void {
  if (terminal.json) terminal.line(JSON.stringify(record));
  else terminal.flow(partsOf(record));
}

function partsOf({ at, type, actor, about, reason, data }: AuditRecord): string[] {
  const parts = [
    `${shownMoment(at)}  ${type}`,
    actor?.subject,
    about === undefined || about === actor?.subject ? undefined : `→ ${about}`,
    typeof data?.grant === "string" ? data.grant : undefined,
    reason === undefined ? undefined : `(${reason})`,
  ];
  return parts.filter((part) => part !== undefined).map(plain);
}

async function exportLog(cli: Cli, { from }: { from: number }, file?: string): Promise<void> {
  const answer = await cli.connection.get(`/v1/audit/export?from=${from}`);
  const body = Readable.fromWeb(answer.body as never);
  if (file === undefined || file === "-") {
    for await (const chunk of body) cli.streams.stdout.write(chunk as Buffer);
    return;
  }
  await pipeline(body, createWriteStream(file, { mode: 0o600 }));
  cli.terminal.note(`Written to ${file}.`);
  cli.terminal.next(`portcullis audit verify ${file}`, "Verify it");
}

async function verify(
  cli: Cli,
  { key, anchor = [] }: { key?: string; anchor?: string[] },
  file = "",
): Promise<void> {
  const anchors = await Promise.all(
    anchor.map((path) => readFile(path, "utf8").catch(() => unreadable(path))),
  );
  await access(file).catch(() => unreadable(file));
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  const verdict = await verifyExport(lines, {
    anchors,
    sha256: (data) => hash("sha256", data, "buffer"),
    ...(key === undefined ? {} : { verifierKey: key.trim() }),
  });
  cli.terminal.result(verdict, () => {
    if (!verdict.intact) return;
    const by = key === undefined ? ", signed by the key that the export itself names" : "";
    cli.terminal.say(`Whole and unchanged: records ${verdict.from} to ${verdict.size - 1}${by}.`);
  });
  if (!verdict.intact) {
    throw new CliFailure(
      `Not intact: record ${verdict.seq}, line ${verdict.line}: ${verdict.fault}.`,
      EXIT.refused,
    );
  }
}

function unreadable(path: string): never {
  throw usageFault(`${path} cannot be read.`);
}
