import type { Clock } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import type { Logger } from "../platform/log.ts";
import { type AttemptOutcome, MAX_IN_FLIGHT, nextAttemptAtMs } from "./delivery.ts";
import type { Delivery, DeliveryStore } from "./delivery-store.ts";
import type { EndpointConfig } from "./endpoint.ts";

/** A delivery that is leased to this instance, and where it goes. */
export type Claimed = { delivery: Delivery; endpoint: EndpointConfig };

export type CourierOptions = {
  store: DeliveryStore;
  durable: Pick<Durable, "commit">;
  clock: Clock;
  log: Logger;
  /** One attempt. Never rejects for what a receiver does. */
  send(claimed: Claimed): Promise<AttemptOutcome>;
  /** The receiver answered 410: nothing is sent any more. Called within the commit that says so. */
  onGone(endpoint: EndpointConfig, nowMs: number): void;
  /** A delivery's schedule is exhausted. Called within the commit that says so. */
  onExhausted?(endpoint: EndpointConfig, nowMs: number): void;
};

/** One pass over the queue ends after this many sends a slot, so that an alarm's run stays minutes long. */
const SENDS_PER_PASS = 20;

/** Sends what is due, a few at a time, and writes down how each attempt ended and what follows from it. */
export class Courier {
  readonly #o: CourierOptions;
  /** Ids of the deliveries that are being sent by this instance. */
  readonly #inFlight = new Set<string>();
  readonly #slots = new Set<Promise<void>>();

  constructor(options: CourierOptions) {
    this.#o = options;
  }

  isSending(id: string): boolean {
    return this.#inFlight.has(id);
  }

  /** Fills the free slots and resolves when all slots have come to rest. */
  async sendDue(): Promise<void> {
    while (this.#slots.size < MAX_IN_FLIGHT) {
      const first = this.#claim();
      if (!first) break;
      const slot = this.#runSlot(first).finally(() => this.#slots.delete(slot));
      this.#slots.add(slot);
    }
    await Promise.all(this.#slots);
  }

  async #runSlot(first: Claimed): Promise<void> {
    let claimed: Claimed | undefined = first;
    for (let sent = 0; claimed && sent < SENDS_PER_PASS; sent++) {
      await this.#attempt(claimed);
      claimed = this.#claim();
    }
  }

  #claim(): Claimed | undefined {
    const { store, durable, clock } = this.#o;
    // Claimed in the turn of the commit that made it due, so that the alarm is never set for a moment that is past.
    const claimed = durable.commit(() => {
      const endpoint = store.config();
      const delivery = endpoint?.enabled ? store.claim(clock()) : undefined;
      return endpoint && delivery ? { endpoint, delivery } : undefined;
    });
    if (claimed) this.#inFlight.add(claimed.delivery.id);
    return claimed;
  }

  async #attempt(claimed: Claimed): Promise<void> {
    const startedMs = this.#o.clock();
    try {
      this.#settle(claimed, await this.#o.send(claimed), startedMs);
    } finally {
      this.#inFlight.delete(claimed.delivery.id);
    }
  }

  #settle({ delivery, endpoint }: Claimed, outcome: AttemptOutcome, startedMs: number): void {
    const { store, durable, clock, log } = this.#o;
    const { id } = delivery;
    const fields = { endpoint: endpoint.id, delivery: id, type: delivery.event_type, status: outcome.status };
    durable.commit(() => {
      const now = clock();
      const tries = store.recordAttempt(id, outcome, startedMs, now - startedMs);
      if (outcome.error === undefined) return store.deliver(id, now);
      log("warn", "webhook.attempt_failed", { ...fields, error: outcome.error });
      // A 410 of an address that was changed meanwhile is an ordinary failure.
      const current = store.config()?.revision === endpoint.revision;
      if (outcome.error === "gone" && current) return this.#o.onGone(endpoint, now);
      if (tries === undefined) return;
      const next = nextAttemptAtMs(tries, outcome, now, Math.random);
      if (next !== undefined) return store.postpone(id, next);
      store.bury(id, "schedule_exhausted", now);
      this.#o.onExhausted?.(endpoint, now);
      log("error", "webhook.dead_letter", fields);
    });
  }
}
