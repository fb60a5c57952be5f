const SLOTS = 12;

/** How often something happened in the twelfths of a sliding window. */
export type SlidingCount = { slot_seconds: number; slots: [slot: number, count: number][] };

/**
 * Adds to the count, and answers with it what the window holds: of the window that ends with the slot of `at`,
 * so between 11/12 of it and the whole, never more.
 */
export function addToCount(
  before: SlidingCount | undefined,
  at: number,
  count: number,
  windowSeconds: number,
): { count: SlidingCount; total: number } {
  const slotSeconds = windowSeconds / SLOTS;
  // Slots of another length cannot be added up with these.
  const known = before?.slot_seconds === slotSeconds ? before.slots : [];
  const now = Math.floor(at / slotSeconds);
  const newest = Math.max(now, ...known.map(([slot]) => slot));
  const slots = known.filter(([slot]) => slot > newest - SLOTS);
  const same = slots.findIndex(([slot]) => slot === now);
  if (same !== -1) slots[same] = [now, slots[same]![1] + count];
  else if (now > newest - SLOTS) slots.push([now, count]);
  const total = slots.reduce((sum, [, each]) => sum + each, 0);
  return { count: { slot_seconds: slotSeconds, slots }, total };
}
