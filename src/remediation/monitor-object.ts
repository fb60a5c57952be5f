import { CausedObject } from "../platform/caused-object.ts";
import { systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import { ok, type Result } from "../protocol/result.ts";
import { TIERS, type Tier } from "../revocation/receipt.ts";
import { MONITOR_MIGRATIONS, MonitorStore } from "./monitor-store.ts";
import { type PropagationSample, type PropagationSummary, summarize } from "./propagation.ts";

/** What a part of the deployment says about itself; names are those of metrics, with their labels. */
export type MonitorNote = { counters?: Record<string, number>; gauges?: Record<string, number> };

export type MonitorReading = {
  /** Of the last 24 hours; a tier without samples is absent. */
  propagation: Partial<Record<Tier, PropagationSummary>>;
  counters: Record<string, number>;
  gauges: Record<string, number>;
};

const WINDOW_MS = 86_400_000;
/** A report is repeated within seconds, or never. */
const REPORT_IDS_MS = 3_600_000;
/** What was not told anew for this long is no longer so: webhook endpoints tell once in ten minutes. */
const GAUGE_MS = 12 * 60_000;
const PRUNE_INTERVAL_MS = 3_600_000;

/**
 * What the deployment measures about itself (`main`): samples of the canary, and what its parts say of themselves.
 * What isolates count of requests is elsewhere. Nothing that decides depends on it.
 */
export class MonitorObject extends CausedObject {
  readonly #clock = systemClock;
  readonly #store: MonitorStore;
  readonly #durable: Durable;
  #prunedAtMs = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new MonitorStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: MONITOR_MIGRATIONS,
      deliver: {},
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#prune(nowMs),
    });
  }

  /** Keeps a sample for 24 hours; idempotent by its id. */
  record(sample: PropagationSample): Result<null> {
    this.#durable.commit(() => {
      if (!this.#store.insertSample(sample)) return;
      this.#store.addToCounter(`portcullis_canary_samples_total{tier="${sample.tier}"}`, 1);
      this.#store.addToCounter(
        `portcullis_canary_broken_total{tier="${sample.tier}"}`,
        Number(sample.broken),
      );
    });
    return ok(null);
  }

  /** Adds to counters and sets gauges; idempotent by the note's id. */
  note(id: string, { counters = {}, gauges = {} }: MonitorNote): Result<null> {
    const nowMs = this.#clock();
    this.#durable.commit(() => {
      if (!this.#store.insertReport(id, nowMs)) return;
      for (const [name, amount] of Object.entries(counters)) this.#store.addToCounter(name, amount);
      for (const [name, value] of Object.entries(gauges)) this.#store.setGauge(name, value, nowMs);
    });
    return ok(null);
  }

  read(): Result<MonitorReading> {
    const nowMs = this.#clock();
    const samples = this.#store.samplesSince(nowMs - WINDOW_MS);
    const propagation = TIERS.flatMap((tier) => {
      const summary = summarize(samples.filter((sample) => sample.tier === tier));
      return summary ? [[tier, summary] as const] : [];
    });
    return ok({
      propagation: Object.fromEntries(propagation),
      counters: this.#store.counters(),
      gauges: this.#store.gaugesSince(nowMs - GAUGE_MS),
    });
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    return ok(await this.#durable.sweep());
  }

  #nextPruneMs(): number | undefined {
    const dues = [
      [this.#store.earliestSampleMs(), WINDOW_MS],
      [this.#store.earliestReportMs(), REPORT_IDS_MS],
    ].flatMap(([at, keptMs]) => (at === undefined ? [] : [at + keptMs!]));
    return dues.length ? Math.max(Math.min(...dues), this.#prunedAtMs + PRUNE_INTERVAL_MS) : undefined;
  }

  #prune(nowMs: number): void {
    const next = this.#nextPruneMs();
    if (next === undefined || next > nowMs) return;
    this.#prunedAtMs = nowMs;
    this.#store.prune(nowMs - WINDOW_MS, nowMs - REPORT_IDS_MS);
  }
}
