import type { Person } from "../policy/access-conditions.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { namedRoles } from "../policy/named-roles.ts";
import { isProven } from "../protocol/confirmation.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { usableUntil, type VerifiedToken } from "./claims.ts";
import type { OAuthClient } from "./client-auth.ts";
import { scopesThrough } from "./entitlement.ts";
import type { GrantDeps, GrantRequest } from "./grant.ts";

/** Somebody for whom a token stands that was sent as a parameter. */
export type Subject = Person & {
  token: VerifiedToken;
  roles: string[];
  /** What the person may do through this client. */
  scopes: string[];
  /** When its token ends, epoch seconds. */
  endsBy: number;
};

/**
 * Verifies a token that stands for somebody; `error` is what a bad one is answered with. A bound one counts only
 * where the request proves what it is bound to, which binds what is got for it as well: no exchange makes a
 * bearer token of it.
 */
export async function readSubject(
  what: string,
  token: string,
  error: OAuthError["error"],
  { confirmation }: Pick<GrantRequest, "confirmation">,
  deps: GrantDeps,
): Promise<Result<VerifiedToken, OAuthError>> {
  const verified = await deps.verifySubject(token);
  if (verified.ok) {
    if (isProven(verified.value.confirmation, confirmation)) return verified;
    const how = "a DPoP proof of that key, or the certificate that its client is registered with";
    return err(oauthError(error, `The ${what} is bound to its sender: it takes ${how}, on this request.`));
  }
  if (verified.error.code === "insufficient_user_authentication") {
    return err(oauthError(error, `The sign-in behind the ${what} is not enough any more: sign in again.`));
  }
  if (verified.error.code !== "invalid_token") {
    return err(oauthError("temporarily_unavailable", verified.error.detail));
  }
  return err(oauthError(error, `The ${what} is not valid, or its issuer is not trusted here.`));
}

/**
 * What a person may do through a client. The client is the ceiling: a person's rights never pass through a client
 * that was not given them. Only a grant that was asked for through this very client brings more.
 */
export function subjectOf(token: VerifiedToken, client: OAuthClient, policy: PolicyDocument): Subject {
  const { facts, own } = token;
  const named = namedRoles(policy);
  const roles = own ? token.roles : token.roles.filter((role) => named.has(role));
  const granted = own && facts.grant !== undefined && facts.client_id === client.id;
  const carried = granted ? token.scopes : client.scopes;
  return {
    token,
    subject: facts.subject,
    roles,
    scopes: scopesThrough(carried, { roles: own ? [] : roles, scopes: token.scopes }, policy.roles),
    // Within the tolerance for its issuer's clock it may be over: that is no life to pass on.
    endsBy: Math.floor(own ? usableUntil(token) : token.expiresAt),
  };
}

/** A token of ours stands for its subject at the client that got it; at another one only by delegation. */
export function isOthers({ own, facts }: VerifiedToken, client: OAuthClient): boolean {
  return own && facts.client_id !== client.id;
}

export const NOT_THE_CLIENTS = oauthError(
  "invalid_request",
  "The token was issued to another client: only that client may use it so, or an actor whom the policy lets.",
);

/** The first parameter of these that is given, with its value. */
export function givenOne(form: URLSearchParams, names: readonly string[]): Result<string, OAuthError> {
  const given = names.filter((name) => form.has(name));
  if (given.length === 1) return ok(form.get(given[0]!)!);
  return err(oauthError("invalid_request", `Give exactly one of ${names.join(", ")}.`));
}
