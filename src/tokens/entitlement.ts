import type { PolicyDocument, SessionPolicy } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Assertion, Session } from "./session.ts";

/**
 * The scopes that a person has through a client: those of their token and of their roles as the policy has
 * them now. The client is the ceiling: a person's rights never pass through a client that was not given them.
 */
export function scopesThrough(
  ceiling: readonly string[],
  { roles, scopes }: { roles: readonly string[]; scopes: readonly string[] },
  roleScopes: PolicyDocument["roles"],
): string[] {
  const ofRoles = roles.flatMap((role) => (Object.hasOwn(roleScopes, role) ? roleScopes[role]!.scopes : []));
  return [...new Set([...scopes, ...ofRoles])].filter((scope) => ceiling.includes(scope));
}

/** What of the policy a session depends on, as it is in force now. */
export type SessionTerms = {
  sessions: SessionPolicy;
  roles: PolicyDocument["roles"];
  /** Trusted issuers: `iss` by id. */
  issuers: Record<string, string>;
  /** What tokens may be for. */
  audiences: string[];
  /** The client's scopes. */
  ceiling: string[];
};

/** Undefined where the policy has no sessions. */
export function sessionTerms(
  policy: PolicyDocument,
  issuer: string,
  ceiling: string[],
): SessionTerms | undefined {
  const { sessions, roles, issuers, origins } = policy;
  return (
    sessions && {
      sessions,
      roles,
      issuers: Object.fromEntries(issuers.map((each) => [each.id, each.issuer])),
      audiences: [issuer, ...Object.values(origins).map((origin) => origin.audience)],
      ceiling,
    }
  );
}

/** What is asked for with a refresh (RFC 6749 §6, RFC 8707 §2.2); absent: what the session has. */
export type RefreshAsk = { scopes?: string[]; audience?: string };

/**
 * What the session's next access token may have: what it was opened with, as far as its person and its client
 * still have it. `invalid_token` where the policy no longer carries the session, `insufficient_scope` and
 * `invalid_target` where more is asked for.
 */
export function entitlement(
  session: Pick<Session, "audience" | "scopes">,
  assertion: Assertion,
  terms: SessionTerms,
  ask: RefreshAsk,
  nowSeconds: number,
): Result<{ scopes: string[]; roles: string[] }> {
  const { facts, issuer_id, roles } = assertion;
  const trusted = Object.hasOwn(terms.issuers, issuer_id) && terms.issuers[issuer_id] === facts.iss;
  if (!trusted)
    return err(problem("invalid_token", "The identity provider of this session is no longer trusted."));
  if (
    !terms.audiences.includes(session.audience) ||
    (ask.audience ?? session.audience) !== session.audience
  ) {
    return err(problem("invalid_target", "The audience is not the one that this session was opened for."));
  }
  const { reassert_seconds: heldSeconds = Number.POSITIVE_INFINITY } = terms.sessions;
  if (nowSeconds - facts.iat >= heldSeconds) {
    const detail = "What the identity provider said is too old: send a fresh subject_token with the refresh.";
    return err(problem("invalid_token", detail));
  }
  const now = scopesThrough(terms.ceiling, assertion, terms.roles);
  const allowed = session.scopes.filter((scope) => now.includes(scope));
  const refused = ask.scopes?.filter((scope) => !allowed.includes(scope)) ?? [];
  if (refused.length) return err(problem("insufficient_scope", `Not allowed here: ${refused.join(" ")}.`));
  return ok({ scopes: ask.scopes ?? allowed, roles });
}
