import { siblingId } from "../platform/ids.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Revocation } from "../revocation/rule.ts";
import type { AccessRequest, Grant, Transition } from "./access-request.ts";
import type { Review } from "./round.ts";

/** Tokens end with their grant; the rule outlives them by the clocks' tolerance. */
const RULE_MARGIN_SECONDS = 120;

export type GrantState = "scheduled" | "active" | "expired" | "revoked" | "used_up";

export function grantState(grant: Grant, now: number): GrantState {
  if (grant.revoked) return "revoked";
  if (grant.used_up_at !== undefined) return "used_up";
  if (now < grant.access_start) return "scheduled";
  return now < grant.access_expiry ? "active" : "expired";
}

/** Whether something other than time has ended it. */
export function isEndedEarly({ revoked, used_up_at }: Grant): boolean {
  return revoked !== undefined || used_up_at !== undefined;
}

/**
 * What all approvals leave: the scopes that none left out, the shortest duration, the fewest uses. The window is the one that
 * was asked for, or begins now.
 */
export function grantOf(
  { id, ask }: Pick<AccessRequest, "id" | "ask">,
  reviews: readonly Review[],
  now: number,
): Result<Grant> {
  const scope = ask.scope.filter((wanted) =>
    reviews.every((review) => review.scope?.includes(wanted) ?? true),
  );
  if (scope.length === 0) {
    const detail = "No scope is left that every approver has approved: deny it, or widen the review.";
    return err(problem("conflict", detail));
  }
  const durations = reviews.map((review) => review.duration_seconds ?? Infinity);
  const duration = Math.min(ask.duration_seconds, ...durations);
  const access_start = Math.max(now, ask.starts_at ?? now);
  const access_expiry = (ask.starts_at ?? now) + duration;
  if (access_expiry <= now) {
    return err(problem("conflict", "The time that is left for this access is over: deny it, or allow more."));
  }
  const uses = Math.min(ask.max_uses ?? Infinity, ...reviews.map((review) => review.max_uses ?? Infinity));
  return ok({
    id: siblingId("grt", id),
    resource: ask.resource,
    scope,
    access_start,
    access_expiry,
    ...(uses === Infinity ? {} : { max_uses: uses }),
  });
}

/** Tells that the grant begins, where it begins now. */
export function activate(request: AccessRequest, now: number): Transition {
  const { grant } = request;
  if (!grant || grant.access_start > now) return { request, events: [] };
  return { request: { ...request, grant: { ...grant, told: "active" } }, events: ["grant.activated"] };
}

/** The rule by which the edges refuse every token of a grant that was revoked. */
export function grantRevocation(grant: Grant, revoked: NonNullable<Grant["revoked"]>): Revocation {
  return {
    id: siblingId("rev", grant.id),
    match: { grant: grant.id },
    reason: revoked.reason,
    actor: revoked.by,
    created_at: revoked.at,
    expires_at: grant.access_expiry + RULE_MARGIN_SECONDS,
  };
}
