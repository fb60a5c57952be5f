import type { AccessRequest } from "./access-request.ts";
import { grantState } from "./grant.ts";

/** Somebody's live grants that give all of these scopes for the resource, the one to draw on first. */
export function coveringGrants(
  requests: readonly AccessRequest[],
  wanted: { resource: string; scopes: readonly string[] },
  now: number,
): AccessRequest[] {
  return requests
    .filter(({ grant }) => grant && grantState(grant, now) === "active" && grant.resource === wanted.resource)
    .filter(({ grant }) => wanted.scopes.every((scope) => grant!.scope.includes(scope)))
    .sort(byUseThenEnd);
}

/** What is not counted goes first, so that no use is spent in vain; then what lasts longest. */
function byUseThenEnd({ grant: a }: AccessRequest, { grant: b }: AccessRequest): number {
  const counted = Number(a!.max_uses !== undefined) - Number(b!.max_uses !== undefined);
  return counted || b!.access_expiry - a!.access_expiry;
}
