import type { AuditNote } from "../platform/audit-outbox.ts";
import type { SignalAction } from "../policy/signal-schema.ts";
import { defaultExpiry, MAX_TOKEN_LIFE_SECONDS, type Revocation } from "../revocation/rule.ts";
import type { SessionQuery } from "../revocation/session-record.ts";
import type { NamedSubject } from "./subject-identifier.ts";

/** What somebody who may told us, and what it is to lead to. Times are epoch seconds. */
export type Signal = {
  /** Who told it, as in history: `transmitter:<id>`, or the subject of a client. */
  actor: string;
  via: "security_event_token" | "global_token_revocation";
  /** It counts once. */
  jti: string;
  /** The event's name, or `global-token-revocation`. */
  event: string;
  /** Which kind of the event, such as the level of a risk; of `stream-updated` the stream's status. */
  kind?: string;
  action: SignalAction;
  issued_at: number;
  /** Whose people: the trusted issuer. Absent where nobody is named. */
  issuer?: { id: string; issuer: string };
  named?: NamedSubject;
};

/** A signal as the API shows it. */
export type SignalRecord = Omit<Signal, "issuer" | "named"> & {
  /** `sig_…` */
  id: string;
  received_at: number;
  /** `<issuer id>|<sub>` */
  subject?: string;
  /** The session there. */
  provider_session?: string;
  /** What it put into force. */
  revocation_id?: string;
  /** What it lifted. */
  lifted?: string[];
};

export function recordOf({ issuer, named, ...signal }: Signal, id: string, now: number): SignalRecord {
  const subject = subjectOf(issuer, named);
  return {
    id,
    ...signal,
    received_at: now,
    ...(subject === undefined ? {} : { subject }),
    ...(named?.session === undefined ? {} : { provider_session: named.session }),
  };
}

/** Whether the signal is the recorded one, sent again. What it leads to may have been changed meanwhile. */
export function isSame(record: SignalRecord, signal: Signal): boolean {
  const again = recordOf(signal, record.id, record.received_at);
  const members = ["event", "kind", "issued_at", "subject", "provider_session"] as const;
  return members.every((member) => record[member] === again[member]);
}

/** Actions that put a rule into force. */
const CUTTING: readonly SignalAction[] = ["revoke_subject", "revoke_sessions", "revoke_session", "step_up"];

/** The rule that a signal puts into force, if any. */
export function ruleOf(signal: Signal, id: string, now: number): Revocation | undefined {
  const { action, issuer, named, issued_at, actor, event } = signal;
  const subject = subjectOf(issuer, named);
  if (!issuer || !named || !CUTTING.includes(action)) return undefined;
  const base = { id, reason: `${event} from ${actor}.`, actor, created_at: now };
  const until = now + MAX_TOKEN_LIFE_SECONDS;
  if (action === "step_up" && subject !== undefined) {
    const effect = { kind: "step_up", signed_in_since: now } as const;
    return { ...base, match: { sub: subject }, effect, expires_at: until };
  }
  if (action === "revoke_subject" && subject !== undefined) return { ...base, match: { sub: subject } };
  const { session } = named;
  const onlySession = session !== undefined && (action === "revoke_session" || subject === undefined);
  if (!onlySession && subject === undefined) return undefined;
  const match = onlySession ? { iss: issuer.issuer, session } : { sub: subject as string };
  // Until now, by our clock and by theirs: what was got from an old session in the meantime ends as well.
  const issued_before = Math.max(now, Math.ceil(issued_at)) + 1;
  const expires_at = defaultExpiry(match, issued_before, now);
  return { ...base, match, issued_before, ...(expires_at === undefined ? {} : { expires_at }) };
}

/** Whose sessions a rule of {@link ruleOf} ends, and the rule as of its making: none that begins later. */
export function endingOf(rule: Revocation): { whose: SessionEnding; rule: Revocation } {
  const { sub, session } = rule.match;
  const whose = sub === undefined ? { provider_session: session as string } : { subject: sub };
  return { whose, rule: { ...rule, issued_before: rule.issued_before ?? rule.created_at + 1 } };
}

export type SessionEnding = Pick<SessionQuery, "subject" | "provider_session">;

function subjectOf(issuer: Signal["issuer"], named: NamedSubject | undefined): string | undefined {
  return issuer && named?.sub !== undefined ? `${issuer.id}|${named.sub}` : undefined;
}

/** What is recorded of a signal that leads to something. */
export function signalNote({
  id,
  actor,
  via,
  event,
  kind,
  action,
  subject,
  ...led
}: SignalRecord): AuditNote {
  const data = { signal: id, via, event, kind, action, revocation: led.revocation_id, lifted: led.lifted };
  return { type: "signal.received", by: actor, ...(subject === undefined ? {} : { about: subject }), data };
}
