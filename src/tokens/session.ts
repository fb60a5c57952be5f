import type { SessionPolicy } from "../policy/document.ts";
import { type Confirmation, isProven } from "../protocol/confirmation.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SignIn } from "../protocol/sign-in.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { TokenFacts } from "../revocation/rule.ts";
import type { SessionRecord } from "../revocation/session-record.ts";
import type { CredentialKind } from "./session-credential.ts";

/**
 * What a credential of a session is held to, beside being known: every member that the session has must be the
 * same on every use. A session without `jkt` may be used with a proof, which binds what that use answers.
 */
export type SessionBinding = {
  client_id: string;
  /** RFC 9449 §6.1: thumbprint of the key whose proof must come with each refresh. */
  jkt?: string;
  /** RFC 8705 §3.1: thumbprint of the client certificate that each refresh must come with. */
  x5t?: string;
};

/** What an identity provider said of the subject, and in which token. */
export type Assertion = {
  facts: TokenFacts;
  issuer_id: string;
  roles: string[];
  scopes: string[];
  /** How the person signed in, where the provider said so. */
  sign_in?: SignIn;
};

/** How a session came to its end. */
export type SessionEnd = {
  how: "expired" | "revoked" | "reuse_detected";
  at: number;
  by: string;
  reason: string;
  receipt?: Receipt;
};

/** One refresh-token family as it is stored. Times are epoch seconds but for `…_ms`. */
export type Session = {
  id: string;
  subject: string;
  audience: string;
  /** Granted when it was opened: no refresh gives more (RFC 6749 §6). */
  scopes: string[];
  binding: SessionBinding;
  kind: CredentialKind;
  assertion: Assertion;
  opened_at: number;
  refreshed_at: number;
  idle_end: number;
  absolute_end: number;
  /** Counts rotations: what was begun on one generation is not committed on another. */
  generation: number;
  /** SHA-256, hex, of the credential that may be used next. */
  current: string;
  /** The answer that gave out `current`. */
  last: LastAnswer;
  ended?: SessionEnd;
};

/** `spent` is the hash of the credential that was used for it; empty for the opening. `sealed` is the answer itself. */
export type LastAnswer = { spent: string; asked: string; at_ms: number; sealed: string };

/** Who uses which credential, and what for. */
export type Presentation = {
  /** SHA-256, hex, of the credential. It is one of this session: its seal was opened. */
  credential: string;
  binding: SessionBinding;
  /** What the answer depends on, in one spelling: a repeat is one of the same request. */
  asked: string;
  /** When it came; a credential is not late because others came before it. */
  arrivedAtMs: number;
};

export type Verdict = "rotate" | "repeat" | "other_request" | "foreign" | "reuse" | "over";

/** What the presentation is. `reuse` must end the session; `foreign` and `other_request` change nothing. */
export function judge(
  session: Session,
  presented: Presentation,
  policy: SessionPolicy,
  nowSeconds: number,
): Verdict {
  if (sessionState(session, nowSeconds, policy) !== "active") return "over";
  const bound = fulfils(presented.binding, session.binding);
  if (presented.credential === session.current) return bound ? "rotate" : "foreign";
  const { spent, at_ms, asked } = session.last;
  const inWindow = presented.arrivedAtMs - at_ms < policy.reuse_window_seconds * 1000;
  if (presented.credential !== spent || !bound || !inWindow) return "reuse";
  return presented.asked === asked ? "repeat" : "other_request";
}

function fulfils(presented: SessionBinding, demanded: SessionBinding): boolean {
  return (
    presented.client_id === demanded.client_id &&
    isProven(confirmationOf(demanded), confirmationOf(presented))
  );
}

export function sessionBinding(clientId: string, confirmation: Confirmation | undefined): SessionBinding {
  const { jkt, "x5t#S256": x5t } = confirmation ?? {};
  return {
    client_id: clientId,
    ...(jkt === undefined ? {} : { jkt }),
    ...(x5t === undefined ? {} : { x5t }),
  };
}

/** What the tokens are bound to that are got with this; undefined where to nothing but the client. */
export function confirmationOf({ jkt, x5t }: SessionBinding): Confirmation | undefined {
  if (jkt === undefined && x5t === undefined) return undefined;
  return { ...(jkt === undefined ? {} : { jkt }), ...(x5t === undefined ? {} : { "x5t#S256": x5t }) };
}

