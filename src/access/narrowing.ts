import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReviewInput } from "./round.ts";

/** An approver may narrow scope and shorten duration, never widen. */
export function checkNarrowing(
  asked: { duration_seconds: number; scope: string[] },
  review: ReviewInput,
): Result<null> {
  if (review.duration_seconds !== undefined && review.duration_seconds > asked.duration_seconds) {
    const detail = `duration_seconds: at most the ${asked.duration_seconds} that were asked for.`;
    return err(problem("invalid_request", detail));
  }
  const added = review.scope?.find((scope) => !asked.scope.includes(scope));
  if (added)
    return err(problem("invalid_request", `scope: ${added} was not asked for; a review may only narrow.`));
  return ok(null);
}
