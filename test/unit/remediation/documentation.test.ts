import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { checkPolicy } from "../../../src/policy/check.ts";
import { DEFAULT_REMEDIATION_RULES } from "../../../src/policy/default-remediation.ts";
import { remediationRuleSchema } from "../../../src/policy/remediation-schema.ts";
import { OUTCOMES } from "../../../src/remediation/remediate.ts";

const page = readFileSync(new URL("../../../docs/remediation.md", import.meta.url).pathname, "utf8");

it("docs/remediation.md shows the rules that hold where the policy has none, as they are", () => {
  const [, block] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
  const checked = checkPolicy(JSON.parse(block!), { issuer: "https://auth.example.com", local: false });
  expect(checked.ok && checked.value.remediation?.rules).toEqual(DEFAULT_REMEDIATION_RULES);
});

it("docs/remediation.md names every member of a rule, every action and every outcome", () => {
  const members = Object.keys(remediationRuleSchema.shape);
  const actions = remediationRuleSchema.shape.actions.element.options.map(({ shape }) => shape.kind.value);
  expect(actions).toHaveLength(8);
  for (const name of [...members, ...actions, ...OUTCOMES]) expect(page).toContain(`\`${name}\``);
});
