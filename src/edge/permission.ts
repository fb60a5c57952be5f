import { matchesResource } from "../policy/access-rules.ts";
import type { Route } from "../policy/document.ts";
import { RESOURCE } from "../policy/resource-name.ts";
import type { VerifiedToken } from "../tokens/claims.ts";

/** What a verified token lacks for a route. */
export type PermissionFault = "scope_missing" | "role_missing" | "resource_not_granted";

/** Whether the token may use the route: all scopes, one of the roles, a grant for the resource. */
export function permissionFault(
  access: Route["access"],
  params: Record<string, string>,
  token: VerifiedToken,
): PermissionFault | undefined {
  if (access === "public") return undefined;
  if (!access.scopes.every((scope) => token.scopes.includes(scope))) return "scope_missing";
  if (access.roles.length > 0 && !access.roles.some((role) => token.roles.includes(role)))
    return "role_missing";
  if (access.resource === undefined) return undefined;
  const resource = resourceOf(access.resource, params);
  if (resource !== undefined && token.resources.some((granted) => matchesResource(granted, resource))) {
    return undefined;
  }
  return "resource_not_granted";
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
