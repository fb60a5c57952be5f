import type { VirtualTime } from "./virtual-time.ts";

export type CacheFault = "fails" | "hangs" | "forgets";

type Stored = { text: string; untilMs: number };

const LATENCY_MS = 1;

/** The Cache API of one location: shared by its isolates, forgetful at any time, and at times not to be reached. */
export class CacheDouble {
  readonly #time: VirtualTime;
  readonly #stored = new Map<string, Stored>();
  #fault: { kind: CacheFault; untilMs: number } | undefined;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  disturb(kind: CacheFault, forMs: number): void {
    this.#fault = { kind, untilMs: this.#time.nowMs + forMs };
  }

  heal(): void {
    this.#fault = undefined;
  }

  /** The binding of an isolate. */
  readonly binding = {
    match: async (url: string) => {
      await this.#exchange();
      const stored = this.#stored.get(url);
      if (!stored || stored.untilMs <= this.#time.nowMs || this.#faultNow() === "forgets") return undefined;
      return { json: async () => JSON.parse(stored.text) };
    },
    put: async (url: string, response: Response) => {
      const text = await response.text();
      const maxAge = /max-age=(\d+)/.exec(response.headers.get("cache-control") ?? "")?.[1];
      await this.#exchange();
      this.#stored.set(url, { text, untilMs: this.#time.nowMs + Number(maxAge) * 1000 });
    },
  } as unknown as Pick<Cache, "match" | "put">;

  #faultNow(): CacheFault | undefined {
    return this.#fault && this.#fault.untilMs > this.#time.nowMs ? this.#fault.kind : undefined;
  }

  async #exchange(): Promise<void> {
    if (this.#faultNow() === "hangs") return new Promise(() => {});
    await this.#time.sleep(LATENCY_MS);
    if (this.#faultNow() === "fails") throw new Error("cache: internal error");
  }
}
