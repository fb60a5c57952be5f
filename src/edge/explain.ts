import type { DecisionTrace } from "../protocol/decision-trace.ts";
import { problemStatus } from "../protocol/problem.ts";
import { type Ask, type AuthorizeDeps, authorize } from "./authorize.ts";
import type { Decision } from "./decision.ts";
import { problemCodeOf } from "./refusal.ts";
import { remediesOf } from "./remedies.ts";
import { Trace } from "./trace.ts";

/** What an origin answers is not known here. */
const ALLOWED_STATUS = 200;

/**
 * The gate's decision on a request, with each check that led to it. By the very engine of the gate, with a trace
 * and without limits and uses: nothing is forwarded, and nothing is counted against anybody. `decided` is told of
 * the decision where it is one on a real request, and not only a question.
 */
export async function explain(
  ask: Ask,
  deps: Omit<AuthorizeDeps, "limits" | "uses" | "trace" | "prepare">,
  decisionId: string,
  decided?: (decision: Decision) => void,
): Promise<DecisionTrace> {
  const trace = new Trace();
  const decision = await authorize(ask, { ...deps, trace });
  decided?.(decision);
  return {
    trace_version: 1,
    decision_id: decisionId,
    outcome: decision.outcome,
    reason: decision.reason,
    status: decision.outcome === "allow" ? ALLOWED_STATUS : problemStatus(problemCodeOf(decision.reason)),
    ...(decision.route ? { route: decision.route.id, origin: decision.route.origin } : {}),
    ...(decision.seq === undefined ? {} : { seq: decision.seq }),
    ...(decision.replicaAgeMs === undefined ? {} : { replica_age_ms: decision.replicaAgeMs }),
    checks: trace.checks,
    remedies: decision.outcome === "allow" ? [] : remediesOf(decision, missingScopes(trace)),
  };
}

function missingScopes(trace: Trace): string[] {
  const missing = trace.checks.find(({ check }) => check === "scopes")?.demand?.missing;
  return Array.isArray(missing) ? (missing as string[]) : [];
}
