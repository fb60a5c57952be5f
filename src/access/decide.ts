import type { Person } from "../policy/access-conditions.ts";
import { mayReview } from "../policy/access-rules.ts";
import type { AccessRule } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { EventType } from "../webhooks/event.ts";
import {
  type AccessRequest,
  type Grant,
  pendingExtension,
  type Transition,
  withExtension,
} from "./access-request.ts";
import { reviewBreakGlass } from "./break-glass.ts";
import { reviewExtension } from "./extension.ts";
import { activate, grantOf, grantState } from "./grant.ts";
import { checkNarrowing } from "./narrowing.ts";
import {
  decide,
  decidedAlready,
  type Review,
  type ReviewInput,
  reviewRound,
  roundState,
  tookPart,
} from "./round.ts";

/**
 * One review. `rule` is the rule as the policy has it now, so that an approver who was removed since the
 * request was made cannot decide it; undefined where the policy has dropped it.
 */
export function applyReview(
  request: AccessRequest,
  input: ReviewInput,
  reviewer: Person,
  rule: AccessRule | undefined,
  now: number,
): Result<Transition> {
  const known = reviewsOf(request).find(({ id }) => id === input.id);
  if (known) {
    return isRepeat(known, input)
      ? ok({ request, events: [] })
      : err(problem("conflict", "This review was given before, otherwise."));
  }
  // Before everything that could make an exception: nobody decides on their own request.
  if (tookPart(request.requester, reviewer)) {
    return err(problem("forbidden", "Nobody reviews their own access request; another approver must."));
  }
  if (!rule) return err(problem("conflict", "The access rule of this request is no longer in the policy."));
  if (!mayReview(rule, reviewer)) {
    return err(problem("forbidden", `The access rule ${rule.id} does not name you as an approver.`));
  }
  if (input.extension !== undefined) return reviewExtension(request, input, reviewer, rule, now);
  if (request.break_glass) return reviewBreakGlass(request, input, reviewer, rule, now);
  return reviewAsk(request, input, reviewer, rule, now);
}

function reviewAsk(
  request: AccessRequest,
  input: ReviewInput,
  reviewer: Person,
  rule: AccessRule,
  now: number,
): Result<Transition> {
  const reviewed = reviewRound(request, input, reviewer, rule, now);
  if (!reviewed.ok) return reviewed;
  const narrowed = checkNarrowing(request.ask, input);
  if (!narrowed.ok) return narrowed;
  const { round, outcome } = reviewed.value;
  if (outcome === "denied") return ok({ request: round, events: ["access_request.denied"] });
  if (outcome === "counted") return ok({ request: round, events: [] });
  const grant = grantOf(request, round.reviews, now);
  if (!grant.ok) return grant;
  if (outcome === "stage_passed") return ok({ request: round, events: ["access_request.stage_passed"] });
  const started = activate({ ...round, grant: grant.value }, now);
  return ok({ request: started.request, events: ["access_request.approved", ...started.events] });
}

/** All that was ever said about a request. */
function reviewsOf({ reviews, extensions, break_glass: glass }: AccessRequest): Review[] {
  const after = glass?.review ? [glass.review] : [];
  return [...reviews, ...extensions.flatMap((extension) => extension.reviews), ...after];
}

function isRepeat(known: Review, input: ReviewInput): boolean {
  const { reviewed_at: _at, stage: _stage, leaves: _leaves, roles: _roles, actors: _actors, ...said } = known;
  return canonical(said) === canonical(input);
}

function canonical(review: ReviewInput): string {
  return JSON.stringify(Object.entries(review).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The requester takes back what waits: the request, or the extension of its grant. */
export function cancel(request: AccessRequest, now: number): Result<Transition> {
  if (request.decided === "cancelled") return ok({ request, events: [] });
  const extension = pendingExtension(request);
  if (extension && roundState(extension, now) === "pending") return ok(cancelExtension(request, now));
  const state = roundState(request, now);
  if (state !== "pending") return err(decidedAlready(state));
  return ok({ request: decide(request, "cancelled", now), events: ["access_request.cancelled"] });
}

function cancelExtension(request: AccessRequest, now: number): Transition {
  const extension = pendingExtension(request);
  if (!extension) return { request, events: [] };
  const cancelled = withExtension(request, decide(extension, "cancelled", now));
  return { request: cancelled, events: ["grant.extension_cancelled"] };
}

/** Ends the grant now: its owner returns it, others revoke it. A repeat is not an error. */
export function revokeGrant(
  request: AccessRequest,
  by: string,
  reason: string,
  now: number,
): Result<Transition> {
  const { grant } = request;
  if (!grant) return err(problem("not_found", "There is no such grant."));
  if (grant.revoked) return ok({ request, events: [] });
  const state = grantState(grant, now);
  if (state === "expired" || state === "used_up")
    return err(problem("gone", "The grant is over already.", { state }));
  const ended = { ...request, grant: { ...grant, revoked: { at: now, by, reason } } };
  const event: EventType = by === request.requester.subject ? "grant.returned" : "grant.revoked";
  const cancelled = cancelExtension(ended, now);
  return ok({ request: cancelled.request, events: [event, ...cancelled.events] });
}

/** The last use was taken: the grant ends now, whatever time it had left. A repeat changes nothing. */
export function useUp(request: AccessRequest, now: number): Transition {
  const { grant } = request;
  if (!grant || grantState(grant, now) !== "active") return { request, events: [] };
  const cancelled = cancelExtension({ ...request, grant: { ...grant, used_up_at: now } }, now);
  return { request: cancelled.request, events: ["grant.used_up", ...cancelled.events] };
}

/** Whether an access token may be issued now, to whom the grant belongs. */
export function checkIssue(request: AccessRequest, subject: string, now: number): Result<Grant> {
  if (request.requester.subject !== subject)
    return err(problem("not_found", "There is no such access request."));
  const state = roundState(request, now);
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
  return err(goneGrant(grant));
}

function goneGrant(state: "expired" | "revoked" | "used_up") {
  return problem("gone", `The grant is ${state.replace("_", " ")}; ask for access anew.`, { state });
}

/** Whether the grant opens a request now, apart from how often it has. */
export function checkUse({ grant }: AccessRequest, now: number): Result<Grant> {
  if (!grant) return err(problem("not_found", "There is no such grant."));
  const state = grantState(grant, now);
  if (state === "active") return ok(grant);
  if (state === "scheduled") return err(problem("conflict", "The grant has not started yet.", { state }));
  return err(goneGrant(state));
}
