import { expect, it } from "vitest";
import { boundsAt, INITIAL_BOUNDS, receiptFor, replaceBounds } from "../../../src/replication/bounds.ts";

const wide = { boundedMs: 10_000, eventualMs: 60_000 };
const narrow = { boundedMs: 2_000, eventualMs: 60_000 };

it("a narrower policy's bound counts only once no edge can still work under the wider one", () => {
  const state = replaceBounds(replaceBounds(INITIAL_BOUNDS, wide, 0), narrow, 100_000);
  expect(boundsAt(state, 100_001).boundedMs).toBe(10_000);
  expect(boundsAt(state, 159_999).boundedMs).toBe(10_000);
  expect(boundsAt(state, 160_000).boundedMs).toBe(2_000);
});

it("a wider policy's bound counts at once", () => {
  expect(boundsAt(replaceBounds(INITIAL_BOUNDS, wide, 0), 1).boundedMs).toBe(10_000);
});

it("a chain of changes keeps the widest bound that may still be in use", () => {
  const state = replaceBounds(
    replaceBounds(replaceBounds(INITIAL_BOUNDS, wide, 0), narrow, 1_000),
    narrow,
    2_000,
  );
  expect(boundsAt(state, 3_000).boundedMs).toBe(10_000);
});

it("a receipt states its moments in epoch seconds", () => {
  expect(receiptFor("rev_1", 7, 1_700_000_000_250, narrow)).toEqual({
    id: "rev_1",
    seq: 7,
    accepted_at: 1_700_000_000.25,
    effective_by: { strict: 1_700_000_000.25, bounded: 1_700_000_002.25, eventual: 1_700_000_060.25 },
  });
});
