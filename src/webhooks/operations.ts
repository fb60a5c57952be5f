import * as z from "zod";
import { json, type Operations, pageOf, type Same } from "../platform/operation.ts";
import { decisionSchema } from "./decision.ts";
import { DEAD_REASONS } from "./delivery.ts";
import type { DeliveryView } from "./delivery-log.ts";
import { eventFilter, type ShownEndpoint } from "./manage-endpoint.ts";

const ID = "whe_01m80vge8se3ps2w3e76kefsk1";
const DELIVERY_ID = "dlv_01m80vge8se3ps2w3e76kefsk101m80vge8se3ps2w3e76kefsk1";
const moment = z.number().describe("Epoch seconds.");

const approver = z.strictObject({ subject: z.string(), roles: z.array(z.string()) });

const endpointSchema = z
  .strictObject({
    id: z.string(),
    url: z.string(),
    events: z.array(eventFilter),
    description: z.string().exactOptional(),
    reviews_as: z
      .strictObject({ roles: z.array(z.string()), subjects: z.array(z.string()).exactOptional() })
      .exactOptional(),
    slack: z
      .strictObject({ channel: z.string().exactOptional(), approvers: z.record(z.string(), approver) })
      .exactOptional(),
    enabled: z.boolean(),
    disabled_reason: z.literal("gone").exactOptional().describe("The receiver answered 410."),
    created_at: moment,
    revision: z.int().describe("The entity tag, raised by every change."),
    signature: z.enum(["hmac", "ed25519"]).exactOptional(),
    public_keys: z.array(z.string()).exactOptional().describe("`whpk_…`, newest first."),
    secret: z.string().exactOptional().describe("Shown by the call that made it, and never again."),
  })
  .meta({ id: "WebhookEndpoint", description: "Where events are sent." });
true satisfies Same<z.output<typeof endpointSchema>, ShownEndpoint>;

const ENDPOINT = {
  ...{ id: ID, url: "https://hooks.example.com/portcullis", events: ["grant.*"], enabled: true },
  ...{ created_at: 1795325180, revision: 1, signature: "hmac" },
};

const error = z.enum([
  ...(["http_status", "redirect", "gone", "refused"] as const),
  ...(["timeout", "connection", "url_refused", "secret_unreadable", "not_signed"] as const),
]);

const deliverySchema = z
  .strictObject({
    id: z.string(),
    event_id: z.string(),
    event_type: z.string(),
    state: z.enum(["pending", "delivered", "dead_letter"]),
    created_at: moment,
    next_attempt_at: moment.exactOptional(),
    finished_at: moment.exactOptional(),
    dead_reason: z.enum(DEAD_REASONS).exactOptional(),
    attempts: z
      .array(
        z.strictObject({
          number: z.int(),
          at: moment,
          duration_seconds: z.number(),
          status: z.int().exactOptional(),
          error: error.exactOptional(),
        }),
      )
      .describe("The latest ones, newest first."),
  })
  .meta({ id: "Delivery", description: "An event on its way to an endpoint, or there." });
true satisfies Same<z.output<typeof deliverySchema>, DeliveryView>;

const DELIVERY = {
  ...{ id: DELIVERY_ID, event_id: "evt_01m80vge8se3ps2w3e76kefsk1", event_type: "grant.revoked" },
  ...{ state: "delivered", created_at: 1795325180.2, finished_at: 1795325180.4 },
  attempts: [{ number: 1, at: 1795325180.3, duration_seconds: 0.08, status: 204 }],
};

const redelivered = z.strictObject({ redelivered: z.int(), remaining: z.int() });

const ETAG = { ETag: "Names the revision: send it as `If-Match`." };
const LOCATION = { Location: "Where it is." };

