import { type Clock, epochSeconds } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Revocation, TokenFacts } from "../revocation/rule.ts";
import type { MintedToken, MintInput } from "./access-token.ts";
import { entitlement, type RefreshAsk, type SessionTerms } from "./entitlement.ts";
import { type TokenType, tokenTypeOf } from "./sender-binding.ts";
import {
  type Assertion,
  confirmationOf,
  judge,
  newerAssertion,
  openSession,
  type Presentation,
  rotate,
  type Session,
  type SessionBinding,
  type SessionEnd,
  type SessionOpening,
  sessionFacts,
} from "./session.ts";

/** What opening and refreshing answer (RFC 6749 §5.1). */
export type SessionAnswer = {
  access_token: string;
  token_type: TokenType;
  expires_in: number;
  scope: string;
  refresh_token: string;
};

export type OpenCall = { opening: SessionOpening; terms: SessionTerms; scopes: string[] };

export type RefreshCall = Omit<Presentation, "arrivedAtMs" | "asked"> & {
  ask: RefreshAsk;
  terms: SessionTerms;
  /** A fresh word of the identity provider, verified. */
  assertion?: Assertion;
};

export type SessionFlowDeps = {
  issuer: string;
  clock: Clock;
  read(): Session | undefined;
  /** Commits the state; synchronous, so that nothing comes between a check and the change that it allows. */
  write(session: Session): void;
  /** Commits the end with what follows from it, and resolves once that was tried. */
  end(session: Session, end: SessionEnd): Promise<void>;
  mint(input: MintInput): Promise<Result<MintedToken>>;
  /** What the log has against one of these tokens, or made since the moment. */
  hit(tokens: TokenFacts[], since: number): Promise<Result<Revocation | null>>;
  newCredential(kind: Session["kind"], sessionId: string): Promise<string>;
  seal(answer: string, sessionId: string): Promise<string>;
  /** Undefined where it cannot be opened. */
  open(sealed: string, sessionId: string): Promise<string | undefined>;
};

export const NO_SESSION = problem("not_found", "There is no such session.");
/** One answer for a credential that is unknown, spent, foreign or late: a prober learns nothing from it. */
const NOT_VALID = problem("invalid_token", "The refresh token is not valid, was used already, or is over.");
const OTHER_REQUEST = problem(
  "invalid_token",
  "The refresh token was used a moment ago for another scope or audience: use the one of that answer.",
);
const BUSY = problem("unavailable", "The session is being refreshed by another request. Try again shortly.");
/** Whoever waits longer for those before it was given up by its caller. */
const TURN_TIMEOUT_MS = 10_000;
const REUSE: Pick<SessionEnd, "how" | "by" | "reason"> = {
  how: "reuse_detected",
  by: "reuse_detection",
  reason: "A spent refresh token was used again.",
};

/**
 * The steps of one session. Refreshes take turns, so that of many at once one does the work and the others get
 * its answer; what is committed is decided by compare-and-swap alone, as an end does not wait for its turn.
 */
