/** The first items of a list, and no page more than they need. */
export async function first<T>(items: AsyncIterable<T>, limit = Number.POSITIVE_INFINITY): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) if (taken.push(item) >= limit) break;
  return taken;
}
