import type { Result } from "../protocol/result.ts";
import { admit } from "./admission.ts";
import type { Admission } from "./attempt.ts";
import { hasTokenParameter } from "./credential.ts";
import { type Decision, type Refusal, refusal } from "./decision.ts";
import type { Demanding } from "./demand.ts";
import { type Ask, type AuthorizeDeps, Matter, type RouteDemand } from "./route-demand.ts";
import { readTarget } from "./target.ts";
import { openBoundMs } from "./watch.ts";

/**
 * Decides on one request: target, route, credential, then {@link admit}. The route that is decided on is the
 * one that is forwarded to. At once where all that it takes is in memory. Throws nothing that is expected; whoever
 * calls it refuses where it does throw.
 */
export function authorize(ask: Ask, deps: AuthorizeDeps): Decision | Promise<Decision> {
  const startedMs = deps.clock();
  const target = readTarget(ask.url);
  deps.trace?.note("target", target.ok);
  if (!target.ok) return refusal(`target_${target.error}`);
  if (hasTokenParameter(target.value.search)) {
    deps.trace?.note("credential", false);
    return refusal("credential_in_query");
  }
  const matter = new Matter(ask, target.value, deps);
  const admitting = admit(matter, deps, matter.session);
  return admitting instanceof Promise
    ? admitting.then((admission) => conclude(admission, matter, startedMs))
    : conclude(admitting, matter, startedMs);
}

function conclude(
  admission: Result<Admission<RouteDemand>, Refusal>,
  matter: Matter,
  startedMs: number,
): Decision {
  const { ask, target, deps, proven } = matter;
  const nowMs = deps.clock();
  if (!admission.ok) {
    matter.use?.release();
    return { ...admission.error, tookMs: nowMs - startedMs };
  }
  const { demand, token, view } = admission.value;
  const { route, origin, params } = demand;
  // Only where it was refused a moment before: nothing counted is let through uncounted.
  if (token?.maxUses !== undefined && deps.uses && !matter.use) return refusal("uses_unavailable", { route });
  if (route.limit && !deps.limits) deps.trace?.skip("limit", "not_counted");
  return {
    outcome: "allow",
    reason: ask.assumed ? "vouched" : token ? "token" : "public",
    route,
    origin,
    target,
    params,
    seq: view.seq,
    replicaAgeMs: nowMs - view.fetchedAtMs,
    tookMs: nowMs - startedMs,
    token,
    recheck: token && (() => recheck(admission.value)),
    use: matter.use,
    dpopNonce: proven.nextNonce,
    count: matter.count,
  };
}

/** The same decision once more, on a view of at most half the bound: the other half is for acting on it. */
async function recheck({ demand: { matter } }: Admission<RouteDemand>): Promise<Refusal | undefined> {
  const { prepare: _, ...deps } = matter.deps;
  // The proof was for the request that opened the connection, and so was the count; no other comes.
  matter.proven.settled = true;
  matter.counted = true;
  const halved: Demanding<RouteDemand> = {
    demandOf(view) {
      const demand = matter.demandOf(view);
      if (!demand.ok) return demand;
      const { route, staleness } = demand.value;
      demand.value.staleness = { ...staleness, always: false, boundMs: openBoundMs(route) / 2 };
      return demand;
    },
  };
  const admission = await admit(halved, deps);
  return admission.ok ? undefined : admission.error;
}
