/** What is kept of one key. `weight` is how often it was touched, and what was unknown of it when it came. */
export type TableEntry<S> = { state: S; weight: number; touched_at: number };

/** Of a full table so much goes at once, so that a round is paid for by many new keys. */
const ROUND = 0.25;

/**
 * States of at most `capacity` keys, those that are touched most (space-saving, in rounds): when the table is
 * full, what was idle for long goes, and then the quarter of least weight. A new key begins with the highest weight
 * that ever went, so that one that comes often enough stays, however many others come once. What a state holds is
 * counted since the key came last: never more than the truth.
 */
export class BoundedTable<S> {
  readonly #entries = new Map<string, TableEntry<S>>();
  #capacity: number;
  #floor = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  set capacity(keys: number) {
    this.#capacity = keys;
  }

  get(key: string): S | undefined {
    return this.#entries.get(key)?.state;
  }

  entry(key: string): TableEntry<S> | undefined {
    return this.#entries.get(key);
  }

  /** Puts back what was kept elsewhere. */
  restore(key: string, entry: TableEntry<S>): void {
    this.#entries.set(key, entry);
  }

  /** Keeps a state, and answers the keys that went for it. Those that nobody touched since `idleBefore` go first. */
  put(key: string, state: S, now: number, idleBefore: number): string[] {
    const known = this.#entries.get(key);
    if (known) {
      known.state = state;
      known.weight += 1;
      known.touched_at = Math.max(known.touched_at, now);
      return [];
    }
    const gone = this.#entries.size >= this.#capacity ? this.#makeRoom(idleBefore) : [];
    this.#entries.set(key, { state, weight: this.#floor + 1, touched_at: now });
    return gone;
  }

  /** Forgets what nobody touched since the moment, and answers the keys. */
  dropIdle(before: number): string[] {
    const idle = [...this.#entries].filter(([, entry]) => entry.touched_at < before).map(([key]) => key);
    for (const key of idle) this.#entries.delete(key);
    if (this.#entries.size === 0) this.#floor = 0;
    return idle;
  }

  #makeRoom(idleBefore: number): string[] {
    const idle = this.dropIdle(idleBefore);
    const surplus = this.#entries.size - Math.floor(this.#capacity * (1 - ROUND));
    if (surplus <= 0) return idle;
    const lightest = [...this.#entries].sort(([, a], [, b]) => a.weight - b.weight).slice(0, surplus);
    for (const [key] of lightest) this.#entries.delete(key);
    this.#floor = Math.max(this.#floor, lightest.at(-1)![1].weight);
    return [...idle, ...lightest.map(([key]) => key)];
  }
}
