import * as z from "zod";
import { json, type Operations, pageOf, raw, type Same } from "../platform/operation.ts";
import { RECEIPT } from "../revocation/operations.ts";
import { receiptSchema } from "../revocation/shown-schema.ts";
import type { IssuedToken } from "./access-request.ts";
import { accessRequestSchema, grantSchema, ruleTermsSchema } from "./shown-schema.ts";

const ID = "req_01m80vge8se3ps2w3e76kefsk1";
const GRANT_ID = "grt_01m80vge8se3ps2w3e76kefsk1";

export const GRANT = {
  id: GRANT_ID,
  state: "active",
  access_request: ID,
  subject: "corp|alice",
  resource: "orders",
  scope: "orders:read",
  access_start: 1795325180,
  access_expiry: 1795325780,
};

const ASK = {
  resource: "orders",
  scope: "orders:read",
  duration_seconds: 600,
  justification: "ticket OPS-7: wrong totals",
};

const PENDING = {
  id: ID,
  state: "pending",
  requester: "corp|alice",
  client_id: "cli_01m80vge8se3ps2w3e76kefsk1",
  ...ASK,
  rule: "orders-by-approvers",
  created_at: 1795325120,
  review_deadline: 1795411520,
  stage: 1,
  stages: 1,
  awaiting: { roles: ["approver"], subjects: [], count: 1 },
  reviews: [],
};

const { stage: _stage, stages: _stages, awaiting: _awaiting, ...asked } = PENDING;
const APPROVED = {
  ...asked,
  state: "approved",
  decided_at: 1795325180,
  reviews: [
    {
      ...{ id: "evt_01m80vge8se3ps2w3e76kefsk1", approver: "corp|bob", outcome: "approve" },
      ...{ reviewed_at: 1795325180, stage: 1 },
    },
  ],
  grant: GRANT,
};

const issuedToken = z
  .strictObject({
    access_token: z.string(),
    token_type: z.enum(["Bearer", "DPoP"]),
    expires_in: z.int().describe("Seconds."),
    scope: z.string(),
  })
  .meta({ id: "IssuedToken", description: "An access token (RFC 6749 §5.1). It ends with its grant." });
true satisfies Same<z.output<typeof issuedToken>, IssuedToken>;

const TOKEN = { access_token: "eyJhbGciOiJFUzI1NiIs…", token_type: "Bearer", expires_in: 300 };
const issued = json("An access token.", issuedToken, { ...TOKEN, scope: "orders:read" });

const link = z
  .strictObject({ url: z.string(), approver: z.string(), expires_at: z.number() })
  .meta({ id: "ApprovalLink", description: "Whoever opens it decides as the approver, once." });

const RULE = {
  ...{ id: "orders-by-approvers", may: ["ask"], resource: "orders", scopes: ["orders:read"] },
  ...{ stages: [PENDING.awaiting], justification_min_length: 10, default_duration_seconds: 600 },
  ...{ max_duration_seconds: 3600, max_total_seconds: 7200, review_deadline_seconds: 86400 },
};

const shown = (description: string, example: object) => json(description, accessRequestSchema, example);
const LOCATION = { Location: "Where it is." };

