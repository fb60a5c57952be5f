import type { PolicyDocument } from "../policy/document.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { type Problem, type ProblemCode, problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { OAuthClient } from "./client-auth.ts";
import { sessionTerms } from "./entitlement.ts";
import type { Assertion, SessionBinding } from "./session.ts";
import type { CredentialKind } from "./session-credential.ts";
import type { SessionAnswer } from "./session-flow.ts";
import type { SessionPort } from "./session-ports.ts";

/** A request with a refresh token (RFC 6749 §6), its parameters checked. */
export type RefreshRequest = {
  refreshToken: string;
  scopes?: string[];
  audience?: string;
  /** A fresh token of the identity provider, of the same person. */
  subjectToken?: string;
};

/** Sessions as the token endpoint reaches them. */
export type Sessions = {
  newId(): string;
  session(id: string): SessionPort;
  /** The session that a credential names; undefined for what is none of ours. */
  sessionOf(kind: CredentialKind, credential: string): Promise<string | undefined>;
};

/** What answers both: who asks and the policy in force. */
export type SessionContext = {
  issuer: string;
  client: OAuthClient;
  policy: PolicyDocument;
  binding: SessionBinding;
  sessions: Sessions;
};

const GRANT_TYPE = "refresh_token";

/**
 * Opens a session for a person whose token is exchanged (RFC 8693 §2.2.1), where the policy has sessions and
 * the client is registered for refresh tokens; undefined where it is not to have one.
 */
export async function openForExchange(
  asked: { audience: string; scopes: string[]; assertion: Assertion },
  { issuer, client, policy, binding, sessions }: SessionContext,
): Promise<Result<SessionAnswer, OAuthError> | undefined> {
  const terms = sessionTerms(policy, issuer, client.scopes);
  if (!terms || !client.grant_types.includes(GRANT_TYPE)) return undefined;
  const { audience, scopes, assertion } = asked;
  const id = sessions.newId();
  const { subject } = assertion.facts;
  const opening = { id, subject, audience, scopes, binding, kind: GRANT_TYPE, assertion } as const;
  return answered(await sessions.session(id).open({ opening, terms, scopes }));
}

/** Opens the session of a device whose person has approved; the same answer again until it is refreshed. */
export async function openForDevice(
  { id, ...asked }: { id: string; audience: string; scopes: string[]; assertion: Assertion },
  { issuer, client, policy, binding, sessions }: SessionContext,
): Promise<Result<SessionAnswer, OAuthError>> {
  const terms = sessionTerms(policy, issuer, client.scopes);
  if (!terms) return answered(err(problem("invalid_token", "Sessions are not allowed here.")));
  const { subject } = asked.assertion.facts;
  const opening = { ...asked, id, subject, binding, kind: GRANT_TYPE } as const;
  return answered(await sessions.session(id).open({ opening, terms, scopes: asked.scopes }));
}

/** The `refresh_token` grant. `assertion` comes from the request's own subject token, verified. */
export async function refreshGrant(
  request: RefreshRequest,
  assertion: Assertion | undefined,
  { issuer, client, policy, binding, sessions }: SessionContext,
): Promise<Result<SessionAnswer, OAuthError>> {
  const terms = sessionTerms(policy, issuer, client.scopes);
  const id = await sessions.sessionOf(GRANT_TYPE, request.refreshToken);
  if (id === undefined || !terms) {
    return answered(
      err(problem("invalid_token", "The refresh token is not valid, or sessions are not allowed here.")),
    );
  }
  const { scopes, audience } = request;
  const refreshed = await sessions.session(id).refresh({
    credential: await sha256Hex(request.refreshToken),
    binding,
    ask: { ...(scopes ? { scopes } : {}), ...(audience === undefined ? {} : { audience }) },
    terms,
    ...(assertion ? { assertion } : {}),
  });
  return answered(refreshed);
}

const ERRORS: { [code in ProblemCode]?: OAuthError["error"] } = {
  invalid_token: "invalid_grant",
  not_found: "invalid_grant",
  insufficient_scope: "invalid_scope",
  invalid_target: "invalid_target",
};

function answered(result: Result<SessionAnswer, Problem>): Result<SessionAnswer, OAuthError> {
  if (result.ok) return ok(result.value);
  const { code, detail } = result.error;
  return err(oauthError(ERRORS[code] ?? "temporarily_unavailable", detail));
}
