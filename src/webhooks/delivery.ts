const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Wait before each attempt, counted from the one before: the last is about three days after the first. */
export const ATTEMPT_DELAYS_MS = [
  0,
  5 * SECOND_MS,
  30 * SECOND_MS,
  2 * MINUTE_MS,
  10 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
] as const;

/** A receiver may ask for a longer wait (`Retry-After`), but not for one that outlives the schedule. */
const LONGEST_WAIT_MS = 24 * HOUR_MS;
/** Waits are spread by this much to either side, so that a receiver that comes back is not hit all at once. */
const JITTER = 0.2;

export const ATTEMPT_TIMEOUT_MS = 15 * SECOND_MS;
/** A claimed delivery is tried again after this if its object died under it. */
export const LEASE_MS = 2 * ATTEMPT_TIMEOUT_MS;
/** How many deliveries of one endpoint are on their way at once. */
export const MAX_IN_FLIGHT = 4;
/** How many deliveries of one endpoint may wait; what comes then is a dead letter at once, and can be redelivered. */
export const MAX_WAITING = 10_000;
/** How many dead letters one call sends again. */
export const MAX_REDELIVERED = 1_000;
/** How long a delivery that is over is kept. */
export const KEEP_MS = 30 * DAY_MS;

export type DeliveryState = "pending" | "delivered" | "dead_letter";

/** Why a delivery became a dead letter. */
export const DEAD_REASONS = [
  "schedule_exhausted",
  "endpoint_disabled",
  "queue_full",
  "receiver_refused",
] as const;
export type DeadReason = (typeof DEAD_REASONS)[number];

/** Why an attempt failed; `http_status` goes with the status, `refused` with a 200 of Slack that says no. */
export type AttemptError =
  | "http_status"
  | "redirect"
  | "gone"
  | "refused"
  | "timeout"
  | "connection"
  | "url_refused"
  | "secret_unreadable"
  | "not_signed";

/** How one attempt ended. */
export type AttemptOutcome = {
  error?: AttemptError;
  status?: number;
  /** What the receiver asked for, in milliseconds from now. */
  retryAfterMs?: number;
};

/** Any 2xx is a success. A redirect is a failure and is never followed; 410 says: send nothing any more. */
export function outcomeOf(status: number, retryAfter: string | null, nowMs: number): AttemptOutcome {
  if (status >= 200 && status < 300) return { status };
  const error = status === 410 ? "gone" : status >= 300 && status < 400 ? "redirect" : "http_status";
  const retryAfterMs = retryAfterInMs(retryAfter, nowMs);
  return retryAfterMs === undefined ? { status, error } : { status, error, retryAfterMs };
}

/** `Retry-After` in either form (RFC 9110 §10.2.3), undefined where there is none that can be read. */
export function retryAfterInMs(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (/^[0-9]{1,9}$/.test(value)) return Number(value) * SECOND_MS;
  const at = /^[A-Z][a-z]{2}, /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** When attempt number `done` + 1 is due, or undefined where the schedule is exhausted. */
export function nextAttemptAtMs(
  done: number,
  outcome: AttemptOutcome,
  nowMs: number,
  random: () => number,
): number | undefined {
  const delay = ATTEMPT_DELAYS_MS[done];
  if (delay === undefined) return undefined;
  const jittered = delay * (1 - JITTER + 2 * JITTER * random());
  return Math.ceil(nowMs + Math.max(jittered, Math.min(outcome.retryAfterMs ?? 0, LONGEST_WAIT_MS)));
}

/** A delivery's id names its endpoint, so that it can be found without an index: `dlv_<own><endpoint's>`. */
export function deliveryId(own: string, endpointId: string): string {
  return `${own}${bodyOf(endpointId)}`;
}

const DELIVERY_ID = /^dlv_[0-9a-hjkmnp-tv-z]{26}([0-9a-hjkmnp-tv-z]{26})$/;

/** The endpoint of a delivery, or undefined where the text is no delivery id. */
export function endpointOfDelivery(id: string): string | undefined {
  const body = DELIVERY_ID.exec(id)?.[1];
  return body === undefined ? undefined : `whe_${body}`;
}

function bodyOf(id: string): string {
  return id.slice(id.indexOf("_") + 1);
}
