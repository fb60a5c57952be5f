import { beforeAll, describe, expect, it } from "vitest";
import { compileCondition, loadConditions } from "../../../src/policy/condition.ts";

beforeAll(loadConditions);

const FACTS = {
  token: { roles: ["developer", "on-call"], age_seconds: 40, sub: "corp|ann" },
  request: { method: "GET", country: "DE" },
  time: { hour: 14 },
};
const NAMES = Object.keys(FACTS);

function holds(source: string, facts: object = FACTS): boolean {
  const compiled = compileCondition(source, NAMES);
  if (!compiled.ok) throw new Error(compiled.error);
  return compiled.value(facts as never);
}
const faultOf = (source: string) => {
  const compiled = compileCondition(source, NAMES);
  return compiled.ok ? undefined : compiled.error;
};

describe("a condition", () => {
  it.each([
    ["'on-call' in token.roles"],
    ["time.hour >= 9 && time.hour < 17"],
    ["time.hour + 1 == 15"],
    ["token.roles.exists(role, role.startsWith('dev'))"],
    ["request.country in ['DE', 'AT']"],
    ["has(token.sub) && !has(token.email)"],
    ["{'a': time.hour}['a'] == 14"],
  ])("holds: %s", (source) => expect(holds(source)).toBe(true));

  it.each([
    ["'admin' in token.roles"],
    ["time.hour < 9"],
    ["time.hour"],
    ["'true'"],
    ["token.email == 'a'"],
    ["token.roles[7] == 'x'"],
    ["1 / 0 == 1"],
    ["[true]"],
  ])("does not hold: %s", (source) => expect(holds(source)).toBe(false));

  it("does not hold where a fact is missing", () => {
    expect(holds("time.hour > 1", { time: {} })).toBe(false);
    expect(holds("time.hour > 1", {})).toBe(false);
    expect(holds("time.hour > 1", { time: { hour: undefined } })).toBe(false);
    expect(holds("time.hour > 1", { time: { hour: 2 } })).toBe(true);
  });

  it.each([
    ["token.roles &&", "is not CEL"],
    ["tokn.roles == []", "names 'tokn'"],
    ["token.roles.all(r, s == 'a')", "names 's'"],
    ["role in token.roles", "names 'role'"],
    ["token.roles.all(a, token.roles.all(b, token.roles.all(c, c == a)))", "loops in loops"],
  ])("is refused: %s", (source, fault) => expect(faultOf(source)).toContain(fault));

  it("may loop in a loop", () => {
    expect(holds("token.roles.all(a, token.roles.exists(b, b == a))")).toBe(true);
  });

  it("costs what its length is, with the worst of regular expressions", () => {
    const began = performance.now();
    holds(`'${"a".repeat(200)}!'.matches('^(a+)+$')`);
    expect(performance.now() - began).toBeLessThan(500);
  });
});
