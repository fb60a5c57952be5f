import type { Clock } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { Result } from "../protocol/result.ts";
import { type AgesByTier, addAge, noAges } from "../remediation/age-histogram.ts";
import type { Tier } from "../revocation/receipt.ts";
import type { WaitUntil } from "./freshness.ts";

export type AgeReportPort = { report(id: string, ages: AgesByTier): Promise<Result<null>> };

export const REPORT_EVERY_MS = 10_000;

/**
 * Counts in this isolate how old the replica was at decisions, and tells the monitor every ten seconds, after
 * a request, never before its answer. What could not be told is told with the next report.
 */
export class AgeReporter {
  readonly #monitor: AgeReportPort;
  readonly #clock: Clock;
  #ages: AgesByTier = {};
  #untold: { id: string; ages: AgesByTier } | undefined;
  #nextMs: number | undefined;

  constructor(monitor: AgeReportPort, clock: Clock) {
    this.#monitor = monitor;
    this.#clock = clock;
  }

  observe(tier: Tier, ageMs: number, waitUntil: WaitUntil): void {
    this.#ages[tier] ??= noAges();
    addAge(this.#ages[tier], ageMs);
    const now = this.#clock();
    this.#nextMs ??= now + REPORT_EVERY_MS;
    if (now < this.#nextMs) return;
    this.#nextMs = now + REPORT_EVERY_MS;
    waitUntil(this.#tell(now));
  }

  async #tell(nowMs: number): Promise<void> {
    // The same id again: whether the monitor has the report is not known.
    this.#untold ??= this.#taken(nowMs);
    const { id, ages } = this.#untold;
    const told = await this.#monitor.report(id, ages);
    if (told.ok && this.#untold?.id === id) this.#untold = undefined;
  }

  #taken(nowMs: number): { id: string; ages: AgesByTier } {
    const ages = this.#ages;
    this.#ages = {};
    return { id: newId("rpt", nowMs), ages };
  }
}
