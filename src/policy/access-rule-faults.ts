import { ACCESS_CONDITION_NAMES } from "./access-conditions.ts";
import { type ApprovalTree, isSatisfied, leavesOf } from "./approval-tree.ts";
import { compileCondition } from "./condition.ts";
import type { AccessRule, PolicyDocument } from "./document.ts";
import type { Part } from "./draft.ts";

/** Over all stages of a rule: what a review costs stays small. */
const MAX_LEAVES = 12;

/** What a rule's schema cannot see: conditions that do not compile, approvals that nobody could ever give. */
export function accessRuleFaults({ at, value }: Part<AccessRule>): string[] {
  return [...conditionFaults(at, value), ...reachFaults(at, value)];
}

function conditionFaults(at: string, rule: AccessRule): string[] {
  const sources: [string, string | undefined][] = [
    ["requesters.condition", rule.requesters.condition],
    ["approve_when", rule.approve_when],
    ["deny_when", rule.deny_when],
  ];
  return sources.flatMap(([member, source]) => {
    if (source === undefined) return [];
    const compiled = compileCondition(source, ACCESS_CONDITION_NAMES);
    return compiled.ok ? [] : [`${at}.${member}: ${compiled.error}`];
  });
}

function reachFaults(at: string, rule: AccessRule): string[] {
  const whole: ApprovalTree = { all: rule.stages };
  const leaves = leavesOf(whole);
  if (leaves.length > MAX_LEAVES) {
    return [`${at}.stages: names ${leaves.length} groups of approvers; ${MAX_LEAVES} at most`];
  }
  if (!canBeApproved(whole, rule, undefined)) {
    return [
      `${at}.stages: needs more different people than it names, and each approval counts once; lower a count, or name more`,
    ];
  }
  const { roles, subjects } = rule.requesters;
  if (roles.length > 0) return [];
  return subjects
    .filter((subject) => !canBeApproved(whole, rule, subject))
    .map(
      (subject) =>
        `${at}.stages: ${subject} asks by this rule and cannot be approved without approving it too; name somebody else`,
    );
}

/** Whether there could ever be enough approvals with `without` not among them; a role may have any number. */
function canBeApproved(tree: ApprovalTree, rule: AccessRule, without: string | undefined): boolean {
  const leaves = leavesOf(tree);
  const named = new Set(leaves.flatMap(({ subjects }) => subjects));
  for (const subject of rule.escalation?.subjects ?? []) named.add(subject);
  const escalated = rule.escalation?.subjects ?? [];
  const anyone = (rule.escalation?.roles.length ?? 0) > 0;
  const people = [...named]
    .filter((subject) => subject !== without)
    .map((subject) =>
      leaves.flatMap((leaf, i) =>
        leaf.subjects.includes(subject) || escalated.includes(subject) ? [i] : [],
      ),
    );
  const withRoles = leaves.flatMap(({ roles, count }, i) =>
    roles.length > 0 || anyone ? Array.from({ length: count }, () => [i]) : [],
  );
  return isSatisfied(tree, [...people, ...withRoles]);
}

/** What is allowed and probably not meant, one line each. */
export function accessRuleWarnings(document: PolicyDocument): string[] {
  return document.access_rules.flatMap((rule, index) => {
    const at = `access_rules.${index}`;
    const earlier = document.access_rules.slice(0, index).find((other) => covers(other, rule));
    const unknown = new Set(
      leavesOf({ all: rule.stages })
        .flatMap(({ roles }) => roles)
        .filter((role) => !(role in document.roles)),
    );
    return [
      ...(earlier ? [`${at}: is never used, since ${earlier.id} before it takes all that it covers`] : []),
      ...[...unknown].map(
        (role) =>
          `${at}.stages: the role ${role} is not in roles, so people of an identity provider get no scope to review by it`,
      ),
    ];
  });
}

function covers(earlier: AccessRule, later: AccessRule): boolean {
  const within = (inner: readonly string[], outer: readonly string[]) =>
    inner.every((each) => outer.includes(each));
  return (
    earlier.requesters.condition === undefined &&
    earlier.resource === later.resource &&
    within(later.scopes, earlier.scopes) &&
    within(later.requesters.roles, earlier.requesters.roles) &&
    within(later.requesters.subjects, earlier.requesters.subjects)
  );
}