/** Time ends it on read; an end that the policy moved closer counts at once. */
export function sessionState(
  session: Session,
  nowSeconds: number,
  policy?: Pick<SessionPolicy, "idle_seconds" | "absolute_seconds">,
): SessionRecord["state"] {
  const { ended, idle_end, absolute_end, refreshed_at, opened_at } = session;
  if (ended) return ended.how === "expired" ? "expired" : "revoked";
  const idleEnd = Math.min(idle_end, refreshed_at + (policy?.idle_seconds ?? Number.POSITIVE_INFINITY));
  const absoluteEnd = Math.min(
    absolute_end,
    opened_at + (policy?.absolute_seconds ?? Number.POSITIVE_INFINITY),
  );
  return nowSeconds < Math.min(idleEnd, absoluteEnd) ? "active" : "expired";
}

export type SessionOpening = Pick<
  Session,
  "id" | "subject" | "audience" | "scopes" | "binding" | "kind" | "assertion"
>;

export function openSession(
  opening: SessionOpening,
  policy: SessionPolicy,
  next: { credential: string; asked: string; sealed: string },
  nowMs: number,
): Session {
  const now = Math.floor(nowMs / 1000);
  return {
    ...opening,
    opened_at: now,
    refreshed_at: now,
    idle_end: now + policy.idle_seconds,
    absolute_end: now + policy.absolute_seconds,
    generation: 1,
    current: next.credential,
    last: { spent: "", asked: next.asked, at_ms: nowMs, sealed: next.sealed },
  };
}

/** What a refresh puts in place of the credential that it spends. */
export type Rotation = { credential: string; asked: string; sealed: string; assertion: Assertion };

/**
 * The next generation, by compare-and-swap: undefined where the session is no longer the one on which the
 * rotation was begun, because another was faster or it has ended.
 */
export function rotate(
  session: Session,
  begunOn: number,
  rotation: Rotation,
  policy: SessionPolicy,
  nowMs: number,
): Session | undefined {
  const now = Math.floor(nowMs / 1000);
  if (session.generation !== begunOn || sessionState(session, now, policy) !== "active") return undefined;
  const absoluteEnd = Math.min(session.absolute_end, session.opened_at + policy.absolute_seconds);
  return {
    ...session,
    assertion: rotation.assertion,
    refreshed_at: now,
    idle_end: Math.min(now + policy.idle_seconds, absoluteEnd),
    absolute_end: absoluteEnd,
    generation: begunOn + 1,
    current: rotation.credential,
    last: { spent: session.current, asked: rotation.asked, at_ms: nowMs, sealed: rotation.sealed },
  };
}

/** The session with its end; the first one stands. Its credentials and its last answer are forgotten. */
export function endSession(session: Session, end: SessionEnd): Session {
  if (session.ended) return session;
  return { ...session, ended: end, current: "", last: { ...session.last, spent: "", sealed: "" } };
}

/** Every token that the session stands for: its own, and the one of the identity provider that it grew from. */
export function sessionFacts(
  { id, subject, binding, assertion, opened_at }: Session,
  issuer: string,
): TokenFacts[] {
  const own: TokenFacts = {
    iss: issuer,
    sub: subject,
    subject,
    iat: opened_at,
    kid: "",
    session: id,
    client_id: binding.client_id,
    ...(binding.jkt === undefined ? {} : { jkt: binding.jkt }),
  };
  return [own, assertion.facts];
}

/**
 * The assertion that a refresh brings in place of the one before: of the same person, and not older, so that
 * a token from before a role was taken away does not bring it back.
 */
export function newerAssertion(session: Session, fresh: Assertion): Result<Assertion> {
  const { facts, issuer_id } = session.assertion;
  if (fresh.facts.subject !== facts.subject || fresh.issuer_id !== issuer_id) {
    return err(problem("invalid_token", "The subject token is not of the person whose session this is."));
  }
  if (fresh.facts.iat < facts.iat) {
    return err(problem("invalid_token", "The subject token is older than the one that the session has."));
  }
  return ok(fresh);
}

export function presentSession(session: Session, nowSeconds: number): SessionRecord {
  const { id, subject, binding, assertion, audience, scopes, ended } = session;
  const { opened_at, refreshed_at, idle_end, absolute_end } = session;
  const cnf = confirmationOf(binding);
  return {
    id,
    state: sessionState(session, nowSeconds),
    subject,
    client_id: binding.client_id,
    ...(cnf ? { cnf } : {}),
    issuer_id: assertion.issuer_id,
    audience,
    scope: scopes.join(" "),
    opened_at,
    refreshed_at,
    idle_end,
    absolute_end,
    ...(ended ? { ended: { at: ended.at, by: ended.by, reason: ended.reason } } : {}),
  };
}
