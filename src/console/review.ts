import type { AccessRequestsReviewBody } from "../client/contract.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { readDuration } from "./duration.ts";

/** Reads a review's form. What the form leaves as it was asked for is left out. */
export function readReview(form: URLSearchParams): Result<AccessRequestsReviewBody> {
  const outcome = form.get("outcome");
  if (outcome !== "approve" && outcome !== "deny")
    return err(problem("invalid_body", "Choose to approve or to deny."));
  const said = textOf(form, "comment");
  const extension = textOf(form, "extension");
  const body: AccessRequestsReviewBody = {
    outcome,
    ...(said === undefined ? {} : { comment: said }),
    ...(extension === undefined ? {} : { extension }),
  };
  // A denial gives nothing: what the fields for giving less hold does not matter.
  return outcome === "deny" ? ok(body) : withLess(body, form);
}

function withLess(body: AccessRequestsReviewBody, form: URLSearchParams): Result<AccessRequestsReviewBody> {
  const less: Partial<AccessRequestsReviewBody> = {};
  const length = textOf(form, "duration");
  if (length !== undefined && length !== form.get("duration_asked")) {
    const seconds = readDuration(length);
    if (seconds === undefined)
      return err(problem("invalid_body", `${NOT_A_DURATION} For how long is it approved?`));
    less.duration_seconds = seconds;
  }
  const [offered, kept] = [form.getAll("scope_asked"), form.getAll("scope")];
  if (offered.length > 0 && kept.length === 0) {
    return err(problem("invalid_body", "No scope is left: choose at least one, or deny the request."));
  }
  if (offered.some((scope) => !kept.includes(scope))) less.scope = kept.join(" ");
  const uses = textOf(form, "max_uses");
  if (uses !== undefined && uses !== form.get("max_uses_asked")) {
    if (!/^\d{1,5}$/.test(uses)) return err(problem("invalid_body", "Uses: give a whole number."));
    less.max_uses = Number(uses);
  }
  return ok({ ...body, ...less });
}

export const NOT_A_DURATION = "Give a length of time with its unit, such as 30 min or 1 h 30 min.";

/** A field's text as people write it; undefined where it is empty. A form's line breaks have two characters. */
export function textOf(form: URLSearchParams, name: string): string | undefined {
  const text = form.get(name)?.replaceAll("\r\n", "\n").trim();
  return text === "" ? undefined : text;
}
