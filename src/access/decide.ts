import { siblingId } from "../platform/ids.ts";
import { mayReview } from "../policy/access-rules.ts";
import type { AccessRule } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  type AccessRequest,
  type Grant,
  grantState,
  type Review,
  requestState,
  type Transition,
} from "./access-request.ts";

export type Reviewer = { subject: string; roles: string[] };

/**
 * One review. `rule` is the rule as the policy has it now, so that an approver who was removed since the
 * request was made cannot decide it; undefined where the policy has dropped it.
 */
export function applyReview(
  request: AccessRequest,
  review: Review,
  reviewer: Reviewer,
  rule: AccessRule | undefined,
  now: number,
): Result<Transition> {
  const known = request.reviews.find((other) => other.id === review.id);
  if (known) {
    const same =
      JSON.stringify({ ...known, reviewed_at: 0 }) === JSON.stringify({ ...review, reviewed_at: 0 });
    return same
      ? ok({ request, events: [] })
      : err(problem("conflict", "This review was given before, otherwise."));
  }
  // Before everything that could make an exception: nobody decides on their own request.
  if (reviewer.subject === request.requester.subject) {
    return err(problem("forbidden", "Nobody reviews their own access request; another approver must."));
  }
  if (!rule) return err(problem("conflict", "The access rule of this request is no longer in the policy."));
  if (!mayReview(rule, reviewer)) {
    return err(problem("forbidden", `The access rule ${rule.id} does not name you as an approver.`));
  }
  const state = requestState(request, now);
  if (state !== "pending")
    return err(problem("conflict", `The access request is ${state} already.`, { state }));
  if (request.reviews.some((other) => other.approver === reviewer.subject)) {
    return err(problem("conflict", "You have reviewed this request; another approver must add theirs."));
  }
  const narrowed = checkNarrowing(request, review);
  if (!narrowed.ok) return narrowed;

  const reviews = [...request.reviews, review];
  if (review.outcome === "deny") {
    return ok({ request: { ...request, reviews, decided: "denied" }, events: ["access_request.denied"] });
  }
  if (reviews.length < Math.max(rule.approvals, request.approvals_needed)) {
    return ok({ request: { ...request, reviews }, events: [] });
  }
  const grant = grantOf(request, reviews, now);
  if (!grant) {
    return err(
      problem("conflict", "No scope is left that every approver has approved: deny it, or widen the review."),
    );
  }
  const approved: AccessRequest = { ...request, reviews, decided: "approved", grant };
  if (grant.access_start > now) return ok({ request: approved, events: ["access_request.approved"] });
  const told: AccessRequest = { ...approved, grant: { ...grant, told: "active" } };
  return ok({ request: told, events: ["access_request.approved", "grant.activated"] });
}

/** An approver may narrow scope and shorten duration, never widen. */
function checkNarrowing({ ask }: AccessRequest, review: Review): Result<null> {
  if (review.duration_seconds !== undefined && review.duration_seconds > ask.duration_seconds) {
    return err(
      problem(
        "invalid_request",
        `duration_seconds: at most the ${ask.duration_seconds} that were asked for.`,
      ),
    );
  }
  const added = review.scope?.find((scope) => !ask.scope.includes(scope));
  if (added)
    return err(problem("invalid_request", `scope: ${added} was not asked for; a review may only narrow.`));
  return ok(null);
}

/** What all approvals leave: the scopes that none left out, the shortest duration. */
function grantOf(request: AccessRequest, reviews: Review[], now: number): Grant | undefined {
  const { ask } = request;
  const scope = ask.scope.filter((wanted) =>
    reviews.every((review) => review.scope?.includes(wanted) ?? true),
  );
  if (scope.length === 0) return undefined;
  const duration = Math.min(
    ask.duration_seconds,
    ...reviews.map((review) => review.duration_seconds ?? Infinity),
  );
  const access_start = Math.max(now, ask.starts_at ?? 0);
  const id = siblingId("grt", request.id);
  return { id, resource: ask.resource, scope, access_start, access_expiry: access_start + duration };
}

export function cancel(request: AccessRequest, now: number): Result<Transition> {
  if (request.decided === "cancelled") return ok({ request, events: [] });
  const state = requestState(request, now);
  if (state !== "pending")
    return err(problem("conflict", `The access request is ${state} already.`, { state }));
  return ok({ request: { ...request, decided: "cancelled" }, events: ["access_request.cancelled"] });
}

/** Ends the grant now. A repeat is not an error: the receipt is given again. */
export function revokeGrant(
  request: AccessRequest,
  by: string,
  reason: string,
  now: number,
): Result<Transition> {
  const { grant } = request;
  if (!grant) return err(problem("not_found", "There is no such grant."));
  if (grant.revoked) return ok({ request, events: [] });
  if (grantState(grant, now) === "expired") return err(problem("gone", "The grant is over already."));
  const revoked = { at: now, by, reason };
  return ok({ request: { ...request, grant: { ...grant, revoked } }, events: ["grant.revoked"] });
}

/** Whether an access token may be issued now, to whom the grant belongs. */
export function checkIssue(request: AccessRequest, subject: string, now: number): Result<Grant> {
  if (request.requester.subject !== subject)
    return err(problem("not_found", "There is no such access request."));
  const state = requestState(request, now);
  if (state === "pending")
    return err(problem("conflict", "The access request is not decided yet.", { state }));
  if (state === "denied") return err(problem("forbidden", "The access request was denied.", { state }));
  if (state !== "approved" || !request.grant)
    return err(problem("gone", `The access request is ${state}.`, { state }));
  const grant = grantState(request.grant, now);
  if (grant === "active") return ok(request.grant);
  if (grant === "scheduled") {
    const { access_start } = request.grant;
    return err(problem("conflict", "The grant has not started yet.", { state: grant, access_start }));
  }
  return err(problem("gone", `The grant is ${grant}.`, { state: grant }));
}
