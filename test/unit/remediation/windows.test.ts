import { describe, expect, it } from "vitest";
import { addUses, type OwnRate } from "../../../src/remediation/own-rate.ts";
import { addValue, type RecentValues } from "../../../src/remediation/recent-values.ts";
import { addToCount, type SlidingCount } from "../../../src/remediation/sliding-count.ts";
import { addStay, distanceKm, type Travel } from "../../../src/remediation/travel.ts";

const AT = 1_800_000_000;

describe("a sliding count", () => {
  const totals = (windowSeconds: number, ...moments: [at: number, count: number][]) => {
    let state: SlidingCount | undefined;
    return moments.map(([at, count]) => {
      const added = addToCount(state, at, count, windowSeconds);
      state = added.count;
      return added.total;
    });
  };

  it("holds what its window holds, and lets go of what is older", () => {
    expect(totals(120, [AT, 1], [AT + 60, 2], [AT + 109, 3], [AT + 120, 4], [AT + 400, 5])).toEqual([
      1, 3, 6, 9, 5,
    ]);
  });

  it("never holds more than its window, and never less than eleven twelfths of it", () => {
    for (let late = 0; late <= 130; late++) {
      const total = totals(120, [AT + 3, 1], [AT + 3 + late, 1])[1]!;
      if (late < 110) expect(total).toBe(2);
      if (late > 120) expect(total).toBe(1);
    }
  });

  it("takes what comes late into its own slot, and what is over not at all", () => {
    expect(totals(120, [AT + 60, 1], [AT, 1], [AT + 60, 1])).toEqual([1, 2, 3]);
    expect(totals(120, [AT + 600, 1], [AT, 1])).toEqual([1, 1]);
  });

  it("begins anew where the length of its window changed", () => {
    const { count } = addToCount(undefined, AT, 5, 120);
    expect(addToCount(count, AT, 1, 240).total).toBe(1);
  });

  it("stays small, however long it counts", () => {
    let state: SlidingCount | undefined;
    for (let n = 0; n < 5_000; n++) state = addToCount(state, AT + n, 1, 60).count;
    expect(state!.slots.length).toBeLessThanOrEqual(12);
  });
});

describe("recent values", () => {
  const valuesOf = (...seen: [value: string, at: number][]) =>
    seen.reduce<RecentValues<string>>((before, [value, at]) => addValue(before, value, at, 60, 3), []);

  it("are different ones, and of the window", () => {
    expect(valuesOf(["a", AT], ["b", AT + 1], ["a", AT + 2])).toEqual([
      ["b", AT + 1],
      ["a", AT + 2],
    ]);
    expect(valuesOf(["a", AT], ["b", AT + 59])).toHaveLength(2);
    expect(valuesOf(["a", AT], ["b", AT + 60])).toEqual([["b", AT + 60]]);
  });

  it("are bounded: the one that was seen first goes", () => {
    const values = valuesOf(["a", AT], ["b", AT], ["c", AT], ["d", AT]);
    expect(values.map(([value]) => value)).toEqual(["b", "c", "d"]);
  });

  it("are not made older by news that came late", () => {
    expect(valuesOf(["a", AT + 5], ["a", AT])).toEqual([["a", AT + 5]]);
  });
});

describe("a token's own rate", () => {
  const MINUTE = 60;
  const run = (...minutes: [minute: number, uses: number][]) => {
    let rate: OwnRate | undefined;
    return minutes.map(([minute, uses]) => {
      const added = addUses(rate, AT + minute * MINUTE, uses, MINUTE, 1);
      rate = added.rate;
      return added.usual === undefined ? undefined : Math.round(added.usual);
    });
  };

  it("is not known for five windows, so that a burst at the start is none", () => {
    expect(run([0, 50_000], [1, 50_000], [4, 50_000])).toEqual([undefined, undefined, undefined]);
    expect(run([0, 0], [5, 10])[1]).toBe(300);
  });

  it("is the highest count of an earlier window, half of it an hour later", () => {
    expect(run([0, 1_000], [1, 4_000], [2, 100], [5, 1])[3]).toBeCloseTo(4_000 * 2 ** (-4 / 60), -1);
    expect(run([0, 4_000], [60, 1], [61, 1])[1]).toBe(2_000);
    expect(run([0, 4_000], [60, 3_000], [61, 1])[2]).toBeCloseTo(3_000 * 2 ** (-1 / 60), -1);
  });

  it("is never taken for less than what is not told", () => {
    expect(run([0, 4_000], [1_000, 1])[1]).toBe(300);
  });

  it("holds no window against itself", () => {
    expect(run([0, 0], [5, 9_000], [5, 9_000])[2]).toBe(300);
  });
});

