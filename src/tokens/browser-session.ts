import type { PolicyDocument, SessionPolicy } from "../policy/document.ts";
import { type SessionTerms, sessionTerms } from "./entitlement.ts";
import { type BrowserState, type HeldToken, type Session, sessionState } from "./session.ts";

/** `client_id` of what browsers get: no client is registered under it, as their ids are `cli_…`. */
export const BROWSER_CLIENT = "browser";

/** What of the policy a browser's session depends on; the ceiling is that of the provider that signed it in. */
export type BrowserTerms = Omit<SessionTerms, "ceiling"> & { ceilings: Record<string, string[]> };

/** Undefined where nobody can sign in. */
export function browserTerms(policy: PolicyDocument, issuer: string): BrowserTerms | undefined {
  const terms = sessionTerms(policy, issuer, []);
  const providers = policy.issuers.flatMap(({ id, sign_in, cloudflare_access }) => {
    const scopes = (sign_in ?? cloudflare_access)?.session_scopes;
    return scopes ? [[id, scopes] as const] : [];
  });
  if (!terms || providers.length === 0) return undefined;
  const { ceiling: _none, ...rest } = terms;
  return { ...rest, ceilings: Object.fromEntries(providers) };
}

/** The terms for people of one provider; undefined where that signs nobody in any more. */
export function termsFor({ ceilings, ...terms }: BrowserTerms, issuerId: string): SessionTerms | undefined {
  return Object.hasOwn(ceilings, issuerId) ? { ...terms, ceiling: ceilings[issuerId]! } : undefined;
}

/** Who shows which cookie, at which host. */
export type CookieUse = {
  host: string;
  /** SHA-256, hex, of the cookie. It is one of this session: its seal was opened. */
  credential: string;
  terms: BrowserTerms;
};

/** A token in this last part of its life is replaced; until then everybody gets the same one. */
const RENEWAL_PART = 5;
const MAX_RENEWAL_SECONDS = 60;
const MAX_HOSTS = 64;

/** From when on a token is to be replaced, epoch seconds. */
export function renewFrom({ issued_at, expires_at }: Omit<HeldToken, "sealed">): number {
  const lead = Math.min(MAX_RENEWAL_SECONDS, Math.ceil((expires_at - issued_at) / RENEWAL_PART));
  return expires_at - lead;
}

/** Whether it may still be used, by the ends that the policy has now. */
export function isLive(
  session: Session,
  { sessions }: Pick<SessionTerms, "sessions">,
  nowSeconds: number,
): boolean {
  return session.browser !== undefined && sessionState(session, nowSeconds, sessions) === "active";
}

/** Whether this is the cookie of a host of this session, and the session is not over. */
export function isAtHome(
  session: Session,
  { host, credential, terms }: CookieUse,
  nowSeconds: number,
): session is Session & { browser: BrowserState } {
  const hosts = session.browser?.hosts ?? {};
  const known = Object.hasOwn(hosts, host) && hosts[host] === credential;
  return known && isLive(session, terms, nowSeconds);
}

/** The session with a cookie for one more host; the one before it at that host is dead. */
export function withHost(session: Session, host: string, credential: string): Session {
  const { hosts = {}, tokens = {}, redeemed = {} } = session.browser ?? {};
  const { [host]: _replaced, ...others } = hosts;
  const kept = Object.entries(others).slice(1 - MAX_HOSTS);
  return {
    ...session,
    browser: { hosts: Object.fromEntries([...kept, [host, credential]]), tokens, redeemed },
  };
}

/** The session with a hand-over marked as redeemed; undefined where it was before, or is over. */
export function redeem(
  session: Session,
  { id, expires_at }: { id: string; expires_at: number },
  nowSeconds: number,
): Session | undefined {
  const { hosts = {}, tokens = {}, redeemed = {} } = session.browser ?? {};
  if (expires_at <= nowSeconds || Object.hasOwn(redeemed, id)) return undefined;
  const pending = Object.entries(redeemed).filter(([, until]) => until > nowSeconds);
  return {
    ...session,
    browser: { hosts, tokens, redeemed: Object.fromEntries([...pending, [id, expires_at]]) },
  };
}

/** The next generation, with a new access token for one audience. Its use moves the idle end. */
export function withToken(
  session: Session & { browser: BrowserState },
  audience: string,
  token: HeldToken,
  policy: SessionPolicy,
  nowSeconds: number,
): Session {
  const { browser, opened_at, generation } = session;
  const absoluteEnd = Math.min(session.absolute_end, opened_at + policy.absolute_seconds);
  const alive = Object.entries(browser.tokens).filter(([, { expires_at }]) => expires_at > nowSeconds);
  return {
    ...session,
    refreshed_at: nowSeconds,
    idle_end: Math.min(nowSeconds + policy.idle_seconds, absoluteEnd),
    absolute_end: absoluteEnd,
    generation: generation + 1,
    browser: { ...browser, tokens: { ...Object.fromEntries(alive), [audience]: token } },
  };
}
