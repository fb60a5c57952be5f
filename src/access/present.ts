import type { ApprovalTree } from "../policy/approval-tree.ts";
import type { AccessRequest, Extension, Grant } from "./access-request.ts";
import { reviewDueAt } from "./agenda.ts";
import { grantState } from "./grant.ts";
import { type Review, type Round, roundState } from "./round.ts";
import type { ShownExtension, ShownGrant, ShownRequest, ShownReview } from "./shown-schema.ts";

type ShownRound = Omit<ShownExtension, "id" | "state" | "duration_seconds" | "justification">;

/** The wire form, as of now. */
export function presentRequest(request: AccessRequest, now: number): ShownRequest {
  const { ask, grant, requester, extensions } = request;
  return {
    id: request.id,
    state: roundState(request, now),
    requester: requester.subject,
    client_id: requester.client_id,
    ...(requester.actors ? { actors: requester.actors } : {}),
    resource: ask.resource,
    scope: ask.scope.join(" "),
    duration_seconds: ask.duration_seconds,
    justification: ask.justification,
    ...(ask.starts_at === undefined ? {} : { starts_at: ask.starts_at }),
    ...(ask.ticket === undefined ? {} : { ticket: ask.ticket }),
    ...(ask.max_uses === undefined ? {} : { max_uses: ask.max_uses }),
    rule: request.rule_id,
    ...(request.decide_in_chat ? { decide_in_chat: true } : {}),
    ...presentRound(request, now),
    ...(grant ? { grant: presentGrant(request, grant, now) } : {}),
    ...(extensions.length ? { extensions: extensions.map((each) => presentExtension(each, now)) } : {}),
    ...presentBreakGlass(request),
  };
}

export function presentGrant(request: AccessRequest, grant: Grant, now: number): ShownGrant {
  const { revoked, max_uses, uses_left, used_up_at } = grant;
  return {
    id: grant.id,
    state: grantState(grant, now),
    access_request: request.id,
    subject: request.requester.subject,
    resource: grant.resource,
    scope: grant.scope.join(" "),
    access_start: grant.access_start,
    access_expiry: grant.access_expiry,
    ...(max_uses === undefined ? {} : { max_uses }),
    ...(uses_left === undefined ? {} : { uses_left }),
    ...(used_up_at === undefined ? {} : { used_up_at }),
    ...(revoked ? { revoked_at: revoked.at, revoked_by: revoked.by, revoke_reason: revoked.reason } : {}),
    ...(revoked?.receipt ? { revoke_receipt: revoked.receipt } : {}),
  };
}

/** `stage` is counted from 1; `awaiting` is who must approve in it. */
function presentRound(round: Round, now: number): ShownRound {
  const pending = roundState(round, now) === "pending";
  const { escalation } = round;
  return {
    created_at: round.created_at,
    review_deadline: round.review_deadline,
    ...(round.decided_at === undefined ? {} : { decided_at: round.decided_at }),
    ...(round.decided_by === undefined ? {} : { decided_by: round.decided_by }),
    ...(pending ? { stage: round.stage + 1, stages: round.stages.length } : {}),
    ...(pending ? { awaiting: presentTree(round.stages[round.stage]!) } : {}),
    ...(pending && round.escalated && escalation
      ? { escalated_to: { roles: [...escalation.roles], subjects: [...escalation.subjects] } }
      : {}),
    reviews: round.reviews.map(presentReview),
  };
}

/** Who must approve, as it is shown. */
export function presentTree(tree: ApprovalTree): ApprovalTree {
  if ("all" in tree) return { all: tree.all.map(presentTree) };
  if ("any" in tree) return { any: tree.any.map(presentTree) };
  const { roles, subjects, count } = tree;
  return { roles, subjects, count };
}

function presentExtension(extension: Extension, now: number): ShownExtension {
  const { id, duration_seconds, justification } = extension;
  return {
    id,
    state: roundState(extension, now),
    duration_seconds,
    justification,
    ...presentRound(extension, now),
  };
}

function presentBreakGlass(request: AccessRequest): Pick<ShownRequest, "break_glass"> {
  const { break_glass: glass } = request;
  if (!glass) return {};
  return {
    break_glass: {
      review_due_at: reviewDueAt(request),
      ...(glass.alerted_at === undefined ? {} : { alerted_at: glass.alerted_at }),
      ...(glass.review ? { review: presentReview(glass.review) } : {}),
    },
  };
}

/** Which leaves an approval was counted for and by which roles is for the machine. */
function presentReview({ scope, leaves: _leaves, roles: _roles, stage, ...review }: Review): ShownReview {
  return { ...review, stage: stage + 1, ...(scope ? { scope: scope.join(" ") } : {}) };
}
