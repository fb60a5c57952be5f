import * as z from "zod";
import { json, type OperationAnswer, type Operations, pageOf, type Same } from "../platform/operation.ts";
import { RECEIPT } from "../revocation/operations.ts";
import type { SessionRecord } from "../revocation/session-record.ts";
import { moment, receiptSchema } from "../revocation/shown-schema.ts";
import type { BackchannelAnswer } from "./ciba.ts";
import type { DeviceAnswer } from "./device-grant.ts";
import type { KeyInfo, PlannedRotation } from "./key-view.ts";

const KID = "key_1";
const EXAMPLE_ISSUER = "https://auth.example.com";
const FORM = "application/x-www-form-urlencoded";

const purpose = z.enum(["access_token", "assertion"]);

const keySchema = z
  .strictObject({
    kid: z.string(),
    purpose,
    alg: z.enum(["ES256", "EdDSA", "RS256"]),
    state: z.enum(["next", "current", "previous", "retired", "compromised"]),
    created_at: moment,
    published_at: moment.exactOptional(),
    signs_from: moment.exactOptional(),
    signs_until: moment.exactOptional(),
    retires_at: moment.exactOptional().describe("When it leaves, or left, the JWK set."),
    compromised_at: moment.exactOptional(),
  })
  .meta({ id: "SigningKey", description: "A signing key of the deployment; moments ahead are planned." });
true satisfies Same<z.output<typeof keySchema>, KeyInfo>;

const plannedRotation = z
  .strictObject({
    rotated: z.array(z.strictObject({ purpose, kid: z.string(), replaced_kid: z.string() })),
    scheduled: z.array(z.strictObject({ purpose, kid: z.string(), signs_from: moment.exactOptional() })),
  })
  .meta({ id: "PlannedRotation", description: "What a planned rotation did, and what it leaves to time." });
true satisfies Same<z.output<typeof plannedRotation>, PlannedRotation>;

const keyReplacement = receiptSchema
  .extend({ compromised_kid: z.string(), kid: z.string().exactOptional() })
  .meta({ id: "KeyReplacement", description: "The receipt, and the key that signs now." });

const confirmation = z.strictObject({
  jkt: z.string().exactOptional(),
  "x5t#S256": z.string().exactOptional(),
});

const sessionSchema = z
  .strictObject({
    id: z.string().describe("The `sid` of its access tokens."),
    state: z.enum(["active", "expired", "revoked"]),
    subject: z.string(),
    client_id: z.string(),
    cnf: confirmation.exactOptional().describe("What each refresh must prove."),
    issuer_id: z.string().describe("The identity provider, by its id in the policy."),
    provider_session: z.string().exactOptional(),
    audience: z.string(),
    scope: z.string(),
    opened_at: moment,
    refreshed_at: moment,
    idle_end: moment,
    absolute_end: moment,
    ended: z.strictObject({ at: moment, by: z.string(), reason: z.string() }).exactOptional(),
  })
  .meta({ id: "Session", description: "A refresh-token family, or a browser's session." });
true satisfies Same<z.output<typeof sessionSchema>, SessionRecord>;

const SESSION = {
  ...{ id: "ses_01m80vge8se3ps2w3e76kefsk1", state: "active", subject: "corp|alice" },
  ...{ client_id: "cli_01m80vge8se3ps2w3e76kefsk1", issuer_id: "corp", audience: EXAMPLE_ISSUER },
  ...{ scope: "requests:create requests:read", opened_at: 1795325180, refreshed_at: 1795325180 },
  ...{ idle_end: 1795411580, absolute_end: 1797917180 },
};

const KEY = {
  ...{ kid: KID, purpose: "access_token", alg: "ES256", state: "current" },
  ...{ created_at: 1795238780, published_at: 1795238780, signs_from: 1795325180 },
};

const tokenForm = z
  .looseObject({ grant_type: z.string() })
  .describe("The parameters of the grant, and the client's credentials where the header has none.");
