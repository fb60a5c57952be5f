import type { AccessRule } from "../policy/document.ts";
import type { Json } from "../protocol/json.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { EventType } from "../webhooks/event.ts";

/** What is asked for and by whom; fixed when the request is made. Times are epoch seconds. */
export type Ask = {
  resource: string;
  scope: string[];
  duration_seconds: number;
  justification: string;
  /** Earliest start of the grant; absent: at approval. */
  starts_at?: number;
  ticket?: string;
};

export type Requester = { subject: string; client_id: string };

export type Review = {
  id: string;
  approver: string;
  outcome: "approve" | "deny";
  comment?: string;
  duration_seconds?: number;
  scope?: string[];
  /** Who vouches for the approver: a webhook endpoint (`whe_…`), or who had the link made (`link:…`). Absent: a token. */
  via?: string;
  reviewed_at: number;
};

export type Grant = {
  id: string;
  resource: string;
  scope: string[];
  access_start: number;
  access_expiry: number;
  /** Set once `grant.activated` or `grant.expired` has been told. Access itself is decided by time. */
  told?: "active" | "expired";
  revoked?: { at: number; by: string; reason: string; receipt?: Receipt };
};

/** What is stored. Whether a pending request or a grant is over is decided by time, on read. */
export type AccessRequest = {
  id: string;
  decided: "pending" | "approved" | "denied" | "cancelled" | "expired";
  requester: Requester;
  ask: Ask;
  rule_id: string;
  /** Audience of its access tokens, and their longest life. */
  audience: string;
  access_token_ttl_seconds: number;
  approvals_needed: number;
  /** Set where chat messages may have buttons that decide. The rule as it is then decides whether a click counts. */
  decide_in_chat?: true;
  created_at: number;
  review_deadline: number;
  reviews: Review[];
  grant?: Grant;
};

export type RequestState = AccessRequest["decided"];
export type GrantState = "scheduled" | "active" | "expired" | "revoked";

/** RFC 6749 §5.1. */
export type IssuedToken = {
  access_token: string;
  token_type: "Bearer" | "DPoP";
  expires_in: number;
  scope: string;
};

/** With what it is for (RFC 9396 §7). */
export type PolledToken = IssuedToken & {
  authorization_details: { type: "portcullis_resource"; identifier: string }[];
};

/** The change and what is told of it. */
export type Transition = { request: AccessRequest; events: EventType[] };

export function openRequest(
  id: string,
  requester: Requester,
  ask: Ask,
  rule: AccessRule,
  audience: string,
  now: number,
): Transition {
  const request: AccessRequest = {
    id,
    decided: "pending",
    requester,
    ask,
    rule_id: rule.id,
    audience,
    access_token_ttl_seconds: rule.access_token_ttl_seconds,
    approvals_needed: rule.approvals,
    ...(rule.decide_in_chat ? { decide_in_chat: true } : {}),
    created_at: now,
    review_deadline: now + rule.review_deadline_seconds,
    reviews: [],
  };
  return { request, events: ["access_request.created"] };
}

export function requestState(request: AccessRequest, now: number): RequestState {
  return request.decided === "pending" && now >= request.review_deadline ? "expired" : request.decided;
}

export function grantState(grant: Grant, now: number): GrantState {
  if (grant.revoked) return "revoked";
  if (now < grant.access_start) return "scheduled";
  return now < grant.access_expiry ? "active" : "expired";
}

/** What time has changed and nobody has been told of yet. */
export function passTime(request: AccessRequest, now: number): Transition {
  const { grant } = request;
  if (request.decided === "pending" && requestState(request, now) === "expired") {
    return { request: { ...request, decided: "expired" }, events: ["access_request.expired"] };
  }
  if (!grant || grant.revoked || grant.told === "expired") return { request, events: [] };
  const state = grantState(grant, now);
  const events: EventType[] = [];
  if (state !== "scheduled" && grant.told === undefined) events.push("grant.activated");
  if (state === "expired") events.push("grant.expired");
  if (events.length === 0) return { request, events };
  return {
    request: { ...request, grant: { ...grant, told: state === "expired" ? "expired" : "active" } },
    events,
  };
}

/** When time changes the request next, epoch seconds; undefined where it is over. */
export function nextChange(request: AccessRequest): number | undefined {
  if (request.decided === "pending") return request.review_deadline;
  const { grant } = request;
  if (!grant || grant.revoked || grant.told === "expired") return undefined;
  return grant.told === "active" ? grant.access_expiry : grant.access_start;
}

/** The wire form, as of now. */
export function presentRequest(request: AccessRequest, now: number): { [member: string]: Json } {
  const { ask, grant } = request;
  return {
    id: request.id,
    state: requestState(request, now),
    requester: request.requester.subject,
    client_id: request.requester.client_id,
    resource: ask.resource,
    scope: ask.scope.join(" "),
    duration_seconds: ask.duration_seconds,
    justification: ask.justification,
    ...(ask.starts_at === undefined ? {} : { starts_at: ask.starts_at }),
    ...(ask.ticket === undefined ? {} : { ticket: ask.ticket }),
    rule: request.rule_id,
    approvals_needed: request.approvals_needed,
    ...(request.decide_in_chat ? { decide_in_chat: true } : {}),
    created_at: request.created_at,
    review_deadline: request.review_deadline,
    reviews: request.reviews.map(presentReview),
    ...(grant ? { grant: presentGrant(request, grant, now) } : {}),
  };
}

export function presentGrant(request: AccessRequest, grant: Grant, now: number): { [member: string]: Json } {
  const { revoked } = grant;
  return {
    id: grant.id,
    state: grantState(grant, now),
    access_request: request.id,
    subject: request.requester.subject,
    resource: grant.resource,
    scope: grant.scope.join(" "),
    access_start: grant.access_start,
    access_expiry: grant.access_expiry,
    ...(revoked ? { revoked_at: revoked.at, revoked_by: revoked.by, revoke_reason: revoked.reason } : {}),
  };
}

function presentReview({ scope, ...review }: Review): { [member: string]: Json } {
  return scope ? { ...review, scope: scope.join(" ") } : { ...review };
}
