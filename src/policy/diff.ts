import type { PolicyDocument } from "./document.ts";

/** Names of the parts that differ, each list in the order of the document that it is from. */
type SectionDiff = { added: string[]; removed: string[]; changed: string[] };

/** What a new document would change. `reordered`: the order of access rules decides which one applies. */
export type PolicyDiff = {
  issuers: SectionDiff;
  origins: SectionDiff;
  routes: SectionDiff;
  access_rules: SectionDiff & { reordered: boolean };
  roles: SectionDiff;
  token_endpoint: SectionDiff;
  delegation: SectionDiff;
  revocations: SectionDiff;
  sessions: SectionDiff;
  detections: SectionDiff;
  remediation: SectionDiff;
};

export function diffPolicies(before: PolicyDocument, after: PolicyDocument): PolicyDiff {
  return {
    issuers: diffSection(byId(before.issuers), byId(after.issuers)),
    origins: diffSection(Object.entries(before.origins), Object.entries(after.origins)),
    routes: diffSection(byId(before.routes), byId(after.routes)),
    access_rules: {
      ...diffSection(byId(before.access_rules), byId(after.access_rules)),
      reordered: isReordered(
        before.access_rules.map((rule) => rule.id),
        after.access_rules.map((rule) => rule.id),
      ),
    },
    delegation: diffSection(byId(before.delegation), byId(after.delegation)),
    roles: diffSection(Object.entries(before.roles), Object.entries(after.roles)),
    token_endpoint: diffSection(
      Object.entries(before.token_endpoint ?? {}),
      Object.entries(after.token_endpoint ?? {}),
    ),
    revocations: diffSection(
      Object.entries(before.revocations ?? {}),
      Object.entries(after.revocations ?? {}),
    ),
    sessions: diffSection(Object.entries(before.sessions ?? {}), Object.entries(after.sessions ?? {})),
    detections: diffSection(Object.entries(before.detections ?? {}), Object.entries(after.detections ?? {})),
    remediation: diffSection(byId(before.remediation?.rules ?? []), byId(after.remediation?.rules ?? [])),
  };
}

type Section = [name: string, value: unknown][];

function byId(parts: readonly { id: string }[]): Section {
  return parts.map((part) => [part.id, part]);
}

function diffSection(before: Section, after: Section): SectionDiff {
  const old = new Map(before.map(([name, value]) => [name, canonical(value)]));
  const names = new Set(after.map(([name]) => name));
  return {
    added: after.filter(([name]) => !old.has(name)).map(([name]) => name),
    removed: [...old.keys()].filter((name) => !names.has(name)),
    changed: after
      .filter(([name, value]) => old.has(name) && old.get(name) !== canonical(value))
      .map(([name]) => name),
  };
}

function isReordered(before: readonly string[], after: readonly string[]): boolean {
  const kept = after.filter((id) => before.includes(id));
  return before.filter((id) => after.includes(id)).some((id, i) => id !== kept[i]);
}

/** JSON with sorted members: the order in which somebody wrote them is no change. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, member) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
