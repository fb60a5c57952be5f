import { approversOf } from "./access-rules.ts";
import { conditionsOf, textsOf } from "./condition.ts";
import type { PolicyDocument } from "./document.ts";

/** Every role that the policy gives a meaning to: no other is carried into a token of ours. */
export function namedRoles({ roles, routes, access_rules, delegation }: PolicyDocument): Set<string> {
  return new Set([
    ...Object.keys(roles),
    ...routes.flatMap(({ access }) => (access === "public" ? [] : access.roles)),
    ...access_rules.flatMap((rule) => [...rule.requesters.roles, ...(rule.break_glass?.roles ?? [])]),
    ...access_rules.flatMap(approversOf).flatMap(({ roles: named }) => named),
    // What a condition compares with may be a role: `'on-call' in requester.roles`.
    ...access_rules.flatMap(conditionsOf).flatMap(textsOf),
    ...delegation.flatMap((rule) => [...rule.actors.roles, ...rule.for.roles]),
  ]);
}
