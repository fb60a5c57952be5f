import { Command } from "./command.tsx";
import { Confirm } from "./confirm.tsx";
import { Facts } from "./facts.tsx";
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
  cursor: string | undefined;
  next: string | undefined;
  now: number;
  version: string;
};

/** One endpoint: what it was sent, and how that went. */
export function WebhookPage({ endpoint, deliveries, visitor, cursor, next, now, version }: Props) {
  const mayWrite = visitor.scopes.has("webhooks:write");
  const path = endpointPath(endpoint.id);
  return (
    <>
      <EndpointFacts endpoint={endpoint} now={now} />
      {mayWrite ? <Actions endpoint={endpoint} visitor={visitor} /> : null}
      <h2>Deliveries</h2>
      <p class="quiet" id="live-status" role="status"></p>
      <div data-live={version}>
        {deliveries.length === 0 ? (
          <Empty title="Nothing was sent yet">
            Events that it is told of appear here, with every attempt.
          </Empty>
        ) : (
          <Table
            caption="Deliveries of the last 30 days, newest first"
            columns={columns(path, mayWrite ? visitor : undefined, now)}
            rows={deliveries}
          />
        )}
      </div>
      <Pager path={path} query={{ cursor }} next={next} />
    </>
  );
}

function EndpointFacts({ endpoint, now }: Pick<Props, "endpoint" | "now">) {
  return (
    <Facts
      of={{
        Address: <code>{endpoint.url}</code>,
        State: <EndpointBadge {...endpoint} />,
        "Is told of": <Scopes scopes={endpoint.events} />,
        For: endpoint.description,
        "Signed with": endpoint.slack ? "Slack's own secrets" : endpoint.signature,
        "Public keys": endpoint.public_keys && <Scopes scopes={endpoint.public_keys} />,
        Added: <Time at={endpoint.created_at} now={now} />,
        Id: <code>{endpoint.id}</code>,
      }}
    />
  );
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
      {endpoint.slack ? null : (
        <a class="button second" href={`${path}/rotate`}>
          New secret…
        </a>
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
    cell: ({ id, state }) =>
      state === "pending" ? (
        "–"
      ) : (
        <Form action={`${path}/redeliver`} visitor={visitor} label={`Send ${id} again`}>
          <input type="hidden" name="delivery" value={id} />
          <button type="submit" class="second">
            Send again
          </button>
        </Form>
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

export type EndpointAct = "rotate" | "delete";

const ACTS: Record<EndpointAct, { verb: string; says: string }> = {
  rotate: {
    verb: "Make a new secret",
    says: "What is sent from now on is signed with the new secret and the one before it; older ones stop now. The next page shows the new one once.",
  },
  delete: {
    verb: "Delete the endpoint",
    says: "It is told of nothing more. What waits for it is not sent, and its deliveries and dead letters are gone for good.",
  },
};

/** Says what an act on an endpoint ends. */
export function ConfirmEndpointAct({
  endpoint,
  act,
  visitor,
  now,
}: {
  endpoint: EndpointView;
  act: EndpointAct;
  visitor: Pick<Visitor, "csrfToken">;
  now: number;
}) {
  const { verb, says } = ACTS[act];
  const path = endpointPath(endpoint.id);
  return (
    <Confirm action={`${path}/${act}`} visitor={visitor} verb={verb} back={path}>
      <p>{says}</p>
      <EndpointFacts endpoint={endpoint} now={now} />
    </Confirm>
  );
}
