import { matchesResource } from "../policy/access-rules.ts";
import type { Route } from "../policy/document.ts";
import { RESOURCE } from "../policy/resource-name.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { Trace } from "./trace.ts";

/** What a verified token lacks for a route. */
export type PermissionFault =
  | "scope_missing"
  | "role_missing"
  | "resource_not_granted"
  | "issued_too_long_ago"
  | "step_up_needed"
  | "condition_not_met";

type Access = Exclude<Route["access"], "public">;

/** What only some requests have: a condition on their route, with their facts, or somebody who asks why. */
export type Scrutiny = { holds?: () => boolean; trace?: Trace | undefined };

/** A clock of another issuer may be ahead of ours by this much. */
export const AHEAD_SECONDS = 60;

/**
 * Whether the token may use the route: all scopes, one of the others, one of the roles, a grant for the resource,
 * young enough, signed in well enough, and at last the condition. The first that fails is the answer.
 */
export function permissionFault(
  access: Route["access"],
  params: Record<string, string>,
  token: VerifiedToken,
  nowSeconds: number,
  scrutiny?: Scrutiny,
): PermissionFault | undefined {
  if (access === "public") return undefined;
  const trace = scrutiny?.trace;
  if (lacksScope(access, token, trace)) return "scope_missing";
  if (lacksRole(access, token, trace)) return "role_missing";
  if (lacksResource(access, params, token, trace)) return "resource_not_granted";
  if (isTooOld(access, token, nowSeconds, trace)) return "issued_too_long_ago";
  if (needsStepUp(access, token, nowSeconds, trace)) return "step_up_needed";
  return failsCondition(access, scrutiny) ? "condition_not_met" : undefined;
}

function lacksScope({ scopes, any_scopes: any }: Access, token: VerifiedToken, trace?: Trace): boolean {
  const lacks =
    !scopes.every((scope) => token.scopes.includes(scope)) ||
    (any !== undefined && !any.some((scope) => token.scopes.includes(scope)));
  if (trace && (scopes.length > 0 || any)) {
    const missing = scopes.filter((scope) => !token.scopes.includes(scope));
    trace.note("scopes", !lacks, { all_of: scopes, any_of: any, missing });
  }
  return lacks;
}

function lacksRole({ roles }: Access, token: VerifiedToken, trace?: Trace): boolean {
  if (roles.length === 0) return false;
  const lacks = !roles.some((role) => token.roles.includes(role));
  trace?.note("roles", !lacks, { any_of: roles });
  return lacks;
}

function lacksResource(
  access: Access,
  params: Record<string, string>,
  token: VerifiedToken,
  trace?: Trace,
): boolean {
  if (access.resource === undefined) return false;
  const resource = resourceOf(access.resource, params);
  const lacks =
    resource === undefined || !token.resources.some((granted) => matchesResource(granted, resource));
  trace?.note("resource", !lacks, { resource });
  return lacks;
}

function isTooOld(
  { max_token_age_seconds: max }: Access,
  token: VerifiedToken,
  nowSeconds: number,
  trace?: Trace,
): boolean {
  if (max === undefined) return false;
  const old = nowSeconds - token.facts.iat > max;
  trace?.note("token_age", !old, { max_seconds: max });
  return old;
}

/** RFC 9470 §4: how and when the person signed in. What the token does not say is not so. */
function needsStepUp(
  { step_up: wanted }: Access,
  { signIn }: VerifiedToken,
  nowSeconds: number,
  trace?: Trace,
): boolean {
  if (wanted === undefined) return false;
  const { acr_values: values, max_age_seconds: maxAge } = wanted;
  const { acr, auth_time: authTime } = signIn ?? {};
  const weak = values !== undefined && (acr === undefined || !values.includes(acr));
  const recent =
    authTime !== undefined &&
    authTime <= nowSeconds + AHEAD_SECONDS &&
    nowSeconds - authTime <= (maxAge ?? 0);
  const needs = weak || (maxAge !== undefined && !recent);
  trace?.note("step_up", !needs, { acr_values: values, max_age_seconds: maxAge });
  return needs;
}

function failsCondition({ condition }: Access, scrutiny?: Scrutiny): boolean {
  if (condition === undefined) return false;
  const fails = scrutiny?.holds?.() !== true;
  scrutiny?.trace?.note("condition", !fails, { condition });
  return fails;
}

/**
 * The resource that a request is about (`projects/:id` → `projects/42`); undefined where the path's parameter
 * is not one that a resource can be named with.
 */
export function resourceOf(pattern: string, params: Record<string, string>): string | undefined {
  const segments = pattern.split("/").map((segment) => {
    if (!segment.startsWith(":")) return segment;
    const name = segment.slice(1);
    const value = Object.hasOwn(params, name) ? params[name] : undefined;
    return value === undefined || value.includes("/") ? "" : value;
  });
  const resource = segments.join("/");
  return RESOURCE.test(resource) ? resource : undefined;
}
