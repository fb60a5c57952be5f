import { beforeAll, describe, expect, it } from "vitest";
import { accessFacts, decidedByRule, mayAskNow } from "../../../src/policy/access-conditions.ts";
import { loadConditions } from "../../../src/policy/condition.ts";
import { type AccessRule, policySchema } from "../../../src/policy/document.ts";
import { isTimeZone, localTime } from "../../../src/policy/local-time.ts";

beforeAll(loadConditions);

/** Sunday, 29 March 2026: in Berlin 02:00 becomes 03:00. */
const SPRING = Date.parse("2026-03-29T01:00:00Z") / 1000;

const ruleWith = (over: object): AccessRule =>
  policySchema.parse({
    access_rules: [
      {
        id: "r",
        resource: "projects/:id/files/*",
        origin: "api",
        scopes: ["read"],
        requesters: { roles: ["developer"] },
        stages: [{ roles: ["approver"] }],
        max_duration_seconds: 3600,
        ...over,
      },
    ],
  }).access_rules[0]!;
const PERSON = { subject: "corp|ann", roles: ["developer"], clientId: "cli_1", actors: ["agent"] };
const WISH = { resource: "projects/42/files/a", scopes: ["read"], justification: "why", ticket: "T-1" };
const factsOf = (rule: AccessRule) => accessFacts(rule, PERSON, WISH, SPRING);

describe("the clock of a zone", () => {
  it("knows summer time", () => {
    expect(localTime(SPRING - 1, "Europe/Berlin")).toMatchObject({ hour: 1, minute: 59, weekday: 7 });
    expect(localTime(SPRING, "Europe/Berlin")).toMatchObject({ hour: 3, minute: 0, date: "2026-03-29" });
  });

  it("counts the day from midnight to midnight of that place", () => {
    expect(localTime(Date.parse("2026-03-29T23:30:00Z") / 1000, "UTC")).toMatchObject({
      hour: 23,
      weekday: 7,
    });
    expect(localTime(Date.parse("2026-03-29T22:00:00Z") / 1000, "Europe/Berlin")).toMatchObject({
      hour: 0,
      weekday: 1,
      date: "2026-03-30",
    });
  });

  it("has a name", () => {
    for (const zone of ["UTC", "Europe/Berlin", "America/New_York"])
      expect(isTimeZone(zone), zone).toBe(true);
    for (const zone of ["", "Nowhere/Else", "+02:00", "Europe/Berlin "])
      expect(isTimeZone(zone), zone).toBe(false);
  });
});

describe("conditions", () => {
  it.each([
    "requester.subject == 'corp|ann' && requester.client_id == 'cli_1' && requester.actors == ['agent']",
    "resource.params.id == '42' && resource.name.endsWith('/a')",
    "request.duration_seconds == 3600 && request.ticket == 'T-1' && !request.extension",
    "time.hour == 3 && time.weekday == 7 && time.date == '2026-03-29' && time.zone == 'Europe/Berlin'",
  ])("see %s", (condition) => {
    const rule = ruleWith({ time_zone: "Europe/Berlin", requesters: { roles: ["developer"], condition } });
    expect(mayAskNow(rule, factsOf(rule))).toBe(true);
    const negated = ruleWith({ requesters: { roles: ["developer"], condition: `!(${condition})` } });
    expect(mayAskNow(negated, factsOf(ruleWith({ time_zone: "Europe/Berlin" })))).toBe(false);
  });

  it.each<[string, object, "approve" | "deny" | undefined]>([
    ["neither", {}, undefined],
    ["exactly true", { approve_when: "true" }, "approve"],
    ["something else than true", { approve_when: "'true'" }, undefined],
    ["an error", { approve_when: "requester.level > 1" }, undefined],
    ["a denial before an approval", { approve_when: "true", deny_when: "true" }, "deny"],
    ["a denial that does not hold", { approve_when: "true", deny_when: "false" }, "approve"],
    ["a denial that fails", { approve_when: "true", deny_when: "requester.level > 1" }, undefined],
    ["a denial that is no truth value", { approve_when: "true", deny_when: "0" }, undefined],
  ])("decide by %s", (_what, over, decided) => {
    const rule = ruleWith(over);
    expect(decidedByRule(rule, factsOf(rule))).toBe(decided);
  });
});
