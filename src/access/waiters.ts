/** How many callers may wait for one object: each keeps a call open and the object in memory. */
const MAX_WAITERS = 64;

/** Callers that wait for the next change of one object. Nothing of it is stored: an eviction ends every wait. */
export class Waiters {
  readonly #waiting = new Set<() => void>();

  /** True with the next change; false after `timeoutMs`, or at once where too many wait already. */
  next(timeoutMs: number): Promise<boolean> {
    if (this.#waiting.size >= MAX_WAITERS) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (changed: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve(changed);
      };
      const wake = () => end(true);
      const timer = setTimeout(() => end(false), timeoutMs);
      this.#waiting.add(wake);
    });
  }

  /** Something changed. */
  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