const stateForm = z.looseObject({ token: z.string() });

const tokenAnswer = z
  .strictObject({
    access_token: z.string(),
    token_type: z.enum(["Bearer", "DPoP"]),
    expires_in: z.int(),
    scope: z.string(),
    issued_token_type: z.string().exactOptional(),
    authorization_details: z.json().exactOptional(),
    refresh_token: z.string().exactOptional(),
  })
  .meta({ id: "TokenResponse", description: "RFC 6749 §5.1." });

const backchannelAnswer = z
  .strictObject({ auth_req_id: z.string(), expires_in: z.int(), interval: z.int() })
  .meta({ id: "BackchannelResponse", description: "CIBA §7.3." });
true satisfies Same<z.output<typeof backchannelAnswer>, BackchannelAnswer>;

const deviceAnswer = z
  .strictObject({
    device_code: z.string(),
    user_code: z.string(),
    verification_uri: z.string(),
    verification_uri_complete: z.string(),
    expires_in: z.int(),
    interval: z.int(),
  })
  .meta({ id: "DeviceResponse", description: "RFC 8628 §3.2." });
true satisfies Same<z.output<typeof deviceAnswer>, DeviceAnswer>;

const loose = (id: string, description: string) => z.looseObject({}).meta({ id, description });
const jwks = z
  .strictObject({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) })
  .meta({ id: "JwkSet", description: "RFC 7517 §5." });

const OAUTH = { credential: "client", client: false, oauthErrors: [400, 401, 429, 503] } as const;
const metadata = (description: string, example: object): OperationAnswer =>
  json(description, loose("Metadata", "RFC 8414 or RFC 9728."), example);

