import type { Clock } from "../platform/clock.ts";
import { faultText, type Logger } from "../platform/log.ts";
import { withTimeout } from "../platform/rpc.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { Delta, SequencedEntry, Snapshot } from "./entry.ts";
import type { LogReader } from "./isolate-replica.ts";

export type DeltaCacheOptions = {
  log: LogReader;
  /** The Cache API of this location (`caches.default`). */
  cache: Pick<Cache, "match" | "put">;
  /** Where the entries are kept, an https URL on a host of ours. */
  url: string;
  clock: Clock;
  logger: Logger;
};

/** The last entries of the log, as one isolate of this location got them: all of `from_seq < seq <= head_seq`. */
type Tail = { asked_at_ms: number; from_seq: number; head_seq: number; entries: SequencedEntry[] };

/** A tail this old is renewed: the log sees about one read a second from a location. */
export const RENEW_AFTER_MS = 1_000;
/** While another isolate renews it, a tail serves on until this age. */
export const USABLE_MS = 1_500;
/** Whoever said that it renews and has not by now is taken for lost. */
const CLAIM_MS = 500;
/** Clocks of one location may differ by this; a tail counts as that much older. */
export const SKEW_ALLOWANCE_MS = 100;
const MAX_TAIL_ENTRIES = 500;
const MAX_TAIL_CHARS = 128 * 1024;
const TIMEOUT_MS = 250;
/** A cache that fails is left alone for this long. */
const OFF_MS = 60_000;
/** The cache forgets by itself; what counts is the age that the tail states. */
const CACHE_SECONDS = 2;

/**
 * Reads the log for all isolates of one location: the first that finds the shared tail old asks the log and
 * shares the answer. Whatever is in doubt (no tail, one that does not reach back to the reader, one from the
 * future, a fault of the cache) is asked of the log itself.
 */
export class DeltaCache implements LogReader {
  readonly #o: DeltaCacheOptions;
  #offUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: DeltaCacheOptions) {
    this.#o = options;
  }

  /** `maxAgeMs` 0 asks the log, always. */
  async since(seq: number, maxAgeMs = 0): Promise<Result<Delta>> {
    const { log, clock } = this.#o;
    if (maxAgeMs <= 0 || clock() < this.#offUntilMs) return log.since(seq);
    const tail = await this.#tail();
    const ageMs = tail ? clock() - tail.asked_at_ms + SKEW_ALLOWANCE_MS : Number.POSITIVE_INFINITY;
    // A tail that claims to be of the future has an age below the allowance.
    if (tail && covers(tail, seq) && ageMs >= SKEW_ALLOWANCE_MS) {
      if (ageMs <= Math.min(RENEW_AFTER_MS, maxAgeMs / 2)) return ok(deltaOf(tail, seq));
      const usable = ageMs <= Math.min(USABLE_MS, (maxAgeMs * 3) / 4);
      if (usable && (await this.#renewed(tail))) return ok(deltaOf(tail, seq));
    }
    // Not atomic: isolates that find no claim at the same moment all ask the log, which costs reads and nothing else.
    void this.#write("claim", { at_ms: clock() });
    const askedAtMs = clock();
    const delta = await log.since(seq);
    if (delta.ok) await this.#share(seq, delta.value, askedAtMs);
    return delta;
  }

  snapshot(): Promise<Result<Snapshot>> {
    return this.#o.log.snapshot();
  }

  async #tail(): Promise<Tail | undefined> {
    const tail = await this.#read<Tail>("tail");
    return tail && isWhole(tail) ? tail : undefined;
  }

  /** Whether another isolate is asking the log at this moment for a later tail. */
  async #renewed(tail: Tail): Promise<boolean> {
    const claim = await this.#read<{ at_ms: number }>("claim");
    if (!claim || claim.at_ms <= tail.asked_at_ms) return false;
    const ageMs = this.#o.clock() - claim.at_ms;
    return ageMs >= -SKEW_ALLOWANCE_MS && ageMs < CLAIM_MS;
  }

  async #share(seq: number, delta: Delta, askedAtMs: number): Promise<void> {
    if (delta.too_old) return;
    const fresh: Tail = {
      asked_at_ms: askedAtMs,
      from_seq: seq,
      head_seq: delta.head_seq,
      entries: delta.entries,
    };
    if (!isWhole(fresh)) return;
    // Another isolate may have asked later and been answered sooner.
    const known = await this.#tail();
    if (known && known.asked_at_ms >= askedAtMs && known.head_seq >= fresh.head_seq) return;
    await this.#write("tail", trimmed(known && covers(known, seq) ? joined(known, fresh) : fresh));
  }

  async #read<T>(name: string): Promise<T | undefined> {
    return this.#guarded(async () => {
      const found = await this.#o.cache.match(`${this.#o.url}/${name}`);
      return found && (await found.json<T>());
    });
  }

  async #write(name: string, value: object): Promise<void> {
    const headers = { "content-type": "application/json", "cache-control": `max-age=${CACHE_SECONDS}` };
    await this.#guarded(() =>
      this.#o.cache.put(`${this.#o.url}/${name}`, new Response(JSON.stringify(value), { headers })),
    );
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T | undefined> {
    const { clock, logger } = this.#o;
    if (clock() < this.#offUntilMs) return undefined;
    try {
      return await withTimeout(work(), TIMEOUT_MS);
    } catch (fault) {
      this.#offUntilMs = clock() + OFF_MS;
      logger("warn", "delta_cache.off", { seconds: OFF_MS / 1000, fault: faultText(fault) });
      return undefined;
    }
  }
}

/** Whether everything after `seq` is known to the tail. One that is behind the reader has nothing to say. */
function covers(tail: Tail, seq: number): boolean {
  return tail.from_seq <= seq && seq <= tail.head_seq;
}

/** The entries are exactly those between the two numbers: a page of more, or a broken value, is not shared. */
function isWhole({ asked_at_ms, from_seq, head_seq, entries }: Tail): boolean {
  if (![asked_at_ms, from_seq, head_seq].every(Number.isSafeInteger) || !Array.isArray(entries)) return false;
  if (entries.length !== head_seq - from_seq) return false;
  return entries.length === 0 || (entries[0]?.seq === from_seq + 1 && entries.at(-1)?.seq === head_seq);
}

function deltaOf(tail: Tail, seq: number): Delta {
  return {
    too_old: false,
    head_seq: tail.head_seq,
    entries: tail.entries.slice(seq - tail.from_seq),
    asked_at_ms: tail.asked_at_ms - SKEW_ALLOWANCE_MS,
  };
}

/** The tail reaches back as far as the one before it, so that isolates that have slept find their place in it. */
function joined(known: Tail, fresh: Tail): Tail {
  const before = known.entries.slice(0, fresh.from_seq - known.from_seq);
  return { ...fresh, from_seq: known.from_seq, entries: [...before, ...fresh.entries] };
}

/** Without its oldest entries where it is too large. */
function trimmed(tail: Tail): Tail {
  let first = tail.entries.length;
  for (let chars = 0; first > 0 && tail.entries.length - first < MAX_TAIL_ENTRIES; first--) {
    chars += JSON.stringify(tail.entries[first - 1]).length;
    if (chars > MAX_TAIL_CHARS) break;
  }
  return { ...tail, from_seq: tail.from_seq + first, entries: tail.entries.slice(first) };
}
