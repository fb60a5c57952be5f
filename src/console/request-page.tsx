import type { Problem } from "../protocol/problem.ts";
import { durationText } from "./duration.ts";
import { Facts } from "./facts.tsx";
import { Refused } from "./notice.tsx";
import { isAsked, openQuestion } from "./question.ts";
import { Wish } from "./request-view.tsx";
import { ReviewForm } from "./review-form.tsx";
import type { Standing } from "./standing.ts";
import { Scopes, StateBadge } from "./state-badge.tsx";
import { Countdown, Time } from "./time.tsx";
import { type Moment, timelineOf } from "./timeline.ts";
import type { Visitor } from "./visitor.ts";
import type { GrantView, RequestView } from "./wire.ts";

type Props = {
  request: RequestView;
  standing: Standing;
  visitor: Visitor;
  now: number;
  version: string;
  refusal?: { problem: Problem; filled: URLSearchParams };
};

/** Everything about one request: what was asked, who said what, what came of it. */
export function RequestPage({ request, standing, visitor, now, version, refusal }: Props) {
  const question = openQuestion(request);
  const mayReview =
    question !== undefined &&
    visitor.scopes.has("requests:review") &&
    visitor.subject !== request.requester &&
    isAsked(question, visitor);
  return (
    <>
      <p class="quiet" id="live-status" role="status"></p>
      <div data-live={version}>
        <Refused problem={refusal?.problem} />
        <p>
          <StateBadge state={request.state} />{" "}
          {question ? (
            <Countdown until={question.deadline} now={now} over="the time to decide is over" />
          ) : null}
        </p>
        <Wish request={request} standing={standing} question={question} now={now} />
        {mayReview ? (
          <section class="card" aria-labelledby="review">
            <h2 id="review">Your review</h2>
            <ReviewForm
              request={request}
              question={question}
              visitor={visitor}
              from="request"
              {...(refusal ? { filled: refusal.filled } : {})}
            />
          </section>
        ) : null}
        {request.grant ? <GrantPart grant={request.grant} now={now} /> : null}
        <h2>What happened</h2>
        <Timeline moments={timelineOf(request, now)} now={now} />
        <p class="quiet">
          <code>{request.id}</code>, by the access rule <code>{request.rule}</code>
        </p>
      </div>
    </>
  );
}

function GrantPart({ grant, now }: { grant: GrantView; now: number }) {
  const { state } = grant;
  return (
    <section class="card" aria-labelledby="grant">
      <h2 id="grant">
        Grant <StateBadge state={state} />
      </h2>
      <Facts
        of={{
          Gives: <Scopes scopes={grant.scope.split(" ")} />,
          From: <Time at={grant.access_start} now={now} />,
          Until: <Time at={grant.access_expiry} now={now} />,
          Left: state === "active" ? <Countdown until={grant.access_expiry} now={now} /> : undefined,
          Uses: grant.max_uses === undefined ? undefined : `at most ${grant.max_uses}`,
          Revoked: grant.revoked_by && `by ${grant.revoked_by}: ${grant.revoke_reason ?? ""}`,
        }}
      />
    </section>
  );
}

function Timeline({ moments, now }: { moments: readonly Moment[]; now: number }) {
  return (
    <ol class="timeline">
      {moments.map(({ at, what, said, less }) => (
        <li>
          {what} <Time at={at} now={now} />
          {less === undefined ? null : <p class="quiet">{lessText(less)}</p>}
          {said === undefined ? null : <p class="said">{said}</p>}
        </li>
      ))}
    </ol>
  );
}

function lessText({ duration_seconds: seconds, scope, max_uses: uses }: NonNullable<Moment["less"]>): string {
  const parts = [
    seconds === undefined ? "" : `for at most ${durationText(seconds)}`,
    scope === undefined ? "" : `only ${scope}`,
    uses === undefined ? "" : `at most ${uses} uses`,
  ];
  return `Less than was asked for: ${parts.filter((part) => part !== "").join("; ")}.`;
}
