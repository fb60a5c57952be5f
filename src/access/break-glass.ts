import type { Person } from "../policy/access-conditions.ts";
import { approversOf, groundsOf, ownGrounds } from "../policy/access-rules.ts";
import type { AccessRule } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { AccessRequest, BreakGlass, Transition } from "./access-request.ts";
import { reviewDueAt } from "./agenda.ts";
import { grantState } from "./grant.ts";
import { type ReviewInput, toReview } from "./round.ts";

/**
 * The review that every use of break-glass gets: approve says that it was justified, deny that it was not, and
 * ends the grant where it is not over. Who may review at all has been checked.
 */
export function reviewBreakGlass(
  request: AccessRequest,
  input: ReviewInput,
  reviewer: Person,
  rule: AccessRule,
  now: number,
): Result<Transition> {
  const { break_glass: glass, grant } = request;
  if (!glass || !grant) return err(problem("conflict", "This request did not use break-glass."));
  if (glass.review) return err(problem("conflict", "This use of break-glass has been reviewed."));
  if (!isReviewer(glass, reviewer, rule, now >= reviewDueAt(request))) {
    return err(problem("forbidden", `The access rule ${rule.id} does not name you to review this.`));
  }
  if (input.scope || input.duration_seconds !== undefined || input.max_uses !== undefined) {
    return err(
      problem("invalid_request", "What was taken cannot be narrowed afterwards: approve or deny it."),
    );
  }
  const review = toReview(input, reviewer, { stage: 0, leaves: [] }, now);
  const reviewed: AccessRequest = { ...request, break_glass: { ...glass, review } };
  const state = grantState(grant, now);
  if (input.outcome === "approve" || state !== "active") {
    return ok({ request: reviewed, events: ["break_glass.reviewed"] });
  }
  const reason = input.comment ?? "The use of break-glass was found not justified.";
  const revoked = { at: now, by: reviewer.subject, reason };
  return ok({
    request: { ...reviewed, grant: { ...grant, revoked } },
    events: ["break_glass.reviewed", "grant.revoked"],
  });
}

function isReviewer(glass: BreakGlass, reviewer: Person, rule: AccessRule, overdue: boolean): boolean {
  const named = new Set(approversOf(rule).flatMap(groundsOf));
  const held = ownGrounds(reviewer).filter((ground) => named.has(ground));
  const people = [glass.reviewers, ...(overdue && glass.escalation ? [glass.escalation] : [])];
  return people.flatMap(groundsOf).some((ground) => held.includes(ground));
}
