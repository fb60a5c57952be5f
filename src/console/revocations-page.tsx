import { REVOCATION_STATES } from "../revocation/record.ts";
import { Field } from "./form.tsx";
import { Empty } from "./notice.tsx";
import type { RevocationView } from "./operator-wire.ts";
import { effectText, ruleText } from "./revocation-words.ts";
import { StateBadge } from "./state-badge.tsx";
import { type Column, Pager, Table } from "./table.tsx";
import { Countdown, Time } from "./time.tsx";

export const REVOCATIONS = "/console/revocations";

export type RevocationQuery = Record<"state" | "q" | "cursor", string | undefined>;

type Props = {
  items: readonly RevocationView[];
  now: number;
  query: RevocationQuery;
  next: string | undefined;
  /** How many were looked at for the search; absent without one. */
  searched: number | undefined;
  mayRevoke: boolean;
};

export function revocationPath(id: string): string {
  return `${REVOCATIONS}/${encodeURIComponent(id.toWellFormed())}`;
}

/** What is revoked, what waits for a second person, and what is over. */
export function RevocationsPage({ items, now, query, next, searched, mayRevoke }: Props) {
  return (
    <>
      <p class="actions">
        {mayRevoke ? (
          <a class="button" href={`${REVOCATIONS}/new`}>
            Revoke…
          </a>
        ) : null}
        <a href={`${REVOCATIONS}/propagation`}>How fast revocations take hold</a>
      </p>
      <Search query={query} />
      {searched === undefined ? null : (
        <p class="quiet" role="status">
          {items.length} found among {searched.toLocaleString("en")} revocations
          {next === undefined ? ", which is all of them." : "; the next page looks further back."}
        </p>
      )}
      {items.length === 0 ? (
        <Empty title={searched === undefined ? "Nothing is revoked" : "None is like that"}>
          Revocations are listed here with who made them and why, also when they are over.
        </Empty>
      ) : (
        <Table caption="Revocations, newest first" columns={columns(now)} rows={items} />
      )}
      <Pager path={REVOCATIONS} query={query} next={next} />
    </>
  );
}

function Search({ query }: { query: RevocationQuery }) {
  return (
    <form method="get" action={REVOCATIONS} class="filters" aria-label="Search">
      <Field name="q" label="Says" hint="An id, or part of what it names, of the reason, of who made it.">
        {(field) => <input {...field} type="search" value={query.q ?? ""} autocomplete="off" />}
      </Field>
      <Field name="state" label="State">
        {(field) => (
          <select {...field}>
            <option value="">any</option>
            {REVOCATION_STATES.map((state) => (
              <option value={state} selected={query.state === state}>
                {state.replaceAll("_", " ")}
              </option>
            ))}
          </select>
        )}
      </Field>
      <button type="submit" class="second">
        Show
      </button>
    </form>
  );
}

function columns(now: number): Column<RevocationView>[] {
  return [
    { head: "Hits", isHead: true, cell: (each) => <a href={revocationPath(each.id)}>{ruleText(each)}</a> },
    { head: "They are", cell: ({ effect }) => effectText(effect) },
    {
      head: "State",
      cell: ({ state, confirmation }) => (
        <>
          <StateBadge state={state} />{" "}
          {state === "awaiting_confirmation" && confirmation ? (
            <Countdown until={confirmation.expires_at} now={now} />
          ) : null}
        </>
      ),
    },
    { head: "Why", cell: ({ reason }) => reason },
    { head: "By", cell: ({ actor }) => actor },
    { head: "Made", cell: ({ created_at: at }) => <Time at={at} now={now} /> },
  ];
}
