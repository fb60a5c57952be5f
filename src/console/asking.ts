import type { AccessRequestsCreateBody } from "../client/contract.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { readDuration } from "./duration.ts";
import { NOT_A_DURATION, textOf } from "./review.ts";
import type { RuleView } from "./wire.ts";

/** Reads the form for asking. What the rule wants of it is checked by the control plane. */
export function readAsk(form: URLSearchParams): Result<AccessRequestsCreateBody> {
  const [resource, justification] = [textOf(form, "resource"), textOf(form, "justification")];
  const scopes = form.getAll("scope");
  if (resource === undefined) return refused("Name the resource that you need.");
  if (scopes.length === 0) return refused("Choose at least one scope.");
  if (justification === undefined) return refused("Say why you need it: whoever approves reads it.");
  const times = readTimes(form);
  if (!times.ok) return times;
  const uses = textOf(form, "max_uses");
  if (uses !== undefined && !/^\d{1,5}$/.test(uses)) return refused("Uses: give a whole number, or nothing.");
  const ticket = textOf(form, "ticket");
  return ok({
    resource,
    scope: scopes.join(" "),
    justification,
    ...times.value,
    ...(ticket === undefined ? {} : { ticket }),
    ...(uses === undefined ? {} : { max_uses: Number(uses) }),
    ...(form.get("emergency") === "true" ? { emergency: true } : {}),
  });
}

function readTimes(
  form: URLSearchParams,
): Result<Pick<AccessRequestsCreateBody, "duration_seconds" | "starts_at">> {
  const [length, start] = [textOf(form, "duration"), textOf(form, "starts_at")];
  const seconds = length === undefined ? undefined : readDuration(length);
  if (length !== undefined && seconds === undefined) return refused(`How long: ${NOT_A_DURATION}`);
  const at = start === undefined ? undefined : readUtc(start);
  if (start !== undefined && at === undefined) {
    return refused("Begins: give a date and a time in UTC, such as 2026-11-22T14:30.");
  }
  return ok({
    ...(seconds === undefined ? {} : { duration_seconds: seconds }),
    ...(at === undefined ? {} : { starts_at: at }),
  });
}

/** Epoch seconds of what a `datetime-local` field holds, taken as UTC. */
export function readUtc(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?$/.test(text)) return undefined;
  const ms = Date.parse(`${text}Z`);
  return Number.isNaN(ms) ? undefined : ms / 1000;
}

function refused(detail: string): Result<never> {
  return err(problem("invalid_body", detail));
}

/** Whether a rule is for more than one resource: one of them must be named. */
export function isPattern({ resource }: Pick<RuleView, "resource">): boolean {
  return /(?:^|\/)(?:\*|:)/.test(resource);
}

/** What a ticket must look like, in words; undefined where none is needed. */
export function ticketText({ ticket }: Pick<RuleView, "ticket">): string | undefined {
  if (!ticket) return undefined;
  if (!ticket.prefixes) return "Any ticket.";
  return `${ticket.prefixes.join(" or ")} followed by ${(ticket.suffix ?? "digits").replaceAll("_", " ")}.`;
}
