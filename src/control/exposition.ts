import { AGE_BUCKETS_MS, TIME_BUCKETS_MS } from "../remediation/histogram.ts";
import type { MonitorReading } from "../remediation/monitor-object.ts";
import { outcomeOf, type Tally } from "../remediation/traffic.ts";
import { Exposition } from "./metrics.ts";

/** What the isolate that answers knows of the log at this moment. */
export type ReplicaReading = { seq: number; rules: number; policyVersion: number; filterBytes?: number };

export type MetricsReading = {
  monitor: MonitorReading;
  /** Since the deployment began, of all isolates. */
  traffic: Tally;
  /** Absent where the log does not answer. */
  replica?: ReplicaReading;
};

/** `GET /metrics` as text: times in seconds, counters since the deployment began. */
export function exposition({ monitor, traffic, replica }: MetricsReading): string {
  const metrics = new Exposition();
  addTraffic(metrics, traffic);
  if (replica) addReplica(metrics, replica);
  for (const [tier, { promise_ms, p50, p95, p99, max }] of Object.entries(monitor.propagation)) {
    const quantiles = { "0.5": p50, "0.95": p95, "0.99": p99, "1": max };
    for (const [quantile, ms] of Object.entries(quantiles)) {
      metrics.add("portcullis_propagation_seconds", { tier, quantile }, ms / 1000);
    }
    metrics.add("portcullis_propagation_promise_seconds", { tier }, promise_ms / 1000);
  }
  for (const [series, value] of Object.entries({ ...monitor.gauges, ...monitor.counters })) {
    metrics.addNamed(series, value);
  }
  return metrics.text;
}

function addTraffic(metrics: Exposition, traffic: Tally): void {
  const { decisions, decided, origins, ages, cache, unrecorded } = traffic;
  for (const [route, reasons] of Object.entries(decisions)) {
    for (const [reason, count] of Object.entries(reasons)) {
      metrics.add("portcullis_decisions_total", { route, outcome: outcomeOf(reason), reason }, count);
    }
  }
  for (const [outcome, times] of Object.entries(decided)) {
    metrics.addHistogram("portcullis_decision_seconds", { outcome }, TIME_BUCKETS_MS, times);
  }
  metrics.add("portcullis_decision_records_dropped_total", {}, unrecorded);
  for (const [origin, { time, faults }] of Object.entries(origins)) {
    metrics.addHistogram("portcullis_origin_seconds", { origin }, TIME_BUCKETS_MS, time);
    for (const [fault, count] of Object.entries(faults)) {
      metrics.add("portcullis_origin_faults_total", { origin, fault }, count);
    }
  }
  metrics.add("portcullis_token_cache_hits_total", {}, cache.hits);
  metrics.add("portcullis_token_cache_misses_total", {}, cache.misses);
  for (const [tier, histogram] of Object.entries(ages)) {
    metrics.addHistogram("portcullis_replica_age_seconds", { tier }, AGE_BUCKETS_MS, histogram);
  }
}

function addReplica(metrics: Exposition, replica: ReplicaReading): void {
  metrics.add("portcullis_log_seq", {}, replica.seq);
  metrics.add("portcullis_policy_version", {}, replica.policyVersion);
  metrics.add("portcullis_revocation_rules", {}, replica.rules);
  if (replica.filterBytes !== undefined) {
    metrics.add("portcullis_denied_filter_bytes", {}, replica.filterBytes);
  }
}
