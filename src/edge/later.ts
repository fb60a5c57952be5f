import type { WaitUntil } from "./freshness.ts";

export type LaterOptions = {
  sleep: (ms: number) => Promise<void>;
  afterMs: number;
  /** Work that is not begun by then belonged to a request that was cut off. Absent: ten times `afterMs`. */
  lostAfterMs?: number;
  work: (nowMs: number) => Promise<void>;
};

/**
 * Does one piece of work for all that ask for it: once, some time after the first of them, beside their requests
 * and after their answers. What asks while it is being done asks for the next time.
 */
export class Later {
  readonly #o: LaterOptions;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LaterOptions) {
    this.#o = options;
  }

  ask(nowMs: number, waitUntil: WaitUntil): void {
    const { afterMs, lostAfterMs = 10 * afterMs } = this.#o;
    // A clock that was set back is no reason to wait.
    if (nowMs >= this.#askedAtMs && nowMs < this.#askedAtMs + lostAfterMs) return;
    this.#askedAtMs = nowMs;
    waitUntil(this.#do(nowMs));
  }

  async #do(askedAtMs: number): Promise<void> {
    const { sleep, afterMs, work } = this.#o;
    await sleep(afterMs);
    if (this.#askedAtMs === askedAtMs) this.#askedAtMs = Number.NEGATIVE_INFINITY;
    await work(askedAtMs + afterMs);
  }
}
