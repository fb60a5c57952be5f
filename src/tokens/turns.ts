import type { Clock } from "../platform/clock.ts";
import { problem } from "../protocol/problem.ts";
import { err, type Result } from "../protocol/result.ts";

const BUSY = problem("unavailable", "The session is being refreshed by another request. Try again shortly.");
/** Whoever waits longer for those before it was given up by its caller. */
const TURN_TIMEOUT_MS = 10_000;

/** One after the other, in the order of arrival. */
export class Turns {
  readonly #clock: Clock;
  #last: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async take<T>(work: () => Promise<Result<T>>): Promise<Result<T>> {
    const arrivedAtMs = this.#clock();
    const turn = this.#last.then(() => (this.#clock() - arrivedAtMs > TURN_TIMEOUT_MS ? err(BUSY) : work()));
    // A fault is its own caller's, not of those that come after.
    this.#last = turn.catch(() => {});
    return turn;
  }
}
