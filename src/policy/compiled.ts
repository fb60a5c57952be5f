import { type Condition, loadConditionsOf } from "./condition.ts";
import type { Origin, PolicyDocument, Route, StoredPolicy, TrustedIssuer } from "./document.ts";
import { routeConditions } from "./route-conditions.ts";
import { RouteTable } from "./route-table.ts";
import { currentDocument } from "./stored-policy.ts";

/** A policy as the edge works with it: nothing is parsed or searched in a list for a request. */
export type CompiledPolicy = {
  version: number;
  document: PolicyDocument;
  routes: RouteTable;
  /** Of the routes that have one, by the route's id. */
  conditions: ReadonlyMap<string, Condition>;
  /** By `iss`, exactly as tokens name it. */
  issuers: ReadonlyMap<string, TrustedIssuer>;
  /** By the name that routes give. */
  origins: ReadonlyMap<string, Origin>;
  /** The oldest revocation state on which a route of the tier accepts, in milliseconds. */
  bounds: { boundedMs: number; eventualMs: number };
};

/** The default bound: what a receipt states even where every route is tighter. */
const BOUNDED_MS = 2_000;
/** KV shows a write elsewhere within this time. */
const EVENTUAL_MS = 60_000;

/**
 * Compiles a checked policy, which may have been stored before the schema was what it is now. All that has to be
 * loaded for it is loaded here, once for each version: the decision on a request waits for nothing. Never throws
 * for a document that `policySchema` has parsed.
 */
export async function compilePolicy(stored: StoredPolicy): Promise<CompiledPolicy> {
  const document = await currentDocument(stored);
  await loadConditionsOf(document);
  return {
    version: stored.version,
    document,
    routes: new RouteTable(document.routes),
    conditions: routeConditions(document.routes),
    issuers: new Map(document.issuers.map((issuer) => [issuer.issuer, issuer])),
    origins: new Map(Object.entries(document.origins)),
    bounds: boundsOf(document.routes),
  };
}

/** The oldest revocation state on which one of these routes accepts. */
export function boundsOf(routes: readonly Route[]): CompiledPolicy["bounds"] {
  const bounds = { boundedMs: BOUNDED_MS, eventualMs: EVENTUAL_MS };
  for (const { consistency, on_stale } of routes) {
    const allowForMs = on_stale === "deny" ? 0 : on_stale.allow_for_seconds * 1000;
    if (consistency.tier === "eventual") {
      bounds.eventualMs = Math.max(bounds.eventualMs, EVENTUAL_MS + allowForMs);
    } else {
      // A strict route never has an allowance (`checkPolicy` refuses it); if one had, it would count here.
      const stalenessMs = consistency.tier === "bounded" ? consistency.max_staleness_ms : 0;
      bounds.boundedMs = Math.max(bounds.boundedMs, stalenessMs + allowForMs);
    }
  }
  return bounds;
}
