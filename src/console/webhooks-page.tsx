import { Empty } from "./notice.tsx";
import type { EndpointView } from "./operator-wire.ts";
import { Scopes } from "./state-badge.tsx";
import { type Column, Pager, Table } from "./table.tsx";
import { Time } from "./time.tsx";

export const WEBHOOKS = "/console/webhooks";

type Props = {
  endpoints: readonly EndpointView[];
  mayWrite: boolean;
  cursor: string | undefined;
  next: string | undefined;
  now: number;
};

export function endpointPath(id: string, below = ""): string {
  return `${WEBHOOKS}/${encodeURIComponent(id.toWellFormed())}${below}`;
}

/** Who is told of what happens. */
export function WebhooksPage({ endpoints, mayWrite, cursor, next, now }: Props) {
  return (
    <>
      {mayWrite ? (
        <p class="actions">
          <a class="button" href={`${WEBHOOKS}/new`}>
            Add an endpoint…
          </a>
          <a class="button second" href={`${WEBHOOKS}/new/slack`}>
            Send to Slack…
          </a>
        </p>
      ) : null}
      {endpoints.length === 0 ? (
        <Empty title="No endpoints yet">
          An endpoint is told of events, signed, until it has taken them.
        </Empty>
      ) : (
        <Table caption="Endpoints, newest first" columns={columns(now)} rows={endpoints} />
      )}
      <Pager path={WEBHOOKS} query={{ cursor }} next={next} />
    </>
  );
}

export function EndpointBadge({ enabled, disabled_reason: reason }: EndpointView) {
  if (enabled) return <span class="badge good">enabled</span>;
  return <span class="badge bad">{reason === "gone" ? "paused: it answered 410" : "paused"}</span>;
}

function columns(now: number): Column<EndpointView>[] {
  return [
    { head: "Endpoint", isHead: true, cell: ({ id, url }) => <a href={endpointPath(id)}>{url}</a> },
    { head: "State", cell: (endpoint) => <EndpointBadge {...endpoint} /> },
    { head: "Is told of", cell: ({ events }) => <Scopes scopes={events} /> },
    { head: "For", cell: ({ description }) => description ?? "–" },
    { head: "Added", cell: ({ created_at: at }) => <Time at={at} now={now} /> },
  ];
}
