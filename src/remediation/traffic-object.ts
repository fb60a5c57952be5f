import { CausedObject } from "../platform/caused-object.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import type { DecisionQuery, DecisionRecord } from "../protocol/decision-trace.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { DECISION_SCHEMA, DecisionStore } from "./decision-store.ts";
import type { AgesByTier } from "./histogram.ts";
import type { Tally } from "./traffic.ts";
import { isReport, type TrafficReport } from "./traffic-report.ts";
import {
  HOUR_SECONDS,
  HOURS_KEPT_SECONDS,
  MINUTE_SECONDS,
  MINUTES_KEPT_SECONDS,
  stepsOf,
  type TrafficPart,
  type TrafficQuery,
} from "./traffic-series.ts";
import { TRAFFIC_MIGRATIONS, TrafficStore } from "./traffic-store.ts";

/** Since the deployment began, and how old replicas were in the last 24 hours. */
export type TrafficReading = { totals: Tally; ages_24h: AgesByTier };

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A report is repeated within seconds, or never; an isolate that is silent for longer is gone. */
const REPORTERS_MS = DAY_MS;
const PRUNE_INTERVAL_MS = HOUR_MS;
/** One that is first in all may be further down in each. */
const TOKENS_A_SHARD = 200;

/**
 * What some of the isolates counted of requests, and their records of decisions: each isolate reports to one shard, and all shards are read
 * together. Nothing that decides depends on it.
 */
export class TrafficObject extends CausedObject {
  readonly #clock: Clock;
  readonly #store: TrafficStore;
  readonly #decisions: DecisionStore;
  readonly #durable: Durable;
  #prunedAtMs = 0;

  constructor(ctx: DurableObjectState, env: Env, clock: Clock = systemClock) {
    super(ctx, env);
    this.#clock = clock;
    this.#store = new TrafficStore(ctx.storage.sql);
    this.#decisions = new DecisionStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock,
      log: consoleLogger,
      migrations: [...TRAFFIC_MIGRATIONS, DECISION_SCHEMA],
      deliver: {},
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#prune(nowMs),
    });
  }

  /** Adds what one isolate counted; idempotent by its number. */
  report(report: TrafficReport): Result<null> {
    if (!isReport(report)) return err(problem("invalid_request", "The report holds no counts."));
    const nowMs = this.#clock();
    this.#durable.commit(() => {
      if (!this.#store.isNew(report.isolate, report.n, nowMs)) return;
      this.#store.add(report.tally, Math.floor(nowMs / MINUTE_MS));
      this.#store.addTokens(report.tokens, Math.floor(nowMs / HOUR_MS));
      this.#decisions.add(report.records, nowMs, report.retention_hours * HOUR_MS);
    });
    return ok(null);
  }

  read(): Result<TrafficReading> {
    const day = Math.floor((this.#clock() - DAY_MS) / HOUR_MS);
    return ok({ totals: this.#store.totals(), ages_24h: this.#store.agesSince(day) });
  }

  /** Of steps of whole hours by the hour, else by the minute. Query times are multiples of the step. */
  series(query: TrafficQuery): Result<TrafficPart> {
    const { since, until, step_seconds } = query;
    const sinceHour = Math.floor(since / HOUR_SECONDS);
    const untilHour = Math.ceil(until / HOUR_SECONDS);
    const byHour = step_seconds % HOUR_SECONDS === 0;
    const cellSeconds = byHour ? HOUR_SECONDS : MINUTE_SECONDS;
    const cells = byHour
      ? this.#store.hours(sinceHour, untilHour)
      : this.#store.minutes(since / MINUTE_SECONDS, until / MINUTE_SECONDS);
    const tokens = this.#store.topTokens(sinceHour, untilHour, TOKENS_A_SHARD);
    return ok({ steps: stepsOf(cells, cellSeconds, query), tokens });
  }

  /** The record of a decision, null where this shard has none. */
  decision(id: string): Result<DecisionRecord | null> {
    return ok(this.#decisions.find(id, this.#clock()) ?? null);
  }

  /** Newest first, one more than asked for where there are more. */
  decisions(query: DecisionQuery): Result<DecisionRecord[]> {
    return ok(this.#decisions.list(query, this.#clock()));
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  #nextPruneMs(): number | undefined {
    const { report_ms, minute, hour } = this.#store.earliest();
    const dues = [
      [report_ms, 1, REPORTERS_MS],
      [minute, MINUTE_MS, MINUTES_KEPT_SECONDS * 1000],
      [hour, HOUR_MS, HOURS_KEPT_SECONDS * 1000],
    ] as const;
    const times = dues.flatMap(([at, unitMs, keptMs]) => (at === null ? [] : [at * unitMs + keptMs]));
    const end = this.#decisions.earliestEndMs();
    if (end !== undefined) times.push(end);
    return times.length ? Math.max(Math.min(...times), this.#prunedAtMs + PRUNE_INTERVAL_MS) : undefined;
  }

  #prune(nowMs: number): void {
    const next = this.#nextPruneMs();
    if (next === undefined || next > nowMs) return;
    this.#prunedAtMs = nowMs;
    this.#decisions.prune(nowMs);
    const hour = Math.floor(nowMs / HOUR_MS);
    this.#store.prune({
      reportMs: nowMs - REPORTERS_MS,
      minute: Math.floor(nowMs / MINUTE_MS) - MINUTES_KEPT_SECONDS / MINUTE_SECONDS,
      hour: hour - HOURS_KEPT_SECONDS / HOUR_SECONDS,
      tokenHour: hour - MINUTES_KEPT_SECONDS / HOUR_SECONDS,
    });
  }
}
