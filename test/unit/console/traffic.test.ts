import { describe, expect, it } from "vitest";
import { filledSteps, RANGES, rangeOf, refusalReasons } from "../../../src/console/traffic.ts";
import { NOW, sampleTraffic } from "./samples.ts";
import { world } from "./world.ts";

const traffic = (scope: string, members = {}) =>
  world({ scope, answers: { "GET /v1/traffic": sampleTraffic(members) } });

describe("the picture of traffic", () => {
  it("has a bar for every step, those without a decision too", () => {
    const steps = filledSteps(sampleTraffic());
    expect(steps.map(({ allow, refuse }) => [allow, refuse])).toEqual([
      [90, 3],
      [0, 0],
      [10, 5],
    ]);
  });

  it("counts refusals by reason, the most frequent first, and no acceptance", () => {
    expect(refusalReasons(filledSteps(sampleTraffic()))).toEqual([
      { reason: "scope_missing", refused: 4, steps: [0, 0, 4] },
      { reason: "token_expired", refused: 4, steps: [3, 0, 1] },
    ]);
  });

  it("is of the last hour where no other range is named", () => {
    expect(rangeOf("week")).toBe("week");
    for (const other of [undefined, "", "year", "constructor", "__proto__"])
      expect(rangeOf(other)).toBe("hour");
  });

  it("asks for whole hours of what is older than a day, and for nothing that is forgotten", () => {
    for (const { seconds, step_seconds } of Object.values(RANGES)) {
      if (seconds > 86_400) expect(step_seconds % 3600).toBe(0);
      expect(seconds).toBeLessThan(30 * 86_400);
      expect(seconds / step_seconds).toBeLessThan(100);
    }
  });
});

describe("the page of traffic", () => {
  it("says what the picture says, and leads to decisions only who may see them", async () => {
    const { open, asked } = traffic("metrics:read decisions:read");
    const text = await (await open("/console/traffic?range=day&route=orders")).text();
    expect(asked.map(({ path }) => path)).toEqual([
      `/v1/traffic?since=${NOW - 86_340}&step_seconds=900&route=orders`,
    ]);
    expect(text).toContain("<strong>Let through</strong> 100");
    expect(text).toContain("<strong>Refused</strong> 8");
    expect(text).not.toMatch(/\btoken \d+[,<]/);
    expect(text).toContain("scope missing 4, token expired 1");
    expect(text).toContain('href="/console/why?reason=scope_missing"');
    expect(text).toContain('href="/console/why?jti=tok_1"');
    const blind = await (await traffic("metrics:read").open("/console/traffic")).text();
    expect(blind).toContain("scope missing");
    expect(blind).not.toContain("/console/why");
  });

  it("says so where nothing was decided", async () => {
    const empty = { series: [], routes: [], tokens: [] };
    const text = await (await traffic("metrics:read", empty).open("/console/traffic")).text();
    expect(text).toContain("No decision in this time");
    expect(text).not.toContain("<svg");
  });
});
