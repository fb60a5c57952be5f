import type { ExactLimit } from "../policy/limit-schema.ts";

/**
 * What is left of a caller's requests at a moment. A request costs as much credit as its period has milliseconds,
 * and each millisecond brings as much as there are requests in a period: whole numbers, so that nothing is lost.
 */
export type Bucket = { credit: number; periodMs: number; atMs: number };

/** What became of one request. `resetSeconds`: until the next one is let through, or the bucket is full again. */
export type Take = { allowed: boolean; remaining: number; resetSeconds: number };

/**
 * Takes one request out of a token bucket that holds `requests` and fills within `period_seconds`. A bucket that
 * is not known is full. A clock that goes back fills nothing, and a limit that was changed holds at once.
 */
export function take(
  before: Bucket | undefined,
  { requests, period_seconds }: ExactLimit,
  nowMs: number,
): { bucket: Bucket; taken: Take } {
  const periodMs = period_seconds * 1000;
  const most = requests * periodMs;
  const filled = before ? Math.min(most, creditNow(before, requests, periodMs, nowMs)) : most;
  const allowed = filled >= periodMs;
  const credit = allowed ? filled - periodMs : filled;
  const missing = allowed ? most - credit : periodMs - credit;
  const bucket = { credit, periodMs, atMs: Math.max(nowMs, before?.atMs ?? nowMs) };
  const remaining = Math.floor(credit / periodMs);
  return { bucket, taken: { allowed, remaining, resetSeconds: Math.ceil(missing / requests / 1000) } };
}

function creditNow(before: Bucket, requests: number, periodMs: number, nowMs: number): number {
  const { credit, periodMs: was, atMs } = before;
  const kept = was === periodMs ? credit : Math.floor((credit * periodMs) / was);
  return kept + Math.max(0, nowMs - atMs) * requests;
}

/** From when on the bucket is as good as one that is not known. */
export function fullAtMs({ credit, periodMs, atMs }: Bucket, { requests }: ExactLimit): number {
  return atMs + Math.ceil((requests * periodMs - credit) / requests);
}
