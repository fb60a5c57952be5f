import { Hono } from "hono";
import { type HttpEnv, refuse, requireScope } from "../platform/http.ts";
import type { Result } from "../protocol/result.ts";
import type { MonitorReading } from "../remediation/monitor-object.ts";
import type { Tally } from "../remediation/traffic.ts";
import { exposition, type ReplicaReading } from "./exposition.ts";

export type MetricsDeps = {
  monitor: { read(): Promise<Result<MonitorReading>> };
  traffic(): Promise<Result<Tally>>;
  /** Reads the log now. */
  replica(): Promise<Result<ReplicaReading>>;
};

/** `GET /metrics` for a scraper with the scope `metrics:read`; without the log's part where it does not answer. */
export function metricsRoutes(deps: MetricsDeps) {
  return new Hono<HttpEnv>().get("/metrics", requireScope("metrics:read"), async (c) => {
    const [monitor, traffic, replica] = await Promise.all([
      deps.monitor.read(),
      deps.traffic(),
      deps.replica(),
    ]);
    if (!monitor.ok) return refuse(c, monitor.error);
    // Counters that begin anew would be taken for a restart.
    if (!traffic.ok) return refuse(c, traffic.error);
    const text = exposition({
      monitor: monitor.value,
      traffic: traffic.value,
      ...(replica.ok ? { replica: replica.value } : {}),
    });
    return c.text(text, 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "cache-control": "no-store",
    });
  });
}
