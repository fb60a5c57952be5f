import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { accessFacts, mayAskNow, type Person, type Wish } from "./access-conditions.ts";
import { leavesOf } from "./approval-tree.ts";
import type { AccessRule, PolicyDocument } from "./document.ts";
import { MAX_USES } from "./max-uses.ts";
import { RESOURCE } from "./resource-name.ts";

export type AccessAsk = Person & Wish;

/** Roles and named people; a person is one of them by any of these. */
export type People = { roles: readonly string[]; subjects: readonly string[] };

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
 * The first rule, in the document's order, that covers the resource and all scopes and lets this person ask
 * now. The order decides: a longer maximum in a later rule does not count.
 *
 * @returns `forbidden` where no rule does, `invalid_request` where the wish is not as the rule wants it.
 * Neither tells anything about a rule that this person may not use.
 */
export function findAccessRule(document: PolicyDocument, ask: AccessAsk, now: number): Result<AccessRule> {
  const rule = firstCovering(
    document.access_rules.filter((candidate) => mayAsk(candidate, ask, now)),
    ask,
  );
  if (!rule.ok) return rule;
  return checkWish(rule.value, rule.value.max_duration_seconds, ask);
}

/** The first rule that gives this person the access at once in an emergency. Errors as of `findAccessRule`. */
export function findBreakGlassRule(document: PolicyDocument, ask: AccessAsk): Result<AccessRule> {
  const open = document.access_rules.filter(
    ({ break_glass: glass, resource }) =>
      glass && isAmong(glass, ask) && matchesResource(resource, ask.resource),
  );
  const rule = firstCovering(open, ask);
  if (!rule.ok) return rule;
  return checkWish(rule.value, rule.value.break_glass!.max_duration_seconds, ask);
}

/** Whether the rule lets this person ask for this resource now; the scopes are not looked at. */
export function mayAsk(rule: AccessRule, ask: AccessAsk, now: number): boolean {
  return (
    isAmong(rule.requesters, ask) &&
    matchesResource(rule.resource, ask.resource) &&
    mayAskNow(rule, accessFacts(rule, ask, ask, now))
  );
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
  return approversOf(rule).some((people) => isAmong(people, reviewer));
}

/** Everybody whom the rule names to review anything, in any stage. */
export function approversOf(rule: AccessRule): People[] {
  const { stages, escalation, break_glass: glass } = rule;
  return [
    ...stages.flatMap(leavesOf),
    ...(escalation ? [escalation] : []),
    ...(glass ? [glass.reviewers] : []),
  ];
}

export function isAmong(people: People, person: Pick<Person, "subject" | "roles">): boolean {
  return groundsOf(people).some((ground) => holdsGround(person, ground));
}

/** Why somebody is one of these people: `role:approver`, `subject:corp|ann`. */
export function groundsOf({ roles, subjects }: People): string[] {
  return [...roles.map((role) => `role:${role}`), ...subjects.map((subject) => `subject:${subject}`)];
}

/** The grounds that a person brings. */
export function ownGrounds({ subject, roles }: Pick<Person, "subject" | "roles">): string[] {
  return groundsOf({ roles, subjects: [subject] });
}

export function holdsGround(person: Pick<Person, "subject" | "roles">, ground: string): boolean {
  return ownGrounds(person).includes(ground);
}

function firstCovering(open: readonly AccessRule[], ask: AccessAsk): Result<AccessRule> {
  const rule = open.find((each) => ask.scopes.every((scope) => each.scopes.includes(scope)));
  return rule ? ok(rule) : err(problem("forbidden", forbiddenDetail(open)));
}

function checkWish(rule: AccessRule, maxSeconds: number, ask: AccessAsk): Result<AccessRule> {
  if ((ask.durationSeconds ?? 0) > maxSeconds) {
    const detail = `This access is given for at most ${maxSeconds} seconds: ask for that or less.`;
    return err(problem("invalid_request", detail, { max_duration_seconds: maxSeconds }));
  }
  const { max_uses: maxUses = MAX_USES } = rule;
  if ((ask.maxUses ?? 0) > maxUses) {
    const detail = `This access is given for at most ${maxUses} uses: ask for that or fewer.`;
    return err(problem("invalid_request", detail, { max_uses: maxUses }));
  }
  return checkWords(rule, ask);
}

/** Whether justification and ticket are as the rule wants them. */
export function checkWords(rule: AccessRule, { justification, ticket }: Wish): Result<AccessRule> {
  const { justification_min_length: minLength, ticket: wanted } = rule;
  if ((justification ?? "").trim().length < minLength) {
    return err(
      problem("invalid_request", `justification: at least ${minLength} characters for this access.`),
    );
  }
  if (wanted && !isTicket(wanted, ticket ?? "")) {
    const what = wanted.prefixes
      ? `${wanted.prefixes.join(" or ")} followed by ${(wanted.suffix ?? "digits").replaceAll("_", " ")}`
      : "any that is not empty";
    return err(problem("invalid_request", `ticket: this access needs one: ${what}.`));
  }
  return ok(rule);
}

function isTicket({ prefixes, suffix }: NonNullable<AccessRule["ticket"]>, ticket: string): boolean {
  if (!prefixes) return ticket.trim() !== "";
  const rest = suffix === "letters_and_digits" ? /^[A-Za-z0-9]{1,32}$/ : /^[0-9]{1,32}$/;
  return prefixes.some((prefix) => ticket.startsWith(prefix) && rest.test(ticket.slice(prefix.length)));
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
