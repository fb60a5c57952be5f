import type { Detection, Remediation } from "../client/contract.ts";

/** What the pages for watching read of the HTTP contract's answers, by the names that they have for them. */

export type DetectionView = Detection;
export type OutcomeView = Detection["outcomes"][number];

export const FIRING_STATES = [
  "acted",
  "held",
  "shadow",
  "dismissed",
  "undone",
] as const satisfies readonly Remediation["state"][];

/** A rule that fired. */
export type FiringView = Remediation;
/** One action of a rule, whom it was for, and what came of it. */
export type ActionView = Remediation["actions"][number];
