import { rateLimitFields } from "../limits/limits.ts";
import type { Logger } from "../platform/log.ts";
import { bearerChallenge, type Challenge, dpopChallenge } from "../protocol/bearer.ts";
import { DPOP_ALGORITHMS } from "../protocol/dpop.ts";
import {
  type Problem,
  type ProblemCode,
  problem,
  problemResponse,
  problemStatus,
} from "../protocol/problem.ts";
import { askLink, presentAsk } from "./askable.ts";
import type { Refusal, RefuseReason } from "./decision.ts";
import { metadataUrl } from "./guarded.ts";
import type { Observer } from "./observation.ts";
import { TELLINGS } from "./tellings.ts";

/** What a refusal is called on the wire; it decides the status. */
export function problemCodeOf(reason: RefuseReason): ProblemCode {
  return TELLINGS[reason].code;
}

export const REFUSE_REASONS = Object.keys(TELLINGS) as RefuseReason[];

/** The problem and the challenge that a refusal is answered with. */
export function tell(
  refused: Refusal,
  issuer: string,
  requestId: string,
  resourceMetadata?: string,
): { problem: Problem; challenge?: string; dpopNonce?: string } {
  const { code, detail, challenge } = TELLINGS[refused.reason];
  const access = refused.route?.access;
  // Of those of which one is enough, one.
  const scope =
    access && access !== "public"
      ? [...access.scopes, ...(access.any_scopes?.slice(0, 1) ?? [])].join(" ")
      : "";
  const needed = code === "insufficient_scope" && scope ? { scope } : {};
  const ask = refused.ask ? { ask: presentAsk(refused.ask, issuer) } : {};
  const told = problem(code, detail, { ...needed, ...ask, decision_id: requestId });
  if (!challenge) return { problem: told };
  const parameters: Challenge = {
    ...challenge,
    ...(challenge.error === "insufficient_scope" && scope ? { scope } : {}),
    ...(resourceMetadata ? { resourceMetadata } : {}),
    ...(refused.reason === "step_up_needed" ? stepUpOf(refused) : {}),
  };
  const header = refused.dpop
    ? dpopChallenge(issuer, parameters, DPOP_ALGORITHMS)
    : bearerChallenge(issuer, parameters);
  const nonce = refused.dpopNonce === undefined ? {} : { dpopNonce: refused.dpopNonce };
  return { problem: told, challenge: header, ...nonce };
}

/** RFC 9470 §3: what an authorization request has to ask for. */
function stepUpOf({ route, stepUp }: Refusal): Pick<Challenge, "acrValues" | "maxAgeSeconds"> {
  const wanted = stepUp ?? (route && route.access !== "public" ? route.access.step_up : undefined);
  return {
    ...(wanted?.acr_values ? { acrValues: wanted.acr_values } : {}),
    ...(wanted?.max_age_seconds === undefined ? {} : { maxAgeSeconds: wanted.max_age_seconds }),
  };
}

/**
 * The answer to a refused request. A request is decided once, so that its id names the decision: the problem
 * says it, the reason is in the log under it.
 */
export function refusalResponse(
  refused: Refusal,
  issuer: string,
  requestId: string,
  requestUrl?: string,
): Response {
  // Of an address without a route there is no metadata.
  const metadata = requestUrl && refused.route ? metadataUrl(issuer, requestUrl) : undefined;
  const { problem: told, challenge, dpopNonce } = tell(refused, issuer, requestId, metadata);
  const retry = refused.retryAfterSeconds ?? TELLINGS[refused.reason].retryAfterSeconds;
  const { count, route } = refused;
  return problemResponse(told, requestId, {
    "x-request-id": requestId,
    ...(challenge ? { "www-authenticate": challenge } : {}),
    ...(dpopNonce ? { "dpop-nonce": dpopNonce } : {}),
    ...(refused.ask ? { link: askLink(issuer) } : {}),
    ...(refused.allow ? { allow: refused.allow.join(", ") } : {}),
    ...(count && route ? Object.fromEntries(rateLimitFields(route.id, count)) : {}),
    ...(retry ? { "retry-after": String(retry) } : {}),
  });
}

/** The log's part of observing. */
export function refusalLog(log: Logger): Observer {
  return {
    decided: (decision, _ask, decisionId) => {
      if (decision.outcome === "refuse") logRefusal(log, decision, decisionId);
    },
    answered: (_allowance, fault, _ask, decisionId) => {
      if (fault) logRefusal(log, fault, decisionId);
    },
  };
}

/** One line for each refusal: what was decided, why and on what knowledge; never the token or its claims. */
export function logRefusal(log: Logger, refused: Refusal, requestId: string): void {
  const status = problemStatus(TELLINGS[refused.reason].code);
  log(status >= 500 ? "warn" : "info", "gate.refused", {
    decision_id: requestId,
    reason: refused.reason,
    status,
    route: refused.route?.id,
    seq: refused.seq,
    replica_age_ms: refused.replicaAgeMs,
    jti: refused.token?.facts.jti,
  });
}
