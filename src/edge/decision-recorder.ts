import type { Logger } from "../platform/log.ts";
import type { DecisionLogPolicy } from "../policy/decision-log.ts";
import type { DecisionRecord } from "../protocol/decision-trace.ts";
import { MAX_RECORDS_A_REPORT } from "../remediation/traffic-report.ts";
import type { Allowance, Decision, Refusal } from "./decision.ts";
import { recordOf } from "./decision-record.ts";
import type { ObservedAsk, Observer, Surface } from "./observation.ts";

export type DecisionRecorderOptions = {
  /** In force in this isolate. */
  policy(): DecisionLogPolicy;
  log: Logger;
  /** From 0 up to 1. */
  random(): number;
};

/**
 * Keeps every refusal, every origin's fault and a sample of the acceptances until the next report takes them; the
 * line of a refusal is written elsewhere. What a storm brings beyond a bound is counted, and not kept.
 */
export class DecisionRecorder implements Observer {
  readonly #o: DecisionRecorderOptions;
  #records: DecisionRecord[] = [];
  #dropped = 0;

  constructor(options: DecisionRecorderOptions) {
    this.#o = options;
  }

  decided(decision: Decision, ask: ObservedAsk, decisionId: string, surface: Surface, atMs: number): void {
    if (decision.outcome === "allow") {
      const { sample_accepted: share } = this.#o.policy();
      if (share === 0 || this.#o.random() >= share) return;
      this.#o.log("info", "gate.allowed", {
        decision_id: decisionId,
        surface,
        reason: decision.reason,
        route: decision.route.id,
        seq: decision.seq,
        replica_age_ms: decision.replicaAgeMs,
        jti: decision.token?.facts.jti,
      });
    }
    this.#keep(decision, ask, decisionId, surface, atMs);
  }

  /** Only what went wrong: one that went well was kept, or not, when it was decided. */
  answered(
    allowance: Allowance,
    fault: Refusal | undefined,
    ask: ObservedAsk,
    decisionId: string,
    atMs: number,
  ): void {
    if (fault) this.#keep(allowance, ask, decisionId, "proxy", atMs, fault);
  }

  /** What was kept since it was taken last, and how many decisions were not. */
  taken(): { records: DecisionRecord[]; dropped: number; retention_hours: number } {
    const { retention_hours } = this.#o.policy();
    const taken = { records: this.#records, dropped: this.#dropped, retention_hours };
    this.#records = [];
    this.#dropped = 0;
    return taken;
  }

  #keep(
    decision: Decision,
    ask: ObservedAsk,
    decisionId: string,
    surface: Surface,
    atMs: number,
    fault?: Refusal,
  ): void {
    if (this.#records.length >= MAX_RECORDS_A_REPORT) {
      this.#dropped++;
      return;
    }
    const { addresses } = this.#o.policy();
    this.#records.push(recordOf(decision, ask, decisionId, surface, atMs, addresses, fault));
  }
}
