import * as z from "zod";
import { json, type Operations, pageOf, type Same } from "../platform/operation.ts";
import { policySchema } from "../policy/document.ts";
import { publicJwks } from "../policy/issuer-schema.ts";
import { simulationSchema } from "../policy/simulation-schema.ts";
import { RECEIPT } from "../revocation/operations.ts";
import { moment, receiptSchema } from "../revocation/shown-schema.ts";
import type { presentClient } from "./client.ts";
import { rotateSchema } from "./client-routes.ts";
import { members as clientMembers } from "./client-schema.ts";

const ID = "cli_01m80vge8se3ps2w3e76kefsk1";
const ETAG = { ETag: "Names the version: send it as `If-Match`." };

const { introspects, dpop_bound_access_tokens, tls_client_certificate_bound_access_tokens } = clientMembers;

const clientSchema = z
  .strictObject({
    id: z.string(),
    ...clientMembers,
    name: z.string(),
    introspects: introspects.exactOptional(),
    dpop_bound_access_tokens: dpop_bound_access_tokens.exactOptional(),
    tls_client_certificate_bound_access_tokens: tls_client_certificate_bound_access_tokens.exactOptional(),
    jwks: publicJwks.exactOptional(),
    jwks_uri: z.string().exactOptional(),
    created_at: moment,
    created_by: z.string(),
    revision: z.int().describe("The entity tag, raised by every change."),
    disabled: z.boolean(),
  })
  .meta({ id: "Client", description: "A registered OAuth client." });
true satisfies Same<z.output<typeof clientSchema>, ReturnType<typeof presentClient>>;

const clientWithSecret = clientSchema
  .extend({
    client_id: z.string().exactOptional(),
    client_secret: z.string().exactOptional(),
    receipt: receiptSchema.exactOptional(),
  })
  .meta({ id: "ClientWithSecret", description: "The secret is shown by this answer only." });

const changedClient = clientSchema
  .extend({ receipt: receiptSchema.exactOptional() })
  .meta({ id: "ChangedClient", description: "`receipt`: of the revocation that went with the change." });

const CLIENT = {
  ...{ id: ID, name: "reports", auth_method: "client_secret", grant_types: ["client_credentials"] },
  ...{ scopes: ["requests:read"], roles: [], introspects: [] },
  ...{ created_at: 1795325180, created_by: "operator", revision: 1, disabled: false },
};

const policy = policySchema.meta({ id: "Policy", description: "The policy document." });
const POLICY = { issuers: [], origins: {}, routes: [], access_rules: [], roles: {}, delegation: [] };

const version = { version: z.int(), created_at: moment, created_by: z.string(), active: z.boolean() };
const versionInfo = z
  .strictObject(version)
  .meta({ id: "PolicyVersionInfo", description: "A version as lists show it." });
const VERSION = { version: 3, created_at: 1795325180, created_by: "operator", active: true };

const activation = z
  .strictObject({
    version: z.int(),
    receipt: receiptSchema,
    warnings: z.array(z.string()).exactOptional().describe("What is allowed and may not be what was meant."),
  })
  .meta({ id: "PolicyActivation", description: "The version that is in force, and by when everywhere." });
const ACTIVATION = { version: 3, receipt: { ...RECEIPT, id: "log_01m80vge8se3ps2w3e76kefsk1" } };

const names = z.array(z.string());
const section = { added: names, removed: names, changed: names };
const requestState = z.enum(["pending", "approved", "denied", "cancelled", "expired"]);
const simulated = z.strictObject({
  asks: z.array(z.record(z.string(), z.json())),
  replayed: z.int().exactOptional(),
  decided_otherwise: z
    .array(
      z
        .strictObject({
          id: z.string(),
          requester: z.string(),
          resource: z.string(),
          scope: z.string(),
          created_at: z.number(),
          was: requestState,
          would_be: z
            .enum([...requestState.options, "refused"])
            .describe("`refused`: it could not even have been asked for."),
          rule: z.string().exactOptional(),
          detail: z.string().exactOptional(),
        })
        .meta({
          id: "DecidedOtherwise",
          description: "A stored request that other rules would have decided otherwise.",
        }),
    )
    .exactOptional(),
});
export type SimulationReport = z.output<typeof simulated>;

const check = z
  .strictObject({
    valid: z.literal(true),
    active_version: z.int(),
    changes: z.record(z.string(), z.strictObject({ ...section, reordered: z.boolean().exactOptional() })),
    warnings: z.array(z.string()),
    document: policy.describe("As it would be kept: with its defaults, and in the order of the schema."),
    simulation: simulated.exactOptional(),
  })
  .meta({ id: "PolicyCheck", description: "What the document would change; nothing is changed." });

const DOCUMENT = { media: "application/json", required: true, schema: policy, example: POLICY };

