import { compileCondition } from "../policy/condition.ts";
import { localTime } from "../policy/local-time.ts";
import { kindsOf, REMEDIATION_CONDITION_NAMES } from "../policy/remediation-faults.ts";
import type { RemediationAction, RemediationRule } from "../policy/remediation-schema.ts";
import type { Detection } from "../protocol/detection.ts";
import { groupOf, type Issuers, type Target, targetOf } from "./target.ts";

/** What was remembered of one rule before this detection. Moments are epoch seconds. */
export type RuleHistory = {
  /** Its detections under the group since the moment, without this one. */
  matches(ruleId: string, group: string, since: number): number;
  /** When the rule last fired under the group: acted, held, or in the shadow. */
  lastFired(ruleId: string, group: string, shadow: boolean): number | undefined;
  firedSince(ruleId: string, since: number, shadow: boolean): number;
};

/** Live tokens of ours that a target has, by its key. One that is missing has none that could be counted. */
export type Cuts = ReadonlyMap<string, number>;

/** An action, and whom it is for; without a target the detection names none, and nothing is done. */
export type PlannedAction = { action: RemediationAction; target?: Target; would_cut?: number };

export const OUTCOMES = [
  "acted",
  "held",
  "shadow",
  "below_threshold",
  "cooling_down",
  "over_hourly_limit",
] as const;

/** What a rule makes of a detection that is one of its own. */
export type Verdict = {
  rule: RemediationRule;
  group: string;
  outcome: (typeof OUTCOMES)[number];
  /** Where it fired. */
  actions: PlannedAction[];
  would_cut: number;
  /** Where in the shadow: more than the cap would have been cut, so that it would have waited for a person. */
  would_hold: boolean;
};

const HOUR_SECONDS = 3_600;

/** What the rules make of one detection, in their order; a rule that it is not one of is not among them. */
export function remediate(
  detection: Detection,
  rules: readonly RemediationRule[],
  history: RuleHistory,
  cuts: Cuts,
  issuers: Issuers,
  nowSeconds: number,
): Verdict[] {
  return matching(detection, rules, nowSeconds).map((rule) => {
    const group = groupOf(rule.actions, detection, issuers);
    const actions = planned(rule, detection, issuers, cuts);
    const would_cut = totalCut(actions);
    const would_hold = would_cut > rule.max_cut;
    const hindrance = hindranceOf(rule, group, history, nowSeconds);
    const fires = rule.shadow ? "shadow" : would_hold ? "held" : "acted";
    return { rule, group, outcome: hindrance ?? fires, actions, would_cut, would_hold };
  });
}

/** The rules whose kind and condition the detection meets. */
export function matching(
  detection: Detection,
  rules: readonly RemediationRule[],
  nowSeconds: number,
): RemediationRule[] {
  return rules.filter(
    (rule) => kindsOf(rule).includes(detection.kind) && isTrue(rule, detection, nowSeconds),
  );
}

/** Targets whose live tokens have to be counted before the rules are asked. One token is one, and needs no count. */
export function toCount(
  detection: Detection,
  rules: readonly RemediationRule[],
  issuers: Issuers,
  nowSeconds: number,
): Extract<Target, { kind: "tokens" }>[] {
  const found = new Map<string, Extract<Target, { kind: "tokens" }>>();
  for (const rule of matching(detection, rules, nowSeconds)) {
    for (const action of rule.actions) {
      const target = targetOf(action, detection, issuers);
      if (target?.kind === "tokens" && target.match.jti === undefined) found.set(target.key, target);
    }
  }
  return [...found.values()];
}

function isTrue({ condition }: RemediationRule, detection: Detection, nowSeconds: number): boolean {
  if (condition === undefined) return true;
  const compiled = compileCondition(condition, REMEDIATION_CONDITION_NAMES);
  if (!compiled.ok) return false;
  const { about, facts = {}, ...rest } = detection;
  return compiled.value({ detection: rest, about, facts, time: localTime(nowSeconds, "UTC") });
}

function hindranceOf(
  rule: RemediationRule,
  group: string,
  history: RuleHistory,
  now: number,
): "below_threshold" | "cooling_down" | "over_hourly_limit" | undefined {
  const { id, threshold, cooldown_seconds: cooldown, max_per_hour: most, shadow } = rule;
  if (threshold && history.matches(id, group, now - threshold.window_seconds) + 1 < threshold.count) {
    return "below_threshold";
  }
  const last = history.lastFired(id, group, shadow);
  if (last !== undefined && now < last + cooldown) return "cooling_down";
  return history.firedSince(id, now - HOUR_SECONDS, shadow) >= most ? "over_hourly_limit" : undefined;
}

function planned(rule: RemediationRule, detection: Detection, issuers: Issuers, cuts: Cuts): PlannedAction[] {
  return rule.actions.map((action) => {
    const target = targetOf(action, detection, issuers);
    if (!target) return { action };
    if (target.kind !== "tokens") return { action, target };
    return { action, target, would_cut: target.match.jti === undefined ? (cuts.get(target.key) ?? 0) : 1 };
  });
}

/** Two actions on one target cut its tokens once. */
function totalCut(actions: readonly PlannedAction[]): number {
  const byTarget = new Map(actions.map(({ target, would_cut = 0 }) => [target?.key, would_cut]));
  return [...byTarget.values()].reduce((sum, cut) => sum + cut, 0);
}
