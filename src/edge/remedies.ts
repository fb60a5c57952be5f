import type { Route } from "../policy/document.ts";
import type { Remedy } from "../protocol/decision-trace.ts";
import { problemStatus } from "../protocol/problem.ts";
import type { Refusal } from "./decision.ts";
import { problemCodeOf } from "./refusal.ts";

/** What whoever sent the request could do about its refusal; nothing, where only an operator can. */
export function remediesOf(refused: Refusal, missingScopes: string[]): Remedy[] {
  const { reason, route, nearest, allow, resource } = refused;
  const access = route && route.access !== "public" ? route.access : undefined;
  switch (reason) {
    case "scope_missing": {
      const any = access?.any_scopes;
      return [{ kind: "scope", missing: missingScopes, ...(any ? { any_of: any } : {}) }];
    }
    case "role_missing":
      return [{ kind: "role", any_of: access?.roles ?? [] }];
    case "resource_not_granted":
      return [{ kind: "grant", ...(resource === undefined ? {} : { resource }) }];
    case "step_up_needed":
      return [{ kind: "sign_in", ...(refused.stepUp ?? access?.step_up) }];
    case "no_route":
      return nearest ? [otherRoute(nearest)] : [];
    case "method_not_allowed":
      return [{ kind: "method", allow: allow ?? [] }];
    case "credential_missing":
    case "credential_scheme":
      return [{ kind: "send_token" }];
    case "token_expired":
    case "issued_too_long_ago":
    case "token_revoked":
    case "token_audience":
      return [{ kind: "new_token" }];
    default:
      return problemStatus(problemCodeOf(reason)) === 503 ? [{ kind: "wait" }] : [];
  }
}

function otherRoute({ id, host, path }: Route): Remedy {
  return { kind: "other_route", route: id, path, ...(host === undefined ? {} : { host }) };
}
