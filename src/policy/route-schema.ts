import * as z from "zod";
import { conditionSource } from "./condition.ts";
import { limitSchema } from "./limit-schema.ts";
import { DAY_SECONDS, httpUrl, name, PARAM, roleName, scopeToken, seconds } from "./names.ts";
import { routeResource } from "./resource-name.ts";

export const originSchema = z.strictObject({
  url: httpUrl.describe("Scheme, host and port; the request's path is appended."),
  audience: z.string().min(1).max(512).describe("Audience of access tokens for this origin."),
  timeout_ms: z.int().min(100).max(120_000).default(15_000),
});

/** RFC 3986 pchar without `;` and `*`; a colon may not stand first, and no segment is `.` or `..`. */
const LITERAL_CHAR = "[A-Za-z0-9._~!$&'()+,=@-]|%[0-9A-F]{2}";
const LITERAL = `(?!\\.{1,2}(?:/|$))(?:${LITERAL_CHAR})(?:${LITERAL_CHAR}|:)*`;

const SEGMENT = `(?:${LITERAL}|${PARAM}|\\*)`;
/** Bounds what one look-up can cost, whatever the table. */
const MAX_SEGMENTS = 32;

/** Segments are literals, `:name` or `*`; a trailing `**` takes any number of segments. See `path-pattern.ts`. */
const PATH_PATTERN = new RegExp(
  `^/(?:\\*\\*|${SEGMENT}(?:/${SEGMENT}){0,${MAX_SEGMENTS - 1}}(?:/(?:\\*\\*)?)?)?$`,
);

/** Characters that the edge refuses encoded (unreserved, `/ \\ ;`, controls) or matches decoded (`! $ & @ :` …). */
const NEVER_ARRIVES = /%(?:[01].|7F|2[146-9A-F]|3[0-9ABD]|4.|5[0-9ACF]|6[1-9A-F]|7[0-9AE])/;
const pathPattern = z
  .string()
  .max(1024)
  .regex(
    PATH_PATTERN,
    `must be at most ${MAX_SEGMENTS} segments of literals (as they are sent, percent-encoded in upper case), ':name' or '*', and at most one trailing '**'`,
  )
  .refine((path) => !NEVER_ARRIVES.test(path), {
    message: "percent-encodes a character that never reaches the routes so: write it plainly",
  });

const host = z
  .string()
  .max(253)
  .regex(
    /^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,5})?$/,
    "must be a lower-case host name, optionally with a leading '*.' and a port",
  );

/** RFC 8176 and IdPs' own names: what may stand in a challenge, where spaces part the values. */
const acrValue = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, "must be 1–128 visible characters without spaces, quotes and backslashes");
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
  .refine((s) => s.acr_values !== undefined || s.max_age_seconds !== undefined, {
    message: "name acr_values, max_age_seconds or both",
  })
  .describe("How the person must have signed in (RFC 9470).");

export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

export const routeSchema = z.strictObject({
  id: name,
  host: host
    .optional()
    .describe("Absent: any host. A leading `*.` stands for one label; without a port, any port fits."),
  path: pathPattern,
  methods: z
    .array(z.enum(METHODS))
    .min(1)
    .optional()
    .describe("Absent: every method. `GET` does not include `HEAD`."),
  origin: name,
  access: z.union([
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
    }),
  ]),
  limit: limitSchema.exactOptional(),
  consistency: z
    .discriminatedUnion("tier", [
      z.strictObject({ tier: z.literal("strict") }),
      z.strictObject({
        tier: z.literal("bounded"),
        max_staleness_ms: z.int().min(250).max(60_000).default(2_000),
      }),
      z.strictObject({ tier: z.literal("eventual") }),
    ])
    .default({ tier: "bounded", max_staleness_ms: 2_000 }),
  on_stale: z
    .union([z.literal("deny"), z.strictObject({ allow_for_seconds: seconds(3600) })])
    .default("deny")
    .describe(
      "What happens when the revocation state is older than the tier allows and cannot be refreshed.",
    ),
  authorization: z
    .enum(["strip", "pass"])
    .default("strip")
    .describe("Whether the origin receives the Authorization header."),
  identity_headers: z
    .array(z.enum(["subject", "scope", "grant"]))
    .default([])
    .describe("X-Portcullis-… headers for the origin, beside the signed assertion."),
});
