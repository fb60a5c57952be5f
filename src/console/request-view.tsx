import { durationText } from "./duration.ts";
import { Facts } from "./facts.tsx";
import type { Question } from "./question.ts";
import { treeText } from "./question.ts";
import { type History, historyOf, rightsDiff, riskFacts, type Standing, times } from "./standing.ts";
import { Scopes } from "./state-badge.tsx";
import { Time } from "./time.tsx";
import type { RequestView } from "./wire.ts";

type Props = {
  request: RequestView;
  /** What helps whoever decides; undefined for who asks. */
  standing: Standing | undefined;
  question?: Question | undefined;
  now: number;
};

/** What is asked for, what it adds, how the like of it went, and what deserves a second look. */
export function Wish({ request, standing, question, now }: Props) {
  const { grants, requests } = standing ?? {};
  // What is decided is not looked at again.
  const diff = question && grants && rightsDiff(request, grants);
  const history = question && requests && historyOf(request, requests);
  const risks = question && standing ? riskFacts(request, history, now) : [];
  const more = question?.kind === "extension";
  const seconds = question?.duration_seconds ?? request.duration_seconds;
  return (
    <>
      <p class="said">{question?.justification ?? request.justification}</p>
      <Facts
        of={{
          "Asks for": (
            <Scopes scopes={request.scope.split(" ")} {...(diff && !more ? { added: diff.added } : {})} />
          ),
          On: <code>{request.resource}</code>,
          "How long": more ? `${durationText(seconds)} more` : durationText(seconds),
          Begins: request.starts_at === undefined ? undefined : <Time at={request.starts_at} now={now} />,
          Uses: request.max_uses === undefined ? undefined : `at most ${request.max_uses}`,
          Ticket: request.ticket,
          "Has by grants": diff && !more ? <Held held={diff.held} now={now} /> : undefined,
          Before: history && <Before history={history} now={now} />,
          "Must approve": question?.awaiting && <Asked question={question} />,
          Through: request.client_id === request.requester ? undefined : <code>{request.client_id}</code>,
        }}
      />
      {risks.length === 0 ? null : (
        <ul class="risks">
          {risks.map((risk) => (
            <li>{risk}</li>
          ))}
        </ul>
      )}
    </>
  );
}

function Held({ held, now }: { held: { scope: string; until: number }[]; now: number }) {
  if (held.length === 0) return <>nothing on this resource</>;
  return (
    <ul class="plain">
      {held.map(({ scope, until }) => (
        <li>
          <code>{scope}</code> for {durationText(until - now)} more
        </li>
      ))}
    </ul>
  );
}

function Before({ history: { approved, denied, other, last }, now }: { history: History; now: number }) {
  if (!last) return <>never asked for this</>;
  const parts = [
    approved > 0 ? `approved ${times(approved)}` : "",
    denied > 0 ? `denied ${times(denied)}` : "",
    other > 0 ? `not decided ${times(other)}` : "",
  ].filter((part) => part !== "");
  return (
    <>
      {parts.join(", ")}; <a href={requestPath(last.id)}>the last one</a>{" "}
      {durationText(now - last.created_at)} ago
    </>
  );
}

function Asked({ question: { awaiting, escalated_to: escalated, stage, stages } }: { question: Question }) {
  const place = stages !== undefined && stages > 1 ? ` (stage ${stage} of ${stages})` : "";
  const others = escalated ? `, or ${[...escalated.roles, ...escalated.subjects].join(", ")}` : "";
  return <>{awaiting ? `${treeText(awaiting)}${others}${place}` : null}</>;
}

export function requestPath(id: string): string {
  return `/console/access-requests/${encodeURIComponent(id.toWellFormed())}`;
}
