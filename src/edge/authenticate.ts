import { faultText, type Logger } from "../platform/log.ts";
import type { Problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import { type AdmissionDeps, admit, type Demand } from "./admission.ts";
import { readCredential } from "./credential.ts";
import { type Refusal, type RefuseReason, refusal } from "./decision.ts";
import { type Staleness, stalenessOf } from "./freshness.ts";
import { logRefusal, tell } from "./refusal.ts";

export type AuthenticateDeps = Omit<AdmissionDeps, "prepare"> & { log: Logger; requestId: string };

/** A refusal as the caller answers it: the problem, and the `WWW-Authenticate` value where there is one. */
export type Unauthenticated = { problem: Problem; challenge?: string };

/** The default bound, and never beyond it. */
const BOUNDED: Staleness = {
  tier: "bounded",
  always: false,
  boundMs: 2_000,
  denylistUntilMs: -1,
  blindUntilMs: -1,
};
const STRICT = stalenessOf({ consistency: { tier: "strict" }, on_stale: "deny" });

/**
 * Authenticates a call to the control plane: one bearer token of ours, for this audience (the issuer), not
 * revoked as of at most 2 s ago. Scopes are for the caller to check.
 */
export async function authenticateOwn(
  request: Pick<Request, "url" | "headers">,
  deps: AuthenticateDeps & { audience: string },
): Promise<Result<VerifiedToken, Unauthenticated>> {
  const query = request.url.indexOf("?");
  const search = query === -1 ? "" : request.url.slice(query);
  const credential = readCredential(request.headers.get("authorization"), search);
  if (!credential.ok) return refused(refusal(`credential_${credential.error}`), deps);
  return authenticate(credential.value, deps, (token) => {
    if (!token.own) return "token_issuer";
    return token.audience.includes(deps.audience) ? undefined : "token_audience";
  });
}

/**
 * Verifies a token that stands for somebody: one of ours, whatever its audience, or a trusted identity
 * provider's for the audience that the policy names for it; not revoked as of at most 2 s ago.
 */
export async function authenticateSubjectToken(
  subjectToken: string,
  deps: AuthenticateDeps,
): Promise<Result<VerifiedToken, Unauthenticated>> {
  return authenticate(subjectToken, deps, (token, view) => {
    if (token.own) return undefined;
    const issuer = view.policy.issuers.get(token.facts.iss);
    if (!issuer) return "token_issuer";
    return token.audience.includes(issuer.audience) ? undefined : "token_audience";
  });
}

/** Verifies an access token of ours, whatever it is for, and asks the log itself whether it was revoked. */
export async function authenticateAnyOwn(
  accessToken: string,
  deps: AuthenticateDeps,
): Promise<Result<VerifiedToken, Unauthenticated>> {
  return authenticate(accessToken, deps, (token) => (token.own ? undefined : "token_issuer"), STRICT);
}

type Misdirected = (token: VerifiedToken, view: ReplicaView) => RefuseReason | undefined;

async function authenticate(
  credential: string | undefined,
  deps: AuthenticateDeps,
  misdirected: Misdirected,
  staleness = BOUNDED,
): Promise<Result<VerifiedToken, Unauthenticated>> {
  try {
    const admission = await admit(credential, (view) => ok(demandOf(view, misdirected, staleness)), deps);
    if (!admission.ok) return refused(admission.error, deps);
    const { token } = admission.value;
    return token ? ok(token) : refused(refusal("credential_missing"), deps);
  } catch (fault) {
    deps.log("error", "authenticate.fault", { request_id: deps.requestId, fault: faultText(fault) });
    return refused(refusal("internal"), deps);
  }
}

function demandOf(view: ReplicaView, misdirected: Misdirected, staleness: Staleness): Demand {
  return {
    tokenNeeded: true,
    staleness,
    misdirected: (token) => misdirected(token, view),
    denied: () => undefined,
  };
}

function refused(why: Refusal, deps: AuthenticateDeps): Result<never, Unauthenticated> {
  const { issuer, log, requestId } = deps;
  logRefusal(log, why, requestId);
  return err(tell(why, issuer, requestId, `${issuer}/.well-known/oauth-protected-resource`));
}
