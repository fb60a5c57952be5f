/** Different values with the moment at which each was seen last, oldest first. */
export type RecentValues<V extends string | number> = [value: V, at: number][];

/** Adds a value and forgets those that were not seen within the window, and beyond `max` the oldest. */
export function addValue<V extends string | number>(
  before: RecentValues<V>,
  value: V,
  at: number,
  windowSeconds: number,
  max: number,
): RecentValues<V> {
  const latest = Math.max(at, ...before.map(([, seen]) => seen));
  const values = before.filter(([known, seen]) => known !== value && seen > latest - windowSeconds);
  const again = before.find(([known]) => known === value)?.[1] ?? at;
  return [...values, [value, Math.max(at, again)] as [V, number]].slice(-max);
}