export const accessOperations: Operations = {
  "POST /v1/access-requests": {
    id: "accessRequests.create",
    summary: "Ask for access",
    description: "The first access rule of the policy that covers it says who approves it, and for how long.",
    headers: ["idempotency-key"],
    example: ASK,
    answers: { 201: { ...shown("The access request.", PENDING), headers: LOCATION } },
    errors: ["forbidden", "conflict", "idempotency_mismatch", "too_many_requests"],
  },
  "GET /v1/access-requests": {
    id: "accessRequests.list",
    summary: "List access requests, newest first",
    description:
      "One's own; those that wait for one's review (`reviewable=true`); all with `requests:read_all`.",
    answers: { 200: json("A page.", pageOf(accessRequestSchema), { items: [PENDING] }) },
  },
  "GET /v1/access-requests/:id": {
    id: "accessRequests.get",
    summary: "Read an access request, or wait for its decision",
    headers: ["prefer"],
    answers: {
      200: {
        ...shown("The access request.", APPROVED),
        headers: { "Preference-Applied": "How long was waited at most, where `Prefer: wait` was sent." },
      },
    },
    errors: ["not_found"],
  },
  "GET /v1/access-requests/:id/events": {
    id: "accessRequests.events",
    summary: "Follow an access request as server-sent events",
    description:
      "It ends after two minutes, or when nothing more can happen; `Last-Event-ID` goes on from there.",
    headers: ["last-event-id"],
    answers: {
      200: raw(
        "Events of types as `access_request.approved`, each with the access request as it is.",
        "text/event-stream",
        `id: evt_01m80vge8se3ps2w3e76kefsk1\nevent: access_request.approved\ndata: {"type":"access_request.approved","at":1795325180,"access_request":{}}\n\n`,
      ),
    },
    errors: ["not_found"],
  },
  "POST /v1/access-requests/:id/reviews": {
    id: "accessRequests.review",
    summary: "Approve or deny an access request or an extension",
    description: "A review may narrow what was asked for, never widen it. Nobody reviews their own request.",
    example: { outcome: "approve", comment: "for today" },
    answers: { 201: shown("The access request after the review.", APPROVED) },
    errors: ["not_found", "forbidden", "conflict"],
  },
  "POST /v1/access-requests/:id/cancel": {
    id: "accessRequests.cancel",
    summary: "Withdraw one's own access request",
    answers: { 200: shown("The access request.", { ...asked, state: "cancelled", decided_at: 1795325180 }) },
    errors: ["not_found", "forbidden", "conflict"],
  },
  "POST /v1/access-requests/:id/token": {
    id: "accessRequests.token",
    summary: "Collect an access token of one's grant",
    description: "As often as is needed while the grant is active; 409 while it is pending or scheduled.",
    headers: ["dpop"],
    answers: { 200: issued },
    errors: ["not_found", "forbidden", "conflict", "gone"],
  },
  "POST /v1/access-requests/:id/links": {
    id: "accessRequests.createLink",
    summary: "Make a link with which one approver decides without signing in",
    example: { approver: "corp|bob" },
    answers: {
      201: json("The link, shown once.", link, {
        url: "https://auth.example.com/v1/links/…",
        approver: "corp|bob",
        expires_at: 1795411520,
      }),
    },
    errors: ["not_found", "forbidden", "conflict"],
  },
  "GET /v1/grants": {
    id: "grants.list",
    summary: "List grants, newest first",
    description: "One's own; all with `grants:read`.",
    answers: { 200: json("A page.", pageOf(grantSchema), { items: [GRANT] }) },
  },
  "GET /v1/grants/:id": {
    id: "grants.get",
    summary: "Read a grant",
    answers: { 200: json("The grant.", grantSchema, GRANT) },
    errors: ["not_found"],
  },
  "POST /v1/grants/:id/revoke": {
    id: "grants.revoke",
    summary: "Take a grant back, or return one's own",
    example: { reason: "the ticket is closed" },
    answers: { 200: json("It is revoked; the receipt says by when everywhere.", receiptSchema, RECEIPT) },
    errors: ["not_found", "forbidden", "conflict", "gone"],
  },
  "POST /v1/grants/token": {
    id: "grants.token",
    summary: "Collect an access token of whichever live grant covers what is named",
    headers: ["dpop"],
    example: { resource: "orders", scope: "orders:read" },
    answers: { 200: issued },
    errors: ["not_found", "forbidden", "conflict", "gone"],
  },
  "POST /v1/grants/:id/extend": {
    id: "grants.extend",
    summary: "Ask for more time of one's grant",
    headers: ["idempotency-key"],
    example: { duration_seconds: 600, justification: "still at it" },
    answers: { 201: shown("The access request with its extension.", APPROVED) },
    errors: ["not_found", "forbidden", "conflict", "gone", "idempotency_mismatch"],
  },
  "GET /v1/access-rules": {
    id: "accessRules.list",
    summary: "List the rules by which one may ask or review, in their order",
    description: "The first one that covers what is wanted is the one that counts.",
    answers: { 200: json("A page.", pageOf(ruleTermsSchema), { items: [RULE] }) },
  },
  "GET /v1/links/:text": {
    id: "links.open",
    summary: "Show what an approval link is for",
    description: "A page for a person. Opening it decides nothing.",
    credential: "link",
    client: false,
    answers: { 200: raw("The page.", "text/html") },
    errors: ["not_found", "gone"],
  },
  "POST /v1/links/:text": {
    id: "links.decide",
    summary: "Decide by an approval link",
    credential: "link",
    client: false,
    body: {
      media: "application/x-www-form-urlencoded",
      required: true,
      schema: z.strictObject({ outcome: z.enum(["approve", "deny"]), comment: z.string().exactOptional() }),
      example: { outcome: "approve", comment: "" },
    },
    answers: { 200: raw("A page that says what came of it.", "text/html") },
    errors: ["not_found", "forbidden", "conflict", "gone"],
  },
};
