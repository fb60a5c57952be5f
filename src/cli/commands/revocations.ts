import type { Command } from "commander";
import type { Receipt, Revocation, RevocationsCreateBody } from "../../client/portcullis.ts";
import { act, type Cli, type Commands, examples, type World } from "../cli.ts";
import { usageFault } from "../failure.ts";
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

/** `revoke`, `revocations …`. */
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
        { title: "why", value: ({ reason }) => reason, below: true },
        { title: "who", value: ({ actor }) => actor, below: true },
        { title: "since", value: ({ created_at }) => shownMoment(created_at), below: true },
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
