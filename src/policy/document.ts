import * as z from "zod";

/** Short names used as keys and in messages: letters, digits, `-`, `_`, `.`. */
const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/i, "must be 1–64 letters, digits, '-', '_' or '.'");
/** RFC 6749 §3.3 scope-token. */
export const scopeToken = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, "must be one scope token (RFC 6749 §3.3)");
export const roleName = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, "must be 1–128 printable characters without spaces");
const httpUrl = z.url({ protocol: /^https?$/, error: "must be an http or https URL" }).max(512);
const seconds = (max: number) => z.int().min(1).max(max);
const DAY_SECONDS = 86_400;

/** Signature algorithms that a trusted issuer may use. Symmetric ones are not among them. */
const ALGORITHMS = ["ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"] as const;

/** The document can be read by everyone with `policy:read`: RFC 7518 §6 members of private keys are refused. */
const PRIVATE_JWK_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const publicJwk = z
  .looseObject({ kty: z.enum(["EC", "RSA", "OKP"]), kid: z.string().max(256).optional() })
  .refine((key) => !PRIVATE_JWK_MEMBERS.some((member) => member in key), {
    message: "holds private members: give the public key only, and replace this one, it is now exposed",
  });

export const issuerSchema = z
  .strictObject({
    id: name.describe("Short name; people of this issuer become subjects `<id>|<sub>`."),
    issuer: httpUrl.describe("Exact `iss` of its tokens."),
    jwks_uri: httpUrl.optional().describe("Where its public keys are. Give this or `jwks`."),
    jwks: z.strictObject({ keys: z.array(publicJwk).min(1).max(32) }).optional(),
    algorithms: z.array(z.enum(ALGORITHMS)).min(1),
    audience: z.string().min(1).max(512).describe("Its tokens must name this audience (RFC 7519 §4.1.3)."),
    token_types: z
      .array(z.string().min(1).max(64))
      .min(1)
      .default(["at+jwt"])
      .describe("Accepted `typ` headers, compared without case and without `application/`."),
    claims: z
      .strictObject({
        roles: name.optional().describe("Claim that lists roles (array, or a string separated by spaces)."),
        scopes: name.optional().describe("Claim that lists scopes; usually `scope`."),
      })
      .default({}),
  })
  .refine(
    (i) => (i.jwks_uri === undefined) !== (i.jwks === undefined),
    "give exactly one of jwks_uri and jwks",
  );

export const originSchema = z.strictObject({
  url: httpUrl.describe("Scheme, host and port; the request's path is appended."),
  audience: z.string().min(1).max(512).describe("Audience of access tokens for this origin."),
  timeout_ms: z.int().min(100).max(120_000).default(15_000),
});

/** RFC 3986 pchar without `;` and `*`; a colon may not stand first, and no segment is `.` or `..`. */
const LITERAL_CHAR = "[A-Za-z0-9._~!$&'()+,=@-]|%[0-9A-F]{2}";
const LITERAL = `(?!\\.{1,2}(?:/|$))(?:${LITERAL_CHAR})(?:${LITERAL_CHAR}|:)*`;
const PARAM = ":[a-z][a-z0-9_]*";
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

/** Characters of one segment of a resource; a colon may not stand first. */
const RESOURCE_LITERAL = "[A-Za-z0-9._~@+=,-][A-Za-z0-9._~@+=,:-]*";
/** A resource itself, as it is asked for and granted: `projects/42`. */
export const RESOURCE = new RegExp(`^${RESOURCE_LITERAL}(?:/${RESOURCE_LITERAL})*$`);
const routeResource = z
  .string()
  .max(256)
  .regex(
    new RegExp(`^${RESOURCE_LITERAL}(?:/(?:${RESOURCE_LITERAL}|${PARAM}))*$`),
    "must be segments like 'orders' or 'projects/:id'",
  );
const resourcePattern = z
  .string()
  .max(256)
  .regex(
    new RegExp(`^${RESOURCE_LITERAL}(?:/(?:${RESOURCE_LITERAL}|${PARAM}|\\*))*$`),
    "must be segments like 'orders', 'projects/:id' or 'projects/*'",
  );

const host = z
  .string()
  .max(253)
  .regex(
    /^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,5})?$/,
    "must be a lower-case host name, optionally with a leading '*.' and a port",
  );

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
      roles: z.array(roleName).default([]).describe("One of them is needed, where any is listed."),
      resource: routeResource
        .optional()
        .describe("The token must have been granted for this resource; `:name` takes the path's parameter."),
    }),
  ]),
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

const people = z
  .strictObject({
    roles: z.array(roleName).default([]),
    subjects: z.array(z.string().min(1).max(320)).default([]),
  })
  .refine((p) => p.roles.length + p.subjects.length > 0, "name at least one role or subject");

export const accessRuleSchema = z
  .strictObject({
    id: name,
    resource: resourcePattern.describe("`:name` and `*` each stand for any one segment."),
    origin: name.describe("The origin that tokens of this rule are for."),
    scopes: z.array(scopeToken).min(1),
    requesters: people,
    approvers: people,
    approvals: z.int().min(1).max(10).default(1).describe("How many different approvers must approve."),
    max_duration_seconds: seconds(30 * DAY_SECONDS),
    default_duration_seconds: seconds(30 * DAY_SECONDS)
      .optional()
      .describe("Absent: one hour, or the maximum where that is shorter."),
    review_deadline_seconds: seconds(30 * DAY_SECONDS).default(DAY_SECONDS),
    access_token_ttl_seconds: seconds(3600).default(300),
  })
  .refine((r) => (r.default_duration_seconds ?? 0) <= r.max_duration_seconds, {
    path: ["default_duration_seconds"],
    message: "must not be longer than max_duration_seconds",
  })
  .transform((r) => ({
    ...r,
    default_duration_seconds: r.default_duration_seconds ?? Math.min(3600, r.max_duration_seconds),
  }));

const DEFAULT_CONFIRM_ABOVE = 1_000;

/** The policy document as it is stored, shown and put: snake_case, unknown members refused with their path. */
export const policySchema = z.strictObject({
  $schema: z.string().max(512).optional(),
  issuers: z.array(issuerSchema).max(64).default([]),
  origins: z.record(name, originSchema).default({}),
  routes: z.array(routeSchema).max(2_000).default([]),
  access_rules: z.array(accessRuleSchema).max(1_000).default([]),
  roles: z
    .record(roleName, z.strictObject({ scopes: z.array(scopeToken).max(64) }))
    .default({})
    .describe("Scopes that a role brings when an identity provider's token is exchanged for ours."),
  revocations: z
    .strictObject({
      confirm_above: z
        .int()
        .min(1)
        .max(1e9)
        .describe("A revocation that would cut more live tokens than this needs a second person."),
    })
    .exactOptional()
    .describe(`Absent: confirm_above is ${DEFAULT_CONFIRM_ABOVE}.`),
});

export type PolicyDocument = z.output<typeof policySchema>;
export type TrustedIssuer = PolicyDocument["issuers"][number];
export type Origin = PolicyDocument["origins"][string];
export type Route = PolicyDocument["routes"][number];
export type AccessRule = PolicyDocument["access_rules"][number];

/** One version of the policy; version 0 is the built-in empty one, which refuses every request. */
export type PolicyVersion = { version: number; document: PolicyDocument };

export const EMPTY_POLICY: PolicyVersion = { version: 0, document: policySchema.parse({}) };

/** How many live tokens one person may cut with one revocation. */
export function confirmAbove(document: PolicyDocument): number {
  return document.revocations?.confirm_above ?? DEFAULT_CONFIRM_ABOVE;
}
