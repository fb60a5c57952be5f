import { epochSeconds } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SessionRecord } from "../revocation/session-record.ts";
import {
  BROWSER_CLIENT,
  type BrowserTerms,
  type CookieUse,
  isAtHome,
  isLive,
  redeem,
  renewFrom,
  termsFor,
  withHost,
  withToken,
} from "./browser-session.ts";
import { entitlement, scopesThrough } from "./entitlement.ts";
import {
  type Assertion,
  type HeldToken,
  openSession,
  presentSession,
  type Session,
  sessionFacts,
} from "./session.ts";
import type { SessionFlowDeps } from "./session-flow.ts";
import { Turns } from "./turns.ts";

/** Opens a session for who has signed in; the first cookie is for this host. */
export type SignInCall = {
  id: string;
  host: string;
  audience: string;
  assertion: Assertion;
  terms: BrowserTerms;
};

/** Takes a session to another host, once. */
export type HandOverCall = { id: string; host: string; expires_at: number; terms: BrowserTerms };

/** What a cookie's secret is, and when its session is over at the latest, epoch seconds. */
export type CookieAnswer = { cookie: string; expires_at: number };

/** Times are epoch seconds. */
export type CookieToken = { access_token: string; issued_at: number; expires_at: number };

/** One answer for a cookie that is unknown, foreign or late: a prober learns nothing from it. */
const OVER = problem("invalid_token", "The session is over. Sign in again.");
const REVOKED = problem("forbidden", "A revocation is in force for this person. Nobody signs in past it.");

/**
 * The steps of a browser's session. Its cookie is not spent: every request may show it, in any number of isolates at
 * once. What they get is the one access token that the session holds for the audience, until it is due to be
 * replaced; then person, policy and log are looked at anew.
 */
export class BrowserSessionFlow {
  readonly #d: SessionFlowDeps;
  readonly #turns: Turns;

  constructor(deps: SessionFlowDeps) {
    this.#d = deps;
    this.#turns = new Turns(deps.clock);
  }