export class SessionFlow {
  readonly #d: SessionFlowDeps;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: SessionFlowDeps) {
    this.#d = deps;
  }

  /** Repeated before the first refresh, it answers the same. */
  async open({ opening, terms, scopes }: OpenCall): Promise<Result<SessionAnswer>> {
    return this.#inTurn(async () => {
      const d = this.#d;
      const known = d.read();
      if (known) return known.generation === 1 && !known.ended ? this.#lastAnswer(known) : err(NOT_VALID);
      const session = openSession(
        opening,
        terms.sessions,
        { credential: "", asked: "", sealed: "" },
        d.clock(),
      );
      const what = { scopes, roles: opening.assertion.roles };
      const issued = await this.#issue(session, opening.binding, terms, what);
      if (!issued.ok) return issued;
      const { answer, credential, sealed, hit } = issued.value;
      if (hit) return err(NOT_VALID);
      d.write(openSession(opening, terms.sessions, { credential, asked: "", sealed }, d.clock()));
      return ok(answer);
    });
  }

  refresh(call: RefreshCall): Promise<Result<SessionAnswer>> {
    const arrivedAtMs = this.#d.clock();
    const { ask, binding } = call;
    const asked = JSON.stringify([
      ask.scopes?.toSorted() ?? null,
      ask.audience ?? null,
      binding.jkt ?? null,
      binding.x5t ?? null,
    ]);
    return this.#inTurn(() => this.#refresh(call, { ...call, asked, arrivedAtMs }));
  }

  async #refresh(call: RefreshCall, presented: Presentation): Promise<Result<SessionAnswer>> {
    const session = this.#d.read();
    if (!session) return err(NOT_VALID);
    const now = this.#now();
    switch (judge(session, presented, call.terms.sessions, now)) {
      case "rotate":
        return this.#rotate(session, call, presented);
      case "repeat":
        return this.#lastAnswer(session);
      case "reuse":
        await this.#d.end(session, { ...REUSE, at: now });
        return err(NOT_VALID);
      case "other_request":
        return err(OTHER_REQUEST);
      default:
        return err(NOT_VALID);
    }
  }

  async #rotate(begun: Session, call: RefreshCall, { asked }: Presentation): Promise<Result<SessionAnswer>> {
    const d = this.#d;
    const { terms } = call;
    const asserted = call.assertion ? newerAssertion(begun, call.assertion) : ok(begun.assertion);
    if (!asserted.ok) return asserted;
    const assertion = asserted.value;
    const allowed = entitlement(begun, assertion, terms, call.ask, this.#now());
    if (!allowed.ok) return allowed;
    const issued = await this.#issue({ ...begun, assertion }, call.binding, terms, allowed.value);
    if (!issued.ok) return issued;
    const { hit, answer, ...next } = issued.value;
    const session = d.read();
    if (!session) return err(NOT_VALID);
    if (hit) {
      const reason = `The revocation ${hit.id} hits this session: ${hit.reason}`;
      await d.end(session, { how: "revoked", at: this.#now(), by: hit.actor, reason });
      return err(NOT_VALID);
    }
    // Nothing is awaited between this comparison and the commit.
    const rotated = rotate(
      session,
      begun.generation,
      { ...next, asked, assertion },
      terms.sessions,
      d.clock(),
    );
    if (!rotated) return err(NOT_VALID);
    d.write(rotated);
    return ok(answer);
  }

  /**
   * Makes the next answer, its token bound to what was presented for it. The log is asked after the token was
   * signed: what it does not know then is later.
   */
  async #issue(
    session: Session,
    presented: SessionBinding,
    terms: SessionTerms,
    what: { scopes: string[]; roles: string[] },
  ) {
    const d = this.#d;
    const confirmation = confirmationOf(presented);
    const latestEnd = Math.min(session.absolute_end, session.opened_at + terms.sessions.absolute_seconds);
    const refreshToken = await d.newCredential(session.kind, session.id);
    const minted = await d.mint({
      jti: newId("tok", d.clock()),
      subject: session.subject,
      audience: session.audience,
      clientId: session.binding.client_id,
      ...what,
      ttlSeconds: Math.min(terms.sessions.access_token_ttl_seconds, latestEnd - this.#now()),
      session: session.id,
      ...(session.assertion.sign_in ? { signIn: session.assertion.sign_in } : {}),
      ...(confirmation ? { confirmation } : {}),
    });
    if (!minted.ok) return minted;
    const hit = await d.hit(sessionFacts(session, d.issuer), session.opened_at);
    if (!hit.ok) return hit;
    const answer: SessionAnswer = {
      access_token: minted.value.accessToken,
      token_type: tokenTypeOf(confirmation),
      expires_in: minted.value.expiresInSeconds,
      scope: what.scopes.join(" "),
      refresh_token: refreshToken,
    };
    const sealed = await d.seal(JSON.stringify(answer), session.id);
    return ok({ answer, credential: await sha256Hex(refreshToken), sealed, hit: hit.value });
  }

  async #lastAnswer({ id, last }: Session): Promise<Result<SessionAnswer>> {
    const text = await this.#d.open(last.sealed, id);
    return text === undefined ? err(NOT_VALID) : ok(JSON.parse(text));
  }

  async #inTurn<T>(work: () => Promise<Result<T>>): Promise<Result<T>> {
    const arrivedAtMs = this.#d.clock();
    const before = this.#turn;
    const turn = before.then(() => (this.#d.clock() - arrivedAtMs > TURN_TIMEOUT_MS ? err(BUSY) : work()));
    // A fault is its own caller's, not of those that come after.
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #now(): number {
    return epochSeconds(this.#d.clock());
  }
}
