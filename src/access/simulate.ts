import type { Person } from "../policy/access-conditions.ts";
import { accessFacts, decidedByRule } from "../policy/access-conditions.ts";
import { findAccessRule, isAmong } from "../policy/access-rules.ts";
import { type ApprovalTree, isSatisfied, leavesOf } from "../policy/approval-tree.ts";
import type { AccessRule, PolicyDocument } from "../policy/document.ts";
import type { SimulatedAsk, Simulation } from "../policy/simulation-schema.ts";
import { tookPart } from "./round.ts";

/** How one policy would take a request. Subjects are those of the people who were given. */
type Judgement =
  | { outcome: "refused"; detail: string }
  | { outcome: "approved" | "denied"; rule: string }
  | {
      outcome: "pending";
      rule: string;
      stages: { awaiting: ApprovalTree; may_approve: string[] }[];
      /** Whether those people together are enough for every stage. */
      reachable: boolean;
    };

export type SimulatedResult = {
  subject: string;
  resource: string;
  scope: string;
  before: Judgement;
  after: Judgement;
};

/** Each ask under the policy in force and under the new one. */
export function simulateAsks(
  { people, asks }: Simulation,
  before: PolicyDocument,
  after: PolicyDocument,
  now: number,
): SimulatedResult[] {
  return asks.map((ask) => ({
    subject: ask.subject,
    resource: ask.resource,
    scope: ask.scope,
    before: judge(ask, people, before, ask.at ?? now),
    after: judge(ask, people, after, ask.at ?? now),
  }));
}

function judge(ask: SimulatedAsk, people: readonly Person[], policy: PolicyDocument, now: number): Judgement {
  const person = people.find(({ subject }) => subject === ask.subject) ?? { subject: ask.subject, roles: [] };
  const wish = {
    resource: ask.resource,
    scopes: ask.scope.split(" "),
    justification: ask.justification,
    ...(ask.duration_seconds === undefined ? {} : { durationSeconds: ask.duration_seconds }),
    ...(ask.ticket === undefined ? {} : { ticket: ask.ticket }),
  };
  const found = findAccessRule(policy, { ...person, ...wish }, now);
  if (!found.ok) return { outcome: "refused", detail: found.error.detail };
  const rule = found.value;
  const decided = decidedByRule(rule, accessFacts(rule, person, wish, now));
  if (decided) return { outcome: decided === "approve" ? "approved" : "denied", rule: rule.id };
  const requester = { subject: ask.subject, client_id: "" };
  const others = people.filter((each) => !tookPart(requester, each));
  return { outcome: "pending", rule: rule.id, ...approvers(rule, others) };
}

function approvers({ stages }: AccessRule, people: readonly Person[]) {
  const whole: ApprovalTree = { all: stages };
  const leaves = leavesOf(whole);
  const fillable = people.map((person) =>
    leaves.flatMap((leaf, number) => (isAmong(leaf, person) ? [number] : [])),
  );
  return {
    stages: stages.map((awaiting) => ({
      awaiting,
      may_approve: people
        .filter((person) => leavesOf(awaiting).some((leaf) => isAmong(leaf, person)))
        .map(({ subject }) => subject),
    })),
    reachable: isSatisfied(whole, fillable),
  };
}
