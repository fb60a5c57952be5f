import type { ReceiptView } from "./operator-wire.ts";

/** What the console reads of the HTTP contract's answers. Times are epoch seconds. */

export type RequestState = "pending" | "approved" | "denied" | "cancelled" | "expired";
export type GrantState = "scheduled" | "active" | "expired" | "revoked" | "used_up";

export type PeopleView = { roles: string[]; subjects: string[] };
export type TreeView = (PeopleView & { count: number }) | { all: TreeView[] } | { any: TreeView[] };

export type ReviewView = {
  id: string;
  approver: string;
  outcome: "approve" | "deny";
  reviewed_at: number;
  stage: number;
  comment?: string;
  duration_seconds?: number;
  scope?: string;
  max_uses?: number;
  via?: string;
  passkey?: string;
};

/** One question to approvers: of a request, or of an extension. */
export type RoundView = {
  state: RequestState;
  created_at: number;
  review_deadline: number;
  decided_at?: number;
  decided_by?: "rule" | "break_glass";
  stage?: number;
  stages?: number;
  awaiting?: TreeView;
  escalated_to?: PeopleView;
  reviews: ReviewView[];
};

export type ExtensionView = RoundView & { id: string; duration_seconds: number; justification: string };

export type GrantView = {
  id: string;
  state: GrantState;
  access_request: string;
  subject: string;
  resource: string;
  scope: string;
  access_start: number;
  access_expiry: number;
  max_uses?: number;
  uses_left?: number;
  used_up_at?: number;
  revoked_at?: number;
  revoked_by?: string;
  revoke_reason?: string;
  /** By when edges refuse it, once the log has acknowledged. */
  revoke_receipt?: ReceiptView;
};

export type RequestView = RoundView & {
  id: string;
  requester: string;
  client_id: string;
  actors?: string[];
  resource: string;
  scope: string;
  duration_seconds: number;
  justification: string;
  starts_at?: number;
  ticket?: string;
  max_uses?: number;
  rule: string;
  grant?: GrantView;
  extensions?: ExtensionView[];
  break_glass?: { review_due_at: number; alerted_at?: number; review?: ReviewView };
};

/** The terms of an access rule that the visitor may use. */
export type RuleView = {
  id: string;
  may: ("ask" | "review" | "emergency")[];
  high_risk?: true;
  resource: string;
  scopes: string[];
  stages: TreeView[];
  conditional?: true;
  may_be_approved_at_once?: true;
  justification_min_length: number;
  ticket?: { prefixes?: string[]; suffix?: "digits" | "letters_and_digits" };
  default_duration_seconds: number;
  max_duration_seconds: number;
  max_total_seconds: number;
  review_deadline_seconds: number;
  max_uses?: number;
  cool_down_seconds?: number;
  max_parallel?: number;
  break_glass?: { max_duration_seconds: number; review_within_seconds: number };
};

export type PasskeyView = { id: string; name: string; created_at: number; last_used_at?: number };

export type Listed<T> = { items: T[]; next_cursor?: string };
