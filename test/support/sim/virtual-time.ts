import { AsyncLocalStorage } from "node:async_hooks";

/**
 * Whoever does something in the simulation: an instance of an object, an isolate, one request in it. What is
 * due for a party that is dead never happens; for one that is frozen it happens once it is awake.
 */
export type Party = { alive(): boolean; frozen?(): boolean };

/** In whose name everything else happens: clients, operators, the network. */
export const ANYONE: Party = { alive: () => true };

type Event = { atMs: number; order: number; party: Party; run: () => void };

/** No schedule needs as many at once. */
const MOST_EVENTS = 50_000;
const realSetTimeout = globalThis.setTimeout;
const realClearTimeout = globalThis.clearTimeout;

/**
 * A clock that only the simulation moves, and everything that waits for it. Between two events all microtasks
 * run to their end, so the order of everything is a function of the seed. The crypto of the simulation is
 * synchronous for the same reason (`sync-crypto.ts`).
 */
export class VirtualTime {
  nowMs = 1_800_000_000_000;
  readonly #parties = new AsyncLocalStorage<Party>();
  readonly #events: Event[] = [];
  #held: Event[] = [];
  #order = 0;

  readonly clock = (): number => this.nowMs;

  /** Runs work in the name of a party: timers and messages that it waits for are its own. */
  as<T>(party: Party, work: () => T): T {
    return this.#parties.run(party, work);
  }

  /** Runs the whole simulation. */
  simulate<T>(work: () => T): T {
    return this.as(ANYONE, work);
  }

  /** The party in whose name the code now runs. */
  party(): Party | undefined {
    return this.#parties.getStore();
  }

  /** Calls `run` after `delayMs`, in the name of the party that asks. */
  after(delayMs: number, run: () => void, party = this.party() ?? ANYONE): Event {
    const event = { atMs: this.nowMs + Math.ceil(Math.max(0, delayMs)), order: this.#order++, party, run };
    this.#push(event);
    return event;
  }

  cancel(event: Event): void {
    event.run = () => {};
  }

  /** What was due for parties that were frozen and are not any more happens now. */
  wake(): void {
    const held = this.#held;
    this.#held = held.filter((event) => event.party.frozen?.());
    for (const event of held) {
      if (this.#held.includes(event)) continue;
      event.atMs = this.nowMs;
      this.#push(event);
    }
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Lets everything happen that is due within `ms`, and moves the clock there. */
  async advance(ms: number): Promise<void> {
    const until = this.nowMs + ms;
    let happened = 0;
    let sinceMs = this.nowMs;
    await settle();
    for (let next = this.#events[0]; next && next.atMs <= until; next = this.#events[0]) {
      this.#events.shift();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      if (this.nowMs >= sinceMs + 1_000) [happened, sinceMs] = [0, this.nowMs];
      if (++happened > MOST_EVENTS)
        throw new Error(`something spins: ${happened} events, now at ${this.nowMs}`);
      this.#happen(next);
      await settle();
    }
    this.nowMs = until;
  }

  /** Advances in steps until the work is done. */
  async finish<T>(work: Promise<T>, atMostMs = 120_000): Promise<T> {
    let done = false;
    const watched = work.finally(() => {
      done = true;
    });
    watched.catch(() => {});
    const until = this.nowMs + atMostMs;
    await settle();
    while (!done && this.nowMs < until)
      await this.advance(Math.max(0, (this.#events[0]?.atMs ?? until) - this.nowMs));
    if (!done) throw new Error(`not done after ${atMostMs} ms of virtual time`);
    return watched;
  }

  #happen(event: Event): void {
    const { party } = event;
    if (!party.alive()) return;
    if (party.frozen?.()) this.#held.push(event);
    else event.run();
  }

  #push(event: Event): void {
    let at = this.#events.length;
    while (at > 0 && later(this.#events[at - 1]!, event)) at--;
    this.#events.splice(at, 0, event);
  }

  /** Gives virtual timers to what runs in a party's name, and to nobody else; answers what takes them out again. */
  install(): () => void {
    const timers = {
      setTimeout: (...args: Parameters<typeof realSetTimeout>) =>
        this.party() ? this.after(args[1] ?? 0, args[0] as () => void) : realSetTimeout(...args),
      clearTimeout: (timer: Event | NodeJS.Timeout | undefined) =>
        timer && "party" in timer ? this.cancel(timer) : realClearTimeout(timer),
    };
    Object.assign(globalThis, timers);
    return () => Object.assign(globalThis, { setTimeout: realSetTimeout, clearTimeout: realClearTimeout });
  }
}

/** All microtasks, also those that they make. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function later(a: Event, b: Event): boolean {
  return a.atMs > b.atMs || (a.atMs === b.atMs && a.order > b.order);
}
