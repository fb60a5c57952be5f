import { type Command, Option } from "commander";
import type {
  Portcullis,
  WebhookEndpoint,
  WebhookEndpointsCreateBody,
  WebhookEndpointsUpdateBody,
} from "../../client/portcullis.ts";
import { act, type Cli, type Commands, examples, type World } from "../cli.ts";
import { usageFault } from "../failure.ts";
import { first } from "../first.ts";
import { readSourceFile } from "../policy-file.ts";
import { MAX_PAGE, readMoment, readWholeNumber, shownDistance, shownMoment } from "../times.ts";

/** `webhooks list|add|update|show|remove|enable|disable|rotate-secret|deliveries|test|redeliver`. */
export const webhookCommands: Commands = (program, world) => {
  const webhooks = program
    .command("webhooks")
    .description("Have events sent to a URL, and see what became of them.");
  webhooks.command("list").description("List the endpoints.").action(act(world, listEndpoints));
  examples(
    webhooks
      .command("add [url]")
      .description(
        "Have events sent to a URL. The secret is shown once. What is itself a secret, as all that Slack gives, is read from a file.",
      )
      .option("--events <types...>", "types, families (grant.*) or everything (*)")
      .option("--description <text>", "for people")
      .option("--from <file>", "the endpoint as YAML or JSON: url, events, slack, … (- reads standard input)")
      .option("--ed25519", "sign with a key pair instead of a shared secret")
      .action(act(world, addEndpoint)),
    [
      [
        "webhooks add https://ops.example.com/hook --events 'access_request.*' 'grant.*'",
        "hear of requests and grants",
      ],
      ["webhooks add --from slack.yaml", "send to Slack: docs/guides/approvals-with-slack.md has the file"],
    ],
  );
  examples(
    webhooks
      .command("update <id>")
      .description("Change an endpoint. What is not named stays as it is.")
      .option("--events <types...>", "types, families (grant.*) or everything (*)")
      .option("--description <text>", "for people")
      .option("--from <file>", "what changes as YAML or JSON: url, slack, … (- reads standard input)")
      .action(act(world, updateEndpoint)),
    [["webhooks update whe_… --events '*'", "hear of everything from now on"]],
  );
  oneAtATime(webhooks, world);
  deliveryCommands(webhooks, world);
};

/** Commands that take an endpoint's id and nothing else. */
function oneAtATime(webhooks: Command, world: World): void {
  const one = (name: string, description: string, action: (cli: Cli, id: string) => Promise<void>) =>
    webhooks
      .command(`${name} <id>`)
      .description(description)
      .action(act(world, (cli: Cli, _options: object, id = "") => action(cli, id)));
  one("show", "Show an endpoint.", async (cli, id) =>
    showEndpoint(cli, await (await cli.client()).webhookEndpoints.get(id)),
  );
  one("remove", "Delete an endpoint and what waits for it.", async (cli, id) => {
    const removed = await (await cli.client()).webhookEndpoints.delete(id);
    cli.terminal.result(removed, () => cli.terminal.line(`${id} is deleted.`));
  });
  one("enable", "Send to an endpoint again.", async (cli, id) =>
    showEndpoint(cli, await (await cli.client()).webhookEndpoints.update(id, { enabled: true })),
  );
  one("disable", "Send nothing to an endpoint.", async (cli, id) =>
    showEndpoint(cli, await (await cli.client()).webhookEndpoints.update(id, { enabled: false })),
  );
  one(
    "rotate-secret",
    "Give an endpoint a new secret; what is sent is signed with both until the next time.",
    async (cli, id) => showEndpoint(cli, await (await cli.client()).webhookEndpoints.rotateSecret(id)),
  );
  one("test", "Send a test event.", async (cli, id) => {
    const sent = await (await cli.client()).webhookEndpoints.test(id);
    cli.terminal.result(sent, () => cli.terminal.line(`On its way: ${sent.delivery_id}`));
    cli.terminal.next(`portcullis webhooks deliveries ${id}`, "See what became of it");
  });
}

function deliveryCommands(webhooks: Command, world: World): void {
  webhooks
    .command("deliveries <id>")
    .description("List the deliveries of an endpoint, the newest first.")
    .option("--limit <n>", "at most so many", readWholeNumber, 20)
    .addOption(new Option("--state <state>", "only these").choices(["pending", "delivered", "dead_letter"]))
    .action(act(world, listDeliveries));
  examples(
    webhooks
      .command("redeliver <id>")
      .description(
        "Send a delivery again, by its id (dlv_…), or with --since an endpoint's dead letters (whe_…): what it was tried to send in vain.",
      )
      .option("--since <moment>", "all that became dead letters since then", (text) => readMoment(text))
      .option("--dry-run", "say how many that would be, and send nothing")
      .action(act(world, redeliver)),
    [
      ["webhooks redeliver dlv_…", "send one again"],
      ["webhooks redeliver whe_… --since -6h --dry-run", "how many did the receiver miss since the morning?"],
    ],
  );
}

async function listEndpoints(cli: Cli): Promise<void> {
  const items = await first((await cli.client()).webhookEndpoints.list());
  cli.terminal.result(items, () =>
    cli.terminal.table(
      items,
      [
        { title: "id", value: ({ id }) => id, whole: true },
        { title: "url", value: ({ url }) => url },
        { title: "events", value: ({ events }) => events.join(" "), below: true },
        {
          title: "state",
          value: ({ enabled, disabled_reason }) => (enabled ? "on" : (disabled_reason ?? "off")),
        },
      ],
      "There are no endpoints.",
    ),
  );
}

