import type { Person } from "../policy/access-conditions.ts";
import { isAmong, matchesResource, mayReview } from "../policy/access-rules.ts";
import type { AccessRule } from "../policy/document.ts";
import { presentTree } from "./present.ts";
import type { ShownRule } from "./shown-schema.ts";

/** What somebody may do by a rule. `emergency`: take the access at once. */
export type RuleUse = "ask" | "review" | "emergency";

/** Conditions over the request itself are looked at when there is one: `ask` says who may, not that they will be let. */
export function usesOf(rule: AccessRule, person: Person): RuleUse[] {
  const uses: RuleUse[] = [];
  if (isAmong(rule.requesters, person)) uses.push("ask");
  if (mayReview(rule, person)) uses.push("review");
  if (rule.break_glass && isAmong(rule.break_glass, person)) uses.push("emergency");
  return uses;
}

/** Whether a rule is one for this resource and all of these scopes. */
export function covers(
  rule: AccessRule,
  { resource, scopes }: { resource?: string; scopes: readonly string[] },
): boolean {
  const fits = resource === undefined || matchesResource(rule.resource, resource);
  return fits && scopes.every((scope) => rule.scopes.includes(scope));
}

/** The terms of a rule for who may ask by it or review it; who else may is not told, but who approves is. */
export function presentRule(rule: AccessRule, uses: readonly RuleUse[]): ShownRule {
  const { break_glass: glass, ticket, max_uses, cool_down_seconds, max_parallel } = rule;
  return {
    id: rule.id,
    may: [...uses],
    resource: rule.resource,
    scopes: rule.scopes,
    stages: rule.stages.map(presentTree),
    ...(rule.high_risk ? { high_risk: true } : {}),
    ...(rule.requesters.condition === undefined ? {} : { conditional: true }),
    ...(rule.approve_when === undefined ? {} : { may_be_approved_at_once: true }),
    justification_min_length: rule.justification_min_length,
    ...(ticket ? { ticket: { ...ticket } } : {}),
    default_duration_seconds: rule.default_duration_seconds,
    max_duration_seconds: rule.max_duration_seconds,
    max_total_seconds: rule.max_total_seconds,
    review_deadline_seconds: rule.review_deadline_seconds,
    ...(max_uses === undefined ? {} : { max_uses }),
    ...(cool_down_seconds === undefined ? {} : { cool_down_seconds }),
    ...(max_parallel === undefined ? {} : { max_parallel }),
    ...(glass && uses.includes("emergency")
      ? {
          break_glass: {
            max_duration_seconds: glass.max_duration_seconds,
            review_within_seconds: glass.review_within_seconds,
          },
        }
      : {}),
  };
}
