import type { Clock } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { PolicyDocument } from "../policy/document.ts";
import type { Confirmation } from "../protocol/confirmation.ts";
import type { Json } from "../protocol/json.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { MintedToken, MintInput } from "./access-token.ts";
import type { BackchannelPort } from "./backchannel-port.ts";
import type { VerifiedToken } from "./claims.ts";
import type { AuthenticatedClient, ClientAuthDeps } from "./client-auth.ts";
import type { DeviceLoginPort } from "./device-login.ts";
import type { SessionContext, Sessions } from "./refresh-grant.ts";
import { type BindingDemand, type TokenType, tokenTypeOf } from "./sender-binding.ts";
import { sessionBinding } from "./session.ts";

/** What every grant of the token endpoint is given. */
export type GrantDeps = ClientAuthDeps & {
  issuer: string;
  clock: Clock;
  mint(input: MintInput): Promise<Result<MintedToken>>;
  policy(): Promise<Result<PolicyDocument>>;
  /** Verifies a token of ours or of a trusted issuer that stands for somebody. `invalid_token` where it is not good. */
  verifySubject(token: string): Promise<Result<VerifiedToken>>;
  /** What the sender of the request has proven to hold; an error where it has to, and has not. */
  binding(demand: Omit<BindingDemand, "nonceNeeded">): Promise<Result<Confirmation | undefined, OAuthError>>;
  backchannel: BackchannelPort;
  devices: DeviceLoginPort;
  sessions: Sessions;
};

/** RFC 6749 §5.1, RFC 8693 §2.2.1, RFC 9396 §7. */
export type TokenResponse = {
  access_token: string;
  token_type: TokenType;
  expires_in: number;
  scope: string;
  issued_token_type?: string;
  authorization_details?: Json;
  refresh_token?: string;
};

/** `confirmation`: what whoever sends it has proven to hold, and what the tokens that it gets are bound to. */
export type GrantRequest = {
  form: URLSearchParams;
  client: AuthenticatedClient;
  confirmation?: Confirmation;
};

export function grantRequest(
  form: URLSearchParams,
  client: AuthenticatedClient,
  confirmation: Confirmation | undefined,
): GrantRequest {
  return { form, client, ...(confirmation ? { confirmation } : {}) };
}

/** What a client is registered to prove. */
export function bindingDemand(client: AuthenticatedClient): { mustProve: boolean; certificate: boolean } {
  return {
    mustProve: client.dpop_bound_access_tokens ?? false,
    certificate: client.tls_client_certificate_bound_access_tokens ?? false,
  };
}

/** One grant type: the parameters that it takes, and what it answers. */
export type Grant = {
  parameters: readonly string[];
  answer(request: GrantRequest, deps: GrantDeps): Promise<Result<TokenResponse, OAuthError>>;
};

export const ACCESS_TOKEN_URN = "urn:ietf:params:oauth:token-type:access_token";
/** Of tokens that are sent as parameters (RFC 8693 §3). */
export const TOKEN_TYPES: readonly string[] = [ACCESS_TOKEN_URN, "urn:ietf:params:oauth:token-type:jwt"];
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

/** RFC 6749 §3.3; undefined where none is asked for. */
export function readScopes(form: URLSearchParams): Result<string[] | undefined, OAuthError> {
  const scope = form.get("scope");
  if (scope === null) return ok(undefined);
  if (SCOPE.test(scope)) return ok([...new Set(scope.split(" "))]);
  return err(oauthError("invalid_scope", "scope must be scope tokens separated by one space."));
}

/** The scopes that are granted: the asked ones where all are allowed, all allowed ones where none is asked for. */
export function grantScopes(asked: string[] | undefined, allowed: string[]): Result<string[], OAuthError> {
  const refused = asked?.filter((scope) => !allowed.includes(scope)) ?? [];
  if (refused.length) return err(oauthError("invalid_scope", `Not allowed here: ${refused.join(" ")}.`));
  return ok(asked ?? allowed);
}

/** What `audience` (RFC 8693 §2.1) or `resource` (RFC 8707 §2) names: this issuer, or an origin of the policy. */
export function readTarget(
  form: URLSearchParams,
  issuer: string,
  policy: PolicyDocument,
): Result<string | undefined, OAuthError> {
  const audience = form.get("audience");
  const resource = form.get("resource");
  if (audience !== null && resource !== null && audience !== resource) {
    return err(oauthError("invalid_target", "audience and resource name different targets; give one."));
  }
  const asked = audience ?? resource;
  if (asked === null) return ok(undefined);
  const known = [issuer, ...Object.values(policy.origins).map((origin) => origin.audience)];
  if (known.includes(asked)) return ok(asked);
  return err(
    oauthError("invalid_target", "The audience is neither this issuer nor an origin of the policy."),
  );
}

export function sessionContext(
  { client, confirmation }: GrantRequest,
  policy: PolicyDocument,
  { issuer, sessions }: GrantDeps,
): SessionContext {
  return { issuer, client, policy, binding: sessionBinding(client.id, confirmation), sessions };
}

export async function readPolicy(
  deps: Pick<GrantDeps, "policy">,
): Promise<Result<PolicyDocument, OAuthError>> {
  const policy = await deps.policy();
  if (policy.ok) return policy;
  return err(oauthError("temporarily_unavailable", "The policy could not be read. Try again shortly."));
}

/** Mints what a grant has decided on. */
export async function issue(
  input: Omit<MintInput, "jti" | "issuedAt" | "clientId" | "confirmation">,
  { client, confirmation }: GrantRequest,
  deps: GrantDeps,
): Promise<Result<TokenResponse, OAuthError>> {
  const minted = await deps.mint({
    ...input,
    jti: newId("tok", deps.clock()),
    clientId: client.id,
    issuedAt: client.at,
    ...(confirmation ? { confirmation } : {}),
  });
  if (!minted.ok) {
    const code = minted.error.code === "body_too_large" ? "invalid_scope" : "temporarily_unavailable";
    return err(oauthError(code, minted.error.detail));
  }
  return ok({
    access_token: minted.value.accessToken,
    token_type: tokenTypeOf(confirmation),
    expires_in: minted.value.expiresInSeconds,
    scope: input.scopes.join(" "),
  });
}
