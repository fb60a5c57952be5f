import type { Clock } from "../platform/clock.ts";
import type { Route } from "../policy/document.ts";
import type { Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { Refusal, RefuseReason } from "./decision.ts";
import type { DeniedTokens } from "./denied-tokens.ts";
import type { Freshness, Staleness, WaitUntil } from "./freshness.ts";
import type { IdentifyDeps } from "./identify.ts";
import type { Trace } from "./trace.ts";

export type AdmissionDeps = IdentifyDeps & {
  clock: Clock;
  freshness: Freshness;
  denied: DeniedTokens;
  waitUntil: WaitUntil;
  /** Work that must not come between the decision and its use, done once the token is verified. */
  prepare?: () => Promise<unknown> | undefined;
  /** Told of every check, where somebody asks why. */
  trace?: Trace;
};

/** What a request asks of its credential, as one view of the policy tells it. */
export type Demand = {
  /** Named in refusals. */
  route?: Route;
  /** The request's, where rules for addresses hold: not in the control plane, where such a rule can be lifted. */
  headers?: Pick<Headers, "get">;
  params?: Record<string, string>;
  /** The access token that was sent. */
  credential?: string | undefined;
  /** Gets the access token that stands for the session's cookie that was sent, in place of `credential`. */
  exchange?: (() => Result<string, Refusal> | Promise<Result<string, Refusal>>) | undefined;
  /** In place of a credential: what somebody vouches for who has authenticated the subject. */
  vouched?: VerifiedToken | undefined;
  /** Refusals ask for a proof of possession. */
  dpop?: boolean;
  tokenNeeded: boolean;
  /** Rules that only constrain a token do not matter: it is to be ended. */
  unconstrained?: boolean;
  staleness: Staleness;
  /** The token is one for this place at all: whose it is, and for which audience. */
  misdirected(token: VerifiedToken): RefuseReason | undefined;
  /** Whoever sends the token may do so; a promise only where there is something to prove. */
  unproven?(token: VerifiedToken): Refusal | undefined | Promise<Refusal | undefined>;
  /** Holds what the request uses up, before the last look; a promise only where its grant is counted. */
  hold?(token: VerifiedToken): Promise<Refusal | undefined> | undefined;
  /** Counts the request, once; absent where its route has no limit, or it was counted. */
  count?: ((token: VerifiedToken | undefined) => Promise<Refusal | undefined>) | undefined;
  /** The last word on a token that is good; synchronous. */
  denied(token: VerifiedToken | undefined): Refusal | undefined;
};

/** What one request demands, on whatever view it is decided on. */
export type Demanding<D extends Demand> = { demandOf(view: ReplicaView): Result<D, Refusal> };
