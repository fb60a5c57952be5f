import type { RemediationRule } from "../policy/remediation-schema.ts";
import type { Detection } from "../protocol/detection.ts";
import { type Cuts, OUTCOMES, type RuleHistory, remediate, type Verdict } from "./remediate.ts";
import type { Issuers } from "./target.ts";

/** What a rule would have done, and how often. */
export type ReplayedRule = {
  rule_id: string;
  /** Times that it would have fired, or not, by the outcome. */
  outcomes: Partial<Record<Verdict["outcome"], number>>;
  /** Live tokens that it would cut, each target once, as many as are alive at the moment of the replay. */
  tokens_cut: number;
};

export type ReplayReport = {
  detections: number;
  /** True where more detections are recorded than were replayed: the newest were. */
  truncated: boolean;
  rules: ReplayedRule[];
  /** The first hundred. */
  firings: {
    rule_id: string;
    detection_id: string;
    kind: Detection["kind"];
    at: number;
    outcome: Verdict["outcome"];
    would_hold: boolean;
    would_cut: number;
    actions: string[];
  }[];
};

const MAX_LISTED = 100;
const FIRED: ReadonlySet<Verdict["outcome"]> = new Set(["acted", "held", "shadow"]);

/** Candidate rules over recorded detections, oldest first, each at its own moment. Nothing is done. */
export function replayed(
  detections: readonly Detection[],
  rules: readonly RemediationRule[],
  cuts: Cuts,
  issuers: Issuers,
): Omit<ReplayReport, "truncated"> {
  const history = new Memory();
  const firings: ReplayReport["firings"] = [];
  const outcomes = new Map(rules.map(({ id }) => [id, new Map<Verdict["outcome"], number>()]));
  const cut = new Map(rules.map(({ id }) => [id, new Map<string, number>()]));
  for (const detection of detections) {
    for (const verdict of remediate(detection, rules, history, cuts, issuers, detection.at)) {
      const { rule, group, outcome, would_hold, would_cut } = verdict;
      history.note(verdict, detection.at);
      const counts = outcomes.get(rule.id)!;
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      if (!FIRED.has(outcome)) continue;
      cut.get(rule.id)!.set(group, would_cut);
      if (firings.length === MAX_LISTED) continue;
      const { id: detection_id, kind, at } = detection;
      const actions = verdict.actions.map(({ action }) => action.kind);
      firings.push({ rule_id: rule.id, detection_id, kind, at, outcome, would_hold, would_cut, actions });
    }
  }
  const report = rules.map(({ id }): ReplayedRule => {
    const counts = outcomes.get(id)!;
    const known = OUTCOMES.flatMap((name) => (counts.has(name) ? [[name, counts.get(name)!]] : []));
    const tokens_cut = [...cut.get(id)!.values()].reduce((sum, each) => sum + each, 0);
    return { rule_id: id, outcomes: Object.fromEntries(known), tokens_cut };
  });
  return { detections: detections.length, rules: report, firings };
}

/** {@link RuleHistory} of a replay: nothing of what really happened. */
class Memory implements RuleHistory {
  readonly #matches = new Map<string, number[]>();
  readonly #fired = new Map<string, number[]>();
  readonly #last = new Map<string, number>();

  note({ rule, group, outcome }: Verdict, at: number): void {
    push(this.#matches, `${rule.id} ${group}`, at);
    if (!FIRED.has(outcome)) return;
    push(this.#fired, rule.id, at);
    this.#last.set(`${rule.id} ${group}`, at);
  }

  matches(ruleId: string, group: string, since: number): number {
    return countAfter(this.#matches.get(`${ruleId} ${group}`), since);
  }

  lastFired(ruleId: string, group: string): number | undefined {
    return this.#last.get(`${ruleId} ${group}`);
  }

  firedSince(ruleId: string, since: number): number {
    return countAfter(this.#fired.get(ruleId), since);
  }
}

function push(lists: Map<string, number[]>, key: string, at: number): void {
  const list = lists.get(key);
  if (list) list.push(at);
  else lists.set(key, [at]);
}

/** Moments come in their order, but for a few that were told late. */
function countAfter(moments: readonly number[] = [], since: number): number {
  let count = 0;
  for (let i = moments.length - 1; i >= 0; i--) if (moments[i]! > since) count++;
  return count;
}
