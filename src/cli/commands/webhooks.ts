import type { WebhookEndpoint, WebhookEndpointsCreateBody } from "../../client/portcullis.ts";
import { act, type Cli, type Commands, examples } from "../cli.ts";
import { first } from "../first.ts";
import { MAX_PAGE, readWholeNumber, shownDistance, shownMoment } from "../times.ts";

/** `webhooks list|add|show|remove|enable|disable|rotate-secret|deliveries|test|redeliver`. */
export const webhookCommands: Commands = (program, world) => {
  const webhooks = program
    .command("webhooks")
    .description("Have events sent to a URL, and see what became of them.");
  webhooks.command("list").description("List the endpoints.").action(act(world, listEndpoints));
  examples(
    webhooks
      .command("add <url>")
      .description("Have events sent to a URL. The secret is shown once.")
      .requiredOption("--events <types...>", "types, families (grant.*) or everything (*)")
      .option("--description <text>", "for people")
      .option("--ed25519", "sign with a key pair instead of a shared secret")
      .action(act(world, addEndpoint)),
    [
      [
        "webhooks add https://ops.example.com/hook --events 'access_request.*' 'grant.*'",
        "hear of requests and grants",
      ],
    ],
  );
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
  webhooks
    .command("deliveries <id>")
    .description("List the deliveries of an endpoint, the newest first.")
    .option("--limit <n>", "at most so many", readWholeNumber, 20)
    .action(act(world, listDeliveries));
  one("redeliver", "Send a delivery again, by its id (dlv_…).", async (cli, id) => {
    const delivery = await (await cli.client()).deliveries.redeliver(id);
    cli.terminal.result(delivery, () => cli.terminal.line(`${id} is sent again.`));
  });
};

async function listEndpoints(cli: Cli): Promise<void> {
  const items = await first((await cli.client()).webhookEndpoints.list());
  cli.terminal.result(items, () =>
    cli.terminal.table(
      items,
      [
        { title: "id", value: ({ id }) => id, whole: true },
        { title: "url", value: ({ url }) => url },
        { title: "events", value: ({ events }) => events.join(" ") },
        {
          title: "state",
          value: ({ enabled, disabled_reason }) => (enabled ? "on" : (disabled_reason ?? "off")),
        },
      ],
      "There are no endpoints.",
    ),
  );
}

type AddOptions = { events: string[]; description?: string; ed25519?: true };

async function addEndpoint(cli: Cli, { events, description, ed25519 }: AddOptions, url = ""): Promise<void> {
  const body = {
    url,
    events,
    ...(description === undefined ? {} : { description }),
    ...(ed25519 ? { signature: "ed25519" } : {}),
  };
  const added = await (await cli.client()).webhookEndpoints.create(body as WebhookEndpointsCreateBody);
  showEndpoint(cli, added);
  cli.terminal.next(`portcullis webhooks test ${added.id}`, "Send it a test event");
}

function showEndpoint({ terminal }: Cli, endpoint: WebhookEndpoint): void {
  const { id, url, events, enabled, description, public_keys } = endpoint;
  const secret = "secret" in endpoint ? String(endpoint.secret) : undefined;
  terminal.result(endpoint, () => {
    terminal.fields({
      endpoint: id,
      url,
      events: events.join(" "),
      state: enabled ? "on" : "off",
      description,
      secret,
      keys: public_keys?.join(" "),
    });
    if (secret !== undefined)
      terminal.note("The secret is shown this once. Keep it where the receiver reads it.");
  });
}

async function listDeliveries(cli: Cli, { limit }: { limit: number }, id = ""): Promise<void> {
  const { items } = await (await cli.client()).webhookEndpoints
    .deliveries(id, { limit: Math.min(limit, MAX_PAGE) })
    .page();
  cli.terminal.result(items, () =>
    cli.terminal.table(
      items,
      [
        { title: "id", value: (each) => each.id, whole: true },
        { title: "event", value: ({ event_type }) => event_type },
        { title: "state", value: ({ state }) => state },
        { title: "tries", value: ({ attempts }) => attempts.length },
        { title: "last", value: ({ attempts: [last] }) => last && (last.status ?? last.error) },
        { title: "at", value: ({ created_at }) => shownMoment(created_at) },
        {
          title: "next",
          value: ({ next_attempt_at }) =>
            next_attempt_at === undefined ? undefined : shownDistance(next_attempt_at),
        },
      ],
      "Nothing was sent yet.",
    ),
  );
}
