import { epochSeconds } from "../platform/clock.ts";
import type { PolicyDocument, TrustedIssuer } from "../policy/document.ts";
import { namedRoles } from "../policy/named-roles.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { Assertion } from "../tokens/session.ts";
import type { BrowserDeps } from "./ports.ts";
import { findSession, readTerms } from "./presented-session.ts";
import { readCookie, SESSION_COOKIE, setCookie } from "./session-cookie.ts";

/** What a provider's verified token says of a person, as far as the policy gives it a meaning. */
export function assertionOf(
  { facts, roles, scopes, signIn }: VerifiedToken,
  provider: TrustedIssuer,
  policy: PolicyDocument,
): Assertion {
  const named = namedRoles(policy);
  return {
    facts,
    issuer_id: provider.id,
    roles: roles.filter((role) => named.has(role)),
    scopes,
    ...(signIn ? { sign_in: signIn } : {}),
  };
}

/** A session that was just begun: the `Set-Cookie` value for the issuer's host. */
export type Begun = { sessionId: string; cookie: string };

/** Begins a session, always a new one; the one that the browser had here before is over. */
export async function beginSession(
  request: Request,
  assertion: Assertion,
  deps: BrowserDeps,
): Promise<Result<Begun>> {
  const terms = await readTerms(deps);
  if (!terms.ok) return terms;
  const sessionId = deps.newSessionId();
  const opened = await deps.session(sessionId).signIn({
    id: sessionId,
    host: new URL(deps.issuer).host,
    audience: deps.issuer,
    assertion,
    terms: terms.value,
  });
  if (!opened.ok) return opened;
  await endBefore(request, deps);
  const { cookie, expires_at } = opened.value;
  const maxAge = expires_at - epochSeconds(deps.clock());
  return ok({ sessionId, cookie: setCookie(SESSION_COOKIE, cookie, maxAge) });
}

/** Its cookie is about to be replaced. */
async function endBefore(request: Request, deps: BrowserDeps): Promise<void> {
  const cookie = readCookie(request.headers, SESSION_COOKIE);
  const host = new URL(deps.issuer).host;
  const before = cookie === undefined ? undefined : await findSession(cookie, host, deps);
  if (!before?.ok) return;
  const { session, use } = before.value;
  const record = await session.who(use);
  if (record.ok) await session.revoke(record.value.subject, "Signed in anew in the same browser.");
}
