import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReviewInput } from "./round.ts";

/** An approver may narrow scope, shorten duration and allow fewer uses, never widen. */
export function checkNarrowing(
  asked: { duration_seconds: number; scope: string[]; max_uses?: number },
  review: ReviewInput,
): Result<null> {
  if (review.duration_seconds !== undefined && review.duration_seconds > asked.duration_seconds) {
    const detail = `duration_seconds: at most the ${asked.duration_seconds} that were asked for.`;
    return err(problem("invalid_request", detail));
  }
  if ((review.max_uses ?? 0) > (asked.max_uses ?? Infinity)) {
    const detail = `max_uses: at most the ${asked.max_uses} that were asked for.`;
    return err(problem("invalid_request", detail));
  }
  const added = review.scope?.find((scope) => !asked.scope.includes(scope));
  if (added)
    return err(problem("invalid_request", `scope: ${added} was not asked for; a review may only narrow.`));
  return ok(null);
}
