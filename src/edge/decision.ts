import type { ExactCount, LimitFault } from "../limits/limits.ts";
import type { Origin, Route } from "../policy/document.ts";
import type { TracedCheck } from "../protocol/decision-trace.ts";
import type { ProofFault } from "../tokens/proof-checker.ts";
import type { TokenFault, UnverifiedIds, VerifiedToken } from "../tokens/verify.ts";
import type { Askable } from "./askable.ts";
import type { HeldUse, UseFault } from "./counted-uses.ts";
import type { CredentialFault } from "./credential.ts";
import type { ForwardFault, OriginFault } from "./forward.ts";
import type { PermissionFault } from "./permission.ts";
import type { Target, TargetFault } from "./target.ts";

/** Why a request is let through. */
type AllowReason = "token" | "public" | "vouched";

/** Why whoever sends a token is not taken for its rightful sender, apart from the proof itself. */
type SenderFault = "scheme" | "unbound" | "not_taken" | "certificate";

/** Why a request is refused: closed, for the log; `refusal.ts` says what the client is told. */
export type RefuseReason =
  | `target_${TargetFault}`
  | "no_route"
  | "method_not_allowed"
  | "credential_missing"
  | `credential_${CredentialFault}`
  | `token_${TokenFault["reason"]}`
  | "token_issuer"
  | "session_over"
  | "session_unavailable"
  | "token_audience"
  | "token_revoked"
  | "address_blocked"
  | `sender_${SenderFault}`
  | `proof_${ProofFault}`
  | PermissionFault
  | UseFault
  | "uses_not_counted"
  | LimitFault["reason"]
  | "no_view"
  | "stale"
  | "assertion_unavailable"
  | ForwardFault
  | OriginFault
  | "internal";

/** What the decision was taken on: the last log entry that the isolate had seen, and how long ago it had asked. */
export type Knowledge = { seq?: number; replicaAgeMs?: number };

/** How a decision came about. */
type Course = {
  /** What it waited for: the platform's clock stands still while code runs. */
  tookMs?: number;
  /** What was checked, where somebody took notes. */
  checks?: readonly TracedCheck[];
};

export type Refusal = Knowledge &
  Course & {
    outcome: "refuse";
    reason: RefuseReason;
    route?: Route;
    /** Methods that the path takes, where the method was refused. */
    allow?: string[];
    /** The route that may have been meant, where none takes the request and whoever asks may know the policy. */
    nearest?: Route;
    /** The resource that the route is about. */
    resource?: string;
    /** What whoever sent the token may ask for to be let through. */
    ask?: Askable;
    /** The token, once it was verified. */
    token?: VerifiedToken;
    /** What the token says whose signature did not hold. */
    unverified?: UnverifiedIds;
    /** The parameters of the path, once the route was found. */
    params?: Record<string, string>;
    /** The sign-in that a rule demands of the token, where it is not its route that does. */
    stepUp?: { acr_values?: string[]; max_age_seconds?: number };
    /** The challenge asks for a proof of possession (RFC 9449 §7.1). */
    dpop?: boolean;
    /** The nonce that the next proof has to hold (RFC 9449 §9). */
    dpopNonce?: string;
    /** When it is worth to try again, and what is left of an exact limit. */
    retryAfterSeconds?: number;
    count?: ExactCount;
  };

export type Allowance = Knowledge &
  Course & {
    outcome: "allow";
    reason: AllowReason;
    route: Route;
    origin: Origin;
    target: Target;
    params: Record<string, string>;
    /** Absent on a public route that was called without one. */
    token?: VerifiedToken | undefined;
    /** The nonce that proofs have to hold from now on, where the one that was used is soon too old. */
    dpopNonce?: string | undefined;
    /** The use that the request takes of a counted grant: it counts unless it is released. */
    use?: HeldUse | undefined;
    /** What is left of the route's limit, where it is exact. */
    count?: ExactCount | undefined;
    /** Decides again, for a connection that stays open: why it would be refused now. Absent without a token. */
    recheck?: (() => Promise<Refusal | undefined>) | undefined;
  };

/** The machine's verdict on one request. Its id is the request's. */
export type Decision = Allowance | Refusal;

export function refusal(reason: RefuseReason, more: Omit<Refusal, "outcome" | "reason"> = {}): Refusal {
  return { outcome: "refuse", reason, ...more };
}
