import type { RemediationAction } from "../policy/remediation-schema.ts";
import type { Detection, DetectionKind } from "../protocol/detection.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { Revocation } from "../revocation/rule.ts";
import { ruleOfAction } from "./action-rule.ts";
import type { PlannedAction, Verdict } from "./remediate.ts";
import type { Target } from "./target.ts";

/** One action of a rule that fired, and how far it is. */
export type Act = PlannedAction & {
  /** The revocation that it made, once it was carried out. */
  revocation_id?: string;
  /** The log's receipt for it. */
  receipt?: Receipt;
  lift_receipt?: Receipt;
  /** What came of an action that is no revocation. */
  result?: string;
};

/** A rule that fired. Moments are epoch seconds. */
export type Remediation = {
  /** `rmd_…` */
  id: string;
  rule_id: string;
  detection_id: string;
  detection_kind: DetectionKind;
  group: string;
  at: number;
  detected_at: number;
  state: "acted" | "held" | "shadow" | "dismissed" | "undone";
  acts: Act[];
  would_cut: number;
  /** In the shadow: it would have waited for a person. */
  would_hold?: true;
  held?: { until: number; needed: number; confirmations: Confirmation[] };
  ended?: { at: number; by: string; reason: string };
};

type Confirmation = { actor: string; at: number; comment?: string };

/** An effect that is owed: a rule for the log, a lift, a rotation. */
export type Effect =
  | { kind: "revoke"; index: number; rule: Revocation; lane: string }
  | { kind: "lift"; index: number; id: string; revocation_id: string; lane: string }
  | { kind: "rotate_key"; index: number; id: string; lane: string };

/** New ids: of a revocation, a log entry, a rotation. */
export type NewId = (prefix: "rmd" | "rev" | "log" | "rot") => string;

/** How long a person has for what was held. */
export const HELD_SECONDS = 86_400;
/** Rules that remedies put into the log are theirs. */
export const ACTOR_PREFIX = "remediation:";

/** What a rule that fired leads to: its record. Nothing has been done yet. */
export function firing(
  { rule, group, outcome, actions, would_cut, would_hold }: Verdict,
  detection: Detection,
  confirmAbove: number,
  now: number,
  newId: NewId,
): Remediation {
  const needed = would_cut > confirmAbove ? 2 : 1;
  return {
    id: newId("rmd"),
    rule_id: rule.id,
    detection_id: detection.id,
    detection_kind: detection.kind,
    group,
    at: now,
    detected_at: detection.at,
    state: outcome as "acted" | "held" | "shadow",
    acts: actions,
    would_cut,
    ...(outcome === "shadow" && would_hold ? { would_hold } : {}),
    ...(outcome === "held" ? { held: { until: now + HELD_SECONDS, needed, confirmations: [] } } : {}),
  };
}

/** Carries a firing out: what is owed from now on. */
export function enact(
  remediation: Remediation,
  now: number,
  newId: NewId,
): { remediation: Remediation; effects: Effect[] } {
  const { rule_id, detection_id, detection_kind, detected_at } = remediation;
  const effects: Effect[] = [];
  const acts = remediation.acts.map((act, index): Act => {
    const { action, target } = act;
    if (!target) return act;
    const lane = laneOf(target);
    if (action.kind === "rotate_key") {
      effects.push({ kind: "rotate_key", index, id: newId("rot"), lane });
      return act;
    }
    const reason = `Rule ${rule_id}: ${detection_kind} (${detection_id}).`;
    const cause = { id: newId("rev"), actor: `${ACTOR_PREFIX}${rule_id}`, reason };
    const rule = ruleOfAction(action, target, cause, detected_at, now);
    if (!rule) return act;
    effects.push({ kind: "revoke", index, rule, lane });
    return { ...act, revocation_id: rule.id };
  });
  return { remediation: { ...remediation, state: "acted", acts }, effects };
}

/** Takes back what can be taken back. What is left over says so in {@link whyNotUndone}. */
export function undo(
  remediation: Remediation,
  ended: NonNullable<Remediation["ended"]>,
  newId: NewId,
): { remediation: Remediation; effects: Effect[] } {
  const effects = remediation.acts.flatMap(({ revocation_id, target }, index): Effect[] =>
    revocation_id === undefined || !target
      ? []
      : [{ kind: "lift", index, id: newId("log"), revocation_id, lane: laneOf(target) }],
  );
  return { remediation: { ...remediation, state: "undone", ended }, effects };
}

/** Why an action stays as it is when its firing is undone; undefined where it is taken back. */
export function whyNotUndone({ action, target }: Act): string | undefined {
  if (!target) return "The detection named nobody whom it could have hit: nothing was done.";
  switch (action.kind) {
    case "count":
      return "It was a record, and stays one.";
    case "notify":
      return "What was sent stays sent.";
    case "rotate_key":
      return "A rotation that has begun is not taken back; nobody's token ends by it.";
    default:
      return undefined;
  }
}

/** Effects on one target leave in their order, and wait for no other's. */
function laneOf({ key }: Target): string {
  return `act:${key}`;
}

export function isUndoable({ acts }: Remediation): boolean {
  return acts.some((act) => act.revocation_id !== undefined);
}

export function notifies(remediation: Remediation): boolean {
  return remediation.acts.some(({ action }) => action.kind === "notify");
}

/** A firing as it is shown, as of now. */
export function present(remediation: Remediation, now: number) {
  const { held, ended, acts, state, would_hold, group: _group, detected_at: _at, ...rest } = remediation;
  const over = state === "held" && held !== undefined && held.until <= now;
  return {
    ...rest,
    state: over ? ("hold_expired" as const) : state,
    ...(would_hold ? { would_hold } : {}),
    actions: acts.map((act) => presentAct(act, state === "undone")),
    ...(held ? { held } : {}),
    ...(ended ? { ended } : {}),
  };
}

export type RemediationView = ReturnType<typeof present>;

function presentAct(act: Act, undone: boolean) {
  const { action, target, would_cut, revocation_id, receipt, lift_receipt, result } = act;
  const stays = undone ? whyNotUndone(act) : undefined;
  return {
    ...shownAction(action),
    on: target === undefined ? null : shownTarget(target),
    ...(would_cut === undefined ? {} : { would_cut }),
    ...(revocation_id === undefined ? {} : { revocation_id }),
    ...(receipt ? { receipt } : {}),
    ...(result === undefined ? {} : { result }),
    ...(lift_receipt ? { lift_receipt } : {}),
    ...(stays === undefined ? {} : { not_undone: stays }),
  };
}

function shownAction(action: RemediationAction): RemediationAction {
  return action;
}

/** Whom it is for, as a revocation's `match` has it. */
function shownTarget(target: Target) {
  switch (target.kind) {
    case "tokens":
      return target.match;
    case "address":
      return { address: target.address };
    case "signing_key":
      return { kid: target.kid };
    case "other":
      return {};
  }
}
