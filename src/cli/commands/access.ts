import type { Command } from "commander";
import type { AccessRequest, Portcullis } from "../../client/portcullis.ts";
import { act, type Cli, type Commands, examples, type World } from "../cli.ts";
import { CliFailure, EXIT } from "../failure.ts";
import { first } from "../first.ts";
import { plain } from "../terminal.ts";
import {
  MAX_PAGE,
  readDuration,
  readMoment,
  readWholeNumber,
  shownDistance,
  shownDuration,
  shownMoment,
} from "../times.ts";

export type AskOptions = {
  scope: string;
  for?: number;
  reason: string;
  start?: number;
  ticket?: string;
  maxUses?: number;
  emergency?: boolean;
};

/** `request`, `requests`, `approve`, `deny`, `cancel`, `token`. */
export const accessCommands: Commands = (program, world) => {
  const request = program
    .command("request <resource>")
    .summary("ask for access")
    .description("Ask for access to a resource. The policy says who approves it, and for how long at most.");
  examples(
    askOptions(request)
      .option("--wait [time]", "wait for the decision, so long at most (default: until it comes)", readWait)
      .action(act(world, requestAccess)),
    [
      ['request orders --scope orders:read --for 1h --reason "ticket 42"', "ask, and go on"],
      [
        'request orders --scope orders:read --reason "ticket 42" --wait 10m',
        "ask, and wait for the decision",
      ],
    ],
  );
  requestsCommands(program, world);
  reviewCommands(program, world);
  program
    .command("cancel <request>")
    .summary("withdraw one of your requests")
    .description("Withdraw an access request of yours that nobody has decided yet.")
    .action(
      act(world, async (cli: Cli, _options: object, id = "") => {
        const cancelled = await (await cli.client()).accessRequests.cancel(id);
        showRequest(cli, cancelled);
      }),
    );
  examples(
    program
      .command("token <resource>")
      .summary("print an access token of a grant that you have")
      .description(
        "Print an access token of whichever of your live grants gives this. It is printed and kept nowhere.",
      )
      .requiredOption("--scope <scopes>", "what it must give, separated by spaces")
      .action(act(world, printToken)),
    [["token orders --scope orders:read", "a token for a program that cannot ask by itself"]],
  );
};

/** What an access request says, as flags; `run` has them too. */
export function askOptions(command: Command): Command {
  return command
    .requiredOption("--scope <scopes>", "what you want to do there, separated by spaces")
    .requiredOption("--reason <text>", "why, for whoever decides")
    .option("--for <time>", "for how long, as 30m or 2h (default: the rule's)", readDuration)
    .option(
      "--start <moment>",
      "from when on, as +2h or 2026-12-24T18:00Z (default: once approved)",
      (text) => readMoment(text),
    )
    .option("--ticket <id>", "the ticket that this is for")
    .option("--max-uses <n>", "for how many requests at most", readWholeNumber)
    .option(
      "--emergency",
      "at once, where a rule has break-glass; it is told to everybody and reviewed afterwards",
    );
}

export function askFor(client: Portcullis, resource: string, options: AskOptions): Promise<AccessRequest> {
  return client.accessRequests.create({
    ...{ resource, scope: options.scope, justification: options.reason },
    ...(options.for === undefined ? {} : { duration_seconds: options.for }),
    ...(options.start === undefined ? {} : { starts_at: options.start }),
    ...(options.ticket === undefined ? {} : { ticket: options.ticket }),
    ...(options.maxUses === undefined ? {} : { max_uses: options.maxUses }),
    ...(options.emergency ? { emergency: true as const } : {}),
  });
}

function readWait(text: string): number {
  return readDuration(text);
}

/** Waits for the decision; `timedOut` where it does not come, `refused` where it is no. */
export async function untilDecided(cli: Cli, id: string, seconds?: number): Promise<AccessRequest> {
  const client = await cli.client();
  const late = seconds === undefined ? undefined : AbortSignal.timeout(seconds * 1000);
  const signal = late ? AbortSignal.any([cli.signal, late]) : cli.signal;
  cli.terminal.progress(`Waiting for the decision on ${id} …`);
  try {
    const decided = await client.accessRequests.decided(id, { signal });
    if (decided.state === "approved") return decided;
    const said = decided.reviews.at(-1)?.comment;
    throw new CliFailure(`The request was ${decided.state}${said ? `: ${plain(said)}` : "."}`, EXIT.refused);
  } catch (fault) {
    if (!late?.aborted || cli.signal.aborted) throw fault;
    throw new CliFailure(
      "Nobody has decided yet.",
      EXIT.timedOut,
      `portcullis requests show ${id} --wait waits on.`,
    );
  } finally {
    cli.terminal.progressDone();
  }
}

async function requestAccess(
  cli: Cli,
  { wait, ...options }: AskOptions & { wait?: number | true },
  resource = "",
): Promise<void> {
  const asked = await askFor(await cli.client(), resource, options);
  const waits = wait !== undefined && asked.state === "pending";
  if (waits) cli.terminal.note(`Asked: ${asked.id}`);
  const request = waits ? await untilDecided(cli, asked.id, wait === true ? undefined : wait) : asked;
  showRequest(cli, request);
  if (request.state === "pending")
    cli.terminal.next(`portcullis requests show ${request.id} --wait`, "Wait for the decision");
  if (request.grant)
    cli.terminal.next(
      `portcullis run --resource ${resource} --scope "${options.scope}" -- <command>`,
      "Use it",
    );
}

