import { type Condition, compileCondition } from "./condition.ts";
import type { Route } from "./document.ts";

/** What the conditions of routes may look at. */
export const ROUTE_CONDITION_NAMES = ["token", "request", "time", "cf"] as const;

const NEVER: Condition = () => false;

/** The conditions of all routes, compiled. One that no longer compiles holds for nobody. */
export function routeConditions(routes: readonly Route[]): ReadonlyMap<string, Condition> {
  const conditions = new Map<string, Condition>();
  for (const { id, access } of routes) {
    if (access === "public" || access.condition === undefined) continue;
    const compiled = compileCondition(access.condition, ROUTE_CONDITION_NAMES);
    conditions.set(id, compiled.ok ? compiled.value : NEVER);
  }
  return conditions;
}
