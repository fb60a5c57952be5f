import type { DecisionTrace } from "../protocol/decision-trace.ts";
import { authorize } from "./authorize.ts";
import type { Decision } from "./decision.ts";
import { traceOf } from "./decision-record.ts";
import { nearestRoute } from "./nearest-route.ts";
import type { Ask, AuthorizeDeps } from "./route-demand.ts";
import { Trace } from "./trace.ts";

/**
 * The gate's decision on a request, with each check that led to it. By the very engine of the gate, with a trace
 * and without limits and uses: nothing is forwarded, and nothing is counted against anybody. `decided` is told of
 * the decision where it is one on a real request, and not only a question; a question comes from somebody who may
 * read the policy, and is answered with the nearest route where none takes the request.
 */
export async function explain(
  ask: Ask,
  deps: Omit<AuthorizeDeps, "limits" | "uses" | "trace" | "prepare">,
  decisionId: string,
  decided?: (decision: Decision) => void,
): Promise<DecisionTrace> {
  const trace = new Trace();
  const decision = await authorize(ask, decided ? { ...deps, trace } : { ...deps, trace, nearestRoute });
  decision.checks = trace.checks;
  decided?.(decision);
  return traceOf(decision, trace.checks, decisionId);
}
