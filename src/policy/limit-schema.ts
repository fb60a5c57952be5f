import * as z from "zod";
import { seconds } from "./names.ts";

const by = z
  .enum(["token", "subject", "client", "ip"])
  .describe("Whose requests are counted together. Only `ip` counts those without a token.");

const limiter = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]{0,31}_(?:10|60)s$/,
    "must be the name of a limiter: lower case, and its period at the end, such as burst_10s",
  )
  .describe(
    "One of the deployment's rate limiters: `burst_10s` is the binding LIMITER_BURST_10S. Its count is near the truth, and each location's own.",
  );

const MAX_REQUESTS = 100_000;

const exact = z
  .strictObject({
    requests: z.int().min(1).max(MAX_REQUESTS).describe("So many at once, and as many again in each period."),
    period_seconds: seconds(3_600),
  })
  .describe("A token bucket that counts every request everywhere, at the cost of one object call a request.");

/** How many requests of a route one caller may make. */
export const limitSchema = z
  .strictObject({ by, limiter: limiter.exactOptional(), exact: exact.exactOptional() })
  .refine((limit) => (limit.limiter === undefined) !== (limit.exact === undefined), {
    message: "give exactly one of limiter and exact",
  })
  .describe("How many requests are let through; those beyond it are answered with 429.");

export type LimitPolicy = z.output<typeof limitSchema>;
export type ExactLimit = NonNullable<LimitPolicy["exact"]>;
