import type { DetectionKind } from "../protocol/detection.ts";
import { compileCondition } from "./condition.ts";
import type { Draft, Part } from "./draft.ts";
import type { RemediationAction, RemediationRule } from "./remediation-schema.ts";

/** What a rule's condition sees. */
export const REMEDIATION_CONDITION_NAMES = ["detection", "about", "facts", "time"] as const;

/** What forged tokens say of themselves is nobody's word: whoever forges one would choose whom it hits. */
const UNVERIFIED: ReadonlySet<DetectionKind> = new Set(["token_tampered", "unknown_key_storm"]);
const ABOUT_KEYS: ReadonlySet<DetectionKind> = new Set(["key_rotation_overdue", "key_compromised"]);
const FOR_ALL: ReadonlySet<RemediationAction["kind"]> = new Set(["count", "notify"]);

/** What is wrong with one rule beside its schema. */
export function remediationFaults(
  { at, value: rule }: Part<RemediationRule>,
  { showsAddresses }: Pick<Draft, "showsAddresses">,
): string[] {
  const kinds = kindsOf(rule);
  const faults = rule.actions.flatMap((action, i) => {
    const wrong = kinds.find((kind) => !fits(action, kind));
    if (wrong !== undefined) return [`${at}.actions.${i}: ${misfit(action, wrong)}`];
    if (action.kind !== "block_address" || showsAddresses) return [];
    return [
      `${at}.actions.${i}: needs the address, which detections.show_address keeps back; set that to true`,
    ];
  });
  if (rule.condition === undefined) return faults;
  const compiled = compileCondition(rule.condition, REMEDIATION_CONDITION_NAMES);
  return compiled.ok ? faults : [...faults, `${at}.condition: ${compiled.error}`];
}

export function kindsOf({ when }: Pick<RemediationRule, "when">): readonly DetectionKind[] {
  return typeof when === "string" ? [when] : when;
}

function fits(action: RemediationAction, kind: DetectionKind): boolean {
  if (FOR_ALL.has(action.kind)) return true;
  if (action.kind === "rotate_key") return kind === "key_rotation_overdue";
  if (action.kind === "revoke" && action.target === "key") return kind === "key_compromised";
  if (action.kind === "block_address") return !ABOUT_KEYS.has(kind);
  return !UNVERIFIED.has(kind) && !ABOUT_KEYS.has(kind);
}

function misfit(action: RemediationAction, kind: DetectionKind): string {
  if (UNVERIFIED.has(kind)) {
    return `${kind} knows of no token that is true, only of an address: count, notify or block_address fit it`;
  }
  if (ABOUT_KEYS.has(kind)) return `${kind} is about a key of ours; ${nameOf(action)} is for something else`;
  return `${nameOf(action)} is for what is about a key of ours; ${kind} is not`;
}

function nameOf(action: RemediationAction): string {
  return action.kind === "revoke" ? `revoke of a ${action.target}` : action.kind;
}
