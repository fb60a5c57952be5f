import { faultText, type Logger } from "../platform/log.ts";
import type { Allowance, Decision, Refusal } from "./decision.ts";
import type { WaitUntil } from "./freshness.ts";

/** Who asked for a decision. Of calls to the control plane (`control`) only refusals are observed. */
export type Surface = "proxy" | "forward_auth" | "service" | "authzen" | "control";

/** What an observer may look at of a request. Of its headers none that is a credential. */
export type ObservedAsk = { method: string; headers: Pick<Headers, "get">; cf?: unknown };

/**
 * Told of decisions, synchronously and in references that exist anyway, so that it costs a warm request next to
 * nothing; what an observer has to send, it sends by `waitUntil`. `decision.token` is the token that was verified,
 * `decision.unverified` what one says whose signature did not hold.
 */
export type Observer = {
  /** Once for each decision, and before an origin is called: a client that hangs up is seen as well. */
  decided?(
    decision: Decision,
    ask: ObservedAsk,
    decisionId: string,
    surface: Surface,
    atMs: number,
    waitUntil: WaitUntil,
  ): void;
  /** Once for each request that was sent on, when its origin has answered, or failed as `fault` says. */
  answered?(
    allowance: Allowance,
    fault: Refusal | undefined,
    ask: ObservedAsk,
    decisionId: string,
    atMs: number,
    originMs: number,
    waitUntil: WaitUntil,
  ): void;
};

/** Every observer as one. A fault of one of them is not the request's. */
export class Observers implements Required<Observer> {
  readonly #all: readonly Observer[];
  readonly #log: Logger;

  constructor(all: readonly Observer[], log: Logger) {
    this.#all = all;
    this.#log = log;
  }

  decided(
    decision: Decision,
    ask: ObservedAsk,
    decisionId: string,
    surface: Surface,
    atMs: number,
    waitUntil: WaitUntil,
  ): void {
    for (const observer of this.#all) {
      try {
        observer.decided?.(decision, ask, decisionId, surface, atMs, waitUntil);
      } catch (fault) {
        this.#failed(fault, decisionId);
      }
    }
  }

  answered(
    allowance: Allowance,
    fault: Refusal | undefined,
    ask: ObservedAsk,
    decisionId: string,
    atMs: number,
    originMs: number,
    waitUntil: WaitUntil,
  ): void {
    for (const observer of this.#all) {
      try {
        observer.answered?.(allowance, fault, ask, decisionId, atMs, originMs, waitUntil);
      } catch (thrown) {
        this.#failed(thrown, decisionId);
      }
    }
  }

  #failed(fault: unknown, decisionId: string): void {
    this.#log("error", "observer.fault", { decision_id: decisionId, fault: faultText(fault) });
  }
}

/** The client's address as Cloudflare tells it. Nobody else is believed, so that elsewhere there is none. */
export function clientAddress({ headers }: Pick<ObservedAsk, "headers">): string | undefined {
  return headers.get("cf-connecting-ip") ?? undefined;
}