const BERLIN = { latitude: 52.52, longitude: 13.4, country: "DE" };
const MUNICH = { latitude: 48.14, longitude: 11.58, country: "DE" };
const SYDNEY = { latitude: -33.87, longitude: 151.21, country: "AU" };
const VIENNA = { latitude: 48.21, longitude: 16.37, country: "AT" };
const LISBON = { latitude: 38.72, longitude: -9.14, country: "PT" };
const POLICY = { window_seconds: 3_600, min_distance_km: 500, max_speed_kmh: 1_000, same_country: false };

describe("travel", () => {
  const moves = (stays: [typeof BERLIN, at: number][], policy: Partial<typeof POLICY> = {}) =>
    stays.reduce<Travel | undefined>(
      (before, [place, at]) => addStay(before, place, AT + at, { ...POLICY, ...policy }),
      undefined,
    )!;

  it("measures along the surface", () => {
    expect(distanceKm(BERLIN, SYDNEY)).toBeCloseTo(16_090, -2);
    expect(distanceKm(BERLIN, MUNICH)).toBeCloseTo(504, -1);
    expect(distanceKm(BERLIN, BERLIN)).toBe(0);
    const across = [
      { latitude: 0, longitude: 179.9 },
      { latitude: 0, longitude: -179.9 },
    ] as const;
    expect(distanceKm(...across)).toBeCloseTo(22, 0);
    expect(distanceKm({ latitude: 90, longitude: 0 }, { latitude: -90, longitude: 77 })).toBeCloseTo(
      20_015,
      -1,
    );
  });

  it("is impossible where nobody is that fast, and possible where an aeroplane is", () => {
    expect(
      moves([
        [BERLIN, 0],
        [SYDNEY, 3_600],
      ]).moves,
    ).toEqual([AT + 3_600]);
    expect(
      moves([
        [BERLIN, 0],
        [SYDNEY, 24 * 3_600],
      ]).moves,
    ).toEqual([]);
    expect(
      moves([
        [BERLIN, 0],
        [LISBON, 2.5 * 3_600],
      ]).moves,
    ).toEqual([]);
  });

  it("tells the way", () => {
    const { fastest } = moves([
      [BERLIN, 0],
      [SYDNEY, 3_600],
    ]);
    expect(fastest).toMatchObject({ from: "DE", to: "AU" });
    expect(fastest!.speed_kmh).toBe(fastest!.distance_km);
    expect(
      moves([
        [BERLIN, 0],
        [SYDNEY, 0],
      ]).fastest!.speed_kmh,
    ).toBeGreaterThan(1e7);
  });

  it("passes short ways, and within a country every way", () => {
    expect(
      moves([
        [MUNICH, 0],
        [VIENNA, 1],
      ]).moves,
    ).toEqual([]);
    expect(
      moves(
        [
          [MUNICH, 0],
          [VIENNA, 1],
        ],
        { min_distance_km: 100 },
      ).moves,
    ).toHaveLength(1);
    expect(
      moves([
        [BERLIN, 0],
        [MUNICH, 1],
      ]).moves,
    ).toEqual([]);
    expect(
      moves(
        [
          [BERLIN, 0],
          [MUNICH, 1],
        ],
        { same_country: true },
      ).moves,
    ).toHaveLength(1);
  });

  it("counts every move of the window, and forgets older ones", () => {
    const there = [
      [BERLIN, 0],
      [SYDNEY, 10],
      [BERLIN, 20],
    ] as [typeof BERLIN, number][];
    expect(moves(there).moves).toHaveLength(2);
    expect(moves([...there, [BERLIN, 3_619]]).moves).toEqual([AT + 20]);
  });

  it("knows nothing of a place without coordinates", () => {
    const before = moves([[BERLIN, 0]]);
    expect(addStay(before, { country: "AU" }, AT + 1, POLICY)).toBe(before);
    expect(addStay(undefined, { country: "AU" }, AT + 1, POLICY)).toBeUndefined();
  });
});
