import type { RevocationsCreateBody } from "../client/contract.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { readUtc } from "./asking.ts";
import { readDuration } from "./duration.ts";
import { type EffectView, MATCH_MEMBERS } from "./operator-wire.ts";
import { NOT_A_DURATION, textOf } from "./review.ts";

/** Reads the form for a revocation. Whether the rule can be is checked by the control plane. */
export function readRevocation(form: URLSearchParams, now: number): Result<RevocationsCreateBody> {
  const named = MATCH_MEMBERS.map((member) => [member, textOf(form, member)] as const);
  const match = Object.fromEntries(named.filter((entry): entry is [never, string] => entry[1] !== undefined));
  const reason = textOf(form, "reason");
  if (reason === undefined) return refused("Say why: whoever finds it later reads it.");
  const before = momentOf(form, "issued_before", now);
  if (!before.ok) return before;
  if (Object.keys(match).length === 0 && before.value === undefined)
    return refused("Name at least one claim, or a moment: every token from before it is refused.");
  const effect = readEffect(form, now);
  if (!effect.ok) return effect;
  const length = textOf(form, "lasts");
  const seconds = length === undefined ? undefined : readDuration(length);
  if (length !== undefined && seconds === undefined) return refused(`Lasts: ${NOT_A_DURATION}`);
  return ok({
    match,
    ...(effect.value ? { effect: effect.value } : {}),
    ...(before.value === undefined ? {} : { issued_before: before.value }),
    reason,
    ...(seconds === undefined ? {} : { expires_at: now + seconds }),
    ...(form.get("emergency") === "true" ? { emergency: true } : {}),
  });
}

function readEffect(form: URLSearchParams, now: number): Result<EffectView | undefined> {
  const kind = form.get("effect") ?? "";
  if (kind === "") return ok(undefined);
  if (kind === "shrink_scope") {
    const scopes = wordsOf(form, "scopes");
    return scopes.length > 0 ? ok({ kind, scopes }) : refused("Name the scopes that count no more.");
  }
  if (kind !== "step_up") return refused("Choose what becomes of the tokens.");
  const since = momentOf(form, "signed_in_since", now);
  if (!since.ok) return since;
  const acr_values = wordsOf(form, "acr_values");
  return ok({
    kind,
    ...(acr_values.length > 0 ? { acr_values } : {}),
    ...(since.value === undefined ? {} : { signed_in_since: since.value }),
  });
}

/** A moment in UTC, or `now`. */
function momentOf(form: URLSearchParams, name: string, now: number): Result<number | undefined> {
  const text = textOf(form, name);
  if (text === undefined) return ok(undefined);
  const at = text.toLowerCase() === "now" ? now : (readUtc(text) ?? readEpoch(text));
  return at === undefined ? refused(`Give "now", or a moment in UTC such as 2026-11-22T14:30.`) : ok(at);
}

/** The confirmation sends the moment on as the dry run understood it. */
function readEpoch(text: string): number | undefined {
  return /^\d{1,11}$/.test(text) ? Number(text) : undefined;
}

function wordsOf(form: URLSearchParams, name: string): string[] {
  return (textOf(form, name) ?? "").split(/[\s,]+/).filter((word) => word !== "");
}

function refused(detail: string): Result<never> {
  return err(problem("invalid_body", detail));
}
