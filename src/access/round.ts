import type { Person } from "../policy/access-conditions.ts";
import { approversOf, groundsOf, ownGrounds, type People } from "../policy/access-rules.ts";
import { type ApprovalTree, isSatisfied, leavesOf } from "../policy/approval-tree.ts";
import type { AccessRule } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";

export type RequestState = "pending" | "approved" | "denied" | "cancelled" | "expired";

/** What an approver says. `extension` names the extension that it is about; absent: the request itself. */
export type ReviewInput = {
  id: string;
  approver: string;
  outcome: "approve" | "deny";
  comment?: string;
  duration_seconds?: number;
  scope?: string[];
  max_uses?: number;
  /** The webhook endpoint that vouches for the approver, where the review came signed. */
  via?: string;
  /** The passkey that has confirmed it, where the rule wants one. */
  passkey?: string;
  extension?: string;
};

/** A review as it was counted: for which stage, and the leaves of its tree that the approver may fill. */
export type Review = ReviewInput & {
  reviewed_at: number;
  stage: number;
  leaves: number[];
  roles: string[];
  actors?: string[];
};

/** One question to approvers: the rule's stages as they were when it was put, and what has been said so far. */
export type Round = {
  decided: RequestState;
  /** Absent where people decided. */
  decided_by?: "rule" | "break_glass";
  decided_at?: number;
  stages: ApprovalTree[];
  /** The open stage, counted from 0. */
  stage: number;
  stage_opened_at: number;
  escalation?: People & { after_seconds: number };
  reminder_after_seconds?: number;
  /** Set once it has been told of the open stage. */
  reminded?: true;
  escalated?: true;
  created_at: number;
  review_deadline: number;
  reviews: Review[];
};

export function openRound(rule: AccessRule, now: number, deadline = Infinity): Round {
  const { escalation, reminder_after_seconds: reminder } = rule;
  return {
    decided: "pending",
    stages: rule.stages,
    stage: 0,
    stage_opened_at: now,
    ...(escalation ? { escalation } : {}),
    ...(reminder === undefined ? {} : { reminder_after_seconds: reminder }),
    created_at: now,
    review_deadline: Math.min(now + rule.review_deadline_seconds, deadline),
    reviews: [],
  };
}

export function roundState(round: Round, now: number): RequestState {
  return round.decided === "pending" && now >= round.review_deadline ? "expired" : round.decided;
}

export function decide<R extends Round>(round: R, decided: RequestState, now: number): R {
  return { ...round, decided, decided_at: now };
}

/** Who may review now, as of what has been told. */
export function awaited(round: Round): People[] {
  if (round.decided !== "pending") return [];
  const leaves: People[] = leavesOf(round.stages[round.stage]!);
  return round.escalated && round.escalation ? [...leaves, round.escalation] : leaves;
}

/** What a review made of its round: nothing yet, the next stage, or a decision. */
export type Reviewed<R> = { round: R; outcome: "counted" | "stage_passed" | "approved" | "denied" };

/**
 * Counts one review. The stages are those of the rule as it was when the question was put; `rule` is the one
 * in the policy now, and what makes somebody an approver must be in both.
 */
export function reviewRound<R extends Round>(
  round: R,
  input: ReviewInput,
  reviewer: Person,
  rule: AccessRule,
  now: number,
): Result<Reviewed<R>> {
  const leaves = fillableLeaves(round, round.stage, reviewer, rule, now);
  const state = roundState(round, now);
  if (state !== "pending") return err(decidedAlready(state));
  if (leaves.length === 0) return err(notTheirTurn(round, reviewer, rule, now));
  const parties = partiesOf(reviewer);
  if (round.reviews.some(({ approver, actors = [] }) => overlap(parties, [approver, ...actors]))) {
    return err(problem("conflict", "You have reviewed this request; another approver must add theirs."));
  }
  const review = toReview(input, reviewer, { stage: round.stage, leaves }, now);
  const reviewed = { ...round, reviews: [...round.reviews, review] };
  if (input.outcome === "deny") return ok({ round: decide(reviewed, "denied", now), outcome: "denied" });
  const approvals = reviewed.reviews.filter(({ stage }) => stage === round.stage);
  const passed = isSatisfied(
    round.stages[round.stage]!,
    approvals.map((approval) => approval.leaves),
  );
  if (!passed) return ok({ round: reviewed, outcome: "counted" });
  if (round.stage + 1 === round.stages.length) {
    return ok({ round: decide(reviewed, "approved", now), outcome: "approved" });
  }
  const { reminded: _reminded, escalated: _escalated, ...rest } = reviewed;
  const next = { ...rest, stage: round.stage + 1, stage_opened_at: now } as R;
  return ok({ round: next, outcome: "stage_passed" });
}

export function toReview(
  input: ReviewInput,
  { roles, actors }: Person,
  place: Pick<Review, "stage" | "leaves">,
  now: number,
): Review {
  const by = { roles: [...roles], ...(actors?.length ? { actors: [...actors] } : {}) };
  return { ...input, ...place, ...by, reviewed_at: now };
}

/** Everybody who has a hand in what a token is used for. */
export function partiesOf({ subject, actors = [] }: Pick<Person, "subject" | "actors">): string[] {
  return [subject, ...actors];
}

/**
 * Whether the reviewer took part in asking: as the same subject, as one who acts for the other (`act`), or as
 * the client that asked or reviews by itself. People who use the same client are not one.
 */
export function tookPart(
  requester: { subject: string; client_id: string; actors?: string[] },
  reviewer: Person,
): boolean {
  const asking = partiesOf(requester);
  const reviewing = partiesOf(reviewer);
  return (
    overlap(asking, reviewing) ||
    reviewing.includes(requester.client_id) ||
    (reviewer.clientId !== undefined && asking.includes(reviewer.clientId))
  );
}

export function decidedAlready(state: RequestState) {
  return problem("conflict", `The access request is ${state} already.`, { state });
}

/** The leaves of a stage that the reviewer may fill now. */
function fillableLeaves(
  round: Round,
  stage: number,
  reviewer: Person,
  rule: AccessRule,
  now: number,
): number[] {
  const named = new Set(approversOf(rule).flatMap(groundsOf));
  const grounds = ownGrounds(reviewer).filter((ground) => named.has(ground));
  const { escalation } = round;
  const standsIn =
    escalation !== undefined &&
    stage === round.stage &&
    now >= round.stage_opened_at + escalation.after_seconds &&
    overlap(groundsOf(escalation), grounds);
  return leavesOf(round.stages[stage]!).flatMap((leaf, i) =>
    standsIn || overlap(groundsOf(leaf), grounds) ? [i] : [],
  );
}

function notTheirTurn(round: Round, reviewer: Person, rule: AccessRule, now: number) {
  const stages = round.stages.map((_tree, stage) => stage);
  const own = stages.filter((stage) => fillableLeaves(round, stage, reviewer, rule, now).length > 0);
  const later = own.find((stage) => stage > round.stage);
  if (later !== undefined) {
    const detail = `Stage ${round.stage + 1} must be approved first; you are asked in stage ${later + 1}.`;
    return problem("conflict", detail, { stage: round.stage + 1 });
  }
  if (own.length > 0) {
    return problem("conflict", `Your stage is through; stage ${round.stage + 1} is for others to approve.`);
  }
  return problem("forbidden", `The access rule ${rule.id} does not name you as an approver of this request.`);
}

function overlap(some: readonly string[], others: readonly string[]): boolean {
  return some.some((each) => others.includes(each));
}
