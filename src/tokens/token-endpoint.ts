import { type Clock, epochSeconds } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { TokenFacts } from "../revocation/rule.ts";
import { DEFAULT_TTL_SECONDS, type MintedToken, type MintInput } from "./access-token.ts";
import { authenticateClient, type ClientLookup, type OAuthClient } from "./client-auth.ts";
import { scopesThrough } from "./entitlement.ts";
import {
  openForExchange,
  type RefreshRequest,
  refreshGrant,
  type SessionContext,
  type Sessions,
} from "./refresh-grant.ts";
import type { Assertion } from "./session.ts";
import {
  ACCESS_TOKEN_URN,
  grantScopes,
  readTokenRequest,
  TOKEN_EXCHANGE,
  type TokenRequest,
} from "./token-request.ts";

/** A trusted identity provider's token that was verified and is not revoked. */
export type ExternalSubject = {
  subject: string;
  scopes: string[];
  roles: string[];
  expiresAt: number;
  /** Its id in the policy. */
  issuerId: string;
  facts: TokenFacts;
};

export type TokenEndpointDeps = {
  issuer: string;
  clock: Clock;
  client: ClientLookup;
  mint(input: MintInput): Promise<Result<MintedToken>>;
  policy(): Promise<Result<PolicyDocument>>;
  /** Verifies a subject token: signature, window, revocation. `invalid_token` where it is not good. */
  verifyExternal(token: string): Promise<Result<ExternalSubject>>;
  sessions: Sessions;
};

/** RFC 6749 §5.1, RFC 8693 §2.2.1. */
export type TokenResponse = {
  access_token: string;
  token_type: "Bearer";
  expires_in: number;
  scope: string;
  issued_token_type?: string;
  refresh_token?: string;
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
  const session: SessionContext = {
    issuer: deps.issuer,
    client: client.value,
    policy: policy.value,
    binding: { client_id: client.value.id },
    sessions: deps.sessions,
  };
  if (request.value.grantType === "refresh_token") return refresh(request.value, session, deps);
  const audience = allowedAudience(request.value.audience, deps.issuer, policy.value);
  if (!audience.ok) return audience;
  const subject = await subjectOf(request.value, client.value, policy.value, deps);
  if (!subject.ok) return subject;
  const scopes = grantScopes(request.value.scopes, subject.value.allowedScopes);
  if (!scopes.ok) return scopes;
  const { id, roles, ttlSeconds, assertion } = subject.value;
  const asked = { audience: audience.value, scopes: scopes.value };
  const opened = assertion && (await openForExchange({ ...asked, assertion }, session));
  if (opened) return opened.ok ? ok({ ...opened.value, issued_token_type: ACCESS_TOKEN_URN }) : opened;
  const minted = await deps.mint({
    jti: newId("tok", deps.clock()),
    subject: id,
    audience: audience.value,
    clientId: client.value.id,
    scopes: scopes.value,
    roles,
    ttlSeconds,
  });
  if (!minted.ok) return err(oauthError("temporarily_unavailable", minted.error.detail));
  const response: TokenResponse = {
    access_token: minted.value.accessToken,
    token_type: "Bearer",
    expires_in: minted.value.expiresInSeconds,
    scope: scopes.value.join(" "),
  };
  return ok(
    request.value.grantType === TOKEN_EXCHANGE
      ? { ...response, issued_token_type: ACCESS_TOKEN_URN }
      : response,
  );
}

/** With a session, the identity provider's word is taken in anew where the request brings it. */
async function refresh(
  request: RefreshRequest,
  session: SessionContext,
  deps: TokenEndpointDeps,
): Promise<Result<TokenResponse, OAuthError>> {
  if (request.subjectToken === undefined) return refreshGrant(request, undefined, session);
  const verified = await verifySubject(request.subjectToken, deps);
  return verified.ok ? refreshGrant(request, assertionOf(verified.value), session) : verified;
}

function assertionOf({ facts, issuerId, roles, scopes }: ExternalSubject): Assertion {
  return { facts, issuer_id: issuerId, roles, scopes };
}

async function verifySubject(
  subjectToken: string,
  deps: TokenEndpointDeps,
): Promise<Result<ExternalSubject, OAuthError>> {
  const verified = await deps.verifyExternal(subjectToken);
  if (verified.ok) {
    // It may still be within the tolerance for its issuer's clock: that is no life to pass on.
    if (verified.value.expiresAt - epochSeconds(deps.clock()) >= 1) return verified;
    return err(oauthError("invalid_grant", "The subject token is over."));
  }
  if (verified.error.code !== "invalid_token")
    return err(oauthError("temporarily_unavailable", verified.error.detail));
  return err(
    oauthError("invalid_grant", "The subject token is not valid, or its issuer is not trusted here."),
  );
}

type Subject = {
  id: string;
  roles: string[];
  allowedScopes: string[];
  ttlSeconds: number;
  /** Of a person: what a session would be opened on. */
  assertion?: Assertion;
};

async function subjectOf(
  request: Exclude<TokenRequest, { grantType: "refresh_token" }>,
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
  const verified = await verifySubject(request.subjectToken, deps);
  if (!verified.ok) return verified;
  const { subject, roles, expiresAt } = verified.value;
  const left = Math.floor(expiresAt) - epochSeconds(deps.clock());
  return ok({
    id: subject,
    roles,
    allowedScopes: scopesThrough(client.scopes, verified.value, policy.roles),
    ttlSeconds: Math.min(DEFAULT_TTL_SECONDS, left),
    assertion: assertionOf(verified.value),
  });
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
