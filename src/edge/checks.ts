import type { CheckName, TracedCheck } from "../protocol/decision-trace.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { Decision, RefuseReason } from "./decision.ts";
import { stalenessOf } from "./freshness.ts";
import { permissionFault } from "./permission.ts";
import { Trace } from "./trace.ts";

const BY_REASON: { [reason in RefuseReason]?: CheckName } = {
  no_route: "route",
  method_not_allowed: "route",
  session_over: "credential",
  session_unavailable: "credential",
  token_issuer: "audience",
  token_audience: "audience",
  token_revoked: "revocation",
  scope_missing: "scopes",
  role_missing: "roles",
  resource_not_granted: "resource",
  issued_too_long_ago: "token_age",
  step_up_needed: "step_up",
  condition_not_met: "condition",
  stale: "freshness",
  address_blocked: "address",
};

const BY_PREFIX: { [prefix: string]: CheckName } = {
  target: "target",
  credential: "credential",
  token: "token",
  sender: "sender",
  proof: "sender",
  uses: "uses",
  limit: "limit",
};

/** The check that a refusal failed. Undefined where none did: something was missing that no check looks at. */
export function failedCheck(reason: RefuseReason): CheckName | undefined {
  return BY_REASON[reason] ?? BY_PREFIX[reason.slice(0, reason.indexOf("_"))];
}

/**
 * The checks that led to a decision, told from the decision alone: they are always made in the same order, so that
 * all before the one that failed were passed. A request that nobody asks about pays nothing for it. Not told is that
 * an address passed: whether there were rules for addresses is not in the decision.
 */
export function checksOf(decision: Decision, atSeconds: number): readonly TracedCheck[] {
  const { reason, route } = decision;
  const failed = decision.outcome === "refuse" ? failedCheck(decision.reason) : undefined;
  // Before a view there is nothing to check on, and of a fault nobody knows how far it came.
  if (reason === "no_view" || reason === "internal") return [];
  const trace = new Trace();
  const passes = (check: CheckName, demand?: TracedCheck["demand"]) => {
    trace.note(check, check !== failed, demand);
    return check !== failed;
  };
  if (!passes("target")) return trace.checks;
  if (failed !== "credential" || route) {
    if (!passes("route", { route: route?.id })) return trace.checks;
  }
  if (failed === "credential") passes("credential");
  else if (failed === "address") passes("address");
  else followToken(decision, failed, passes, trace, atSeconds);
  return trace.checks;
}

type Passes = (check: CheckName, demand?: TracedCheck["demand"]) => boolean;

function followToken(
  decision: Decision,
  failed: CheckName | undefined,
  passes: Passes,
  trace: Trace,
  atSeconds: number,
): void {
  const { token } = decision;
  if (failed === "token") return void passes("token");
  if (token && !(passes("token") && passes("audience") && passes("sender"))) return;
  if (failed === "uses") return void passes("uses");
  if (failed === "freshness") return void passes("freshness");
  if (!isDeniedBlindly(decision)) {
    passes("freshness", { tier: decision.route?.consistency.tier });
    if (token) passes("window");
  }
  if (token && !passes("revocation")) return;
  // A rule's, where it is not the route's.
  if (decision.outcome === "refuse" && decision.stepUp) return void passes("step_up", decision.stepUp);
  permission(decision, token, trace, atSeconds);
  if (decision.route?.limit && (failed === "limit" || decision.outcome === "allow")) passes("limit");
}

/** The log was out of reach, and the denylist in KV knew the token. */
function isDeniedBlindly({ reason, route, replicaAgeMs = 0 }: Decision): boolean {
  if (reason !== "token_revoked" || !route) return false;
  const { always, boundMs } = stalenessOf(route);
  return !always && replicaAgeMs > boundMs;
}

/** The same look once more, with somebody who takes notes. */
function permission(
  { reason, route, params = {} }: Decision,
  token: VerifiedToken | undefined,
  trace: Trace,
  atSeconds: number,
): void {
  if (!token || !route) return;
  const scrutiny = { trace, holds: () => reason !== "condition_not_met" };
  permissionFault(route.access, params, token, atSeconds, scrutiny);
}