export const tokenOperations: Operations = {
  "POST /oauth/token": {
    ...OAUTH,
    id: "oauth.token",
    summary: "Get an access token",
    description:
      "`client_credentials`, `refresh_token`, token exchange (RFC 8693), and the polls of CIBA and of a device. See the guide on OAuth for each.",
    headers: ["dpop"],
    body: { media: FORM, required: true, schema: tokenForm, example: { grant_type: "client_credentials" } },
    answers: {
      200: json("The token.", tokenAnswer, {
        ...{ access_token: "eyJhbGciOiJFUzI1NiIs…", token_type: "Bearer", expires_in: 300 },
        scope: "requests:create requests:read",
      }),
    },
  },
  "POST /oauth/bc-authorize": {
    ...OAUTH,
    id: "oauth.backchannel",
    summary: "Ask for access in a person's name, without a browser (CIBA)",
    description: "Opens an access request for the person that the hint names; its id is the `auth_req_id`.",
    headers: ["dpop"],
    oauthErrors: [400, 401, 403, 429, 503],
    body: {
      media: FORM,
      required: true,
      schema: z.looseObject({ scope: z.string() }),
      example: { scope: "openid orders:read", id_token_hint: "eyJ…", binding_message: "OPS-7" },
    },
    answers: {
      200: json("It is open.", backchannelAnswer, {
        auth_req_id: "req_01m80vge8se3ps2w3e76kefsk1",
        expires_in: 86400,
        interval: 5,
      }),
    },
  },
  "POST /oauth/device_authorization": {
    ...OAUTH,
    id: "oauth.device",
    summary: "Begin the sign-in of a device (RFC 8628)",
    description: "The device shows the code and polls the token endpoint until its person has decided.",
    body: {
      media: FORM,
      required: true,
      schema: z.looseObject({ scope: z.string().exactOptional() }),
      example: { client_id: "cli_01m80vge8se3ps2w3e76kefsk1" },
    },
    answers: {
      200: json("It has begun.", deviceAnswer, {
        ...{ device_code: "r4nd0m", user_code: "WDJB-MJHT", expires_in: 600, interval: 5 },
        verification_uri: `${EXAMPLE_ISSUER}/session/device`,
        verification_uri_complete: `${EXAMPLE_ISSUER}/session/device?user_code=WDJB-MJHT`,
      }),
    },
  },
  "POST /oauth/introspect": {
    ...OAUTH,
    id: "oauth.introspect",
    summary: "Ask whether a token is good now (RFC 7662)",
    body: { media: FORM, required: true, schema: stateForm, example: { token: "eyJ…" } },
    answers: {
      200: json(
        "What the caller may know of it.",
        z.looseObject({ active: z.boolean() }).meta({ id: "Introspection", description: "RFC 7662 §2.2." }),
        { active: false },
      ),
    },
  },
  "POST /oauth/revoke": {
    ...OAUTH,
    id: "oauth.revoke",
    summary: "Give a token back (RFC 7009)",
    body: { media: FORM, required: true, schema: stateForm, example: { token: "eyJ…" } },
    answers: { 200: { description: "It is revoked, or was never the caller's." } },
  },
  "GET /.well-known/jwks.json": {
    id: "discovery.keys",
    summary: "Read the public keys that verify our tokens",
    credential: "none",
    client: false,
    answers: {
      200: json("The JWK set.", jwks, { keys: [{ kty: "EC", kid: KID, alg: "ES256", use: "sig" }] }),
    },
  },
  "GET /.well-known/oauth-authorization-server": {
    id: "discovery.server",
    summary: "Read what the authorization server can do (RFC 8414)",
    credential: "none",
    client: false,
    answers: { 200: metadata("The metadata.", { issuer: EXAMPLE_ISSUER }) },
  },
  "GET /.well-known/oauth-protected-resource": {
    id: "discovery.resource",
    summary: "Read where to get a token for an address (RFC 9728)",
    credential: "none",
    client: false,
    query: z.object({ resource: z.string().exactOptional().describe("Absent: the control plane.") }),
    answers: { 200: metadata("The metadata.", { resource: EXAMPLE_ISSUER }) },
    errors: ["not_found"],
  },
  "GET /v1/sessions": {
    id: "sessions.list",
    summary: "List sessions, newest first",
    description: "One's own; all with `sessions:read`.",
    answers: { 200: json("A page.", pageOf(sessionSchema), { items: [SESSION] }) },
    errors: ["insufficient_scope"],
  },
  "GET /v1/sessions/:id": {
    id: "sessions.get",
    summary: "Read a session",
    answers: { 200: json("The session.", sessionSchema, SESSION) },
    errors: ["not_found"],
  },
  "POST /v1/sessions/:id/revoke": {
    id: "sessions.revoke",
    summary: "End a session and every token of it",
    description: "One's own; others' with `sessions:revoke`.",
    example: { reason: "left the company" },
    answers: { 200: json("It is over; the receipt says by when everywhere.", receiptSchema, RECEIPT) },
    errors: ["not_found", "gone"],
  },
  "GET /v1/keys": {
    id: "keys.list",
    summary: "List the signing keys and their states",
    answers: {
      200: json("All keys.", z.strictObject({ items: z.array(keySchema) }), { items: [KEY] }),
    },
  },
  "POST /v1/keys/rotate": {
    id: "keys.rotate",
    summary: "Rotate the signing keys, or replace one that leaked",
    headers: ["idempotency-key"],
    example: {},
    answers: {
      200: json("Planned: nothing is revoked.", plannedRotation, {
        rotated: [],
        scheduled: [{ purpose: "access_token", kid: "key_2", signs_from: 1795411580 }],
      }),
      201: json(
        "With `compromised_kid`: replaced, and all that it signed is denied.",
        keyReplacement,
        { ...RECEIPT, compromised_kid: KID, kid: "key_2" },
        { Location: "Where the revocation is." },
      ),
    },
    errors: ["not_found", "conflict", "idempotency_mismatch"],
  },
};
