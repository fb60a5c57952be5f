import { faultText, type Logger } from "../platform/log.ts";
import type { Problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { ProofChecker } from "../tokens/proof-checker.ts";
import { admit } from "./admission.ts";
import { hasTokenParameter, readCredential } from "./credential.ts";
import { type Refusal, type RefuseReason, refusal } from "./decision.ts";
import type { AdmissionDeps, Demand } from "./demand.ts";
import { type Staleness, stalenessOf } from "./freshness.ts";
import type { ObservedAsk, Observer } from "./observation.ts";
import { logRefusal, tell } from "./refusal.ts";
import { ANY_SENDER, checkSender, isDpop, type Proven, type SenderRequest } from "./sender.ts";

export type AuthenticateDeps = Omit<AdmissionDeps, "prepare"> & {
  log: Logger;
  observer: Required<Observer>;
  requestId: string;
};

/** A refusal as the caller answers it: the problem, and the `WWW-Authenticate` value where there is one. */
export type Unauthenticated = {
  problem: Problem;
  challenge?: string;
  /** The token, once it was verified. */
  token?: VerifiedToken;
};

/** In `Authorization` only. */
const SOURCES = [{ from: "authorization" }] as const;

/** The default bound, and never beyond it. */
export const BOUNDED: Staleness = {
  tier: "bounded",
  always: false,
  boundMs: 2_000,
  denylistUntilMs: -1,
  blindUntilMs: -1,
};
/** As of now: the log itself is asked. */
export const STRICT = stalenessOf({ consistency: { tier: "strict" }, on_stale: "deny" });

/**
 * Authenticates a call to the control plane: one access token of ours, for this audience (the issuer), sent by
 * whom it is bound to, not revoked as of at most 2 s ago. Scopes are for the caller to check.
 */
export async function authenticateOwn(
  request: SenderRequest,
  deps: AuthenticateDeps & { audience: string; proofs: ProofChecker },
): Promise<Result<VerifiedToken, Unauthenticated>> {
  const query = request.url.indexOf("?");
  const search = query === -1 ? "" : request.url.slice(query);
  if (hasTokenParameter(search)) return refused(refusal("credential_in_query"), deps, request);
  const credential = readCredential(request, SOURCES);
  if (!credential.ok) return refused(refusal(`credential_${credential.error}`), deps, request);
  const sent = credential.value;
  if (!sent) return refused(refusal("credential_missing"), deps, request);
  const proven: Proven = {};
  return authenticate(deps, {
    request,
    credential: sent.token,
    dpop: isDpop(sent, ANY_SENDER),
    misdirected: (token) => {
      if (!token.own) return "token_issuer";
      return token.audience.includes(deps.audience) ? undefined : "token_audience";
    },
    unproven: (token) => checkSender(token, sent, ANY_SENDER, request, proven, deps.proofs),
  });
}

/**
 * Verifies a token that stands for somebody: one of ours, whatever its audience, or a trusted identity
 * provider's for the audience that the policy names for it; not revoked as of at most 2 s ago. A bound one of
 * an identity provider is refused, as its proof is for another request than this one; of ours, `confirmation`
 * says what the caller has to hold this request against.
 */
export async function authenticateSubjectToken(
  subjectToken: string,
  deps: AuthenticateDeps,
): Promise<Result<VerifiedToken, Unauthenticated>> {
  return authenticate(deps, {
    credential: subjectToken,
    misdirected: (token, view) => {
      if (token.own) return undefined;
      const issuer = view.policy.issuers.get(token.facts.iss);
      if (!issuer) return "token_issuer";
      return token.audience.includes(issuer.audience) ? undefined : "token_audience";
    },
    unproven: (token) => (token.confirmation && !token.own ? refusal("sender_not_taken") : undefined),
  });
}

/**
 * Verifies an access token of ours, whatever it is for, and asks the log itself whether it was revoked. Whoever
 * asks about a bound token is not its sender, and proves nothing.
 *
 * @param toEnd whether the token is about to be revoked, which what is demanded of it must not hinder
 */
export async function authenticateAnyOwn(
  accessToken: string,
  deps: AuthenticateDeps,
  toEnd = false,
): Promise<Result<VerifiedToken, Unauthenticated>> {
  const call: Call = {
    credential: accessToken,
    unconstrained: toEnd,
    misdirected: (token) => (token.own ? undefined : "token_issuer"),
  };
  return authenticate(deps, call, STRICT);
}

type Call = Pick<Demand, "credential" | "dpop" | "unproven" | "unconstrained"> & {
  /** The call that its own token is to open. */
  request?: SenderRequest;
  misdirected(token: VerifiedToken, view: ReplicaView): RefuseReason | undefined;
};

async function authenticate(
  deps: AuthenticateDeps,
  call: Call,
  staleness = BOUNDED,
): Promise<Result<VerifiedToken, Unauthenticated>> {
  const { request } = call;
  try {
    const admission = await admit({ demandOf: (view) => ok(demandOf(view, call, staleness)) }, deps);
    if (!admission.ok) return refused(admission.error, deps, request);
    const { token } = admission.value;
    return token ? ok(token) : refused(refusal("credential_missing"), deps, request);
  } catch (fault) {
    deps.log("error", "authenticate.fault", { request_id: deps.requestId, fault: faultText(fault) });
    return refused(refusal("internal"), deps, request);
  }
}

function demandOf(view: ReplicaView, call: Call, staleness: Staleness): Demand {
  return {
    ...call,
    tokenNeeded: true,
    staleness,
    misdirected: (token) => call.misdirected(token, view),
    denied: () => undefined,
  };
}

/** A token that is only asked about is nobody's request: of its refusal there is a line, and no more. */
function refused(
  why: Refusal,
  deps: AuthenticateDeps,
  request?: ObservedAsk,
): Result<never, Unauthenticated> {
  const { issuer, log, observer, requestId, clock, waitUntil } = deps;
  if (request) observer.decided(why, request, requestId, "control", clock(), waitUntil);
  else logRefusal(log, why, requestId);
  const told = tell(why, issuer, requestId, `${issuer}/.well-known/oauth-protected-resource`);
  return err({ ...told, ...(why.token ? { token: why.token } : {}) });
}
