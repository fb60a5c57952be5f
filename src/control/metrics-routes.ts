import { Hono } from "hono";
import { type HttpEnv, refuse, requireScope } from "../platform/http.ts";
import type { Result } from "../protocol/result.ts";
import type { MonitorReading } from "../remediation/monitor-object.ts";
import { exposition, type ReplicaReading, type TokenCacheReading } from "./exposition.ts";

export type MetricsDeps = {
  monitor: { read(): Promise<Result<MonitorReading>> };
  /** Reads the log now. */
  replica(): Promise<Result<ReplicaReading>>;
  tokens(): TokenCacheReading;
};

/** `GET /metrics` for a scraper with the scope `metrics:read`; without the log's part where it does not answer. */
export function metricsRoutes(deps: MetricsDeps) {
  return new Hono<HttpEnv>().get("/metrics", requireScope("metrics:read"), async (c) => {
    const [monitor, replica] = await Promise.all([deps.monitor.read(), deps.replica()]);
    if (!monitor.ok) return refuse(c, monitor.error);
    const text = exposition(monitor.value, replica.ok ? replica.value : undefined, deps.tokens());
    return c.text(text, 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "cache-control": "no-store",
    });
  });
}
