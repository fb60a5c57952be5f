import { describe, expect, it } from "vitest";
import { idSeries, isId, newId, newSecret, siblingId } from "../../../src/platform/ids.ts";

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

describe("idSeries", () => {
  const zeros = (length: number) => new Uint8Array(length);

  it("makes ids that sort by time, and in the order in which they are made within a millisecond", () => {
    const next = idSeries("dec");
    const ids = [1, 1, 2, 31, 31, 1_700_000_000_000, 1_700_000_000_001].map((now) => next(now));
    expect([...ids].sort()).toEqual(ids);
    expect(ids.every((id) => isId("dec", id))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("is never the same twice, past the last one of a draw too, and even where the clock is set back", () => {
    let drawn = 0;
    const next = idSeries("dec", (length) => new Uint8Array(length).fill(++drawn));
    const first = next(5);
    let last = "";
    for (let n = 1; n < 2 ** 20; n++) last = next(5);
    expect([last.slice(-4), drawn]).toEqual(["zzzz", 1]);
    const after = next(5);
    expect(drawn).toBe(2);
    expect(after.slice(-4)).toBe("0000");
    expect(new Set([first, last, after, next(4), next(5)]).size).toBe(5);
  });

  it("differs from another isolate's by what is drawn, and has the time of a newId", () => {
    expect(idSeries("dec")(7)).not.toBe(idSeries("dec")(7));
    expect(idSeries("dec", zeros)(7)).toBe(newId("dec", 7, zeros));
  });
});

it("newSecret has 256 bits in base64url", () => {
  expect(newSecret()).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(newSecret()).not.toBe(newSecret());
});
