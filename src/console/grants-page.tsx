import { Field } from "./form.tsx";
import { endOf, GrantsChart } from "./grants-chart.tsx";
import { Empty } from "./notice.tsx";
import { Scopes, StateBadge } from "./state-badge.tsx";
import { type Column, Pager, Table } from "./table.tsx";
import { Countdown, Time } from "./time.tsx";
import type { GrantView } from "./wire.ts";

export const GRANTS = "/console/grants";
const STATES = ["active", "scheduled", "expired", "revoked", "used_up"] as const;

export type GrantQuery = Record<"state" | "subject" | "resource" | "cursor", string | undefined>;

type Props = {
  grants: readonly GrantView[];
  now: number;
  version: string;
  query: GrantQuery;
  next: string | undefined;
};

export function grantPath(id: string): string {
  return `${GRANTS}/${encodeURIComponent(id.toWellFormed())}`;
}

/** Who has what, as a picture and as a table. */
export function GrantsPage({ grants, now, version, query, next }: Props) {
  return (
    <>
      <Filters query={query} />
      <p class="quiet" id="live-status" role="status"></p>
      <div data-live={version}>
        {grants.length === 0 ? (
          <Empty title="No grants here">
            Approved access is listed here; with a filter, what the filter lets through.
          </Empty>
        ) : (
          <>
            <GrantsChart grants={grants} now={now} />
            <Table caption="Grants, newest first" columns={columns(now)} rows={grants} />
          </>
        )}
      </div>
      <Pager path={GRANTS} query={query} next={next} />
    </>
  );
}

function Filters({ query }: { query: GrantQuery }) {
  return (
    <form method="get" action={GRANTS} class="filters" aria-label="Filter">
      <Field name="state" label="State">
        {(field) => (
          <select {...field}>
            <option value="">any</option>
            {STATES.map((state) => (
              <option value={state} selected={query.state === state}>
                {state.replaceAll("_", " ")}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field name="subject" label="Who">
        {(field) => <input {...field} value={query.subject ?? ""} autocomplete="off" />}
      </Field>
      <Field name="resource" label="Resource">
        {(field) => <input {...field} value={query.resource ?? ""} autocomplete="off" />}
      </Field>
      <button type="submit" class="second">
        Show
      </button>
    </form>
  );
}

function columns(now: number): Column<GrantView>[] {
  return [
    { head: "Who", isHead: true, cell: ({ id, subject }) => <a href={grantPath(id)}>{subject}</a> },
    { head: "On", cell: ({ resource }) => <code>{resource}</code> },
    { head: "Gives", cell: ({ scope }) => <Scopes scopes={scope.split(" ")} /> },
    { head: "State", cell: ({ state }) => <StateBadge state={state} /> },
    { head: "From", cell: ({ access_start: at }) => <Time at={at} now={now} /> },
    {
      head: "Until",
      cell: (grant) =>
        grant.state === "active" ? (
          <>
            <Time at={grant.access_expiry} /> <Countdown until={grant.access_expiry} now={now} />
          </>
        ) : (
          <Time at={endOf(grant)} now={now} />
        ),
    },
  ];
}
