import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { createGzip } from "node:zlib";
import { type BackupTrailer, backupKey, type PageLine, type RowLine } from "../../protocol/backup.ts";
import { BackupFault, BackupReader } from "../../protocol/backup-reader.ts";
import { AuditInBackup, isAudit } from "../backup-audit.ts";
import { act, type Cli, type Commands, examples } from "../cli.ts";
import { CliFailure, EXIT, usageFault } from "../failure.ts";
import { linesOf } from "../lines.ts";
import { shownMoment } from "../times.ts";

/** `backup create|verify|restore`. */
export const backupCommands: Commands = (program, world) => {
  const backup = program.command("backup").description("Back the whole deployment up, and restore it.");
  examples(
    backup
      .command("create <file>")
      .description(
        "Write everything that the deployment stores to a file: NDJSON, compressed where the name ends in .gz. Needs the scope backup:read.",
      )
      .action(act(world, create)),
    [["backup create portcullis-2026-12-24.ndjson.gz", "keep it where you keep secrets: it names people"]],
  );
  examples(
    backup
      .command("verify <file>")
      .description(
        "Look whether a backup is whole and unchanged, its audit log too, without a deployment. With PORTCULLIS_SECRET set, also whether that secret has signed it.",
      )
      .action(act(world, verify)),
    [["backup verify portcullis-2026-12-24.ndjson.gz", "exit code 1 where it is not"]],
  );
  examples(
    backup
      .command("restore <file>")
      .description(
        "Load a backup into a deployment that holds nothing, and that was deployed with the secret PORTCULLIS_RESTORE_SECRET. Run again, it goes on where it stopped.",
      )
      .action(act(world, restore)),
    [["backup restore portcullis-2026-12-24.ndjson.gz", "with PORTCULLIS_RESTORE_SECRET in the environment"]],
  );
};

async function create(cli: Cli, _options: object, file = ""): Promise<void> {
  const reader = new BackupReader();
  const part = `${file}.part`;
  const out = createWriteStream(part, { mode: 0o600 });
  const target = file.endsWith(".gz") ? createGzip() : out;
  if (target !== out) target.pipe(out);
  try {
    let pages = 0;
    for await (const page of pagesOf(cli)) {
      for (const line of page.trimEnd().split("\n")) await reader.read(line);
      if (!target.write(page)) await once(target, "drain");
      cli.terminal.progress(`${++pages} pages`);
    }
    cli.terminal.progressDone();
    target.end();
    await once(out, "close");
    const trailer = reader.finish();
    await rename(part, file);
    cli.terminal.result(trailer, () => {
      cli.terminal.say(`${counted(trailer)} in ${file}.`);
    });
    cli.terminal.next(`portcullis backup verify ${file}`, "Verify it");
  } catch (fault) {
    out.destroy();
    await rm(part, { force: true });
    if ((fault as NodeJS.ErrnoException).code === "ENOENT") throw usageFault(`${file} cannot be written.`);
    throw fault;
  }
}

/** The backup's pages, each asked for by the one before. */
async function* pagesOf({ connection, signal }: Cli): AsyncGenerator<string> {
  for (let cursor: string | undefined, isLast = false; !isLast; ) {
    signal.throwIfAborted();
    const body = JSON.stringify(cursor === undefined ? {} : { cursor });
    const page = await (await connection.call("/v1/backup", { method: "POST", body })).text();
    yield page;
    const last = JSON.parse(page.slice(page.lastIndexOf("\n", page.length - 2) + 1)) as Partial<PageLine>;
    cursor = last.next;
    isLast = cursor === undefined;
  }
}

async function verify(cli: Cli, _options: object, file = ""): Promise<void> {
  const { PORTCULLIS_SECRET: secret } = cli.environment;
  const { trailer, audit, issuer, kinds } = await readWhole(cli, file);
  const log = await audit.verify(issuer, auditRows(file));
  const verdict = { ...trailer, kinds, signed: secret ? true : null, audit: log?.verdict ?? null };
  cli.terminal.result(verdict, () => {
    cli.terminal.line("Whole and unchanged.");
    cli.terminal.fields({
      of: trailer.issuer,
      taken: shownMoment(trailer.taken_at),
      holds: counted(trailer),
      signed: secret ? "by this PORTCULLIS_SECRET" : "not looked at: PORTCULLIS_SECRET is not set",
      "audit log": log?.verdict.intact ? shownAudit(log.verdict.size, log.unsigned) : undefined,
    });
    cli.terminal.line();
    cli.terminal.table(
      kinds,
      [
        { title: "of", value: ({ object }) => object },
        { title: "objects", value: ({ objects }) => objects },
        { title: "rows", value: ({ rows }) => rows },
      ],
      "",
    );
  });
  if (log && !log.verdict.intact) {
    const { seq, fault } = log.verdict;
    throw new CliFailure(`The audit log in it is not intact: record ${seq}: ${fault}.`, EXIT.refused);
  }
}

