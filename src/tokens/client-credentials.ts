import { ok } from "../protocol/result.ts";
import { DEFAULT_TTL_SECONDS } from "./access-token.ts";
import { type Grant, grantScopes, issue, readPolicy, readScopes, readTarget } from "./grant.ts";

/** RFC 6749 §4.4: a client for itself, with its own scopes and roles. */
export const clientCredentialsGrant: Grant = {
  parameters: ["scope", "audience", "resource"],
  async answer(request, deps) {
    const { form, client } = request;
    const asked = readScopes(form);
    if (!asked.ok) return asked;
    const scopes = grantScopes(asked.value, client.scopes);
    if (!scopes.ok) return scopes;
    // A token for this issuer needs nothing of the policy.
    const named = form.has("audience") || form.has("resource");
    const policy = named ? await readPolicy(deps) : undefined;
    if (policy && !policy.ok) return policy;
    const target = policy ? readTarget(form, deps.issuer, policy.value) : ok(undefined);
    if (!target.ok) return target;
    const input = {
      subject: client.id,
      audience: target.value ?? deps.issuer,
      scopes: scopes.value,
      roles: client.roles,
      ttlSeconds: DEFAULT_TTL_SECONDS,
    };
    return issue(input, request, deps);
  },
};
