import type { Detection } from "../protocol/detection.ts";
import type { ReceiptView } from "./operator-wire.ts";

/** What the pages for watching read of the HTTP contract's answers. Times are epoch seconds. */

export type OutcomeView = { rule_id: string; outcome: string; remediation_id?: string };

export type DetectionView = Detection & { received_at: number; outcomes: OutcomeView[] };

export const FIRING_STATES = ["acted", "held", "shadow", "dismissed", "undone"] as const;

/** One action of a rule, whom it was for, and what came of it. */
export type ActionView = {
  kind: string;
  /** Null: the detection named nobody whom it could have hit. */
  on: Record<string, string> | null;
  scopes?: string[];
  seconds?: number;
  acr_values?: string[];
  would_cut?: number;
  revocation_id?: string;
  receipt?: ReceiptView;
  result?: string;
  lift_receipt?: ReceiptView;
  not_undone?: string;
};

/** A rule that fired. */
export type FiringView = {
  id: string;
  rule_id: string;
  detection_id: string;
  detection_kind: string;
  at: number;
  state: (typeof FIRING_STATES)[number] | "hold_expired";
  would_cut: number;
  would_hold?: true;
  actions: ActionView[];
  held?: {
    until: number;
    needed: number;
    confirmations: { actor: string; at: number; comment?: string }[];
  };
  ended?: { at: number; by: string; reason: string };
};