  /** A sign-in never continues a session: the id is new, and one that is known is refused. */
  open({ id, host, audience, assertion, ...call }: SignInCall): Promise<Result<CookieAnswer>> {
    return this.#turns.take(async () => {
      const d = this.#d;
      const terms = termsFor(call.terms, assertion.issuer_id);
      if (!terms || d.read()) return err(OVER);
      const opening = {
        id,
        subject: assertion.facts.subject,
        audience,
        scopes: scopesThrough(terms.ceiling, assertion, terms.roles),
        binding: { client_id: BROWSER_CLIENT },
        kind: "session_cookie",
        assertion,
      } as const;
      const none = { credential: "", asked: "", sealed: "" };
      const session = openSession(opening, terms.sessions, none, d.clock());
      const allowed = entitlement(session, assertion, terms, {}, this.#now());
      if (!allowed.ok) return allowed;
      const { cookie, hash } = await this.#newCookie(id);
      const hit = await d.hit(sessionFacts(session, d.issuer), session.opened_at);
      if (!hit.ok) return hit;
      if (hit.value) return err(REVOKED);
      d.write(withHost(session, host, hash));
      return ok({ cookie, expires_at: session.absolute_end });
    });
  }

  /**
   * The access token that the session holds for an audience.
   * @param refused a token that it gave before and that was refused: it is not given again, whatever time it has left
   */
  token(use: CookieUse, audience: string, refused?: string): Promise<Result<CookieToken>> {
    return this.#turns.take(async () => {
      const d = this.#d;
      const session = d.read();
      if (!session || !isAtHome(session, use, this.#now())) return err(OVER);
      const held = Object.hasOwn(session.browser.tokens, audience)
        ? session.browser.tokens[audience]
        : undefined;
      const text = held && renewFrom(held) > this.#now() ? await d.open(held.sealed, session.id) : undefined;
      const answer: CookieToken | undefined = text === undefined ? undefined : JSON.parse(text);
      // Its key was replaced, or it was revoked by itself; whether the session itself was is looked at with the renewal.
      const stands = answer !== undefined && answer.access_token !== refused;
      return stands ? ok(answer) : this.#renew(session, use, audience);
    });
  }

  /** The session of a cookie, where its person may still have it. */
  async who(use: CookieUse): Promise<Result<SessionRecord>> {
    const session = this.#d.read();
    const now = this.#now();
    if (!session || !isAtHome(session, use, now)) return err(OVER);
    const allowed = allowance(session, use.terms, session.audience, now);
    return allowed.ok ? ok(presentSession(session, now)) : allowed;
  }

  /** What the provider said of whose cookie it is: another session of theirs grows from it. */
  async vouch(use: CookieUse): Promise<Result<Assertion>> {
    const known = await this.who(use);
    if (!known.ok) return known;
    const session = this.#d.read();
    return session ? ok(session.assertion) : err(OVER);
  }

  /** Gives the session a cookie at another host. */
  handOver({ host, terms, ...code }: HandOverCall): Promise<Result<CookieAnswer>> {
    return this.#turns.take(async () => {
      const d = this.#d;
      const known = d.read();
      if (!known) return err(OVER);
      const { cookie, hash } = await this.#newCookie(known.id);
      // Nothing is awaited between this reading and the commit.
      const session = d.read();
      const now = this.#now();
      if (!session || !isLive(session, terms, now)) return err(OVER);
      const allowed = allowance(session, terms, session.audience, now);
      if (!allowed.ok) return allowed;
      const redeemed = redeem(session, code, now);
      if (!redeemed) return err(OVER);
      d.write(withHost(redeemed, host, hash));
      return ok({ cookie, expires_at: session.absolute_end });
    });
  }

  /** As with a refresh: the log is asked after the token was signed, so that what it does not know is later. */
  async #renew(session: Session, use: CookieUse, audience: string): Promise<Result<CookieToken>> {
    const d = this.#d;
    const { id, subject, opened_at, absolute_end, assertion } = session;
    const { sessions } = use.terms;
    const now = this.#now();
    const allowed = allowance(session, use.terms, audience, now);
    if (!allowed.ok) return allowed;
    const latestEnd = Math.min(absolute_end, opened_at + sessions.absolute_seconds);
    const minted = await d.mint({
      jti: newId("tok", d.clock()),
      subject,
      audience,
      clientId: BROWSER_CLIENT,
      ...allowed.value,
      ttlSeconds: Math.min(sessions.access_token_ttl_seconds, latestEnd - now),
      session: id,
      ...(assertion.sign_in ? { signIn: assertion.sign_in } : {}),
    });
    if (!minted.ok) return minted;
    const { accessToken, expiresAt, expiresInSeconds } = minted.value;
    const times = { issued_at: expiresAt - expiresInSeconds, expires_at: expiresAt };
    const answer: CookieToken = { access_token: accessToken, ...times };
    const sealed = await d.seal(JSON.stringify(answer), id);
    return this.#keep(use, audience, { sealed, ...times }, answer);
  }

  async #keep(
    use: CookieUse,
    audience: string,
    held: HeldToken,
    answer: CookieToken,
  ): Promise<Result<CookieToken>> {
    const d = this.#d;
    const before = d.read();
    if (!before) return err(OVER);
    const hit = await d.hit(sessionFacts(before, d.issuer), before.opened_at);
    if (!hit.ok) return hit;
    // Nothing is awaited between this reading and the commit.
    const session = d.read();
    const now = this.#now();
    if (session && hit.value) {
      const reason = `The revocation ${hit.value.id} hits this session: ${hit.value.reason}`;
      await d.end(session, { how: "revoked", at: now, by: hit.value.actor, reason });
      return err(OVER);
    }
    if (!session || !isAtHome(session, use, now)) return err(OVER);
    d.write(withToken(session, audience, held, use.terms.sessions, now));
    return ok(answer);
  }

  async #newCookie(sessionId: string): Promise<{ cookie: string; hash: string }> {
    const cookie = await this.#d.newCredential("session_cookie", sessionId);
    return { cookie, hash: await sha256Hex(cookie) };
  }

  #now(): number {
    return epochSeconds(this.#d.clock());
  }
}

/** What its person may have now, for an audience. The policy no longer carrying the session is the end of it. */
function allowance({ assertion, scopes }: Session, terms: BrowserTerms, audience: string, now: number) {
  const theirs = termsFor(terms, assertion.issuer_id);
  if (!theirs) return err(OVER);
  const allowed = entitlement({ audience, scopes }, assertion, theirs, {}, now);
  return !allowed.ok && allowed.error.code === "invalid_token" ? err(OVER) : allowed;
}
