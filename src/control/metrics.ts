type MetricType = "counter" | "gauge" | "histogram";

/** Every family of `GET /metrics`, with what it is; docs/observability.md says more of each. */
export const METRICS = {
  portcullis_decisions_total: ["counter", "Decisions, by route, outcome and reason."],
  portcullis_decision_seconds: ["histogram", "What decisions waited for: the log, keys, objects."],
  portcullis_decision_records_dropped_total: [
    "counter",
    "Decisions of which no record was kept, as there were too many at once.",
  ],
  portcullis_origin_seconds: [
    "histogram",
    "From sending a request on to the headers of the origin's answer.",
  ],
  portcullis_origin_faults_total: [
    "counter",
    "Requests that were sent on and got no answer that can be used.",
  ],
  portcullis_token_cache_hits_total: ["counter", "Tokens that an isolate had verified before."],
  portcullis_token_cache_misses_total: ["counter", "Tokens that an isolate had to verify."],
  portcullis_replica_age_seconds: ["histogram", "Age of the replica on which requests were let through."],
  portcullis_log_seq: ["gauge", "Sequence number of the last log entry."],
  portcullis_policy_version: ["gauge", "Version of the policy in force."],
  portcullis_revocation_rules: ["gauge", "Revocation rules in the replica."],
  portcullis_denied_filter_bytes: ["gauge", "Size of the filter of denied tokens."],
  portcullis_outbox_rows: ["gauge", "Effects that an object still owes, as of the last cron."],
  portcullis_key_age_seconds: ["gauge", "How long the key that signs has been signing, as of the last cron."],
  portcullis_grants: ["gauge", "Grants whose window is not over, by state, as of the last cron."],
  portcullis_access_requests_pending: [
    "gauge",
    "Access requests that wait for a review, as of the last cron.",
  ],
  portcullis_deliveries: ["gauge", "Deliveries that a webhook endpoint keeps, by state."],
  portcullis_delivery_failed_attempts: ["gauge", "Attempts, of those deliveries, that got no 2xx."],
  portcullis_key_rotation_overdue_seconds: [
    "gauge",
    "How late the rotation of a signing key is, as of the last cron.",
  ],
  portcullis_previous_secret_values: [
    "gauge",
    "Stored values that the last cron found wrapped with PORTCULLIS_SECRET_PREVIOUS, and wrapped anew.",
  ],
  portcullis_propagation_seconds: [
    "gauge",
    "Acknowledgement of a revocation to the first refusal, of the last 24 hours.",
  ],
  portcullis_propagation_promise_seconds: ["gauge", "What the canary holds the tier to."],
  portcullis_canary_samples_total: ["counter", "Probes that were measured."],
  portcullis_canary_broken_total: [
    "counter",
    "Probes that were accepted, or not denied, later than promised.",
  ],
  portcullis_canary_inconclusive_total: ["counter", "Probes that showed nothing."],
  portcullis_detections_total: ["counter", "What was detected, by kind."],
  portcullis_remediations_total: ["counter", "What rules made of detections, by rule and outcome."],
  portcullis_denylist_checked_total: ["counter", "Keys of the KV denylist that were held against the log."],
  portcullis_denylist_drift_total: ["counter", "Keys that differed and were repaired."],
} as const satisfies Record<string, readonly [MetricType, string]>;

export type MetricName = keyof typeof METRICS;

export type Labels = Record<string, string>;

/** The Prometheus text format, version 0.0.4, as it is put together: each family once, those without series not at all. */
export class Exposition {
  readonly #families = new Map<string, { type: string; help: string; lines: string[] }>();

  add(name: MetricName, labels: Labels, value: number): void {
    this.#family(name).push(`${name}${labelText(labels)} ${value}`);
  }

  /** Counts of buckets of milliseconds, the last one without a bound, shown in seconds. */
  addHistogram(
    name: MetricName,
    labels: Labels,
    bounds: readonly number[],
    { counts, sum_ms }: { counts: readonly number[]; sum_ms: number },
  ): void {
    const lines = this.#family(name);
    let total = 0;
    counts.forEach((count, i) => {
      total += count;
      const bound = bounds[i];
      const le = bound === undefined ? "+Inf" : String(bound / 1000);
      lines.push(`${name}_bucket${labelText({ ...labels, le })} ${total}`);
    });
    lines.push(
      `${name}_sum${labelText(labels)} ${sum_ms / 1000}`,
      `${name}_count${labelText(labels)} ${total}`,
    );
  }

  /** A series that a part of the deployment named itself, with its labels. One that nobody knows is left out. */
  addNamed(series: string, value: number): void {
    const brace = series.indexOf("{");
    const name = brace === -1 ? series : series.slice(0, brace);
    if (isMetric(name)) this.#family(name).push(`${series} ${value}`);
  }

  get text(): string {
    const parts = Array.from(this.#families, ([name, { type, help, lines }]) =>
      [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join("\n"),
    );
    return `${parts.join("\n")}\n`;
  }

  #family(name: MetricName): string[] {
    const known = this.#families.get(name);
    if (known) return known.lines;
    const [type, help] = METRICS[name];
    const lines: string[] = [];
    this.#families.set(name, { type, help, lines });
    return lines;
  }
}

function isMetric(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
