import type { DecisionRecord, DecisionTrace, TokenIds, TracedCheck } from "../protocol/decision-trace.ts";
import { problemStatus } from "../protocol/problem.ts";
import type { TokenFacts } from "../revocation/rule.ts";
import { checksOf } from "./checks.ts";
import type { Decision, Refusal } from "./decision.ts";
import { clientAddress, type ObservedAsk, type Surface } from "./observation.ts";
import { problemCodeOf } from "./refusal.ts";
import { remediesOf } from "./remedies.ts";

/** What an origin answers is not known here. */
const ALLOWED_STATUS = 200;

/** A decision with all that led to it, in its stable format. */
export function traceOf(
  decision: Decision,
  checks: readonly TracedCheck[],
  decisionId: string,
): DecisionTrace {
  const { outcome, reason, route, seq, replicaAgeMs } = decision;
  return {
    trace_version: 1,
    decision_id: decisionId,
    outcome,
    reason,
    status: decision.outcome === "allow" ? ALLOWED_STATUS : problemStatus(problemCodeOf(decision.reason)),
    ...(route ? { route: route.id, origin: route.origin } : {}),
    ...(seq === undefined ? {} : { seq }),
    ...(replicaAgeMs === undefined ? {} : { replica_age_ms: replicaAgeMs }),
    checks,
    remedies: decision.outcome === "allow" ? [] : remediesOf(decision, missingScopes(checks)),
  };
}

/** A decision as it is kept: with ids, never a token or a claim set. An origin's fault is what came of an acceptance. */
export function recordOf(
  decision: Decision,
  ask: ObservedAsk,
  decisionId: string,
  surface: Surface,
  atMs: number,
  withAddress: boolean,
  fault?: Refusal,
): DecisionRecord {
  const checks = decision.checks ?? checksOf(decision, atMs / 1000);
  const trace = traceOf(decision, checks, decisionId);
  const { token } = decision;
  const unverified = decision.outcome === "refuse" ? decision.unverified : undefined;
  return {
    ...trace,
    ...(fault ? { origin_fault: fault.reason, status: problemStatus(problemCodeOf(fault.reason)) } : {}),
    at: atMs / 1000,
    surface,
    method: ask.method,
    ...(token ? { token: idsOf(token.facts) } : {}),
    ...(unverified ? { unverified } : {}),
    ...(withAddress ? whereFrom(ask) : {}),
  };
}

function idsOf({ iss, subject, kid, jti, client_id, grant, session }: TokenFacts): TokenIds {
  return {
    ...{ iss, sub: subject, kid },
    ...(jti === undefined ? {} : { jti }),
    ...(client_id === undefined ? {} : { client_id }),
    ...(grant === undefined ? {} : { grant }),
    ...(session === undefined ? {} : { session }),
  };
}

function whereFrom(ask: ObservedAsk): Pick<DecisionRecord, "address" | "country" | "asn"> {
  const address = clientAddress(ask);
  const { country, asn } = (ask.cf ?? {}) as { country?: unknown; asn?: unknown };
  return {
    ...(address === undefined ? {} : { address }),
    ...(typeof country === "string" ? { country } : {}),
    ...(typeof asn === "number" ? { asn } : {}),
  };
}

function missingScopes(checks: readonly TracedCheck[]): string[] {
  const missing = checks.find(({ check }) => check === "scopes")?.demand?.missing;
  return Array.isArray(missing) ? (missing as string[]) : [];
}
