import { Command } from "./command.tsx";
import { Facts } from "./facts.tsx";
import { FilterForm, FilterSelect } from "./filter-form.tsx";
import { Form } from "./form.tsx";
import { Empty } from "./notice.tsx";
import type { DeliveryView, EndpointView } from "./operator-wire.ts";
import { Scopes, StateBadge } from "./state-badge.tsx";
import { type Column, Pager, Table } from "./table.tsx";
import { Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";
import { EndpointBadge, endpointPath } from "./webhooks-page.tsx";

type Props = {
  endpoint: EndpointView;
  deliveries: readonly DeliveryView[];
  visitor: Visitor;
  query: { state: string | undefined; cursor: string | undefined };
  next: string | undefined;
  now: number;
  version: string;
};

/** One endpoint: what it was sent, and how that went. */
export function WebhookPage({ endpoint, deliveries, visitor, query, next, now, version }: Props) {
  const mayWrite = visitor.scopes.has("webhooks:write");
  const path = endpointPath(endpoint.id);
  return (
    <>
      <EndpointFacts endpoint={endpoint} now={now} />
      {mayWrite ? <Actions endpoint={endpoint} visitor={visitor} /> : null}
      <h2>Deliveries</h2>
      <FilterForm action={path}>
        <FilterSelect name="state" label="State" options={STATES} value={query.state} />
      </FilterForm>
      <p class="quiet" id="live-status" role="status"></p>
      <div data-live={version}>
        {deliveries.length === 0 ? (
          <Empty title={query.state === undefined ? "Nothing was sent yet" : "None is like that"}>
            Events that it is told of appear here, with every attempt.
          </Empty>
        ) : (
          <Table
            caption="Deliveries of the last 30 days, newest first"
            columns={columns(path, mayWrite ? visitor : undefined, now)}
            rows={deliveries}
          />
        )}
        {mayWrite && deliveries.some(isOver) ? <Again path={path} visitor={visitor} /> : null}
      </div>
      <Pager path={path} query={query} next={next} />
    </>
  );
}

const STATES = ["pending", "delivered", "dead_letter"] as const;

function isOver({ state }: DeliveryView): boolean {
  return state !== "pending";
}

/** For those that are selected in the table, and all that were given up. */
function Again({ path, visitor }: { path: string; visitor: Visitor }) {
  return (
    <Form action={`${path}/redeliver`} visitor={visitor} id="again" label="Send several again">
      <p class="actions">
        <button type="submit" class="second">
          Send the selected again
        </button>
        <a class="button second" href={`${path}/again`}>
          Send again what was given up…
        </a>
      </p>
    </Form>
  );
}

export function EndpointFacts({ endpoint, now }: Pick<Props, "endpoint" | "now">) {
  return (
    <Facts
      of={{
        Address: <code>{endpoint.url}</code>,
        State: <EndpointBadge {...endpoint} />,
        "Is told of": <Scopes scopes={endpoint.events} />,
        For: endpoint.description,
        "Signed with": endpoint.slack ? "Slack's own secrets" : endpoint.signature,
        "Public keys": endpoint.public_keys && <Scopes scopes={endpoint.public_keys} />,
        ...slackFacts(endpoint),
        "Its reviews count": endpoint.reviews_as && reviewersText(endpoint.reviews_as),
        Added: <Time at={endpoint.created_at} now={now} />,
        Id: <code>{endpoint.id}</code>,
      }}
    />
  );
}

function slackFacts({ slack }: EndpointView) {
  if (!slack) return {};
  const people = Object.entries(slack.approvers).map(([user, { subject, roles }]) =>
    [`${user} as ${subject}`, ...roles].join(", "),
  );
  return {
    Channel: slack.channel,
    "Decides by a click": people.length === 0 ? "nobody" : people.join("; "),
  };
}

function reviewersText({ roles, subjects }: NonNullable<EndpointView["reviews_as"]>): string {
  const as = `with the roles ${roles.join(", ") || "none"}`;
  return subjects === undefined ? as : `${as}, of ${subjects.join(", ") || "nobody"}`;
}

function Actions({ endpoint, visitor }: Pick<Props, "endpoint" | "visitor">) {
  const path = endpointPath(endpoint.id);
  return (
    <div class="actions">
      <Form action={`${path}/test`} visitor={visitor}>
        <button type="submit" class="second">
          Send a test
        </button>
      </Form>
      <a class="button second" href={`${path}/edit`}>
        Edit…
      </a>
      {endpoint.slack ? (
        <a class="button second" href={`${path}/slack`}>
          Slack's settings…
        </a>
      ) : (
        <a class="button second" href={`${path}/rotate`}>
          New secret…
        </a>
      )}
      {endpoint.enabled ? (
        <a class="button second" href={`${path}/pause`}>
          Pause…
        </a>
      ) : (
        <Form action={`${path}/enable`} visitor={visitor}>
          <button type="submit" class="second">
            Enable again
          </button>
        </Form>
      )}
      <a class="button second" href={`${path}/delete`}>
        Delete…
      </a>
    </div>
  );
}

function columns(path: string, visitor: Visitor | undefined, now: number): Column<DeliveryView>[] {
  const shown: Column<DeliveryView>[] = [
    { head: "Event", isHead: true, cell: ({ event_type: type }) => <code>{type}</code> },
    {
      head: "State",
      cell: ({ state, dead_reason: why }) => (
        <>
          <StateBadge state={state} /> {why?.replaceAll("_", " ")}
        </>
      ),
    },
    { head: "Made", cell: ({ created_at: at }) => <Time at={Math.floor(at)} now={now} /> },
    { head: "Attempts", cell: (delivery) => <Attempts delivery={delivery} now={now} /> },
  ];
  if (!visitor) return shown;
  const again: Column<DeliveryView> = {
    head: "Again",
    cell: (delivery) =>
      isOver(delivery) ? (
        <>
          <Form action={`${path}/redeliver`} visitor={visitor} label={`Send ${delivery.id} again`}>
            <input type="hidden" name="delivery" value={delivery.id} />
            <button type="submit" class="second">
              Send again
            </button>
          </Form>
          <label class="choice">
            <input type="checkbox" name="delivery" value={delivery.id} form="again" />
            Select
          </label>
        </>
      ) : (
        "–"
      ),
  };
  return [...shown, again];
}

function Attempts({ delivery, now }: { delivery: DeliveryView; now: number }) {
  const { attempts, next_attempt_at: next } = delivery;
  return (
    <ul class="plain">
      {attempts.map(({ number, at, duration_seconds: seconds, status, error }) => (
        <li>
          {number}. {[status, error?.replaceAll("_", " ")].filter(Boolean).join(", ") || "no answer"} in{" "}
          {Math.round(seconds * 1000)} ms, <Time at={Math.floor(at)} now={now} />
        </li>
      ))}
      {next === undefined ? null : (
        <li>
          next <Time at={Math.ceil(next)} now={now} />
        </li>
      )}
    </ul>
  );
}

/** The secret, for the only time. It is in no address, and no other page shows it. */
export function EndpointSecret({ endpoint }: Pick<Props, "endpoint">) {
  const { id, url, secret, public_keys: keys } = endpoint;
  return (
    <>
      {secret === undefined ? (
        <p class="notice">
          {keys
            ? "The receiver verifies with the public key: there is no secret."
            : "The secret was shown before."}
        </p>
      ) : (
        <>
          <p class="notice good" role="status">
            Give the secret to the receiver now: this page shows it once.
          </p>
          <Command label="Secret" text={secret} />
        </>
      )}
      {keys?.map((key) => (
        <Command label="Public key" text={key} />
      ))}
      <Facts of={{ Address: <code>{url}</code> }} />
      <p class="actions">
        <a class="button" href={endpointPath(id)}>
          To the endpoint
        </a>
      </p>
    </>
  );
}
