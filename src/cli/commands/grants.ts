import type { Grant } from "../../client/portcullis.ts";
import { act, type Cli, type Commands, examples } from "../cli.ts";
import { first } from "../first.ts";
import { MAX_PAGE, readDuration, readWholeNumber, shownDistance, shownMoment } from "../times.ts";
import { showReceipt } from "./receipt.ts";

/** `grants list|show|extend|return|revoke`. */
export const grantCommands: Commands = (program, world) => {
  const grants = program.command("grants").description("See, extend and end grants.");
  examples(
    grants
      .command("list")
      .description("List grants: your own, or all of them with the scope grants:read.")
      .option("--state <state>", "scheduled, active, expired, revoked or used_up")
      .option("--resource <resource>", "for one resource")
      .option("--subject <subject>", "of one person")
      .option("--limit <n>", "at most so many", readWholeNumber, 50)
      .action(act(world, listGrants)),
    [["grants list --state active", "who may do what right now"]],
  );
  grants
    .command("show <id>")
    .description("Show a grant.")
    .action(
      act(world, async (cli: Cli, _options: object, id = "") => {
        showGrant(cli, await (await cli.client()).grants.get(id));
      }),
    );
  examples(
    grants
      .command("extend <id>")
      .description("Ask for more time of a grant of yours. It goes on meanwhile.")
      .requiredOption("--for <time>", "how much more, as 30m or 2h", readDuration)
      .requiredOption("--reason <text>", "why, for whoever decides")
      .action(act(world, extendGrant)),
    [['grants extend grt_01jd… --for 30m --reason "not done yet"', "ask for half an hour more"]],
  );
  examples(
    grants
      .command("return <id>")
      .description("Give a grant of yours back: it ends now, everywhere.")
      .option("--reason <text>", "why, for the record", "Returned by its owner.")
      .action(act(world, endGrant)),
    [["grants return grt_01jd…", "you are done with it"]],
  );
  examples(
    grants
      .command("revoke <id>")
      .description("Take somebody's grant back: it ends now, everywhere.")
      .requiredOption("--reason <text>", "why, for the record")
      .action(act(world, endGrant)),
    [['grants revoke grt_01jd… --reason "wrong account"', "end it"]],
  );
};

type ListOptions = { state?: string; resource?: string; subject?: string; limit: number };

async function listGrants(cli: Cli, { limit, state, ...query }: ListOptions): Promise<void> {
  const client = await cli.client();
  const asked = { ...query, ...(state === undefined ? {} : { state: state as Grant["state"] }) };
  const items = await first(client.grants.list({ ...asked, limit: Math.min(limit, MAX_PAGE) }), limit);
  cli.terminal.result(items, () =>
    cli.terminal.table(
      items,
      [
        { title: "id", value: ({ id }) => id, whole: true },
        { title: "state", value: (each) => each.state, whole: true },
        { title: "who", value: ({ subject }) => subject },
        { title: "resource", value: ({ resource }) => resource },
        { title: "scope", value: ({ scope }) => scope, below: true },
        { title: "ends", value: ({ access_expiry }) => shownDistance(access_expiry) },
      ],
      "There are no such grants.",
    ),
  );
}

async function extendGrant(cli: Cli, options: { for: number; reason: string }, id = ""): Promise<void> {
  const client = await cli.client();
  const asked = await client.grants.extend(id, {
    duration_seconds: options.for,
    justification: options.reason,
  });
  const extension = asked.extensions?.at(-1);
  cli.terminal.result(asked, () =>
    cli.terminal.say(
      `Asked for more time: ${extension?.id ?? asked.id}, ${extension?.state ?? asked.state}.`,
    ),
  );
  if (extension?.state === "pending")
    cli.terminal.next(`portcullis requests show ${asked.id}`, "See the decision");
}

async function endGrant(cli: Cli, { reason }: { reason: string }, id = ""): Promise<void> {
  const receipt = await (await cli.client()).grants.revoke(id, { reason });
  showReceipt(cli, receipt, `${id} has ended.`);
}

function showGrant({ terminal }: Cli, grant: Grant): void {
  terminal.result(grant, () =>
    terminal.fields({
      grant: grant.id,
      state: grant.state,
      who: grant.subject,
      resource: grant.resource,
      scope: grant.scope,
      from: shownMoment(grant.access_start),
      until: `${shownMoment(grant.access_expiry)} (${shownDistance(grant.access_expiry)})`,
      uses: grant.max_uses === undefined ? undefined : `${grant.uses_left ?? "?"} of ${grant.max_uses} left`,
      request: grant.access_request,
      "revoked by": grant.revoked_by,
      why: grant.revoke_reason,
    }),
  );
}
