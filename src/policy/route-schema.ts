import * as z from "zod";
import { limitSchema } from "./limit-schema.ts";
import { METHODS } from "./methods.ts";
import { httpUrl, name, seconds } from "./names.ts";
import { PARAM } from "./path-pattern.ts";
import { accessSchema } from "./route-access-schema.ts";

export const originSchema = z
  .strictObject({
    url: httpUrl
      .exactOptional()
      .describe("Scheme, host and port; the request's path is appended. Give this or `service`."),
    service: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, "must be the name of a binding")
      .exactOptional()
      .describe("A service binding of this Worker: the request goes there without a network between."),
    audience: z.string().min(1).max(512).describe("Audience of access tokens for this origin."),
    timeout_ms: z.int().min(100).max(120_000).default(15_000),
    message_signature: z
      .boolean()
      .exactOptional()
      .describe("Requests carry an HTTP Message Signature (RFC 9421) by the key of the assertions."),
  })
  .refine(({ url, service }) => (url === undefined) !== (service === undefined), {
    error: "give exactly one of url and service",
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

const credentialSource = z.discriminatedUnion("from", [
  z.strictObject({ from: z.literal("authorization") }).describe("`Authorization: Bearer` or `DPoP`."),
  z
    .strictObject({
      from: z.literal("cookie"),
      name: z
        .string()
        .max(128)
        .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be a cookie name"),
    })
    .describe("Take one with the prefix `__Host-`: no other host can set it."),
  z
    .strictObject({
      from: z.literal("header"),
      name: z
        .string()
        .max(128)
        .regex(
          /^(?:x|cf-access)-[a-z0-9-]+$/,
          "must be a header name in lower case that starts with x- or cf-access-",
        )
        .refine((header) => !header.startsWith("x-portcullis-"), "names one of the gate's own headers"),
    })
    .describe("The header's value is the token and nothing else."),
  z
    .strictObject({
      from: z.literal("session"),
      csrf: z
        .enum(["origin", "token"])
        .default("origin")
        .describe(
          "What an unsafe request has to show: that a page of the same origin made it; `token`: the session's token in X-CSRF-Token as well.",
        ),
    })
    .describe("The cookie of somebody who has signed in with a browser."),
]);

const POSSESSION = ["off", "optional", "required"] as const;

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
    .describe("Absent: every method but `TRACE`. `GET` does not include `HEAD`."),
  origin: name,
  access: accessSchema,
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
  credential: z
    .array(credentialSource)
    .min(1)
    .max(4)
    .default([{ from: "authorization" }])
    .describe("Where the access token may be sent; a request carries exactly one."),
  dpop: z
    .strictObject({
      mode: z.enum(POSSESSION).default("optional"),
      single_use: z
        .enum(["isolate", "exact"])
        .default("isolate")
        .describe("`exact`: a proof is good once, everywhere, at the cost of one object call a request."),
      nonce: z.boolean().default(false).describe("A proof must hold a nonce of ours that is recent."),
    })
    .default({ mode: "optional", single_use: "isolate", nonce: false })
    .describe("`off`: no token that is bound to a DPoP key is taken. `required`: only such tokens are."),
  mtls: z
    .enum(POSSESSION)
    .default("optional")
    .describe("The same for tokens that are bound to a TLS client certificate."),
  authorization: z
    .enum(["strip", "pass"])
    .default("strip")
    .describe("Whether the origin receives the access token as it was sent."),
  server_timing: z
    .boolean()
    .default(false)
    .describe("Whether answers say in Server-Timing how long the decision and the origin took."),
  identity_headers: z
    .array(z.enum(["subject", "scope", "grant"]))
    .default([])
    .describe("X-Portcullis-… headers for the origin, beside the signed assertion."),
});
