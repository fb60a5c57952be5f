import type { Result } from "../protocol/result.ts";
import type { TrafficReport } from "../remediation/traffic-report.ts";
import type { Allowance, Decision, Refusal } from "./decision.ts";
import type { DecisionRecorder } from "./decision-recorder.ts";
import type { WaitUntil } from "./freshness.ts";
import { Later } from "./later.ts";
import type { ObservedAsk, Observer, Surface } from "./observation.ts";
import { TrafficCount } from "./traffic-count.ts";

export type TrafficPort = { report(report: TrafficReport): Promise<Result<null>> };

export type TrafficReporterOptions = {
  /** The shard that this isolate reports to. */
  shard: TrafficPort;
  /** Names this isolate, made when it first reports. */
  newIsolateId(): string;
  /** Tokens that were found verified, and that were not, since the isolate began. */
  cache(): { hits: number; misses: number };
  /** What was kept of decisions since it was last taken. */
  records: Pick<DecisionRecorder, "taken">;
  sleep(ms: number): Promise<void>;
};

export const REPORT_EVERY_MS = 2_000;
/** A report that is not made by then belonged to a request that was cancelled. */
const REPORT_LOST_MS = 3 * REPORT_EVERY_MS;

/**
 * Counts what this isolate decides, and tells its shard of the monitor two seconds after the first decision
 * that was not told yet: so at most once in two seconds, never where nothing happened, and always beside the request.
 * What could not be told is told again under the same number, and what is counted meanwhile comes after it.
 */
export class TrafficReporter implements Observer {
  readonly #o: TrafficReporterOptions;
  #count = new TrafficCount();
  #counted = false;
  #untold: TrafficReport | undefined;
  #isolate: string | undefined;
  #reports = 0;
  #cacheTold = { hits: 0, misses: 0 };
  readonly #later: Later;

  constructor(options: TrafficReporterOptions) {
    this.#o = options;
    this.#later = new Later({
      ...{ sleep: options.sleep, afterMs: REPORT_EVERY_MS, lostAfterMs: REPORT_LOST_MS },
      work: () => this.#report(),
    });
  }

  decided(
    decision: Decision,
    _ask: ObservedAsk,
    _decisionId: string,
    surface: Surface,
    atMs: number,
    waitUntil: WaitUntil,
  ): void {
    this.#count.decided(decision, surface);
    this.#due(atMs, waitUntil);
  }

  answered(
    allowance: Allowance,
    fault: Refusal | undefined,
    _ask: ObservedAsk,
    _decisionId: string,
    atMs: number,
    originMs: number,
    waitUntil: WaitUntil,
  ): void {
    this.#count.answered(allowance, fault?.reason, originMs);
    this.#due(atMs, waitUntil);
  }

  #due(nowMs: number, waitUntil: WaitUntil): void {
    this.#counted = true;
    this.#later.ask(nowMs, waitUntil);
  }

  /** One that may not have arrived, and then what was counted since it was made. */
  async #report(): Promise<void> {
    if (this.#untold && !(await this.#tell(this.#untold))) return;
    if (!this.#counted) return;
    this.#untold = this.#taken();
    await this.#tell(this.#untold);
  }

  async #tell(report: TrafficReport): Promise<boolean> {
    const told = await this.#o.shard.report(report);
    if (told.ok && this.#untold === report) this.#untold = undefined;
    return told.ok;
  }

  #taken(): TrafficReport {
    const { tally, tokens } = this.#count.taken();
    this.#count = new TrafficCount();
    this.#counted = false;
    this.#isolate ??= this.#o.newIsolateId();
    const { hits, misses } = this.#o.cache();
    const cache = { hits: hits - this.#cacheTold.hits, misses: misses - this.#cacheTold.misses };
    this.#cacheTold = { hits, misses };
    const { records, dropped, retention_hours } = this.#o.records.taken();
    return {
      isolate: this.#isolate,
      n: ++this.#reports,
      tally: { ...tally, cache, unrecorded: dropped },
      ...{ tokens, records, retention_hours },
    };
  }
}
