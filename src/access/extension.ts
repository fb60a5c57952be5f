import { accessFacts, decidedByRule, type Person } from "../policy/access-conditions.ts";
import { checkWords, mayAsk } from "../policy/access-rules.ts";
import type { AccessRule } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  type AccessRequest,
  type Extension,
  type Grant,
  pendingExtension,
  type Transition,
  wishOf,
  withExtension,
} from "./access-request.ts";
import { grantState } from "./grant.ts";
import { checkNarrowing } from "./narrowing.ts";
import { decide, openRound, type ReviewInput, reviewRound, roundState } from "./round.ts";

export type ExtensionAsk = { id: string; duration_seconds: number; justification: string };

/**
 * Asks for more time: a new round on the same grant, which goes on meanwhile. `rule` is the rule as the policy
 * has it now. Idempotent by the extension's id.
 */
export function askExtension(
  request: AccessRequest,
  ask: ExtensionAsk,
  person: Person,
  rule: AccessRule | undefined,
  now: number,
): Result<Transition> {
  const known = request.extensions.find(({ id }) => id === ask.id);
  if (known) {
    const { duration_seconds, justification } = known;
    return duration_seconds === ask.duration_seconds && justification === ask.justification
      ? ok({ request, events: [] })
      : err(problem("conflict", "This extension was asked for before, otherwise."));
  }
  const grant = extensibleGrant(request, now);
  if (!grant.ok) return grant;
  if (!rule) return err(problem("conflict", "The access rule of this grant is no longer in the policy."));
  const wish = {
    ...wishOf(request.ask),
    durationSeconds: ask.duration_seconds,
    justification: ask.justification,
    extension: true,
  };
  if (!mayAsk(rule, { ...person, ...wish }, now)) {
    return err(problem("forbidden", `The access rule ${rule.id} does not let you ask for this any more.`));
  }
  const fits = checkExtension(request, grant.value, ask, rule, now);
  if (!fits.ok) return fits;
  const words = checkWords(rule, wish);
  if (!words.ok) return words;

  const extension: Extension = { ...openRound(rule, now, grant.value.access_expiry), ...ask };
  const asked = withExtension(request, extension);
  const decided = decidedByRule(rule, accessFacts(rule, person, wish, now));
  const events: Transition["events"] = ["grant.extension_requested"];
  if (!decided) return ok({ request: asked, events });
  const outcome = decided === "approve" ? "approved" : "denied";
  const settled = settle(asked, { ...decide(extension, outcome, now), decided_by: "rule" });
  return ok({ request: settled.request, events: [...events, ...settled.events] });
}

/** One review of an extension. Who may review at all has been checked. */
export function reviewExtension(
  request: AccessRequest,
  input: ReviewInput,
  reviewer: Person,
  rule: AccessRule,
  now: number,
): Result<Transition> {
  const extension = request.extensions.find(({ id }) => id === input.extension);
  if (!extension) return err(problem("not_found", "This grant has no such extension."));
  const reviewed = reviewRound(extension, input, reviewer, rule, now);
  if (!reviewed.ok) return reviewed;
  if (input.scope) {
    return err(
      problem("invalid_request", "scope: an extension is of the whole grant; shorten it or deny it."),
    );
  }
  if (input.max_uses !== undefined) {
    return err(problem("invalid_request", "max_uses: an extension gives more time, and no other uses."));
  }
  const narrowed = checkNarrowing({ ...extension, scope: [] }, input);
  if (!narrowed.ok) return narrowed;
  const { round, outcome } = reviewed.value;
  if (outcome === "counted") return ok({ request: withExtension(request, round), events: [] });
  if (outcome === "stage_passed") {
    return ok({ request: withExtension(request, round), events: ["access_request.stage_passed"] });
  }
  return ok(settle(request, round));
}

/** The grant, where it can still be extended now. */
function extensibleGrant(request: AccessRequest, now: number): Result<Grant> {
  const { grant } = request;
  if (!grant) return err(problem("not_found", "There is no such grant."));
  const state = grantState(grant, now);
  if (state !== "scheduled" && state !== "active") {
    return err(problem("gone", `The grant is ${state.replace("_", " ")}; ask for access anew.`, { state }));
  }
  if (request.break_glass) {
    return err(problem("conflict", "An emergency grant is not extended: ask for access the usual way."));
  }
  const waiting = pendingExtension(request);
  if (waiting && roundState(waiting, now) === "pending") {
    const detail = "An extension of this grant waits for its review already.";
    return err(problem("conflict", detail, { extension: waiting.id }));
  }
  return ok(grant);
}

function checkExtension(
  { extensions }: AccessRequest,
  { access_start: start, access_expiry: end }: Grant,
  ask: ExtensionAsk,
  rule: AccessRule,
  now: number,
): Result<null> {
  const left = rule.max_total_seconds - (end - start);
  if (ask.duration_seconds > left) {
    const detail =
      left > 0
        ? `duration_seconds: this grant can become at most ${left} seconds longer.`
        : "This grant is as long as its access rule lets it become.";
    return err(problem("invalid_request", detail, { max_duration_seconds: Math.max(0, left) }));
  }
  const again = Math.max(
    0,
    ...extensions
      .filter(({ decided }) => decided === "denied")
      .map(({ decided_at }) => (decided_at ?? 0) + (rule.cool_down_seconds ?? 0)),
  );
  if (now >= again) return ok(null);
  return err(problem("conflict", "This was denied a short while ago.", { retry_at: again }));
}

function settle(request: AccessRequest, extension: Extension): Transition {
  const decided = withExtension(request, extension);
  const { grant } = decided;
  if (extension.decided !== "approved" || !grant) {
    return { request: decided, events: ["grant.extension_denied"] };
  }
  const allowed = extension.reviews.map((review) => review.duration_seconds ?? Infinity);
  const seconds = Math.min(extension.duration_seconds, ...allowed);
  const { warned: _warned, ...rest } = grant;
  const extended = { ...rest, access_expiry: grant.access_expiry + seconds };
  return { request: { ...decided, grant: extended }, events: ["grant.extended"] };
}
