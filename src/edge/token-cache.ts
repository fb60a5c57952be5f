import type { VerifiedToken } from "../tokens/verify.ts";

/** A token whose signature held, under the policy of this version. */
export type CachedToken = { token: VerifiedToken; policyVersion: number };

type Entry<V> = V & { used: boolean };

const MAX_ENTRIES = 10_000;
const MAX_CHARS = 16 * 1024 * 1024;

/**
 * Tokens that this isolate has verified, by the whole token string: two tokens never share an entry. Holds
 * that the signature was good and nothing else; who reads it checks window, key, policy and revocation again.
 * Bounded in entries and in characters; what was not used since the last round goes first.
 */
export class TokenCache<V extends object = CachedToken> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #maxEntries: number;
  readonly #maxChars: number;
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
    return entry;
  }

  /** How often a token was found, and how often not. */
  reading(): { hits: number; misses: number } {
    return { hits: this.#hits, misses: this.#misses };
  }

  set(token: string, value: V): void {
    this.delete(token);
    if (token.length > this.#maxChars) return;
    this.#entries.set(token, { ...value, used: false });
    this.#chars += token.length;
    this.#evict();
  }

  delete(token: string): void {
    if (this.#entries.delete(token)) this.#chars -= token.length;
  }

  /** Second chance: the oldest entry goes, or to the back of the queue where it was used since it got there. */
  #evict(): void {
    for (const [token, entry] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries && this.#chars <= this.#maxChars) return;
      this.#entries.delete(token);
      if (entry.used) this.#entries.set(token, { ...entry, used: false });
      else this.#chars -= token.length;
    }
  }
}
