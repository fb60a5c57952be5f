import type { AuditNote } from "../platform/audit-outbox.ts";
import { PORTCULLIS, TIME } from "../protocol/audit-record.ts";
import type { EventType } from "../webhooks/event.ts";
import type { AccessRequest } from "./access-request.ts";
import type { Review, Round } from "./round.ts";

type Told = (request: AccessRequest) => Pick<AuditNote, "by" | "reason" | "data">;

const byTime: Told = () => ({ by: TIME });
const byRequester: Told = ({ requester }) => ({ by: requester.subject });
const decided = (round: Round) => ({
  by: round.decided_by ? PORTCULLIS : lastReviewer(round),
  data: { ...(round.decided_by ? { decided_by: round.decided_by } : {}) },
});
const revoked: Told = ({ grant }) => ({ by: grant!.revoked!.by, reason: grant!.revoked!.reason });
const asked: Told = ({ requester, ask, rule_id: rule }) => ({
  by: requester.subject,
  reason: ask.justification,
  data: {
    rule,
    scope: ask.scope,
    duration_seconds: ask.duration_seconds,
    starts_at: ask.starts_at,
    max_uses: ask.max_uses,
  },
});
const window: Told = ({ grant }) => ({
  data: { scope: grant?.scope, access_start: grant?.access_start, access_expiry: grant?.access_expiry },
});

/** What is recorded of each event that changes authority; the others only remind somebody of something. */
const RECORDED = {
  "access_request.created": asked,
  "access_request.stage_passed": (request) => ({ by: lastReviewer(request) }),
  "access_request.escalated": byTime,
  "access_request.approved": (request) => {
    const decision = decided(request);
    return { ...decision, data: { ...decision.data, ...window(request).data } };
  },
  "access_request.denied": decided,
  "access_request.cancelled": byRequester,
  "access_request.expired": byTime,
  "grant.activated": byTime,
  "grant.extension_requested": ({ requester, extensions }) => {
    const { id: extension, justification: reason, duration_seconds } = extensions.at(-1)!;
    return { by: requester.subject, reason, data: { extension, duration_seconds } };
  },
  "grant.extended": (request) => ({ ...decided(request.extensions.at(-1)!), data: window(request).data! }),
  "grant.extension_denied": (request) => decided(request.extensions.at(-1)!),
  "grant.extension_cancelled": byRequester,
  "grant.extension_expired": byTime,
  "grant.returned": revoked,
  "grant.revoked": revoked,
  "grant.used_up": () => ({ by: PORTCULLIS }),
  "grant.expired": byTime,
  "break_glass.opened": asked,
  "break_glass.review_overdue": byTime,
  "break_glass.reviewed": ({ break_glass: glass }) => ({ by: glass!.review!.approver }),
} satisfies Partial<Record<EventType, Told>>;

/** The records of one transition: each review that was counted, then what came of it. */
export function accessNotes(
  before: AccessRequest | undefined,
  after: AccessRequest,
  events: readonly EventType[],
): AuditNote[] {
  const known = new Set(before ? reviewsOf(before).map(({ id }) => id) : []);
  const reviews = reviewsOf(after).filter(({ id }) => !known.has(id));
  return [
    ...reviews.map((review) => noteOf(after, "access_request.reviewed", reviewed(review))),
    ...events.filter(isRecorded).map((type) => noteOf(after, type, RECORDED[type](after))),
  ];
}

function isRecorded(type: EventType): type is keyof typeof RECORDED {
  return type in RECORDED;
}

function noteOf(request: AccessRequest, type: AuditNote["type"], told: ReturnType<Told>): AuditNote {
  const { id, ask, grant, requester } = request;
  const data = { access_request: id, grant: grant?.id, resource: ask.resource, ...told.data };
  return { type, about: requester.subject, ...told, data };
}

function reviewed(review: Review): ReturnType<Told> {
  const { id, outcome, stage, comment, via, extension, scope, duration_seconds, max_uses } = review;
  // Who made the link is a person; the record of its making is in the log of calls.
  const how = via?.startsWith("link:") ? "link" : via;
  const data = { review: id, outcome, stage, via: how, extension, scope, duration_seconds, max_uses };
  return { by: review.approver, ...(comment === undefined ? {} : { reason: comment }), data };
}

function reviewsOf({ reviews, extensions, break_glass: glass }: AccessRequest): Review[] {
  const after = glass?.review ? [glass.review] : [];
  return [...reviews, ...extensions.flatMap((extension) => extension.reviews), ...after];
}

function lastReviewer(round: Round): string {
  return round.reviews.at(-1)?.approver ?? PORTCULLIS;
}
