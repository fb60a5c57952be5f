import { isPattern, ticketText } from "./asking.ts";
import { FromShell } from "./command.tsx";
import { durationText } from "./duration.ts";
import { Facts } from "./facts.tsx";
import { Empty } from "./notice.tsx";
import { treeText } from "./question.ts";
import { requestPath } from "./request-view.tsx";
import { curlText, portcullisText, shellDuration } from "./shell-text.ts";
import { Scopes, StateBadge } from "./state-badge.tsx";
import { address, type Column, Pager, Table } from "./table.tsx";
import { Countdown, Time } from "./time.tsx";
import type { GrantView, RequestView, RuleView } from "./wire.ts";

export const ASK = "/console/ask";

type AskPageProps = {
  grants: readonly GrantView[];
  /** There are more of them than a page should show. */
  moreGrants: boolean;
  requests: readonly RequestView[];
  rules: readonly RuleView[];
  now: number;
  version: string;
  query: { cursor?: string | undefined; rules?: string | undefined };
  next: { requests?: string | undefined; rules?: string | undefined };
};

/** What the visitor has, what waits, and what they may ask for. */
export function AskPage({ grants, moreGrants, requests, rules, now, version, query, next }: AskPageProps) {
  return (
    <>
      <p class="quiet" id="live-status" role="status"></p>
      <div data-live={version}>
        {grants.length === 0 ? null : (
          <section aria-labelledby="have">
            <h2 id="have">You have now</h2>
            {grants.map((grant) => (
              <GrantCard grant={grant} now={now} />
            ))}
            {moreGrants ? <p>You have more: what you have asked for, below, leads to each.</p> : null}
          </section>
        )}
        <section aria-labelledby="may">
          <h2 id="may">You may ask for</h2>
          {rules.length === 0 ? (
            <Empty title="No access rule names you">
              Ask whoever runs this deployment for a role that may ask.
            </Empty>
          ) : (
            <div class="cards">
              {rules.map((rule) => (
                <RuleCard rule={rule} />
              ))}
            </div>
          )}
          <Pager path={ASK} query={{ cursor: query.rules }} next={next.rules} name="rules" />
        </section>
        <section aria-labelledby="asked">
          <h2 id="asked">You have asked for</h2>
          {requests.length === 0 ? (
            <Empty title="Nothing yet">What you ask for, and how it went, is listed here.</Empty>
          ) : (
            <Table caption="Your access requests, newest first" columns={columns(now)} rows={requests} />
          )}
          <Pager path={ASK} query={{ cursor: query.cursor }} next={next.requests} />
        </section>
      </div>
    </>
  );
}

function GrantCard({ grant, now }: { grant: GrantView; now: number }) {
  const title = `title-${grant.id}`;
  return (
    <article class="card" aria-labelledby={title}>
      <header>
        <h3 id={title}>
          <a href={requestPath(grant.access_request)}>{grant.resource}</a>
        </h3>
        {grant.state === "scheduled" ? (
          <span>
            begins <Time at={grant.access_start} now={now} />
          </span>
        ) : (
          <Countdown until={grant.access_expiry} now={now} />
        )}
      </header>
      <Scopes scopes={grant.scope.split(" ")} />
      {grant.uses_left === undefined ? null : (
        <p>
          {grant.uses_left} of {grant.max_uses} uses left
        </p>
      )}
    </article>
  );
}

function RuleCard({ rule }: { rule: RuleView }) {
  const title = `rule-${rule.id}`;
  return (
    <article class="card" aria-labelledby={title}>
      <h3 id={title}>
        <a href={askPath(rule)}>{rule.resource}</a>
      </h3>
      <Scopes scopes={rule.scopes} />
      <p class="quiet">
        {approvalText(rule)} At most {durationText(rule.max_duration_seconds)}.
        {rule.may.includes("emergency") ? " At once in an emergency." : null}
      </p>
    </article>
  );
}

function approvalText({ stages, may_be_approved_at_once: atOnce }: RuleView): string {
  const who = stages.map(treeText).join(", then ");
  return `Approved by ${who}${atOnce ? ", or at once where the rule says so" : ""}.`;
}

function columns(now: number): Column<RequestView>[] {
  return [
    {
      head: "On",
      isHead: true,
      cell: ({ id, resource }) => <a href={requestPath(id)}>{resource}</a>,
    },
    { head: "Scopes", cell: ({ scope }) => <Scopes scopes={scope.split(" ")} /> },
    {
      head: "State",
      cell: ({ state, grant }) => (
        <>
          <StateBadge state={state} /> {grant && <StateBadge state={grant.state} />}
        </>
      ),
    },
    {
      head: "Left",
      cell: ({ state, review_deadline, grant }) =>
        state === "pending" ? (
          <>
            <Countdown until={review_deadline} now={now} /> to decide
          </>
        ) : grant?.state === "active" ? (
          <Countdown until={grant.access_expiry} now={now} />
        ) : (
          "–"
        ),
    },
    { head: "Asked", cell: ({ created_at: at }) => <Time at={at} now={now} /> },
  ];
}

/** Where one asks by a rule. */
export function askPath({ id, resource }: Pick<RuleView, "id" | "resource">): string {
  return address(`${ASK}/new`, { rule: id, ...(isPattern({ resource }) ? {} : { resource }) });
}

/** What a rule wants of who asks, and what it gives. */
export function Terms({ rule, issuer }: { rule: RuleView; issuer: string }) {
  const body = {
    resource: rule.resource,
    scope: rule.scopes.join(" "),
    duration_seconds: rule.default_duration_seconds,
    justification: "why you need it",
    ticket: rule.ticket && `${rule.ticket.prefixes?.[0] ?? ""}1`,
  };
  return (
    <>
      <Facts
        of={{
          "Approved by": rule.stages.map(treeText).join(", then "),
          "At once": rule.may_be_approved_at_once ? "where the rule's condition holds" : undefined,
          "Longest time": durationText(rule.max_duration_seconds),
          "With extensions":
            rule.max_total_seconds > rule.max_duration_seconds
              ? `up to ${durationText(rule.max_total_seconds)} in all`
              : undefined,
          "Decided within": durationText(rule.review_deadline_seconds),
          Uses: rule.max_uses === undefined ? undefined : `at most ${rule.max_uses}`,
          Ticket: ticketText(rule),
          "At most": rule.max_parallel === undefined ? undefined : `${rule.max_parallel} at a time`,
          "After a denial":
            rule.cool_down_seconds === undefined ? undefined : `wait ${durationText(rule.cool_down_seconds)}`,
          Condition: rule.conditional ? "the rule looks at when and for what you ask" : undefined,
        }}
      />
      <FromShell
        label="The same from a shell"
        portcullis={portcullisText(["request", body.resource], {
          scope: body.scope,
          for: shellDuration(body.duration_seconds),
          reason: body.justification,
          ticket: body.ticket,
        })}
        curl={curlText("POST", `${issuer}/v1/access-requests`, body)}
      />
    </>
  );
}
