import { describe, expect, it } from "vitest";
import { DetectionWorld } from "../support/detection-world.ts";
import { normalTraffic, seededRandom } from "../support/normal-traffic.ts";

describe("days of normal traffic, with all their people", () => {
  it.each([
    [1, 1],
    [2, 4],
    [3, 16],
  ])(
    "have no detection: seed %i, %i isolates",
    async (seed, isolates) => {
      const random = seededRandom(seed);
      const world = new DetectionWorld(isolates);
      const traffic = normalTraffic(seed);
      expect(traffic.length).toBeGreaterThan(400_000);
      await world.live(traffic, () => Math.floor(random() * isolates));
      expect(world.reports.length).toBeGreaterThan(10_000);
      expect(world.detections).toEqual([]);
    },
    300_000,
  );
});
