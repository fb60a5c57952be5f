import * as z from "zod";
import {
  conditionSource,
  DAY_SECONDS,
  roleName,
  routeResource,
  scopeToken,
  seconds,
  timeZone,
} from "./names.ts";

/** In a challenge, spaces part the values. */
const acrValue = z
  .string()
  .regex(
    /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/,
    "must be 1–128 visible characters without spaces, quotes and backslashes",
  );

const stepUp = z
  .strictObject({
    acr_values: z
      .array(acrValue)
      .min(1)
      .max(8)
      .exactOptional()
      .describe("The token's `acr` must be one of them; the one that is liked best stands first."),
    max_age_seconds: seconds(30 * DAY_SECONDS)
      .exactOptional()
      .describe("The person must have signed in (`auth_time`) at most so long ago."),
  })
  .refine((wanted) => wanted.acr_values !== undefined || wanted.max_age_seconds !== undefined, {
    message: "name acr_values, max_age_seconds or both",
  })
  .describe("How the person must have signed in (RFC 9470).");

/** What a token must have for a route. */
export const accessSchema = z.union([
  z.literal("public"),
  z.strictObject({
    scopes: z.array(scopeToken).default([]).describe("All of them are needed."),
    any_scopes: z
      .array(scopeToken)
      .min(1)
      .exactOptional()
      .describe("One of them is needed, beside all of `scopes`."),
    roles: z.array(roleName).default([]).describe("One of them is needed, where any is listed."),
    resource: routeResource
      .optional()
      .describe("The token must have been granted for this resource; `:name` takes the path's parameter."),
    max_token_age_seconds: seconds(30 * DAY_SECONDS)
      .exactOptional()
      .describe("Tokens that were issued longer ago (`iat`) are refused."),
    step_up: stepUp.exactOptional(),
    condition: conditionSource
      .exactOptional()
      .describe(
        "A CEL expression over `token`, `request`, `time` and `cf`; only exactly `true` lets a request through.",
      ),
    time_zone: timeZone.exactOptional().describe("Of the condition's `time`; absent: UTC."),
  }),
]);
