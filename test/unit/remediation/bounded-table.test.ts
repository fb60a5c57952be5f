import { describe, expect, it } from "vitest";
import { BoundedTable } from "../../../src/remediation/bounded-table.ts";

const NOW = 1_800_000_000;

describe("a bounded table", () => {
  it("keeps what it was given, and changes it in its place", () => {
    const table = new BoundedTable<number>(10);
    table.put("a", 1, NOW, 0);
    table.put("a", 2, NOW + 5, 0);
    expect(table.entry("a")).toEqual({ state: 2, weight: 2, touched_at: NOW + 5 });
    expect(table.get("b")).toBeUndefined();
  });

  it("lets go of what was idle first, and of nothing else where that is enough", () => {
    const table = new BoundedTable<number>(10);
    for (let n = 0; n < 10; n++) table.put(`k${n}`, n, NOW + n, 0);
    expect(table.put("new", 1, NOW + 100, NOW + 3)).toEqual(["k0", "k1", "k2"]);
    expect(table.size).toBe(8);
  });

  it("lets go of the lightest quarter where nothing was idle, and starts others with that weight", () => {
    const table = new BoundedTable<number>(10);
    for (let n = 0; n < 10; n++) for (let touch = 0; touch <= n; touch++) table.put(`k${n}`, n, NOW, 0);
    expect(table.put("new", 1, NOW, 0)).toEqual(["k0", "k1", "k2"]);
    expect(table.entry("new")!.weight).toBe(4);
  });

  it("keeps one that comes often among a million that come once, and never holds more than it may", () => {
    const table = new BoundedTable<number>(2_000);
    let most = 0;
    let seen = 0;
    for (let n = 0; n < 1_000_000; n++) {
      table.put(`token ${n}`, 1, NOW, 0);
      if (n % 500 === 0) {
        const before = table.get("heavy");
        // Once it has its weight, it never goes again.
        if (n > 500_000) expect(before).toBeDefined();
        table.put("heavy", (before ?? 0) + 1, NOW, 0);
        seen++;
      }
      if (n % 1_000 === 0) most = Math.max(most, table.size);
    }
    expect(most).toBeLessThanOrEqual(2_000);
    expect(table.get("heavy")).toBeLessThanOrEqual(seen);
    expect(table.get("heavy")).toBeGreaterThan(seen / 2);
  }, 60_000);

  it("forgets the weight that went once it is empty", () => {
    const table = new BoundedTable<number>(2);
    for (const key of ["a", "b", "c", "d"]) table.put(key, 1, NOW, 0);
    expect(table.dropIdle(NOW + 1).length).toBeGreaterThan(0);
    table.put("e", 1, NOW, 0);
    expect(table.entry("e")!.weight).toBe(1);
  });
});
