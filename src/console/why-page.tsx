import type { DecisionRecord } from "../protocol/decision-trace.ts";
import type { Problem } from "../protocol/problem.ts";
import { withoutQuery } from "./explaining.ts";
import { FilterForm, FilterSelect, FilterText } from "./filter-form.tsx";
import { Field, Form } from "./form.tsx";
import { Empty, Refused } from "./notice.tsx";
import { StateBadge } from "./state-badge.tsx";
import { type Column, Pager, Table } from "./table.tsx";
import { Time } from "./time.tsx";
import { WHY } from "./traffic-page.tsx";
import type { Visitor } from "./visitor.ts";

export type DecisionFilters = Record<
  "outcome" | "reason" | "route" | "sub" | "jti" | "cursor",
  string | undefined
>;

type Props = {
  /** Undefined: the visitor may not see decisions that were taken. */
  decisions: readonly DecisionRecord[] | undefined;
  mayExplain: boolean;
  visitor: Pick<Visitor, "csrfToken">;
  now: number;
  query: DecisionFilters;
  next: string | undefined;
};

/** Finds a decision by its id or in the list, or asks what the gate would do with a request. */
export function WhyPage({ decisions, mayExplain, visitor, now, query, next }: Props) {
  return (
    <>
      {decisions === undefined ? null : (
        <form method="get" action={WHY} class="filters" aria-label="A decision">
          <Field name="id" label="Decision" hint="Every refusal names one: dec_…">
            {(field) => <input {...field} required maxlength={64} autocomplete="off" spellcheck={false} />}
          </Field>
          <button type="submit">Why?</button>
        </form>
      )}
      {mayExplain ? (
        <details>
          <summary>Ask what the gate would do with a request</summary>
          <AskWhy visitor={visitor} />
        </details>
      ) : null}
      {decisions === undefined ? null : (
        <Decisions decisions={decisions} now={now} query={query} next={next} />
      )}
    </>
  );
}

type AskProps = { visitor: Pick<Visitor, "csrfToken">; filled?: URLSearchParams; refusal?: Problem };

/** A request, with or without a token. Of what is filled in, only method and address without query are ever shown again. */
export function AskWhy({ visitor, filled, refusal }: AskProps) {
  return (
    <Form action={WHY} visitor={visitor} label="A request">
      <Refused problem={refusal} />
      <Field name="method" label="Method">
        {(field) => <input {...field} value={filled?.get("method") ?? "GET"} required maxlength={20} />}
      </Field>
      <Field name="url" label="Address" hint="Such as https://api.example.com/orders/1.">
        {(field) => (
          <input
            {...field}
            value={withoutQuery(filled?.get("url") ?? "")}
            required
            maxlength={16_384}
            autocomplete="off"
            spellcheck={false}
          />
        )}
      </Field>
      <Field
        name="token"
        label="Access token"
        hint="It is not kept, logged or shown again. May be left empty."
      >
        {(field) => (
          <textarea {...field} rows={3} maxlength={16_384} autocomplete="off" spellcheck={false}></textarea>
        )}
      </Field>
      <Field name="headers" label="Further headers" hint="One a line, as Name: value. May be left empty.">
        {(field) => (
          <textarea {...field} rows={2} maxlength={16_384} autocomplete="off" spellcheck={false}></textarea>
        )}
      </Field>
      <p class="actions">
        <button type="submit">Ask</button>
        <span class="quiet">Nothing is forwarded and nothing is counted.</span>
      </p>
    </Form>
  );
}

function Decisions({
  decisions,
  now,
  query,
  next,
}: Omit<Props, "mayExplain" | "visitor" | "decisions"> & { decisions: readonly DecisionRecord[] }) {
  return (
    <section aria-labelledby="decisions">
      <h2 id="decisions">Decisions</h2>
      <FilterForm action={WHY}>
        <FilterSelect
          name="outcome"
          label="Outcome"
          options={["refuse", "allow"]}
          value={query.outcome}
          textOf={(outcome) => (outcome === "allow" ? "let through" : "refused")}
        />
        <FilterText name="reason" label="Reason" value={query.reason} />
        <FilterText name="route" label="Route" value={query.route} />
        <FilterText name="sub" label="Subject" value={query.sub} />
        <FilterText name="jti" label="Token id" value={query.jti} />
      </FilterForm>
      {decisions.length === 0 ? (
        <Empty title="No decision here">
          Refusals are kept for as long as the policy's decision_log says, and of acceptances a sample.
        </Empty>
      ) : (
        <Table caption="Decisions that were kept, newest first" columns={columns(now)} rows={decisions} />
      )}
      <Pager path={WHY} query={query} next={next} />
    </section>
  );
}

export function decisionPath(id: string): string {
  return `${WHY}/${encodeURIComponent(id.toWellFormed())}`;
}

function columns(now: number): Column<DecisionRecord>[] {
  return [
    {
      head: "Why",
      isHead: true,
      cell: ({ decision_id: id, reason }) => <a href={decisionPath(id)}>{reason.replaceAll("_", " ")}</a>,
    },
    {
      head: "Outcome",
      cell: ({ outcome }) => <StateBadge state={outcome === "allow" ? "let through" : "refused"} />,
    },
    { head: "Request", cell: ({ method, route }) => `${method}${route === undefined ? "" : ` on ${route}`}` },
    { head: "Who", cell: ({ token }) => token?.sub ?? "–" },
    { head: "When", cell: ({ at }) => <Time at={Math.floor(at)} now={now} /> },
  ];
}
