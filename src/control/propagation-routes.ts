import { Hono } from "hono";
import { answer, type HttpEnv, refuse, requireScope } from "../platform/http.ts";
import { ok, type Result } from "../protocol/result.ts";
import { AGE_BUCKETS_MS, type AgesByTier } from "../remediation/histogram.ts";
import type { MonitorReading } from "../remediation/monitor-object.ts";
import { TIERS } from "../revocation/receipt.ts";

export type PropagationDeps = {
  monitor: { read(): Promise<Result<MonitorReading>> };
  /** Of the last 24 hours. */
  ages(): Promise<Result<AgesByTier>>;
};

/** `GET /v1/revocations/propagation`: what the canary measured and how old replicas were, of the last 24 hours. */
export function propagationRoutes({ monitor, ages }: PropagationDeps) {
  return new Hono<HttpEnv>().get(
    "/v1/revocations/propagation",
    requireScope("revocations:read"),
    async (c) => {
      const [read, aged] = await Promise.all([monitor.read(), ages()]);
      if (!read.ok) return refuse(c, read.error);
      if (!aged.ok) return refuse(c, aged.error);
      const { propagation } = read.value;
      const tiers = TIERS.map((tier) => [tier, propagation[tier] ?? null] as const);
      return answer(
        c,
        ok({ window_seconds: 86_400, tiers: Object.fromEntries(tiers), replica_age: shown(aged.value) }),
      );
    },
  );
}

/** Decisions by the age of the replica that they were taken on; `at_most_ms` is null for what is older. */
function shown(ages: AgesByTier) {
  const tiers = TIERS.map((tier) => {
    const counts = ages[tier]?.counts ?? [];
    const buckets = counts.map((decisions, i) => ({ at_most_ms: AGE_BUCKETS_MS[i] ?? null, decisions }));
    return [tier, buckets] as const;
  });
  return Object.fromEntries(tiers);
}
