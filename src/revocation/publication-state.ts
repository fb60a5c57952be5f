import type { DenylistStore } from "./denylist-store.ts";
import type { Receipt } from "./receipt.ts";

/** The last publication that the log has: every change up to `covers` is in it. */
type Published = { covers: number; builds: number[]; receipt?: Receipt };
type Wanted = { change: number; since_ms: number; due_ms: number };

/** What was loaded waits this long for more of it, but no longer than that, before it is published. */
const QUIET_MS = 5_000;
const LONGEST_QUIET_MS = 60_000;

/** How far the list has changed, and how far its filter was published. All of it is in SQL. */
export class PublicationState {
  readonly #store: DenylistStore;

  constructor(store: DenylistStore) {
    this.#store = store;
  }

  get changes(): number {
    return this.#store.state<number>("changes") ?? 0;
  }

  set changes(change: number) {
    this.#store.setState("changes", change);
  }

  get published(): Published {
    return this.#store.state<Published>("published") ?? { covers: 0, builds: [] };
  }

  /** False where a later publication was noted before. */
  notePublished(published: Required<Published>): boolean {
    if (published.covers < this.published.covers) return false;
    this.#store.setState("published", published);
    return true;
  }

  /** The last change that a manifest on its way to the log covers. */
  get handedOver(): number {
    return this.#store.state<number>("handed_over") ?? 0;
  }

  set handedOver(change: number) {
    this.#store.setState("handed_over", change);
  }

  /** Asks for the publication of everything so far. */
  want(nowMs: number): void {
    const sinceMs = this.wanted?.since_ms ?? nowMs;
    const dueMs = Math.min(nowMs + QUIET_MS, sinceMs + LONGEST_QUIET_MS);
    this.#store.setState("wanted", {
      change: this.changes,
      since_ms: sinceMs,
      due_ms: dueMs,
    } satisfies Wanted);
  }

  /** What is to be published and is not on its way yet. */
  get wanted(): Wanted | undefined {
    const wanted = this.#store.state<Wanted>("wanted");
    return wanted && wanted.change > this.handedOver ? wanted : undefined;
  }
}
