import { groundsOf } from "../policy/access-rules.ts";
import { type AccessRequest, pendingExtension } from "./access-request.ts";
import { awaited } from "./round.ts";

/** By what somebody finds a request that waits for their review, and until when it does. */
type Awaiting = { keys: string[]; until?: number };

/** One rule, and why somebody is an approver in it: `orders role:approver`. */
export function awaitingKey(ruleId: string, ground: string): string {
  return `${ruleId} ${ground}`;
}

/** Who may review now, as of what has been told: the open stage, or the review after an emergency. */
export function awaiting(request: AccessRequest): Awaiting {
  const { rule_id: ruleId, break_glass: glass } = request;
  const round = request.decided === "pending" ? request : pendingExtension(request);
  const after = glass && !glass.review ? [glass.reviewers] : [];
  const overdue = glass?.overdue && glass.escalation && !glass.review ? [glass.escalation] : [];
  const people = [...(round ? awaited(round) : []), ...after, ...overdue];
  const keys = people.flatMap(groundsOf).map((ground) => awaitingKey(ruleId, ground));
  return { keys: [...new Set(keys)], ...(round ? { until: round.review_deadline } : {}) };
}