const clientOperations: Operations = {
  "POST /v1/clients": {
    id: "clients.create",
    summary: "Register an OAuth client",
    description: "Nobody hands out scopes or roles that their own token does not have.",
    headers: ["idempotency-key"],
    example: { name: "reports", scopes: ["requests:read"] },
    answers: {
      201: json(
        "The client, with its secret. A repeated call shows no secret.",
        clientWithSecret,
        { ...CLIENT, client_id: ID, client_secret: "dGhpcyBpcyBub3Qgb25l" },
        { Location: "Where it is." },
      ),
    },
    errors: ["forbidden", "conflict", "idempotency_mismatch", "gone"],
  },
  "GET /v1/clients": {
    id: "clients.list",
    summary: "List OAuth clients, newest first",
    answers: { 200: json("A page.", pageOf(clientSchema), { items: [CLIENT] }) },
  },
  "GET /v1/clients/:id": {
    id: "clients.get",
    summary: "Read an OAuth client",
    answers: { 200: json("The client.", clientSchema, CLIENT, ETAG) },
    errors: ["not_found"],
  },
  "PATCH /v1/clients/:id": {
    id: "clients.update",
    summary: "Change an OAuth client, disable it, or enable it again",
    description: "Each member replaces the client's own whole. Disabling denies every token that it has.",
    headers: ["if-match"],
    example: { disabled: true },
    answers: {
      200: json("The client.", changedClient, { ...CLIENT, disabled: true, receipt: RECEIPT }, ETAG),
    },
    errors: ["not_found", "forbidden", "conflict", "precondition_failed"],
  },
  "DELETE /v1/clients/:id": {
    id: "clients.delete",
    summary: "Delete an OAuth client and deny every token of it",
    answers: {
      200: json("It is gone.", z.strictObject({ id: z.string(), receipt: receiptSchema }), {
        id: ID,
        receipt: RECEIPT,
      }),
    },
    errors: ["not_found"],
  },
  "POST /v1/clients/:id/rotate-secret": {
    id: "clients.rotateSecret",
    summary: "Give an OAuth client a new secret",
    description: "The one before it stays valid until the next rotation, unless it is `compromised`.",
    body: { media: "application/json", schema: rotateSchema, example: {} },
    answers: {
      200: json("The client, with its new secret.", clientWithSecret, {
        ...CLIENT,
        client_id: ID,
        client_secret: "dGhpcyBpcyBub3Qgb25l",
      }),
    },
    errors: ["invalid_body", "unsupported_media_type", "not_found", "forbidden", "conflict"],
  },
};

const policyOperations: Operations = {
  "GET /v1/policy": {
    id: "policy.get",
    summary: "Read the policy that is in force",
    answers: {
      200: json(
        "The version and its document.",
        z.strictObject({ version: z.int(), document: policy }).meta({ id: "PolicyVersion" }),
        { version: 3, document: POLICY },
        ETAG,
      ),
    },
  },
  "PUT /v1/policy": {
    id: "policy.put",
    summary: "Put a new policy into force",
    headers: ["if-match (required)"],
    body: DOCUMENT,
    answers: { 200: json("It is in force.", activation, ACTIVATION, ETAG) },
    errors: [
      ...(["invalid_request", "invalid_body", "unsupported_media_type", "body_too_large"] as const),
      ...(["precondition_required", "precondition_failed"] as const),
    ],
  },
  "GET /v1/policy/schema": {
    id: "policy.schema",
    summary: "Read the JSON Schema of the policy, for editors",
    answers: {
      200: {
        description: "JSON Schema, 2020-12.",
        content: { media: "application/schema+json", schema: z.looseObject({}), example: { type: "object" } },
      },
    },
  },
  "POST /v1/policy/check": {
    id: "policy.check",
    summary: "Check a policy, and try its access rules, without effect",
    description:
      "The body is the document alone, or `{document, people, asks, replay}`. `replay` needs `requests:read_all`.",
    body: {
      ...DOCUMENT,
      schema: z.union([policy, simulationSchema.extend({ document: policy })]),
    },
    answers: {
      200: json("It is valid; what it would change.", check, {
        ...{ valid: true, active_version: 3, warnings: [], document: POLICY },
        changes: { routes: { added: ["orders"], removed: [], changed: [] } },
      }),
    },
    errors: ["invalid_body", "unsupported_media_type", "body_too_large"],
  },
  "GET /v1/policy/versions": {
    id: "policy.versions",
    summary: "List the versions of the policy, newest first",
    answers: { 200: json("A page.", pageOf(versionInfo), { items: [VERSION] }) },
  },
  "GET /v1/policy/versions/:n": {
    id: "policy.version",
    summary: "Read a version of the policy",
    answers: {
      200: json(
        "The version and its document.",
        z.strictObject({ ...version, document: policy }).meta({ id: "PolicyVersionRecord" }),
        { ...VERSION, document: POLICY },
      ),
    },
    errors: ["not_found"],
  },
  "POST /v1/policy/versions/:n/activate": {
    id: "policy.activate",
    summary: "Go back to a version of the policy",
    answers: { 200: json("It is in force.", activation, ACTIVATION, ETAG) },
    errors: ["not_found", "conflict"],
  },
};

export const registryOperations: Operations = { ...clientOperations, ...policyOperations };
