import { findAccessRule, findBreakGlassRule } from "../policy/access-rules.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { type AccessRequest, personOf, wishOf } from "./access-request.ts";
import { passTime } from "./agenda.ts";
import { applyReview, cancel } from "./decide.ts";
import { openRequest } from "./open-request.ts";
import { type RequestState, roundState } from "./round.ts";

/** A stored request that other rules would have decided otherwise. */
export type DecidedOtherwise = {
  id: string;
  requester: string;
  resource: string;
  scope: string;
  created_at: number;
  was: RequestState;
  /** `refused`: it could not even have been asked for. */
  would_be: RequestState | "refused";
  rule?: string;
  detail?: string;
};

/** The requests that the policy's rules would have decided otherwise, by what was asked and said at the time. */
export function replay(
  requests: readonly AccessRequest[],
  policy: PolicyDocument,
  now: number,
): DecidedOtherwise[] {
  return requests.flatMap((request) => {
    const was = roundState(request, now);
    const again = decideAgain(request, policy, now);
    if (again.would_be === was) return [];
    const { id, ask, requester, created_at } = request;
    const { resource, scope } = ask;
    return [
      { id, requester: requester.subject, resource, scope: scope.join(" "), created_at, was, ...again },
    ];
  });
}

function decideAgain(
  request: AccessRequest,
  policy: PolicyDocument,
  now: number,
): Pick<DecidedOtherwise, "would_be" | "rule" | "detail"> {
  const { ask, requester, created_at: askedAt } = request;
  const wanted = { ...personOf(requester), ...wishOf(ask) };
  const found = request.break_glass
    ? findBreakGlassRule(policy, wanted)
    : findAccessRule(policy, wanted, askedAt);
  if (!found.ok) return { would_be: "refused", detail: found.error.detail };
  const rule = found.value;
  if (request.break_glass) return { would_be: "approved", rule: rule.id };
  const opened = openRequest(request.id, requester, ask, rule, request.audience, askedAt);
  if (!opened.ok) return { would_be: "refused", rule: rule.id, detail: opened.error.detail };
  let again = opened.value.request;
  for (const review of request.reviews) {
    const { reviewed_at: at, stage: _stage, leaves: _leaves, roles, actors, ...input } = review;
    const reviewer = { subject: review.approver, roles, ...(actors ? { actors } : {}) };
    const reviewed = applyReview(passTime(again, at).request, input, reviewer, rule, at);
    if (reviewed.ok) again = reviewed.value.request;
  }
  if (request.decided === "cancelled") {
    const cancelled = cancel(again, request.decided_at ?? now);
    if (cancelled.ok) again = cancelled.value.request;
  }
  return { would_be: roundState(again, now), rule: rule.id };
}
