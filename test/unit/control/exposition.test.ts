import { describe, expect, it } from "vitest";
import { exposition, type MetricsReading } from "../../../src/control/exposition.ts";
import { Exposition, METRICS, type MetricName } from "../../../src/control/metrics.ts";
import {
  AGE_BUCKETS_MS,
  countInto,
  newHistogram,
  TIME_BUCKETS_MS,
} from "../../../src/remediation/histogram.ts";
import { parseExposition } from "../../support/prometheus.ts";

const histogram = (bounds: readonly number[], ...values: number[]) => {
  const counted = newHistogram(bounds);
  for (const ms of values) countInto(counted, bounds, ms);
  return counted;
};

const READING: MetricsReading = {
  monitor: {
    propagation: {
      bounded: { promise_ms: 2_000, count: 3, broken: 0, p50: 900, p95: 1_100, p99: 1_200, max: 1_300 },
    },
    counters: {
      'portcullis_canary_samples_total{tier="bounded"}': 3,
      portcullis_denylist_checked_total: 40,
      'portcullis_denylist_drift_total{kind="missing"}': 1,
      'portcullis_denylist_drift_total{kind="stale"}': 0,
      somebody_elses_total: 1,
    },
    gauges: { 'portcullis_outbox_rows{object="log"}': 2, 'portcullis_outbox_rows{object="keyring"}': 0 },
  },
  traffic: {
    decisions: { orders: { token: 90, scope_missing: 4 }, "(none)": { no_route: 1 } },
    decided: { allow: histogram(TIME_BUCKETS_MS, 0, 0, 30), refuse: histogram(TIME_BUCKETS_MS, 0) },
    origins: { shop: { time: histogram(TIME_BUCKETS_MS, 40, 20_000), faults: { origin_timeout: 1 } } },
    ages: { bounded: histogram(AGE_BUCKETS_MS, 50, 900, 900, 70_000) },
    cache: { hits: 90, misses: 10 },
    unrecorded: 5,
  },
  replica: { seq: 42, rules: 7, policyVersion: 3, filterBytes: 9 },
};
const { replica: _, ...WITHOUT_LOG } = READING;

describe("the exposition", () => {
  it("states every series in the base unit", () => {
    const lines = exposition(READING).split("\n");
    for (const line of [
      'portcullis_decisions_total{route="orders",outcome="allow",reason="token"} 90',
      'portcullis_decisions_total{route="orders",outcome="refuse",reason="scope_missing"} 4',
      'portcullis_decisions_total{route="(none)",outcome="refuse",reason="no_route"} 1',
      'portcullis_decision_seconds_bucket{outcome="allow",le="0.001"} 2',
      'portcullis_decision_seconds_sum{outcome="allow"} 0.03',
      "portcullis_decision_records_dropped_total 5",
      'portcullis_origin_seconds_bucket{origin="shop",le="0.05"} 1',
      'portcullis_origin_seconds_count{origin="shop"} 2',
      'portcullis_origin_faults_total{origin="shop",fault="origin_timeout"} 1',
      "portcullis_log_seq 42",
      "portcullis_revocation_rules 7",
      "portcullis_policy_version 3",
      "portcullis_denied_filter_bytes 9",
      "portcullis_token_cache_hits_total 90",
      "portcullis_token_cache_misses_total 10",
      'portcullis_outbox_rows{object="log"} 2',
      'portcullis_propagation_seconds{tier="bounded",quantile="0.99"} 1.2',
      'portcullis_propagation_seconds{tier="bounded",quantile="1"} 1.3',
      'portcullis_propagation_promise_seconds{tier="bounded"} 2',
      'portcullis_denylist_drift_total{kind="missing"} 1',
      'portcullis_replica_age_seconds_bucket{tier="bounded",le="0.1"} 1',
      'portcullis_replica_age_seconds_bucket{tier="bounded",le="1"} 3',
      'portcullis_replica_age_seconds_bucket{tier="bounded",le="60"} 3',
      'portcullis_replica_age_seconds_bucket{tier="bounded",le="+Inf"} 4',
      'portcullis_replica_age_seconds_count{tier="bounded"} 4',
      'portcullis_replica_age_seconds_sum{tier="bounded"} 71.85',
    ]) {
      expect(lines).toContain(line);
    }
  });

  it("is read by a strict parser, each family with its type and what it is", () => {
    const families = parseExposition(exposition(READING));
    for (const { name, type, help } of families.values()) {
      expect([type, help]).toEqual([...METRICS[name as MetricName]]);
      expect(help).toMatch(/^[A-Z].*\.$/);
    }
  });

  it("leaves out what is not known: the log's part where it does not answer, and what nobody here named", () => {
    const text = exposition(WITHOUT_LOG);
    expect(text).not.toContain("portcullis_log_seq");
    expect(text).not.toContain("denied_filter");
    expect(text).not.toContain("somebody_elses");
  });

  it("escapes what a label may not hold", () => {
    const metrics = new Exposition();
    metrics.add("portcullis_origin_faults_total", { origin: 'a"b\\c\nd', fault: "x" }, 1);
    const [sample] = parseExposition(metrics.text).get("portcullis_origin_faults_total")!.samples;
    expect(sample!.labels).toEqual({ origin: 'a"b\\c\nd', fault: "x" });
  });
});

describe("the parser of the tests", () => {
  const family = (type: string, ...lines: string[]) => `# HELP m M.\n# TYPE m ${type}\n${lines.join("\n")}\n`;

  it.each([
    ["no end of line", "# HELP m_total M.\n# TYPE m_total counter\nm_total 1"],
    ["a sample without a family", "m_total 1\n"],
    ["a type without help", "# TYPE m counter\nm 1\n"],
    ["a family twice", family("gauge", "m 1") + family("gauge", "m 2")],
    ["a series twice", family("gauge", 'm{a="1",b="2"} 1', 'm{b="2",a="1"} 1')],
    ["a label that is not escaped", family("gauge", 'm{a="x"y"} 1')],
    ["no number", family("gauge", "m one")],
    ["a counter without its suffix", family("counter", "m 1")],
    ["no series", family("gauge")],
    [
      "buckets that fall",
      family("histogram", 'm_bucket{le="1"} 2', 'm_bucket{le="+Inf"} 1', "m_sum 1", "m_count 1"),
    ],
    ["no last bucket", family("histogram", 'm_bucket{le="1"} 1', "m_sum 1", "m_count 1")],
  ])("refuses %s", (_what, text) => {
    expect(() => parseExposition(text)).toThrow();
  });

  it("takes what is good", () => {
    const good = family("histogram", 'm_bucket{le="1"} 1', 'm_bucket{le="+Inf"} 2', "m_sum 9", "m_count 2");
    expect(parseExposition(good).get("m")?.samples).toHaveLength(4);
  });
});
