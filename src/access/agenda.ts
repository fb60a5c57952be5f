import { ok, type Result } from "../protocol/result.ts";
import type { EventType } from "../webhooks/event.ts";
import { type AccessRequest, pendingExtension, type Transition, withExtension } from "./access-request.ts";
import { isEndedEarly } from "./grant.ts";
import { decide, type Round } from "./round.ts";

/** Something that time alone brings about, and that has not been told yet. */
type Due = { at: number; event: EventType; apply: () => AccessRequest };

/** What time has changed and nobody has been told of yet. */
export function passTime(request: AccessRequest, now: number): Transition {
  const events: EventType[] = [];
  let passed = request;
  for (let due = nextDue(passed, now); due; due = nextDue(passed, now)) {
    passed = due.apply();
    events.push(due.event);
  }
  return { request: passed, events };
}

/** A change on top of what time has changed: both are told, or where the change is refused, neither. */
export function onTime(
  request: AccessRequest,
  change: (request: AccessRequest) => Result<Transition>,
  now: number,
): Result<Transition> {
  const passed = passTime(request, now);
  const changed = change(passed.request);
  if (!changed.ok) return changed;
  // What changes nothing is left to the alarm to tell.
  if (changed.value.request === passed.request) return ok({ request, events: [] });
  return ok({ request: changed.value.request, events: [...passed.events, ...changed.value.events] });
}

/** When time changes the request next, epoch seconds; undefined where it is over. */
export function nextChange(request: AccessRequest): number | undefined {
  const times = agenda(request).map(({ at }) => at);
  return times.length ? Math.min(...times) : undefined;
}

/** When a use of break-glass must have been reviewed. */
export function reviewDueAt(request: AccessRequest): number {
  return grantEnd(request) + (request.break_glass?.review_within_seconds ?? 0);
}

function nextDue(request: AccessRequest, now: number): Due | undefined {
  return agenda(request).find(({ at }) => at <= now);
}

/** Where several are due at once, the first in this order is told first, and may make others pointless. */
function agenda(request: AccessRequest): Due[] {
  const extension = pendingExtension(request);
  return [
    ...roundAgenda(request, "access_request.expired", (round) => round),
    ...(extension
      ? roundAgenda(extension, "grant.extension_expired", (round) => withExtension(request, round))
      : []),
    ...grantAgenda(request),
    ...breakGlassAgenda(request),
  ];
}

function roundAgenda<R extends Round>(round: R, expired: EventType, put: (round: R) => AccessRequest): Due[] {
  if (round.decided !== "pending") return [];
  const { escalation, reminder_after_seconds: reminder, stage_opened_at: opened } = round;
  const agenda: Due[] = [
    {
      at: round.review_deadline,
      event: expired,
      apply: () => put(decide(round, "expired", round.review_deadline)),
    },
  ];
  if (reminder !== undefined && !round.reminded) {
    const apply = () => put({ ...round, reminded: true });
    agenda.push({ at: opened + reminder, event: "access_request.reminder_due", apply });
  }
  if (escalation && !round.escalated) {
    const apply = () => put({ ...round, escalated: true });
    agenda.push({ at: opened + escalation.after_seconds, event: "access_request.escalated", apply });
  }
  return agenda;
}

function grantAgenda(request: AccessRequest): Due[] {
  const { grant, warn_before_end_seconds: warnBefore } = request;
  if (!grant || isEndedEarly(grant) || grant.told === "expired") return [];
  const put = (change: object) => () => ({ ...request, grant: { ...grant, ...change } });
  if (grant.told === undefined) {
    return [{ at: grant.access_start, event: "grant.activated", apply: put({ told: "active" }) }];
  }
  const agenda: Due[] = [
    { at: grant.access_expiry, event: "grant.expired", apply: put({ told: "expired" }) },
  ];
  const warnAt = grant.access_expiry - warnBefore;
  // A grant that is shorter than the warning has none.
  if (!grant.warned && warnAt > grant.access_start) {
    agenda.push({ at: warnAt, event: "grant.ending", apply: put({ warned: true }) });
  }
  return agenda;
}

function breakGlassAgenda(request: AccessRequest): Due[] {
  const { break_glass: glass } = request;
  if (!glass || glass.review) return [];
  const put = (change: object) => () => ({ ...request, break_glass: { ...glass, ...change } });
  if (!glass.due) {
    return [{ at: grantEnd(request), event: "break_glass.review_due", apply: put({ due: true }) }];
  }
  if (glass.overdue) return [];
  const apply = put({ overdue: true });
  return [{ at: reviewDueAt(request), event: "break_glass.review_overdue", apply }];
}

function grantEnd({ grant }: AccessRequest): number {
  return grant?.revoked?.at ?? grant?.used_up_at ?? grant?.access_expiry ?? 0;
}
