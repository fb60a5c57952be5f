import type { ExactLimit } from "../policy/limit-schema.ts";

/** What is left of a caller's requests at a moment, fractions of one too. */
export type Bucket = { level: number; atMs: number };

/** What became of one request. `resetSeconds`: until the next one is let through, or the bucket is full again. */
export type Take = { allowed: boolean; remaining: number; resetSeconds: number };

/**
 * Takes one request out of a token bucket that holds `requests` and fills within `period_seconds`. A bucket that
 * is not known is full. A clock that goes back fills nothing, and a limit that was lowered holds at once.
 */
export function take(
  before: Bucket | undefined,
  { requests, period_seconds }: ExactLimit,
  nowMs: number,
): { bucket: Bucket; taken: Take } {
  const perMs = requests / (period_seconds * 1000);
  const elapsedMs = before ? Math.max(0, nowMs - before.atMs) : 0;
  const filled = before ? Math.min(requests, before.level + elapsedMs * perMs) : requests;
  const allowed = filled >= 1;
  const level = allowed ? filled - 1 : filled;
  const missing = allowed ? requests - level : 1 - level;
  const resetSeconds = Math.max(1, Math.ceil(missing / perMs / 1000));
  const atMs = before ? Math.max(nowMs, before.atMs) : nowMs;
  return { bucket: { level, atMs }, taken: { allowed, remaining: Math.floor(level), resetSeconds } };
}

/** From when on the bucket is as good as one that is not known. */
export function fullAtMs({ level, atMs }: Bucket, { requests, period_seconds }: ExactLimit): number {
  return Math.ceil(atMs + ((requests - level) * period_seconds * 1000) / requests);
}