export const webhookOperations: Operations = {
  "POST /v1/webhook-endpoints": {
    id: "webhookEndpoints.create",
    summary: "Have events sent to a URL",
    headers: ["idempotency-key"],
    example: { url: ENDPOINT.url, events: ["grant.*"] },
    answers: {
      201: json(
        "The endpoint, with its secret.",
        endpointSchema,
        { ...ENDPOINT, secret: "whsec_…" },
        LOCATION,
      ),
    },
    errors: ["forbidden", "conflict", "gone", "idempotency_mismatch"],
  },
  "GET /v1/webhook-endpoints": {
    id: "webhookEndpoints.list",
    summary: "List webhook endpoints, newest first",
    answers: { 200: json("A page.", pageOf(endpointSchema), { items: [ENDPOINT] }) },
  },
  "GET /v1/webhook-endpoints/:id": {
    id: "webhookEndpoints.get",
    summary: "Read a webhook endpoint",
    answers: { 200: json("The endpoint.", endpointSchema, ENDPOINT, ETAG) },
    errors: ["not_found"],
  },
  "PATCH /v1/webhook-endpoints/:id": {
    id: "webhookEndpoints.update",
    summary: "Change a webhook endpoint, disable it, or enable it again",
    headers: ["if-match"],
    example: { enabled: false },
    answers: { 200: json("The endpoint.", endpointSchema, { ...ENDPOINT, enabled: false }, ETAG) },
    errors: ["not_found", "forbidden", "conflict", "gone", "invalid_request", "precondition_failed"],
  },
  "DELETE /v1/webhook-endpoints/:id": {
    id: "webhookEndpoints.delete",
    summary: "Delete a webhook endpoint and what waits for it",
    answers: { 200: json("It is gone.", z.strictObject({ id: z.string() }), { id: ID }) },
    errors: ["not_found"],
  },
  "POST /v1/webhook-endpoints/:id/rotate-secret": {
    id: "webhookEndpoints.rotateSecret",
    summary: "Give a webhook endpoint a new secret",
    description: "What is sent is signed with both until the next rotation.",
    answers: { 200: json("With its secret.", endpointSchema, { ...ENDPOINT, secret: "whsec_…" }) },
    errors: ["not_found", "forbidden", "conflict"],
  },
  "GET /v1/webhook-endpoints/:id/deliveries": {
    id: "webhookEndpoints.deliveries",
    summary: "List the deliveries of a webhook endpoint, newest first",
    answers: { 200: json("A page.", pageOf(deliverySchema), { items: [DELIVERY] }) },
    errors: ["not_found"],
  },
  "POST /v1/webhook-endpoints/:id/test": {
    id: "webhookEndpoints.test",
    summary: "Send a test event to a webhook endpoint",
    answers: {
      202: json("It is on its way.", z.strictObject({ delivery_id: z.string() }), {
        delivery_id: DELIVERY_ID,
      }),
    },
    errors: ["not_found", "conflict", "gone"],
  },
  "POST /v1/webhook-endpoints/:id/redeliver": {
    id: "webhookEndpoints.redeliver",
    summary: "Send deliveries of a webhook endpoint again: its dead letters since a moment, or chosen ones",
    description: "Oldest first, at most 1,000 a call: repeat it while there is a `remaining`.",
    example: { since: 1795325180 },
    answers: {
      200: json(
        "With `dry_run=true`: how many it would send, and how many would be left.",
        redelivered.extend({ dry_run: z.literal(true) }),
        { dry_run: true, redelivered: 3, remaining: 0 },
      ),
      202: json("They are on their way.", redelivered, { redelivered: 3, remaining: 0 }),
    },
    errors: ["not_found", "conflict", "gone", "invalid_request"],
  },
  "POST /v1/deliveries/:id/redeliver": {
    id: "deliveries.redeliver",
    summary: "Send a delivery again",
    answers: { 202: json("It is on its way.", deliverySchema, { ...DELIVERY, state: "pending" }) },
    errors: ["not_found", "conflict", "gone"],
  },
  "POST /v1/hooks/decisions": {
    id: "hooks.decide",
    summary: "Decide on an access request, signed with an endpoint's secret",
    description: "Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.",
    credential: "signature",
    client: false,
    body: {
      media: "application/json",
      required: true,
      schema: decisionSchema,
      example: {
        type: "access_request.review",
        data: {
          ...{ access_request_id: "req_01m80vge8se3ps2w3e76kefsk1", approver: "corp|bob" },
          outcome: "approve",
        },
      },
    },
    answers: {
      200: json("What it led to.", z.strictObject({ id: z.string(), state: z.string() }), {
        id: "req_01m80vge8se3ps2w3e76kefsk1",
        state: "approved",
      }),
    },
    errors: [
      ...(["invalid_body", "invalid_signature", "body_too_large"] as const),
      ...(["forbidden", "not_found", "conflict"] as const),
    ],
  },
  "POST /v1/hooks/slack": {
    id: "hooks.slack",
    summary: "Take a click in Slack",
    description: "Called by Slack, and signed by it.",
    credential: "signature",
    client: false,
    body: {
      media: "application/x-www-form-urlencoded",
      required: true,
      schema: z.looseObject({ payload: z.string() }),
      example: { payload: "{}" },
    },
    answers: { 200: { description: "It was taken; the message in Slack tells what came of it." } },
    errors: ["invalid_body", "invalid_signature", "body_too_large"],
  },
};
