import type { Problem } from "../protocol/problem.ts";
import { Command } from "./command.tsx";
import { durationText } from "./duration.ts";
import { Facts } from "./facts.tsx";
import { Refused } from "./notice.tsx";
import { OwnRequest } from "./own-request.tsx";
import { isAsked, openQuestion } from "./question.ts";
import { Wish } from "./request-view.tsx";
import { ReviewForm } from "./review-form.tsx";
import { portcullisText } from "./shell-text.ts";
import type { Standing } from "./standing.ts";
import { Scopes, StateBadge } from "./state-badge.tsx";
import { Countdown, Time } from "./time.tsx";
import { type Moment, timelineOf } from "./timeline.ts";
import type { Visitor } from "./visitor.ts";
import type { GrantView, RequestView } from "./wire.ts";

type Props = {
  request: RequestView;
  standing: Standing | undefined;
  visitor: Visitor;
  now: number;
  version: string;
  issuer: string;
  /** An approval is confirmed with a passkey. */
  highRisk: boolean;
  refusal?: { problem: Problem; filled: URLSearchParams; form: "review" | "extend" };
};

/** Everything about one request: what was asked, who said what, what came of it. */
export function RequestPage({ request, standing, visitor, now, version, issuer, highRisk, refusal }: Props) {
  const question = openQuestion(request);
  const own = visitor.subject === request.requester;
  const mayReview =
    question !== undefined && !own && visitor.scopes.has("requests:review") && isAsked(question, visitor);
  const filled = (form: "review" | "extend") => (refusal?.form === form ? refusal.filled : undefined);
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
              highRisk={highRisk}
              from="request"
              filled={filled("review")}
            />
            {highRisk ? null : (
              <details>
                <summary>The same from a shell</summary>
                <Command
                  label="Approve it; deny has the same options"
                  text={portcullisText(["approve", request.id], { extension: question.extension })}
                />
              </details>
            )}
          </section>
        ) : null}
        {request.grant ? <GrantPart grant={request.grant} now={now} /> : null}
        {own ? (
          <OwnRequest request={request} visitor={visitor} issuer={issuer} filled={filled("extend")} />
        ) : null}
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
      {state === "active" ? <Countdown until={grant.access_expiry} now={now} /> : null}
      <Facts
        of={{
          Gives: <Scopes scopes={grant.scope.split(" ")} />,
          From: <Time at={grant.access_start} now={now} />,
          Until: <Time at={grant.access_expiry} now={now} />,
          Uses: grant.max_uses === undefined ? undefined : usesText(grant),
          Revoked: grant.revoked_by && `by ${grant.revoked_by}: ${grant.revoke_reason ?? ""}`,
        }}
      />
    </section>
  );
}

function usesText({ max_uses: most, uses_left: left }: GrantView): string {
  return left === undefined ? `at most ${most}` : `${left} of ${most} left`;
}

function Timeline({ moments, now }: { moments: readonly Moment[]; now: number }) {
  return (
    <ol class="timeline">
      {moments.map(({ at, what, said, less }) => (
        <li>
          <strong>{what}</strong> <Time at={at} now={now} />
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
