import type { Json } from "./json.ts";
import type { SignIn } from "./sign-in.ts";

/** Everything that a decision may have to pass, in the order in which it is checked. */
export const CHECKS = [
  "target",
  "route",
  "credential",
  "address",
  "token",
  "audience",
  "sender",
  "freshness",
  "window",
  "revocation",
  "scopes",
  "roles",
  "resource",
  "token_age",
  "step_up",
  "condition",
  "limit",
] as const;

export type CheckName = (typeof CHECKS)[number];

/** One check. `demand` is what the policy asks for, never what a token says. */
export type TracedCheck = {
  check: CheckName;
  outcome: "passed" | "failed" | "skipped";
  demand?: Record<string, Json | readonly Json[] | undefined>;
  /** Why it was skipped. */
  reason?: string;
};

/** What would turn a refusal around, as far as whoever sent the request can do it. */
export type Remedy =
  | { kind: "send_token" }
  | { kind: "new_token" }
  | { kind: "scope"; missing: string[]; any_of?: string[] }
  | { kind: "role"; any_of: string[] }
  | { kind: "grant"; resource?: string }
  | { kind: "method"; allow: string[] }
  | { kind: "sign_in"; acr_values?: string[]; max_age_seconds?: number }
  | { kind: "wait" };

/** A request that is decided on and goes nowhere. */
export type DecisionAsk = {
  method: string;
  url: string;
  headers: Headers;
  /** What Cloudflare would tell of the request. */
  cf?: Record<string, Json>;
  /** Whom the caller vouches for, in place of a token. */
  assumed?: AssumedSubject;
};

/** A subject as somebody who has authenticated it says. */
export type AssumedSubject = {
  subject: string;
  client_id?: string;
  scopes: string[];
  roles: string[];
  resources: string[];
  sign_in?: SignIn;
};

/** A decision with all that led to it: a stable format (docs/decision-trace.md). Members may be added. */
export type DecisionTrace = {
  trace_version: 1;
  decision_id: string;
  outcome: "allow" | "refuse";
  reason: string;
  /** What the client is answered; 200 stands for what the origin says. */
  status: number;
  route?: string;
  origin?: string;
  /** What the decision was taken on. */
  seq?: number;
  replica_age_ms?: number;
  checks: readonly TracedCheck[];
  remedies: Remedy[];
};
