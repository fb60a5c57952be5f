import { Hono } from "hono";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { show, showProblem } from "./respond.tsx";
import { RANGES, rangeOf, type TrafficView } from "./traffic.ts";
import { TRAFFIC, TrafficPage } from "./traffic-page.tsx";
import { hasAny } from "./visitor.ts";

/** What the gate decides, over time. */
export function trafficRoutes() {
  return new Hono<ConsoleEnv>().get("/traffic", showTraffic);
}

async function showTraffic(c: ConsoleContext) {
  const { api, visitor, now } = c.var;
  const range = rangeOf(c.req.query("range"));
  const route = c.req.query("route");
  const { seconds, step_seconds } = RANGES[range];
  const query = { since: now - seconds, step_seconds, route };
  const read = await api.get<TrafficView>("/v1/traffic", query);
  if (!read.ok) return showProblem(c, read.error, TRAFFIC);
  const props = { traffic: read.value, range, route, seesDecisions: hasAny(visitor, ["decisions:read"]) };
  return show(c, { title: "Traffic", place: TRAFFIC }, <TrafficPage {...props} />);
}
