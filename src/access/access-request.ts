import type { Person, Wish } from "../policy/access-conditions.ts";
import type { People } from "../policy/access-rules.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { EventType } from "../webhooks/event.ts";
import type { Review, Round } from "./round.ts";

/** What is asked for and by whom; fixed when the request is made. Times are epoch seconds. */
export type Ask = {
  resource: string;
  scope: string[];
  duration_seconds: number;
  justification: string;
  /** Start of the grant's window, which then ends `duration_seconds` later. Absent: both count from approval. */
  starts_at?: number;
  ticket?: string;
  /** How many requests the grant opens at most. Absent: they are not counted. */
  max_uses?: number;
};

/** `actors` act for the subject, nearest first (RFC 8693 §4.1). */
export type Requester = { subject: string; client_id: string; roles: string[]; actors?: string[] };

export type Grant = {
  id: string;
  resource: string;
  scope: string[];
  access_start: number;
  access_expiry: number;
  max_uses?: number;
  /** Where the grant's own object was read, never stored: uses that no isolate holds. */
  uses_left?: number;
  /** When the last of `max_uses` was used. */
  used_up_at?: number;
  /** Set once `grant.activated` or `grant.expired` has been told. Access itself is decided by time. */
  told?: "active" | "expired";
  /** Set once `grant.ending` has been told of this end. */
  warned?: true;
  revoked?: { at: number; by: string; reason: string; receipt?: Receipt };
};

/** More time for the grant: a round of its own. */
export type Extension = Round & { id: string; duration_seconds: number; justification: string };

/** What follows a use of break-glass. */
export type BreakGlass = {
  reviewers: People;
  /** Who may also review once it is overdue. */
  escalation?: People;
  review_within_seconds: number;
  /** When every endpoint that listens had been tried: no token leaves before. */
  alerted_at?: number;
  /** What has been told. */
  due?: true;
  overdue?: true;
  review?: Review;
};

/** What is stored. Whether a pending request or a grant is over is decided by time, on read. */
export type AccessRequest = Round & {
  id: string;
  requester: Requester;
  ask: Ask;
  rule_id: string;
  /** Audience of its access tokens, and their longest life. */
  audience: string;
  access_token_ttl_seconds: number;
  warn_before_end_seconds: number;
  /** Its tokens name their place in a status list. */
  status_list?: true;
  /** Set where chat messages may have buttons that decide. The rule as it is then decides whether a click counts. */
  decide_in_chat?: true;
  grant?: Grant;
  /** Oldest first; only the last one can be pending. */
  extensions: Extension[];
  break_glass?: BreakGlass;
};

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

export function personOf({ subject, client_id, roles, actors }: Requester): Person {
  return { subject, roles, clientId: client_id, ...(actors ? { actors } : {}) };
}

/** What conditions see of an ask. */
export function wishOf(ask: Ask): Wish {
  const { resource, scope, duration_seconds, justification, ticket, starts_at, max_uses } = ask;
  return {
    resource,
    scopes: scope,
    durationSeconds: duration_seconds,
    justification,
    ...(ticket === undefined ? {} : { ticket }),
    ...(starts_at === undefined ? {} : { startsAt: starts_at }),
    ...(max_uses === undefined ? {} : { maxUses: max_uses }),
  };
}

/** The extension that waits for its decision. */
export function pendingExtension(request: AccessRequest): Extension | undefined {
  const last = request.extensions.at(-1);
  return last?.decided === "pending" ? last : undefined;
}

/** Whether somebody's decision is awaited: on the request itself, or on more time for its grant. */
export function isUndecided(request: AccessRequest, now: number): boolean {
  const round = request.decided === "pending" ? request : pendingExtension(request);
  return round !== undefined && now < round.review_deadline;
}

/** What is reviewed: the request, or the extension that is named. */
export function roundOf(request: AccessRequest, extension: string | undefined): Round | undefined {
  return extension === undefined ? request : request.extensions.find(({ id }) => id === extension);
}

export function withExtension(request: AccessRequest, extension: Extension): AccessRequest {
  const others = request.extensions.filter(({ id }) => id !== extension.id);
  return { ...request, extensions: [...others, extension] };
}
