import { describe, expect, it } from "vitest";
import { DEFAULT_REMEDIATION_RULES } from "../../src/policy/default-remediation.ts";
import { DEFAULT_DETECTIONS, type DetectionPolicy } from "../../src/policy/detection-policy.ts";
import { DetectionWorld } from "../support/detection-world.ts";
import { normalTraffic, seededRandom } from "../support/normal-traffic.ts";

describe("days of normal traffic, with all their people", () => {
  it.each([
    [1, 1],
    [2, 4],
    [3, 16],
  ])(
    "have no detection, and no rule acts: seed %i, %i isolates",
    async (seed, isolates) => {
      const random = seededRandom(seed);
      const world = new DetectionWorld(isolates);
      const traffic = normalTraffic(seed);
      expect(traffic.length).toBeGreaterThan(400_000);
      await world.live(traffic, () => Math.floor(random() * isolates));
      expect(world.reports.length).toBeGreaterThan(10_000);
      expect(world.detections).toEqual([]);
      expect(world.actions()).toEqual([]);
    },
    300_000,
  );

  it.each([1, 2, 3])(
    "cut nobody off where half of every threshold is a detection: seed %i",
    async (seed) => {
      const world = new DetectionWorld(2, twiceAsSensitive());
      await world.live(normalTraffic(seed, 0.2));
      // People on the way are noticed then, so that what would act had something to act on.
      expect(world.kinds).toContain("token_many_countries");
      const live = DEFAULT_REMEDIATION_RULES.filter(({ shadow }) => !shadow);
      expect(world.actions(live)).toEqual([]);
    },
    120_000,
  );
});

function twiceAsSensitive(): DetectionPolicy {
  const policy = structuredClone(DEFAULT_DETECTIONS);
  for (const each of Object.values(policy)) {
    if (typeof each === "object" && "threshold" in each) each.threshold = Math.ceil(each.threshold / 2);
  }
  policy.token_overused.times_own_rate /= 2;
  return policy;
}
