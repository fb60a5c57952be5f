import { describe, expect, it } from "vitest";
import { exposition } from "../../../src/control/exposition.ts";
import { addAge, noAges } from "../../../src/remediation/age-histogram.ts";
import type { MonitorReading } from "../../../src/remediation/monitor-object.ts";

const ages = noAges();
for (const ageMs of [50, 900, 900, 70_000]) addAge(ages, ageMs);

const monitor: MonitorReading = {
  propagation: {
    bounded: { promise_ms: 2_000, count: 3, broken: 0, p50: 900, p95: 1_100, p99: 1_200, max: 1_300 },
  },
  ages_24h: {},
  ages_total: { bounded: ages },
  counters: {
    'portcullis_canary_samples_total{tier="bounded"}': 3,
    portcullis_denylist_checked_total: 40,
    'portcullis_denylist_drift_total{kind="missing"}': 1,
    'portcullis_denylist_drift_total{kind="stale"}': 0,
  },
  gauges: { 'portcullis_outbox_rows{object="log"}': 2, 'portcullis_outbox_rows{object="keyring"}': 0 },
};
const replica = { seq: 42, rules: 7, policyVersion: 3 };
const tokens = { hits: 90, misses: 10, tokens: 8 };
const lines = (text: string) => text.split("\n");

describe("the exposition", () => {
  it("states every series in the base unit", () => {
    const text = exposition(monitor, replica, tokens);
    for (const line of [
      "portcullis_log_seq 42",
      "portcullis_revocation_rules 7",
      "portcullis_policy_version 3",
      "portcullis_token_cache_hits_total 90",
      "portcullis_token_cache_misses_total 10",
      "portcullis_token_cache_tokens 8",
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
      expect(lines(text)).toContain(line);
    }
    expect(text.endsWith("\n")).toBe(true);
  });

  it("describes each family once, before its series, and leaves nothing undescribed", () => {
    const text = exposition(monitor, { ...replica, filterBytes: 1_000 }, tokens);
    const typed = lines(text).flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
    expect(new Set(typed).size).toBe(typed.length);
    let family = "";
    for (const line of lines(text)) {
      family = /^# TYPE (\S+)/.exec(line)?.[1] ?? family;
      if (line !== "" && !line.startsWith("#")) expect(line.startsWith(family)).toBe(true);
    }
    const helped = lines(text).filter((line) => line.startsWith("# HELP"));
    expect(helped).toHaveLength(typed.length);
    for (const line of helped) expect(line).toMatch(/^# HELP \S+ [A-Z].*\.$/);
  });

  it("leaves out what is not known: the log's part where it does not answer, a filter that is not there", () => {
    expect(exposition(monitor, undefined, tokens)).not.toContain("portcullis_log_seq");
    expect(exposition(monitor, replica, tokens)).not.toContain("denied_filter");
    expect(exposition(monitor, { ...replica, filterBytes: 9 }, tokens)).toContain(
      "portcullis_denied_filter_bytes 9",
    );
  });
});
