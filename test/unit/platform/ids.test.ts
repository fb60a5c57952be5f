import { describe, expect, it } from "vitest";
import { isId, newId, newSecret, siblingId } from "../../../src/platform/ids.ts";

describe("newId", () => {
  it("sorts by time and is never the same twice", () => {
    const ids = [1, 2, 31, 32, 1_700_000_000_000, 1_700_000_000_001].map((now) => newId("req", now));
    expect([...ids].sort()).toEqual(ids);
    expect(newId("req", 5)).not.toBe(newId("req", 5));
    expect(ids.every((id) => isId("req", id))).toBe(true);
  });

  it("is recognised only whole, under its own prefix", () => {
    const id = newId("grt", 1_700_000_000_000);
    expect(isId("grt", id)).toBe(true);
    for (const other of [
      id.slice(1),
      `${id}0`,
      id.replace("grt", "req"),
      `${id.slice(0, -1)}u`,
      "grt_",
      "../x",
    ]) {
      expect(isId("grt", other)).toBe(false);
    }
  });

  it("keeps its body under a sibling's prefix", () => {
    const id = newId("req", 1);
    expect(siblingId("req", siblingId("grt", id))).toBe(id);
  });
});

it("newSecret has 256 bits in base64url", () => {
  expect(newSecret()).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(newSecret()).not.toBe(newSecret());
});
