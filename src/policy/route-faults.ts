import { compileCondition } from "./condition.ts";
import type { Route } from "./document.ts";
import type { Part } from "./draft.ts";
import { ROUTE_CONDITION_NAMES } from "./route-conditions.ts";

/** What a route's schema cannot see of its access and its limit. `limiters`: those that the deployment has. */
export function accessFaults(
  { at, value: { access, limit } }: Part<Route>,
  limiters: ReadonlySet<string> = new Set(),
): string[] {
  const faults: string[] = [];
  if (access !== "public" && access.condition !== undefined) {
    const compiled = compileCondition(access.condition, ROUTE_CONDITION_NAMES);
    if (!compiled.ok) faults.push(`${at}.access.condition: ${compiled.error}`);
  }
  if (!limit) return faults;
  if (access === "public" && limit.by !== "ip") {
    faults.push(`${at}.limit.by: a public route is called without a token too; use "ip"`);
  }
  if (limit.limiter !== undefined && !limiters.has(limit.limiter)) {
    const known = [...limiters].join(", ") || "none";
    faults.push(`${at}.limit.limiter: this deployment has no limiter ${limit.limiter}; it has ${known}`);
  }
  return faults;
}