async function restore(cli: Cli, _options: object, file = ""): Promise<void> {
  const { PORTCULLIS_RESTORE_SECRET: secret } = cli.environment;
  if (!secret) {
    throw usageFault(
      "PORTCULLIS_RESTORE_SECRET is not set. It is the secret that the deployment was deployed with to be restored.",
      "docs/operations.md has the steps.",
    );
  }
  const { trailer } = await readWhole(cli, file);
  const begun = await step(cli, secret, "", "POST", JSON.stringify(trailer));
  const reader = new BackupReader({
    onPage: async ({ page }, text) => {
      cli.signal.throwIfAborted();
      if (page <= begun.loaded) return;
      await step(cli, secret, `/pages/${page}`, "PUT", text);
      cli.terminal.progress(`page ${page} of ${trailer.pages}`);
    },
  });
  for await (const line of linesOf(file)) await reader.read(line);
  reader.finish();
  for (let state = begun; state.finished_at === undefined; ) {
    cli.terminal.progress("putting it into force");
    state = await step(cli, secret, "/finish", "POST");
  }
  cli.terminal.progressDone();
  cli.terminal.result(trailer, () => {
    cli.terminal.say(`Restored as of ${shownMoment(trailer.taken_at)}: ${counted(trailer)}.`);
    cli.terminal.note(
      "The deployment refuses everything until it is deployed without PORTCULLIS_RESTORE_SECRET.",
    );
  });
  cli.terminal.next("npx wrangler secret delete PORTCULLIS_RESTORE_SECRET", "Open it");
}

type State = { loaded: number; finished_at?: number };

/** One call of the restoration. */
async function step(cli: Cli, secret: string, path: string, method: string, body?: string): Promise<State> {
  const init = { method, ...(body === undefined ? {} : { body }) };
  return (await (await cli.connection.call(`/v1/restore${path}`, init, secret)).json()) as State;
}

/** How many objects of a kind there are, with how many rows in all. */
type KindCount = { object: string; objects: number; rows: number };

/** Reads a backup to its end, or says what is wrong with it. */
async function readWhole(
  cli: Cli,
  file: string,
): Promise<{ trailer: BackupTrailer; audit: AuditInBackup; issuer: string; kinds: KindCount[] }> {
  const { PORTCULLIS_SECRET: secret } = cli.environment;
  const audit = new AuditInBackup();
  const kinds = new Map<string, KindCount>();
  const reader = new BackupReader({
    ...(secret ? { keys: [await backupKey(secret)] } : {}),
    onRow: (object, _name, line) => audit.take(object, line),
    onObject: (object, rows) => {
      const known = kinds.get(object) ?? { object, objects: 0, rows: 0 };
      kinds.set(object, { object, objects: known.objects + 1, rows: known.rows + rows });
    },
    onPage: ({ page }) => cli.terminal.progress(`reading page ${page}`),
  });
  try {
    for await (const line of linesOf(file)) await reader.read(line);
    const trailer = reader.finish();
    return { trailer, audit, issuer: reader.header!.issuer, kinds: [...kinds.values()] };
  } catch (fault) {
    if (!(fault instanceof BackupFault)) throw fault;
    throw new CliFailure(`${file} is not a whole backup: ${fault.message}.`, EXIT.refused);
  } finally {
    cli.terminal.progressDone();
  }
}

async function* auditRows(file: string): AsyncGenerator<RowLine> {
  let inAudit = false;
  for await (const text of linesOf(file)) {
    if (text.startsWith('{"object":')) inAudit = isAudit(JSON.parse(text).object);
    else if (inAudit && text.startsWith('{"table":')) yield JSON.parse(text);
  }
}

function shownAudit(signed: number, unsigned: number): string {
  const after = unsigned > 0 ? `, and ${unsigned} after the last signature` : "";
  return `whole: ${signed} signed records${after}`;
}

function counted({ objects, rows, pages }: BackupTrailer): string {
  return `${objects} objects with ${rows} rows on ${pages} ${pages === 1 ? "page" : "pages"}`;
}
