import type { RemediationAction } from "../policy/remediation-schema.ts";
import { defaultExpiry, type Effect, MAX_TOKEN_LIFE_SECONDS, type Revocation } from "../revocation/rule.ts";
import type { Target } from "./target.ts";

type Cause = { id: string; actor: string; reason: string };

/**
 * The rule for the log by which an action takes hold, or undefined where it takes hold otherwise.
 *
 * @param detectedAt the moment of the detection: what was issued, and who signed in, later is not meant
 * @param now when it is put into force, which its end counts from
 */
export function ruleOfAction(
  action: RemediationAction,
  target: Target,
  { id, actor, reason }: Cause,
  detectedAt: number,
  now: number,
): Revocation | undefined {
  const base = { id, reason, actor, created_at: now };
  if (target.kind === "address") {
    if (action.kind !== "block_address") return undefined;
    return { ...base, match: { address: target.address }, expires_at: now + action.seconds };
  }
  if (target.kind !== "tokens") return undefined;
  const { match } = target;
  switch (action.kind) {
    case "revoke": {
      const before = action.target === "key" ? { issued_before: detectedAt + 1 } : {};
      const end = endOf(action.seconds, now) ?? defaultExpiry(match, before.issued_before, now);
      return { ...base, match, ...before, ...(end === undefined ? {} : { expires_at: end }) };
    }
    case "force_sign_in": {
      const issued_before = detectedAt + 1;
      const expires_at = defaultExpiry(match, issued_before, now);
      return { ...base, match, issued_before, ...(expires_at === undefined ? {} : { expires_at }) };
    }
    case "step_up": {
      const effect: Effect = {
        kind: "step_up",
        ...(action.acr_values ? { acr_values: action.acr_values } : {}),
        ...(action.new_sign_in ? { signed_in_since: detectedAt } : {}),
      };
      return { ...base, match, effect, expires_at: endOf(action.seconds, now) ?? longest(now) };
    }
    case "shrink_scope": {
      const effect: Effect = { kind: "shrink_scope", scopes: action.scopes };
      return { ...base, match, effect, expires_at: endOf(action.seconds, now) ?? longest(now) };
    }
    default:
      return undefined;
  }
}

function endOf(seconds: number | undefined, now: number): number | undefined {
  return seconds === undefined ? undefined : now + seconds;
}

function longest(now: number): number {
  return now + MAX_TOKEN_LIFE_SECONDS;
}
