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
  "uses",
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
  /** Only for those who may read the policy. `path` is the route's pattern. */
  | { kind: "other_route"; route: string; path: string; host?: string }
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

/** Ids of a token, never the token or what else it says. */
export type TokenIds = {
  iss: string;
  /** Of a token of ours its `sub`; of another issuer's `<issuer id>|<sub>`. */
  sub: string;
  kid: string;
  jti?: string;
  client_id?: string;
  grant?: string;
  session?: string;
};

/** A decision that was taken, as it is kept: `at` in epoch seconds, with milliseconds as the fraction. */
export type DecisionRecord = DecisionTrace & {
  at: number;
  /** Who asked for it. */
  surface: "proxy" | "forward_auth" | "service" | "authzen" | "control";
  method: string;
  /** What went wrong at the origin of a request that was let through; `status` is then what the client was answered. */
  origin_fault?: string;
  /** Of the token that was verified. */
  token?: TokenIds;
  /** Said by a token whose signature did not hold: by whoever sent it, and by nobody else. */
  unverified?: { iss: string; kid?: string; jti?: string };
  /** The client's, where the policy has addresses kept. */
  address?: string;
  country?: string;
  asn?: number;
};

/** A page of records, newest first. All members that are given must hold. */
export type DecisionQuery = {
  limit: number;
  /** The id after which the page begins. */
  cursor?: string;
  outcome?: "allow" | "refuse";
  reason?: string;
  route?: string;
  sub?: string;
  jti?: string;
  /** Epoch seconds. */
  since?: number;
};
