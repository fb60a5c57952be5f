import { type Clock, epochSeconds } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { PolicyDocument } from "../policy/document.ts";
import type { Confirmation } from "../protocol/confirmation.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { DEFAULT_TTL_SECONDS, type MintedToken, type MintInput } from "./access-token.ts";
import { authenticateClient, type ClientLookup, type OAuthClient } from "./client-auth.ts";
import { type BindingDemand, tokenTypeOf } from "./sender-binding.ts";
import {
  ACCESS_TOKEN_URN,
  grantScopes,
  readTokenRequest,
  TOKEN_EXCHANGE,
  type TokenRequest,
} from "./token-request.ts";

/** A trusted identity provider's token that was verified and is not revoked. */
export type ExternalSubject = { subject: string; scopes: string[]; roles: string[]; expiresAt: number };

export type TokenEndpointDeps = {
  issuer: string;
  clock: Clock;
  client: ClientLookup;
  mint(input: MintInput): Promise<Result<MintedToken>>;
  policy(): Promise<Result<PolicyDocument>>;
  /** Verifies a subject token: signature, window, revocation. `invalid_token` where it is not good. */
  verifyExternal(token: string): Promise<Result<ExternalSubject>>;
  /** What the tokens of this request are bound to. */
  binding(demand: BindingDemand): Promise<Result<Confirmation | undefined, OAuthError>>;
};

/** RFC 6749 §5.1, RFC 8693 §2.2.1. */
export type TokenResponse = {
  access_token: string;
  token_type: "Bearer" | "DPoP";
  expires_in: number;
  scope: string;
  issued_token_type?: string;
};

/** Answers a token request: who asks, what for, whether that is allowed, and then the token. */
export async function answerTokenRequest(
  authorization: string | null,
  form: URLSearchParams,
  deps: TokenEndpointDeps,
): Promise<Result<TokenResponse, OAuthError>> {
  const client = await authenticateClient(authorization, form, deps.client);
  if (!client.ok) return client;
  const request = readTokenRequest(form);
  if (!request.ok) return request;
  if (!client.value.grant_types.includes(request.value.grantType)) {
    return err(oauthError("unauthorized_client", "This client is not registered for this grant type."));
  }
  const policy = await deps.policy();
  if (!policy.ok)
    return err(oauthError("temporarily_unavailable", "The policy could not be read. Try again shortly."));
  const bound = await deps.binding(bindingDemand(client.value, policy.value));
  if (!bound.ok) return bound;
  const audience = allowedAudience(request.value.audience, deps.issuer, policy.value);
  if (!audience.ok) return audience;
  const subject = await subjectOf(request.value, client.value, policy.value, deps);
  if (!subject.ok) return subject;
  const scopes = grantScopes(request.value.scopes, subject.value.allowedScopes);
  if (!scopes.ok) return scopes;
  const { id, roles, ttlSeconds } = subject.value;
  const minted = await deps.mint({
    jti: newId("tok", deps.clock()),
    subject: id,
    audience: audience.value,
    clientId: client.value.id,
    scopes: scopes.value,
    roles,
    ttlSeconds,
    ...(bound.value ? { confirmation: bound.value } : {}),
  });
  if (!minted.ok) return err(oauthError("temporarily_unavailable", minted.error.detail));
  const response: TokenResponse = {
    access_token: minted.value.accessToken,
    token_type: tokenTypeOf(bound.value),
    expires_in: minted.value.expiresInSeconds,
    scope: scopes.value.join(" "),
  };
  return ok(
    request.value.grantType === TOKEN_EXCHANGE
      ? { ...response, issued_token_type: ACCESS_TOKEN_URN }
      : response,
  );
}

function bindingDemand(client: OAuthClient, policy: PolicyDocument): BindingDemand {
  return {
    nonceNeeded: policy.token_endpoint?.dpop_nonce ?? false,
    mustProve: client.dpop_bound_access_tokens ?? false,
    certificate: client.tls_client_certificate_bound_access_tokens ?? false,
  };
}

type Subject = { id: string; roles: string[]; allowedScopes: string[]; ttlSeconds: number };

async function subjectOf(
  request: TokenRequest,
  client: OAuthClient,
  policy: PolicyDocument,
  deps: TokenEndpointDeps,
): Promise<Result<Subject, OAuthError>> {
  if (request.grantType === "client_credentials") {
    return ok({
      id: client.id,
      roles: client.roles,
      allowedScopes: client.scopes,
      ttlSeconds: DEFAULT_TTL_SECONDS,
    });
  }
  const verified = await deps.verifyExternal(request.subjectToken);
  if (!verified.ok) {
    if (verified.error.code !== "invalid_token")
      return err(oauthError("temporarily_unavailable", verified.error.detail));
    return err(
      oauthError("invalid_grant", "The subject token is not valid, or its issuer is not trusted here."),
    );
  }
  const { subject, roles, scopes, expiresAt } = verified.value;
  const ofRoles = roles.flatMap((role) =>
    Object.hasOwn(policy.roles, role) ? policy.roles[role]!.scopes : [],
  );
  // The client is the ceiling: a person's rights never pass through a client that was not given them.
  const allowedScopes = [...new Set([...scopes, ...ofRoles])].filter((scope) =>
    client.scopes.includes(scope),
  );
  const left = Math.floor(expiresAt) - epochSeconds(deps.clock());
  // It may still be within the tolerance for its issuer's clock: that is no life to pass on.
  if (left <= 0) return err(oauthError("invalid_grant", "The subject token is over."));
  return ok({ id: subject, roles, allowedScopes, ttlSeconds: Math.min(DEFAULT_TTL_SECONDS, left) });
}

/** Tokens are for the control plane unless an origin of the policy is named (RFC 8693 §2.1, RFC 8707 §2). */
function allowedAudience(
  asked: string | undefined,
  issuer: string,
  policy: PolicyDocument,
): Result<string, OAuthError> {
  if (asked === undefined || asked === issuer) return ok(issuer);
  if (Object.values(policy.origins).some((origin) => origin.audience === asked)) return ok(asked);
  return err(
    oauthError("invalid_target", "The audience is neither this issuer nor an origin of the policy."),
  );
}
