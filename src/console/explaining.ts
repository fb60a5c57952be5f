import type { DecisionsExplainBody } from "../client/contract.ts";
import type { Remedy, TracedCheck } from "../protocol/decision-trace.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { durationText } from "./duration.ts";
import { textOf } from "./review.ts";

/** Reads the form. What it says of what is wrong holds nothing that was filled in: there may be a token in it. */
export function readExplain(form: URLSearchParams): Result<DecisionsExplainBody> {
  const [method, url, token] = [textOf(form, "method"), textOf(form, "url"), textOf(form, "token")];
  if (url === undefined) return err(problem("invalid_body", "Give the address that is asked for."));
  const headers: Record<string, string> = {};
  for (const [at, line] of (textOf(form, "headers") ?? "").split("\n").entries()) {
    if (line.trim() === "") continue;
    const colon = line.indexOf(":");
    if (colon < 1) return err(problem("invalid_body", `Headers: line ${at + 1} is not “Name: value”.`));
    headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return ok({
    method: method ?? "GET",
    url,
    ...(Object.keys(headers).length > 0 ? { headers } : {}),
    // As people copy it from a header.
    ...(token === undefined ? {} : { token: token.replace(/^Bearer\s+/i, "") }),
  });
}

/** An address as it can be shown again: its query or a user in it may be what nobody should see. */
export function withoutQuery(url: string): string {
  return url.split(/[?#]/, 1)[0]!.replace(/\/\/[^/]*@/, "//");
}

const CHECKS: Record<TracedCheck["check"], string> = {
  target: "The address is plain and normal",
  route: "A route takes it",
  credential: "One credential, where the route takes it",
  address: "The network address is not blocked",
  token: "The token is genuine and in time",
  audience: "The token is for this origin",
  sender: "Who sends it holds its key",
  uses: "Uses of the grant are left",
  freshness: "The revocation state is recent enough",
  window: "Within the window of the grant",
  revocation: "Not revoked",
  scopes: "It has the scopes",
  roles: "It has the roles",
  resource: "It is for the resource",
  token_age: "The token is young enough",
  step_up: "The sign-in is recent and strong enough",
  condition: "The route's condition holds",
  limit: "Within the limit",
};

export function checkText(check: string): string {
  return Object.hasOwn(CHECKS, check) ? CHECKS[check as TracedCheck["check"]] : check.replaceAll("_", " ");
}

/** What the policy asks for, in words: `missing orders:read; any of a, b`. */
export function demandText(demand: TracedCheck["demand"] = {}): string {
  return Object.entries(demand)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name.replaceAll("_", " ")}: ${valueText(value)}`)
    .join("; ");
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

/** What would turn the refusal around, as a sentence. */
export function remedyText(remedy: Remedy): string {
  switch (remedy.kind) {
    case "send_token":
      return "Send an access token, as Authorization: Bearer.";
    case "new_token":
      return "Get a new access token and send that one.";
    case "scope":
      return scopeText(remedy.missing, remedy.any_of ?? []);
    case "role":
      return `Have one of the roles ${remedy.any_of.join(", ")}.`;
    case "grant":
      return `Ask for access${remedy.resource === undefined ? "" : ` to ${remedy.resource}`} and send the token of the grant.`;
    case "method":
      return `Use ${remedy.allow.join(" or ")}.`;
    case "other_route":
      return `Look at the address: the nearest route, ${remedy.route}, takes ${remedy.host ?? ""}${remedy.path}.`;
    case "sign_in":
      return signInText(remedy);
    case "wait":
      return "Wait a moment and try again.";
    default:
      return String((remedy as { kind: unknown }).kind).replaceAll("_", " ");
  }
}

function scopeText(missing: readonly string[], anyOf: readonly string[]): string {
  const parts = [
    ...(missing.length > 0 ? [missing.join(" and ")] : []),
    ...(anyOf.length > 0 ? [`one of ${anyOf.join(", ")}`] : []),
  ];
  return `Send a token with the scope ${parts.join(", and ")}.`;
}

function signInText({
  acr_values: classes,
  max_age_seconds: age,
}: Extract<Remedy, { kind: "sign_in" }>): string {
  const how = classes === undefined ? "" : ` with ${classes.join(" or ")}`;
  return `Sign in again${how}${age === undefined ? "" : `, at most ${durationText(age)} before`}.`;
}
