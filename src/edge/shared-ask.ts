import type { Clock } from "../platform/clock.ts";

type Options = { clock: Clock; sleep: (ms: number) => Promise<void> };
/** `turn`: it is on the one that waits to ask, for itself and for all that wait with it. */
type Told<T> = { turn: true } | { turn: false; answer: T };

/** One that takes longer is taken for lost: the request that made it was cancelled. */
const LOST_AFTER_MS = 2_000;
/** Whoever was told nothing for this long asks for itself. */
const PATIENCE_MS = 100;

/**
 * A question whose answer must be asked for after the asker came. While one call is under way, those that come
 * wait and share the next: under load a few calls serve many requests, and none of them gets an answer that is
 * older than itself. Requests share answers, never a call: one that is cancelled strands nobody.
 */
export class SharedAsk<T> {
  readonly #o: Options;
  readonly #underWay = new Set<{ sinceMs: number }>();
  #waiting: ((told: Told<T>) => void)[] = [];

  constructor(options: Options) {
    this.#o = options;
  }

  async ask(work: () => Promise<T>): Promise<T> {
    if (this.#isFree()) return this.#run(work);
    const { promise, resolve } = Promise.withResolvers<Told<T>>();
    this.#waiting.push(resolve);
    const told = await Promise.race([promise, this.#o.sleep(PATIENCE_MS)]);
    return told?.turn === false ? told.answer : this.#run(work);
  }

  async #run(work: () => Promise<T>): Promise<T> {
    const call = { sinceMs: this.#o.clock() };
    this.#underWay.add(call);
    // They all came before this call begins.
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const answer = await work();
      for (const tell of waiting) tell({ turn: false, answer });
      return answer;
    } finally {
      this.#underWay.delete(call);
      this.#waiting.shift()?.({ turn: true });
    }
  }

  #isFree(): boolean {
    const lostBeforeMs = this.#o.clock() - LOST_AFTER_MS;
    for (const call of this.#underWay) if (call.sinceMs < lostBeforeMs) this.#underWay.delete(call);
    return this.#underWay.size === 0;
  }
}
