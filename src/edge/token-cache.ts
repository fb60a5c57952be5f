import type { VerifiedToken } from "../tokens/verify.ts";

/** A token whose signature held, under the policy of this version. */
export type CachedToken = { token: VerifiedToken; policyVersion: number };

type Entry<V> = { value: V; used: boolean };

const MAX_ENTRIES = 10_000;
const MAX_CHARS = 16 * 1024 * 1024;

/**
 * Tokens that this isolate has verified, by the whole token string: two tokens never share an entry. Holds
 * that the signature was good and nothing else; who reads it checks window, key, policy and revocation again.
 * Bounded in entries and in characters; what was not used since the last round goes first.
 */
export class TokenCache<V = CachedToken> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #maxEntries: number;
  readonly #maxChars: number;
  /** Where the oldest entry is: a new walk would pass by all that were deleted before it. */
  #oldest = this.#entries.entries();
  #chars = 0;
  #hits = 0;
  #misses = 0;

  constructor(limits: { maxEntries?: number; maxChars?: number } = {}) {
    this.#maxEntries = limits.maxEntries ?? MAX_ENTRIES;
    this.#maxChars = limits.maxChars ?? MAX_CHARS;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(token: string): V | undefined {
    const entry = this.#entries.get(token);
    if (entry) {
      entry.used = true;
      this.#hits++;
    } else this.#misses++;
    return entry?.value;
  }

  /** How often a token was found, and how often not. */
  reading(): { hits: number; misses: number } {
    return { hits: this.#hits, misses: this.#misses };
  }

  set(token: string, value: V): void {
    this.delete(token);
    if (token.length > this.#maxChars) return;
    this.#entries.set(token, { value, used: false });
    this.#chars += token.length;
    this.#evict();
  }

  delete(token: string): void {
    if (this.#entries.delete(token)) this.#chars -= token.length;
  }

  /** Second chance: the oldest entry goes, or to the back of the queue where it was used since it got there. */
  #evict(): void {
    while (this.#entries.size > this.#maxEntries || this.#chars > this.#maxChars) {
      const next = this.#oldest.next();
      if (next.done) {
        this.#oldest = this.#entries.entries();
        continue;
      }
      const [token, entry] = next.value;
      this.#entries.delete(token);
      if (entry.used) {
        entry.used = false;
        this.#entries.set(token, entry);
      } else this.#chars -= token.length;
    }
  }
}
