import type { Person } from "./access-conditions.ts";
import { isAmong } from "./access-rules.ts";
import type { PolicyDocument } from "./document.ts";

/** The scopes with which one may act for another, of every rule that lets them; none where no rule does. */
export function delegatedScopes(
  document: Pick<PolicyDocument, "delegation">,
  actor: Person,
  subject: Person,
): string[] {
  const rules = document.delegation.filter(
    (rule) => isAmong(rule.actors, actor) && isAmong(rule.for, subject),
  );
  return [...new Set(rules.flatMap((rule) => rule.scopes))];
}
