import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { AccessRule, PolicyDocument } from "./document.ts";
import { RESOURCE } from "./resource-name.ts";

/** Who asks or reviews, as the access token says. */
export type Person = { subject: string; roles: readonly string[] };

export type AccessAsk = Person & { resource: string; scopes: readonly string[]; durationSeconds?: number };

/** How many of the rules that this person may use a refusal lists. */
const MAX_CHOICES = 5;

/** Whether an access rule's pattern (`projects/*`, `projects/:id`) covers the resource (`projects/42`). */
export function matchesResource(pattern: string, resource: string): boolean {
  // A resource that is itself a pattern would be granted as text and read elsewhere as a wildcard.
  if (!RESOURCE.test(resource)) return false;
  const wanted = pattern.split("/");
  const given = resource.split("/");
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => part === "*" || part.startsWith(":") || part === given[i])
  );
}

/**
 * The first rule, in the document's order, that covers the resource and all scopes and lets this person ask.
 * The order decides: a longer maximum in a later rule does not count.
 *
 * @returns `forbidden` where no rule does, `invalid_request` where the rule's maximum duration is exceeded.
 * Neither tells anything about a rule that this person may not use.
 */
export function findAccessRule(document: PolicyDocument, ask: AccessAsk): Result<AccessRule> {
  const open = document.access_rules.filter(
    (rule) => isAmong(rule.requesters, ask) && matchesResource(rule.resource, ask.resource),
  );
  const rule = open.find((each) => ask.scopes.every((scope) => each.scopes.includes(scope)));
  if (!rule) return err(problem("forbidden", forbiddenDetail(open)));
  if ((ask.durationSeconds ?? 0) > rule.max_duration_seconds) {
    const max = rule.max_duration_seconds;
    return err(
      problem("invalid_request", `This access is given for at most ${max} seconds: ask for that or less.`, {
        max_duration_seconds: max,
      }),
    );
  }
  return ok(rule);
}

/**
 * The resource that is meant where scopes alone are named: that of the one rule, without a pattern, that lets
 * this person ask for them. Undefined where there is none, or more than one.
 */
export function onlyResource(
  document: PolicyDocument,
  person: Person,
  scopes: readonly string[],
): string | undefined {
  const resources = new Set(
    document.access_rules
      .filter((rule) => RESOURCE.test(rule.resource) && isAmong(rule.requesters, person))
      .filter((rule) => scopes.every((scope) => rule.scopes.includes(scope)))
      .map((rule) => rule.resource),
  );
  return resources.size === 1 ? [...resources][0] : undefined;
}

/** Whether the rule names this person as an approver. That nobody reviews an own request is checked elsewhere. */
export function mayReview(rule: AccessRule, reviewer: Person): boolean {
  return isAmong(rule.approvers, reviewer);
}

/** Whether the person is named, or has one of the roles. */
export function isAmong(people: AccessRule["requesters"], person: Person): boolean {
  return people.subjects.includes(person.subject) || people.roles.some((role) => person.roles.includes(role));
}

function forbiddenDetail(open: readonly AccessRule[]): string {
  if (open.length === 0)
    return "No access rule lets you ask for this resource. Check its name, or ask an operator.";
  const choices = open
    .slice(0, MAX_CHOICES)
    .map((rule) => rule.scopes.join(" "))
    .join(", or for ");
  return `For this resource you may ask for ${choices}; no one rule covers all the scopes that you named.`;
}