type EndpointOptions = { events?: string[]; description?: string; from?: string };

async function addEndpoint(
  cli: Cli,
  { ed25519, ...options }: EndpointOptions & { ed25519?: true },
  url?: string,
): Promise<void> {
  const body = {
    ...(await membersOf(cli, options)),
    ...(url === undefined ? {} : { url }),
    ...(ed25519 ? { signature: "ed25519" } : {}),
  };
  if (!("url" in body)) throw usageFault("Where to? Give a URL, or a file with one by --from.");
  if (!("events" in body))
    throw usageFault("Which events? --events 'access_request.*' 'grant.*', or --events '*'.");
  const added = await (await cli.client()).webhookEndpoints.create(body as WebhookEndpointsCreateBody);
  showEndpoint(cli, added);
  cli.terminal.next(`portcullis webhooks test ${added.id}`, "Send it a test event");
}

async function updateEndpoint(cli: Cli, options: EndpointOptions, id = ""): Promise<void> {
  const change = await membersOf(cli, options);
  if (Object.keys(change).length === 0)
    throw usageFault("What is to change? --events, --description or --from.");
  showEndpoint(
    cli,
    await (await cli.client()).webhookEndpoints.update(id, change as WebhookEndpointsUpdateBody),
  );
}

/** What a file says of an endpoint, and above it what flags do. The deployment checks it. */
async function membersOf({ streams }: Cli, { events, description, from }: EndpointOptions): Promise<object> {
  const { value } = from === undefined ? { value: {} } : await readSourceFile(from, streams.stdin);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw usageFault(`${from} must have members: url, events, …`);
  }
  return {
    ...value,
    ...(events === undefined ? {} : { events }),
    ...(description === undefined ? {} : { description }),
  };
}

function showEndpoint({ terminal }: Cli, endpoint: WebhookEndpoint): void {
  const { id, url, events, enabled, description, public_keys, slack } = endpoint;
  const secret = "secret" in endpoint ? String(endpoint.secret) : undefined;
  terminal.result(endpoint, () => {
    terminal.fields({
      endpoint: id,
      url,
      events: events.join(" "),
      state: enabled ? "on" : "off",
      description,
      slack: slack && shownSlack(slack),
      secret,
      keys: public_keys?.join(" "),
    });
    if (secret !== undefined)
      terminal.note("The secret is shown this once. Keep it where the receiver reads it.");
  });
}

function shownSlack({ channel, approvers }: NonNullable<WebhookEndpoint["slack"]>): string {
  const clicks = Object.entries(approvers).map(([user, { subject }]) => `${user} reviews as ${subject}`);
  return [channel === undefined ? "by an incoming webhook" : `to ${channel}`, ...clicks].join("; ");
}

async function redeliver(
  cli: Cli,
  { since, dryRun }: { since?: number; dryRun?: true },
  id = "",
): Promise<void> {
  const client = await cli.client();
  if (since !== undefined) return redeliverDead(cli, client, id, since, dryRun === true);
  if (dryRun) throw usageFault("--dry-run counts dead letters: say since when, by --since.");
  if (id.startsWith("whe_")) throw usageFault("Since when? --since -6h, for an endpoint's dead letters.");
  const delivery = await client.deliveries.redeliver(id);
  cli.terminal.result(delivery, () => cli.terminal.line(`${id} is sent again.`));
}

/** The deployment takes up a bounded number a call. */
async function redeliverDead(
  { terminal, signal }: Cli,
  { webhookEndpoints }: Portcullis,
  id: string,
  since: number,
  isDryRun: boolean,
): Promise<void> {
  if (isDryRun) {
    const count = await webhookEndpoints.redeliver(id, { since }, { dry_run: true });
    terminal.result(count, () =>
      terminal.line(`${count.redelivered + count.remaining} would be sent again. Nothing was sent.`),
    );
    return;
  }
  let redelivered = 0;
  let remaining = 0;
  for (let isMore = true; isMore; ) {
    signal.throwIfAborted();
    const sent = await webhookEndpoints.redeliver(id, { since });
    redelivered += sent.redelivered;
    remaining = sent.remaining;
    isMore = sent.redelivered > 0 && remaining > 0;
  }
  terminal.result({ redelivered, remaining }, () => {
    const left = remaining > 0 ? ` ${remaining} wait until there is room: run it again.` : "";
    terminal.line(`${redelivered} are sent again.${left}`);
  });
  terminal.next(`portcullis webhooks deliveries ${id} --state pending`, "See what waits");
}

type DeliveryOptions = { limit: number; state?: "pending" | "delivered" | "dead_letter" };

async function listDeliveries(cli: Cli, { limit, state }: DeliveryOptions, id = ""): Promise<void> {
  const query = { limit: Math.min(limit, MAX_PAGE), ...(state === undefined ? {} : { state }) };
  const { items } = await (await cli.client()).webhookEndpoints.deliveries(id, query).page();
  cli.terminal.result(items, () =>
    cli.terminal.table(
      items,
      [
        { title: "id", value: (each) => each.id, whole: true },
        { title: "event", value: ({ event_type }) => event_type },
        { title: "state", value: ({ state }) => state, whole: true },
        { title: "tries", value: ({ attempts }) => attempts.length },
        { title: "last", value: ({ attempts: [last] }) => last && (last.status ?? last.error), below: true },
        { title: "at", value: ({ created_at }) => shownMoment(created_at), below: true },
        {
          title: "next",
          value: ({ next_attempt_at }) =>
            next_attempt_at === undefined ? undefined : shownDistance(next_attempt_at),
          below: true,
        },
      ],
      "Nothing was sent yet.",
    ),
  );
}
