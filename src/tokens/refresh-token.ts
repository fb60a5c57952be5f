import { epochSeconds } from "../platform/clock.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  type Grant,
  type GrantDeps,
  type GrantRequest,
  readPolicy,
  readScopes,
  readTarget,
  sessionContext,
  TOKEN_TYPES,
} from "./grant.ts";
import { refreshGrant } from "./refresh-grant.ts";
import type { Assertion } from "./session.ts";
import { readSubject } from "./subject.ts";

/** RFC 6749 §6; with a subject token, the identity provider's word is taken in anew as well. */
export const refreshTokenGrant: Grant = {
  parameters: ["refresh_token", "scope", "audience", "resource", "subject_token", "subject_token_type"],
  async answer(request, deps) {
    const refreshToken = request.form.get("refresh_token");
    if (refreshToken === null) {
      return err(oauthError("invalid_request", "The parameter refresh_token is missing."));
    }
    const scopes = readScopes(request.form);
    if (!scopes.ok) return scopes;
    const policy = await readPolicy(deps);
    if (!policy.ok) return policy;
    const target = readTarget(request.form, deps.issuer, policy.value);
    if (!target.ok) return target;
    const assertion = await readAssertion(request, deps);
    if (!assertion.ok) return assertion;
    const asked = {
      refreshToken,
      ...(scopes.value ? { scopes: scopes.value } : {}),
      ...(target.value === undefined ? {} : { audience: target.value }),
    };
    return refreshGrant(asked, assertion.value, sessionContext(request, policy.value, deps));
  },
};

async function readAssertion(
  request: GrantRequest,
  deps: GrantDeps,
): Promise<Result<Assertion | undefined, OAuthError>> {
  const { form } = request;
  const subjectToken = form.get("subject_token");
  const type = form.get("subject_token_type");
  if (subjectToken === null && type === null) return ok(undefined);
  if (subjectToken === null || !TOKEN_TYPES.includes(type ?? "")) {
    const detail = `subject_token needs subject_token_type, one of ${TOKEN_TYPES.join(", ")}.`;
    return err(oauthError("invalid_request", detail));
  }
  const token = await readSubject("subject token", subjectToken, "invalid_grant", request, deps);
  if (!token.ok) return token;
  const { issuerId, facts, roles, scopes, expiresAt } = token.value;
  if (issuerId === undefined || expiresAt - epochSeconds(deps.clock()) < 1) {
    return err(oauthError("invalid_grant", "The subject token is over, or not an identity provider's."));
  }
  return ok({ facts, issuer_id: issuerId, roles, scopes });
}
