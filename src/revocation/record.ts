import type { WouldCut } from "./live-token.ts";
import type { Receipt } from "./receipt.ts";
import type { Revocation } from "./rule.ts";

/** A revocation as the log keeps it. */
export type LoggedRevocation = {
  rule: Revocation;
  seq: number;
  lifted?: { at: number; by: string; reason?: string };
};

/** A revocation that waits, or waited, for a second person. It hits nothing until it is confirmed. */
export type Proposal = {
  rule: Revocation;
  would_cut: WouldCut;
  exact: boolean;
  /** Until when it can be confirmed. */
  expires_at: number;
  cancelled?: { at: number; by: string; reason?: string };
};

export const REVOCATION_STATES = [
  "awaiting_confirmation",
  "in_force",
  "lifted",
  "expired",
  "cancelled",
  "confirmation_expired",
] as const;

export type RevocationState = (typeof REVOCATION_STATES)[number];

type HistoryEvent = {
  event: "proposed" | "created" | "confirmed" | "cancelled" | "lifted";
  at: number;
  actor: string;
  reason?: string;
};

/** A revocation as it is shown, as of now: the rule, its state, and who did what to it when and why. */
export type RevocationRecord = Omit<Revocation, "confirmation"> & {
  state: RevocationState;
  /** Its place in the log; absent before it is confirmed. */
  seq?: number;
  lifted_at?: number;
  lifted_by?: string;
  /** Where a second person is or was needed: what the rule would cut, and until when it can be confirmed. */
  confirmation?: Pick<Proposal, "would_cut" | "exact" | "expires_at">;
  /** Oldest first. */
  history: HistoryEvent[];
  /** What acknowledged it; only where one revocation is read. */
  receipt?: Receipt;
};

export type RevocationPage = {
  items: RevocationRecord[];
  next_cursor?: string;
  /** Of a search: how many were looked at for this page. */
  searched?: number;
};

/** How long a second person has. */
export const CONFIRMATION_SECONDS = 3_600;

export function presentLogged({ rule, seq, lifted }: LoggedRevocation, now: number): RevocationRecord {
  const { confirmation, ...shown } = rule;
  const over = rule.expires_at !== undefined && rule.expires_at <= now;
  const history: HistoryEvent[] = [beginning(rule, confirmation ? "proposed" : "created")];
  if (confirmation) {
    const { actor, at, comment } = confirmation;
    history.push({ event: "confirmed", at, actor, ...(comment === undefined ? {} : { reason: comment }) });
  }
  if (lifted) history.push(ending("lifted", lifted));
  return {
    ...shown,
    state: lifted ? "lifted" : over ? "expired" : "in_force",
    seq,
    ...(lifted ? { lifted_at: lifted.at, lifted_by: lifted.by } : {}),
    history,
  };
}

export function presentProposal(proposal: Proposal, now: number): RevocationRecord {
  const { rule, would_cut, exact, expires_at, cancelled } = proposal;
  const { confirmation: _none, ...shown } = rule;
  return {
    ...shown,
    state: proposalState(proposal, now),
    confirmation: { would_cut, exact, expires_at },
    history: [beginning(rule, "proposed"), ...(cancelled ? [ending("cancelled", cancelled)] : [])],
  };
}

export function proposalState(
  { cancelled, expires_at }: Proposal,
  now: number,
): "awaiting_confirmation" | "confirmation_expired" | "cancelled" {
  if (cancelled) return "cancelled";
  return now < expires_at ? "awaiting_confirmation" : "confirmation_expired";
}

function beginning(
  { created_at: at, actor, reason }: Revocation,
  event: "proposed" | "created",
): HistoryEvent {
  return { event, at, actor, reason };
}

function ending(
  event: "cancelled" | "lifted",
  { at, by, reason }: { at: number; by: string; reason?: string },
): HistoryEvent {
  return { event, at, actor: by, ...(reason === undefined ? {} : { reason }) };
}
