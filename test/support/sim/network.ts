import type { ObjectHost, OutputGate } from "./object-host.ts";
import { ANYONE, type VirtualTime } from "./virtual-time.ts";

/**
 * How a way is disturbed: refused before it arrives, answered with a fault after it had its effect, never
 * answered, or slow both ways.
 */
export type Fault = { kind: "refused" | "answer_lost" | "hangs" } | { kind: "slow"; byMs: number };

type Disturbance = { from: string; fault: Fault; untilMs: number };

const MIN_LATENCY_MS = 1;
const LATENCY_SPREAD_MS = 15;

/** The ways to objects, each named by where it comes from, with their latency and their faults. */
export class Network {
  readonly #time: VirtualTime;
  readonly #random: () => number;
  #disturbances: Disturbance[] = [];
  /** Told of every call at the moment at which the object takes it up. */
  onArrival: (from: string, method: string) => void = () => {};

  constructor(time: VirtualTime, random: () => number) {
    this.#time = time;
    this.#random = random;
  }

  disturb(from: string, fault: Fault, forMs: number): void {
    this.#disturbances.push({ from, fault, untilMs: this.#time.nowMs + forMs });
  }

  heal(): void {
    this.#disturbances = [];
  }

  /** A namespace as `objectPort` takes it: every method of the stub is a call over the network. */
  namespace(from: string, host: ObjectHost, gate: OutputGate = (leave) => leave()) {
    const stub = new Proxy({} as Record<string, (...args: unknown[]) => Promise<unknown>>, {
      get:
        (_target, method) =>
        (...args: unknown[]) =>
          gate(() => this.#call(from, host, String(method), args)),
    });
    return { getByName: () => stub };
  }

  latencyMs(): number {
    return MIN_LATENCY_MS + Math.floor(this.#random() * LATENCY_SPREAD_MS);
  }

  #call(from: string, host: ObjectHost, method: string, args: unknown[]): Promise<unknown> {
    const time = this.#time;
    const caller = time.party();
    const sent = structuredClone(args);
    const fault = this.#faultOf(from);
    const delayMs = () => this.latencyMs() + (fault?.kind === "slow" ? fault.byMs : 0);
    return new Promise((resolve, reject) => {
      const deliver = (answer: () => void) => time.after(delayMs(), answer, caller);
      const refuse = (message: string) => deliver(() => reject(disconnected(message)));
      const arrive = () => {
        if (fault?.kind === "refused") return refuse("network connection lost");
        this.onArrival(from, method);
        host.call(method, sent).then(
          (value) => {
            if (fault?.kind === "hangs") return;
            if (fault?.kind === "answer_lost") return refuse("network connection lost");
            const copy = structuredClone(value);
            deliver(() => resolve(copy));
          },
          (reason: Error) => refuse(reason.message),
        );
      };
      // A call that is on its way arrives, whatever becomes of the caller.
      time.after(delayMs(), arrive, ANYONE);
    });
  }

  #faultOf(from: string): Fault | undefined {
    this.#disturbances = this.#disturbances.filter(({ untilMs }) => untilMs > this.#time.nowMs);
    return this.#disturbances.find((each) => each.from === from)?.fault;
  }
}

/** What the platform throws where a connection or an object is gone. */
function disconnected(message: string): Error {
  return Object.assign(new Error(message), { retryable: true });
}
