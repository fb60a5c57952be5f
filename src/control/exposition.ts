import { AGE_BUCKETS_MS, type AgesByTier } from "../remediation/age-histogram.ts";
import type { MonitorReading } from "../remediation/monitor-object.ts";
import type { Tier } from "../revocation/receipt.ts";

/** What the isolate that answers knows of the log at this moment. */
export type ReplicaReading = { seq: number; rules: number; policyVersion: number; filterBytes?: number };

/** The verified tokens that the isolate that answers has in memory, since it started. */
export type TokenCacheReading = { hits: number; misses: number; tokens: number };

type MetricType = "counter" | "gauge" | "histogram";

const HELP: Record<string, string> = {
  portcullis_log_seq: "Sequence number of the last log entry.",
  portcullis_policy_version: "Version of the policy in force.",
  portcullis_revocation_rules: "Revocation rules in the replica.",
  portcullis_denied_filter_bytes: "Size of the filter of denied tokens.",
  portcullis_token_cache_hits_total: "Tokens that this isolate had verified before.",
  portcullis_token_cache_misses_total: "Tokens that this isolate had to verify.",
  portcullis_token_cache_tokens: "Verified tokens in this isolate's memory.",
  portcullis_outbox_rows: "Effects that an object still owes, as of the last cron.",
  portcullis_key_rotation_overdue_seconds: "How late the rotation of a signing key is, as of the last cron.",
  portcullis_previous_secret_values:
    "Stored values that the last cron found wrapped with PORTCULLIS_SECRET_PREVIOUS, and wrapped anew.",
  portcullis_propagation_seconds:
    "Acknowledgement of a revocation to the first refusal, of the last 24 hours.",
  portcullis_propagation_promise_seconds: "What the canary holds the tier to.",
  portcullis_canary_samples_total: "Probes that were measured.",
  portcullis_canary_broken_total: "Probes that were accepted, or not denied, later than promised.",
  portcullis_canary_inconclusive_total: "Probes that showed nothing.",
  portcullis_denylist_checked_total: "Keys of the KV denylist that were held against the log.",
  portcullis_denylist_drift_total: "Keys that differed and were repaired.",
  portcullis_remediations_total: "What rules made of detections, by rule and outcome.",
  portcullis_replica_age_seconds: "Age of the replica at decisions.",
};

/** The Prometheus text format, version 0.0.4. */
export function exposition(
  monitor: MonitorReading,
  replica: ReplicaReading | undefined,
  tokens: TokenCacheReading,
): string {
  const lines: string[] = [];
  const family = (name: string, type: MetricType, series: [string, number][]) => {
    if (series.length === 0) return;
    lines.push(`# HELP ${name} ${HELP[name] ?? name}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of series) lines.push(`${name}${labels} ${value}`);
  };
  if (replica) {
    family("portcullis_log_seq", "gauge", [["", replica.seq]]);
    family("portcullis_policy_version", "gauge", [["", replica.policyVersion]]);
    family("portcullis_revocation_rules", "gauge", [["", replica.rules]]);
    const { filterBytes } = replica;
    family("portcullis_denied_filter_bytes", "gauge", filterBytes === undefined ? [] : [["", filterBytes]]);
  }
  family("portcullis_token_cache_hits_total", "counter", [["", tokens.hits]]);
  family("portcullis_token_cache_misses_total", "counter", [["", tokens.misses]]);
  family("portcullis_token_cache_tokens", "gauge", [["", tokens.tokens]]);
  const tiers = Object.entries(monitor.propagation);
  family(
    "portcullis_propagation_seconds",
    "gauge",
    tiers.flatMap(([tier, s]) => quantiles(tier, s)),
  );
  family(
    "portcullis_propagation_promise_seconds",
    "gauge",
    tiers.map(([tier, s]) => [`{tier="${tier}"}`, s.promise_ms / 1000]),
  );
  for (const [name, series] of grouped(monitor.gauges)) family(name, "gauge", series);
  for (const [name, series] of grouped(monitor.counters)) family(name, "counter", series);
  const ages = histogram(monitor.ages_total);
  if (ages.length) {
    const name = "portcullis_replica_age_seconds";
    lines.push(`# HELP ${name} ${HELP[name]}`, `# TYPE ${name} histogram`, ...ages.map((l) => name + l));
  }
  return `${lines.join("\n")}\n`;
}

function quantiles(
  tier: string,
  { p50, p95, p99, max }: { p50: number; p95: number; p99: number; max: number },
): [string, number][] {
  const points: [string, number][] = [
    ["0.5", p50],
    ["0.95", p95],
    ["0.99", p99],
    ["1", max],
  ];
  return points.map(([quantile, ms]) => [`{tier="${tier}",quantile="${quantile}"}`, ms / 1000]);
}

/** Series by the name of their family: `outbox_rows{object="log"}` and `outbox_rows{object="keyring"}` are one. */
function grouped(series: Record<string, number>): Map<string, [string, number][]> {
  const families = new Map<string, [string, number][]>();
  for (const [full, value] of Object.entries(series)) {
    const brace = full.indexOf("{");
    const name = brace === -1 ? full : full.slice(0, brace);
    families.set(name, [...(families.get(name) ?? []), [full.slice(name.length), value]]);
  }
  return families;
}

function histogram(ages: AgesByTier): string[] {
  return Object.entries(ages).flatMap(([tier, { counts, sum_ms }]: [string, AgesByTier[Tier] & object]) => {
    let total = 0;
    const buckets = counts.map((count, i) => {
      total += count;
      const bound = AGE_BUCKETS_MS[i];
      return `_bucket{tier="${tier}",le="${bound === undefined ? "+Inf" : bound / 1000}"} ${total}`;
    });
    return [...buckets, `_sum{tier="${tier}"} ${sum_ms / 1000}`, `_count{tier="${tier}"} ${total}`];
  });
}
