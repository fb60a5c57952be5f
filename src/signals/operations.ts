import * as z from "zod";
import { json, type Operations, pageOf, type Same } from "../platform/operation.ts";
import { SIGNAL_ACTIONS } from "../policy/signal-schema.ts";
import { STATUS_LIST_MEDIA_TYPE } from "../protocol/status-list.ts";
import type { SignalRecord } from "./signal.ts";
import { streamOperations } from "./stream-operations.ts";

const moment = z.number().describe("Epoch seconds.");

const signalSchema = z
  .strictObject({
    id: z.string(),
    actor: z.string().describe("`transmitter:<id>`, or the subject of a client."),
    via: z.enum(["security_event_token", "global_token_revocation"]),
    jti: z.string(),
    event: z.string(),
    kind: z.string().exactOptional().describe("Which kind of the event, such as the level of a risk."),
    action: z.enum(SIGNAL_ACTIONS),
    issued_at: moment,
    received_at: moment,
    subject: z.string().exactOptional(),
    provider_session: z.string().exactOptional(),
    revocation_id: z.string().exactOptional(),
    lifted: z.array(z.string()).exactOptional(),
  })
  .meta({ id: "Signal", description: "What a transmitter told us, and what it led to." });
true satisfies Same<z.output<typeof signalSchema>, SignalRecord>;

const SIGNAL = {
  ...{ id: "sig_01m80vge8se3ps2w3e76kefsk1", actor: "transmitter:corp", via: "security_event_token" },
  ...{ jti: "9a1c", event: "session-revoked", action: "revoke_sessions", issued_at: 1795325180 },
  ...{ received_at: 1795325181, subject: "corp|mallory", revocation_id: "rev_01m80vge8se3ps2w3e76kefsk1" },
};

const told = { credential: "signature", client: false } as const;

export const signalOperations: Operations = {
  ...streamOperations,
  "GET /v1/status-lists/:n": {
    id: "signals.statusList",
    summary: "Read a Token Status List: which grants are revoked",
    credential: "none",
    client: false,
    answers: {
      200: {
        description: "The list, signed.",
        content: { media: STATUS_LIST_MEDIA_TYPE, schema: z.string(), example: "eyJ…" },
      },
    },
    errors: ["not_found", "unavailable"],
  },
  "POST /v1/signals/events": {
    ...told,
    id: "signals.receive",
    summary: "Tell a security event (RFC 8935)",
    description: "The signed token is the credential. 202 once what follows is in force.",
    body: { media: "application/secevent+jwt", required: true, schema: z.string(), example: "eyJ…" },
    answers: {
      202: { description: "It was taken." },
      400: json("It was not taken.", z.strictObject({ err: z.string(), description: z.string() }), {
        err: "invalid_key",
        description: "No key of the transmitter signed it.",
      }),
      503: json("Send it again.", z.strictObject({ description: z.string() }), {
        description: "The keys of the transmitter cannot be fetched.",
      }),
    },
  },
  "POST /v1/signals/global-token-revocation": {
    ...told,
    id: "signals.revokeEverything",
    summary: "End every session and token of a person",
    description:
      "draft-parecki-oauth-global-token-revocation: with a transmitter's JWT, or an access token with the scope `signals:revoke`.",
    body: {
      media: "application/json",
      required: true,
      schema: z.strictObject({ sub_id: z.record(z.string(), z.json()) }),
      example: { sub_id: { format: "iss_sub", iss: "https://idp.example.com", sub: "mallory" } },
    },
    answers: { 204: { description: "It is in force." } },
    errors: [
      ...(["invalid_request", "invalid_body", "unsupported_media_type", "body_too_large"] as const),
      ...(["invalid_token", "insufficient_scope", "forbidden", "not_found", "stale"] as const),
      "issuer_keys_unavailable",
    ],
  },
  "GET /v1/signals/events": {
    id: "signals.list",
    summary: "List what a transmitter told, newest first",
    answers: { 200: json("A page.", pageOf(signalSchema), { items: [SIGNAL] }) },
    errors: ["not_found"],
  },
};
