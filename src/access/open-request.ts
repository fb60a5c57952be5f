import { accessFacts, decidedByRule } from "../policy/access-conditions.ts";
import type { AccessRule } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { EventType } from "../webhooks/event.ts";
import {
  type AccessRequest,
  type Ask,
  personOf,
  type Requester,
  type Transition,
  wishOf,
} from "./access-request.ts";
import { activate, grantOf } from "./grant.ts";
import { decide, openRound } from "./round.ts";

/** The request as the rule begins it: pending, or decided at once by the rule's own conditions. */
export function openRequest(
  id: string,
  requester: Requester,
  ask: Ask,
  rule: AccessRule,
  audience: string,
  now: number,
): Result<Transition> {
  const request = newRequest(id, requester, ask, rule, audience, now);
  if (now >= request.review_deadline) return err(problem("invalid_request", "starts_at: that time is over."));
  const events: EventType[] = ["access_request.created"];
  const decided = decidedByRule(rule, accessFacts(rule, personOf(requester), wishOf(ask), now));
  if (decided === "deny") {
    const denied = { ...decide(request, "denied", now), decided_by: "rule" as const };
    return ok({ request: denied, events: [...events, "access_request.denied"] });
  }
  const grant = decided === "approve" ? grantOf(request, [], now) : undefined;
  if (!grant?.ok) return ok({ request, events });
  const approved = { ...decide(request, "approved", now), decided_by: "rule" as const, grant: grant.value };
  const started = activate(approved, now);
  return ok({
    request: started.request,
    events: [...events, "access_request.approved", ...started.events],
  });
}

/** Access at once, to be reviewed afterwards; the window begins now. */
export function breakGlass(
  id: string,
  requester: Requester,
  ask: Ask,
  rule: AccessRule,
  audience: string,
  now: number,
): Result<Transition> {
  const { break_glass: glass, escalation } = rule;
  if (!glass) return err(problem("forbidden", "The access rule knows no emergency."));
  const { starts_at: _startsAt, ...atOnce } = ask;
  const request = newRequest(id, requester, atOnce, rule, audience, now);
  const grant = grantOf(request, [], now);
  if (!grant.ok) return grant;
  const { reviewers, review_within_seconds } = glass;
  const started = activate(
    {
      ...decide(request, "approved", now),
      decided_by: "break_glass",
      grant: grant.value,
      break_glass: { reviewers, review_within_seconds, ...(escalation ? { escalation } : {}) },
    },
    now,
  );
  return ok({ request: started.request, events: ["break_glass.opened", ...started.events] });
}

function newRequest(
  id: string,
  requester: Requester,
  ask: Ask,
  rule: AccessRule,
  audience: string,
  now: number,
): AccessRequest {
  // A window that is over cannot be approved any more.
  const windowEnd = ask.starts_at === undefined ? Infinity : ask.starts_at + ask.duration_seconds;
  return {
    id,
    ...openRound(rule, now, windowEnd),
    requester,
    ask,
    rule_id: rule.id,
    audience,
    access_token_ttl_seconds: rule.access_token_ttl_seconds,
    warn_before_end_seconds: rule.warn_before_end_seconds,
    ...(rule.status_list ? { status_list: true } : {}),
    ...(rule.decide_in_chat ? { decide_in_chat: true } : {}),
    extensions: [],
  };
}
