import { type DetectionPolicy, MAX_DISTINCT } from "../policy/detection-policy.ts";
import type { Detection, DetectionKind, DetectionSubject } from "../protocol/detection.ts";
import { BoundedTable, type TableEntry } from "./bounded-table.ts";
import { newDetection } from "./detection.ts";
import { type Observation, observedKey, type SuspectRefusal } from "./observation.ts";
import { addValue, type RecentValues } from "./recent-values.ts";
import { addToCount, type SlidingCount } from "./sliding-count.ts";
import { type Finding, type TokenState, tokenWindowSeconds, watchToken } from "./token-watch.ts";

/** What is kept of one key of one table. `raised`: until when each kind is not raised again. */
export type WatchedState = {
  count?: SlidingCount;
  values?: RecentValues<string>;
  token?: TokenState;
  raised?: Partial<Record<DetectionKind, number>>;
};

/** A row as it is kept elsewhere; without an entry, it is to be deleted. */
export type Change = { table: string; key: string; entry: TableEntry<WatchedState> | undefined };

/** How many keys of one table are followed: the busiest, or where the policy asks, more of them, one by one. */
const FOLLOWED_KEYS = 2_000;
const EXACT_KEYS = 50_000;
const TOKENS = "token";

const REFUSED = {
  tampered: "token_tampered",
  expired: "token_used_after_expiry",
  revoked: "token_used_after_revocation",
  forbidden: "scope_probing",
  unknown_key: "unknown_key_storm",
} as const satisfies Record<SuspectRefusal, DetectionKind>;

/**
 * One shard of what is watched: takes observations, answers detections. Its memory is bounded, whatever the number
 * of tokens; a key that had to go is counted anew, so that nothing is detected that did not happen. Each kind is
 * detected once in a window for one key.
 */
export class Detector {
  readonly #tables = new Map<string, BoundedTable<WatchedState>>();
  readonly #changed = new Map<string, { table: string; key: string }>();
  #policy: DetectionPolicy;

  constructor(policy: DetectionPolicy) {
    this.#policy = policy;
  }

  get size(): number {
    return [...this.#tables.values()].reduce((sum, table) => sum + table.size, 0);
  }

  set policy(policy: DetectionPolicy) {
    this.#policy = policy;
  }

  /** What nobody touched for longer is in no window. */
  get longestWindowSeconds(): number {
    return Math.max(...[TOKENS, ...Object.values(REFUSED)].map((name) => this.#windowSeconds(name)));
  }

  restore(table: string, key: string, entry: TableEntry<WatchedState>): void {
    this.#table(table).restore(key, entry);
  }

  /** Adds what an isolate has seen. */
  observe(observations: readonly Observation[], isolate: string): Detection[] {
    return observations.flatMap((observed) => {
      const key = observedKey(observed);
      if (key === undefined) return [];
      if (observed.what === "refused") return this.#refused(key, observed);
      return this.#change(TOKENS, key, observed, (state) => {
        const watched = watchToken(state.token, observed, isolate, this.#policy);
        state.token = watched.state;
        return watched.findings;
      });
    });
  }

  /** Forgets what no window holds any more. */
  prune(now: number): void {
    for (const [name, table] of this.#tables) {
      for (const key of table.dropIdle(now - this.#windowSeconds(name))) this.#note(name, key);
    }
  }

  /** What has changed since the last call. */
  takeChanges(): Change[] {
    const changes = [...this.#changed.values()].map(({ table, key }) => ({
      table,
      key,
      entry: this.#table(table).entry(key),
    }));
    this.#changed.clear();
    return changes;
  }

  #refused(key: string, observed: Observation & { what: "refused" }): Detection[] {
    const kind = REFUSED[observed.why];
    const { count, value, late_seconds: late = 0, at } = observed;
    const { threshold, window_seconds } = this.#policy[kind];
    if (kind === "token_used_after_expiry" && late < this.#policy[kind].grace_seconds) return [];
    return this.#change(kind, key, observed, (state) => {
      const total =
        kind === "scope_probing" || kind === "unknown_key_storm"
          ? addDistinct(state, value ?? "", at, window_seconds)
          : addCounted(state, at, count, window_seconds);
      return total < threshold ? [] : [{ kind, window_seconds, count: total, threshold }];
    });
  }

  /** Makes one change of a state, and raises what it has reached. */
  #change(
    name: string,
    key: string,
    { about, at }: Observation,
    change: (state: WatchedState) => Finding[],
  ): Detection[] {
    const table = this.#table(name);
    table.capacity = this.#isExact(name) ? EXACT_KEYS : FOLLOWED_KEYS;
    const state: WatchedState = { ...table.get(key) };
    const raised = change(state).flatMap((finding) => this.#raise(finding, key, about, at, state));
    for (const gone of table.put(key, state, at, at - this.#windowSeconds(name))) this.#note(name, gone);
    this.#note(name, key);
    return raised;
  }

  #raise(
    finding: Finding,
    key: string,
    about: DetectionSubject,
    at: number,
    state: WatchedState,
  ): Detection[] {
    const { kind, window_seconds: seconds } = finding;
    if (!this.#policy[kind].enabled || at < (state.raised?.[kind] ?? 0)) return [];
    state.raised = { ...state.raised, [kind]: at + seconds };
    const { address, ...rest } = about;
    const shown = this.#policy.show_address && address !== undefined ? { ...rest, address } : rest;
    return [newDetection({ ...finding, at, about: shown }, key, Math.floor(at / seconds) * seconds)];
  }

  #table(name: string): BoundedTable<WatchedState> {
    const known = this.#tables.get(name);
    if (known) return known;
    const table = new BoundedTable<WatchedState>(FOLLOWED_KEYS);
    this.#tables.set(name, table);
    return table;
  }

  #isExact(name: string): boolean {
    const { token_overused, token_many_addresses, token_many_countries, token_many_networks } = this.#policy;
    const kinds =
      name === TOKENS
        ? [token_overused, token_many_addresses, token_many_countries, token_many_networks]
        : [this.#policy[name as (typeof REFUSED)[SuspectRefusal]]];
    return kinds.some(({ exact }) => exact) || (name === TOKENS && this.#policy.impossible_travel.exact);
  }

  #windowSeconds(name: string): number {
    if (name === TOKENS) return tokenWindowSeconds(this.#policy);
    return this.#policy[name as (typeof REFUSED)[SuspectRefusal]].window_seconds;
  }

  #note(table: string, key: string): void {
    this.#changed.set(`${table} ${key}`, { table, key });
  }
}

function addCounted(state: WatchedState, at: number, count: number, windowSeconds: number): number {
  const added = addToCount(state.count, at, count, windowSeconds);
  state.count = added.count;
  return added.total;
}

function addDistinct(state: WatchedState, value: string, at: number, windowSeconds: number): number {
  state.values = addValue(state.values ?? [], value, at, windowSeconds, MAX_DISTINCT);
  return state.values.length;
}
