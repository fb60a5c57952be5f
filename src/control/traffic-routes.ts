import { Hono } from "hono";
import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { answer, type HttpEnv, queryParams, refuse, requireScope } from "../platform/http.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  HOUR_SECONDS,
  HOURS_KEPT_SECONDS,
  MINUTE_SECONDS,
  MINUTES_KEPT_SECONDS,
  type TrafficPart,
  type TrafficQuery,
  viewOf,
} from "../remediation/traffic-series.ts";

export type TrafficDeps = {
  clock: Clock;
  /** Asks every shard. */
  traffic(query: TrafficQuery): Promise<Result<TrafficPart[]>>;
};

const MAX_STEPS = 1_500;

const moment = z.coerce.number().int().min(0).max(1e11);
const querySchema = z.strictObject({
  since: moment.exactOptional(),
  until: moment.exactOptional(),
  step_seconds: z.coerce.number().int().min(MINUTE_SECONDS).multipleOf(MINUTE_SECONDS).exactOptional(),
  route: z.string().min(1).max(64).exactOptional(),
});

/** `GET /v1/traffic`: decisions over time, the routes and the tokens that were refused most. */
export function trafficRoutes({ clock, traffic }: TrafficDeps) {
  return new Hono<HttpEnv>().get(
    "/v1/traffic",
    requireScope("metrics:read"),
    queryParams(querySchema),
    async (c) => {
      const query = queryOf(c.req.valid("query"), epochSeconds(clock()));
      if (!query.ok) return refuse(c, query.error);
      const parts = await traffic(query.value);
      return answer(c, parts.ok ? ok({ ...query.value, ...viewOf(parts.value) }) : parts);
    },
  );
}

/** Whole steps: the last one ends with or after `until`. By default the last hour, by the minute. */
function queryOf(asked: z.output<typeof querySchema>, now: number): Result<TrafficQuery, Problem> {
  const { until: wantedUntil = now + 1, since: wantedSince = wantedUntil - HOUR_SECONDS, route } = asked;
  const old = wantedSince < now - MINUTES_KEPT_SECONDS;
  const step_seconds = asked.step_seconds ?? (old ? HOUR_SECONDS : MINUTE_SECONDS);
  const since = Math.floor(wantedSince / step_seconds) * step_seconds;
  const until = Math.ceil(wantedUntil / step_seconds) * step_seconds;
  if (since >= until) return err(problem("invalid_request", "Query: since must be before until."));
  if (old && step_seconds % HOUR_SECONDS !== 0) {
    const detail =
      "Query: what is older than 24 hours is known by the hour: step_seconds must be a multiple of 3600.";
    return err(problem("invalid_request", detail));
  }
  if (wantedSince < now - HOURS_KEPT_SECONDS) {
    return err(
      problem("invalid_request", "Query: since is more than 30 days ago, which is not known any more."),
    );
  }
  if ((until - since) / step_seconds > MAX_STEPS) {
    return err(problem("invalid_request", `Query: at most ${MAX_STEPS} steps. Make step_seconds larger.`));
  }
  return ok({ since, until, step_seconds, ...(route === undefined ? {} : { route }) });
}
