import type { Transmitter } from "../policy/document.ts";
import { SIGNAL_ACTIONS, type SignalAction } from "../policy/signal-schema.ts";
import type { Json } from "../protocol/json.ts";
import { EVENT_KINDS, type SecurityEventName } from "../protocol/security-event.ts";

type Choice = SignalAction | Record<string, SignalAction>;

/** What an event leads to where the policy says nothing else. */
const DEFAULTS: Record<SecurityEventName, Choice> = {
  "session-revoked": "revoke_session",
  "token-claims-change": "revoke_sessions",
  "credential-change": {
    create: "notify",
    revoke: "revoke_sessions",
    update: "revoke_sessions",
    delete: "revoke_sessions",
  },
  "assurance-level-change": { increase: "ignore", decrease: "revoke_sessions" },
  "device-compliance-change": { compliant: "ignore", "not-compliant": "revoke_sessions" },
  "risk-level-change": { LOW: "ignore", MEDIUM: "notify", HIGH: "revoke_sessions" },
  "session-established": "ignore",
  "session-presented": "ignore",
  "account-credential-change-required": "revoke_sessions",
  "account-purged": "revoke_subject",
  "account-disabled": "revoke_subject",
  "account-enabled": "restore_subject",
  "identifier-changed": "notify",
  "identifier-recycled": "revoke_sessions",
  "credential-compromise": "revoke_sessions",
  "opt-in": "ignore",
  "opt-out-initiated": "ignore",
  "opt-out-cancelled": "ignore",
  "opt-out-effective": "ignore",
  "recovery-activated": "notify",
  "recovery-information-changed": "notify",
  "sessions-revoked": "revoke_sessions",
};

/** SSF 1.0 §8.1.2. */
const STREAM_STATUS = { member: "status", values: ["enabled", "paused", "disabled"] };

/** Which kind of the event it is, where it says so. */
export function kindOf(
  name: SecurityEventName | "stream-updated",
  payload: { [member: string]: Json },
): string | undefined {
  const kinds = name === "stream-updated" ? STREAM_STATUS : EVENT_KINDS[name];
  return kinds?.values.find((value) => value === payload[kinds.member]);
}

/** What the event leads to: by the policy, else by default; the strongest of its kinds where it does not say which it is. */
export function actionOf(
  { events }: Pick<Transmitter, "events">,
  name: SecurityEventName,
  payload: { [member: string]: Json },
): SignalAction {
  const chosen: Choice | undefined = events[name];
  if (typeof chosen === "string") return chosen;
  const standard = DEFAULTS[name];
  const kinds = EVENT_KINDS[name];
  if (!kinds) return standard as SignalAction;
  const actionOfKind = (kind: string) =>
    chosen?.[kind] ?? (typeof standard === "string" ? standard : (standard[kind] as SignalAction));
  const kind = kindOf(name, payload);
  return kind === undefined ? strongest(kinds.values.map(actionOfKind)) : actionOfKind(kind);
}

function strongest(actions: readonly SignalAction[]): SignalAction {
  return SIGNAL_ACTIONS.find((action) => actions.includes(action)) as SignalAction;
}