function requestsCommands(program: Command, world: World): void {
  const requests = program.command("requests").description("See access requests.");
  examples(
    requests
      .command("list")
      .description(
        "List access requests: your own; with --reviewable those that wait for you; all of them with requests:read_all.",
      )
      .option("--state <state>", "pending, approved, denied, cancelled or expired")
      .option("--resource <resource>", "for one resource")
      .option("--requester <subject>", "of one person")
      .option("--reviewable", "that wait for your review")
      .option("--limit <n>", "at most so many", readWholeNumber, 50)
      .action(act(world, listRequests)),
    [["requests list --reviewable", "what waits for you"]],
  );
  requests
    .command("show <id>")
    .description("Show an access request, its reviews and its grant.")
    .option("--wait [time]", "wait for the decision first, so long at most", readWait)
    .action(
      act(world, async (cli: Cli, { wait }: { wait?: number | true }, id = "") => {
        if (wait !== undefined) await untilDecided(cli, id, wait === true ? undefined : wait);
        showRequest(cli, await (await cli.client()).accessRequests.get(id));
      }),
    );
}

type ListOptions = {
  state?: string;
  resource?: string;
  requester?: string;
  reviewable?: true;
  limit: number;
};

async function listRequests(cli: Cli, { limit, state, ...query }: ListOptions): Promise<void> {
  const client = await cli.client();
  const asked = { ...query, ...(state === undefined ? {} : { state: state as AccessRequest["state"] }) };
  const items = await first(
    client.accessRequests.list({ ...asked, limit: Math.min(limit, MAX_PAGE) }),
    limit,
  );
  cli.terminal.result(items, () =>
    cli.terminal.table(
      items,
      [
        { title: "id", value: ({ id }) => id, whole: true },
        { title: "state", value: (each) => each.state, whole: true },
        { title: "who", value: ({ requester }) => requester },
        { title: "resource", value: ({ resource }) => resource },
        { title: "scope", value: ({ scope }) => scope, below: true },
        { title: "for", value: ({ duration_seconds }) => shownDuration(duration_seconds) },
        { title: "asked", value: ({ created_at }) => shownDistance(created_at) },
      ],
      "There are no such requests.",
    ),
  );
  if (query.reviewable && items[0]) cli.terminal.next(`portcullis approve ${items[0].id}`, "Decide");
}

function reviewCommands(program: Command, world: World): void {
  examples(
    program
      .command("approve <request>")
      .summary("approve an access request")
      .description("Approve an access request or an extension; narrower than asked for, never wider.")
      .option("--comment <text>", "for the requester and the record")
      .option("--for <time>", "shorter than asked for", readDuration)
      .option("--scope <scopes>", "fewer scopes than asked for")
      .option("--max-uses <n>", "fewer requests than asked for", readWholeNumber)
      .option("--extension <id>", "the extension that is decided")
      .action(act(world, (cli: Cli, options: ReviewOptions, id = "") => review(cli, "approve", options, id))),
    [
      ["approve req_01jd…", "approve what was asked for"],
      ['approve req_01jd… --for 30m --comment "half an hour is enough"', "approve less"],
    ],
  );
  examples(
    program
      .command("deny <request>")
      .summary("deny an access request")
      .description("Deny an access request or an extension.")
      .option("--comment <text>", "why, for the requester and the record")
      .option("--extension <id>", "the extension that is decided")
      .action(act(world, (cli: Cli, options: ReviewOptions, id = "") => review(cli, "deny", options, id))),
    [['deny req_01jd… --comment "use the report instead"', "deny, and say why"]],
  );
}

type ReviewOptions = { comment?: string; for?: number; scope?: string; maxUses?: number; extension?: string };

async function review(
  cli: Cli,
  outcome: "approve" | "deny",
  options: ReviewOptions,
  id: string,
): Promise<void> {
  const client = await cli.client();
  const reviewed = await client.accessRequests.review(id, {
    outcome,
    ...(options.comment === undefined ? {} : { comment: options.comment }),
    ...(options.for === undefined ? {} : { duration_seconds: options.for }),
    ...(options.scope === undefined ? {} : { scope: options.scope }),
    ...(options.maxUses === undefined ? {} : { max_uses: options.maxUses }),
    ...(options.extension === undefined ? {} : { extension: options.extension }),
  });
  showRequest(cli, reviewed);
}

async function printToken(cli: Cli, { scope }: { scope: string }, resource = ""): Promise<void> {
  const issued = await (await cli.client()).grants.token({ resource, scope });
  cli.terminal.result(issued, () => cli.terminal.line(issued.access_token));
}

export function showRequest({ terminal }: Cli, request: AccessRequest): void {
  const { grant, reviews } = request;
  terminal.result(request, () => {
    terminal.fields({
      request: request.id,
      state: request.state,
      who: request.requester,
      resource: request.resource,
      scope: request.scope,
      for: shownDuration(request.duration_seconds),
      why: request.justification,
      ticket: request.ticket,
      decide:
        request.state === "pending" ? `${shownDistance(request.review_deadline)} at the latest` : undefined,
      grant: grant && `${grant.id}, ${grant.state}`,
      from: grant && shownMoment(grant.access_start),
      until: grant && `${shownMoment(grant.access_expiry)} (${shownDistance(grant.access_expiry)})`,
      uses: grant?.max_uses,
    });
    for (const { approver, outcome, comment } of reviews) {
      terminal.line(
        `  ${outcome === "approve" ? "approved" : "denied"} by ${plain(approver)}${comment ? `: ${plain(comment)}` : ""}`,
      );
    }
  });
}
