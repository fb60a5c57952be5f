import * as z from "zod";
import { json, type Operations } from "../platform/operation.ts";
import { EVENTS_SUPPORTED, POLL, PUSH } from "./stream.ts";

const ID = "str_01m80vge8se3ps2w3e76kefsk1";
const ISSUER = "https://auth.example.com";
const SUBJECT = { format: "iss_sub", iss: ISSUER, sub: "corp|mallory" };

const text = z.string();
const streamSchema = z
  .strictObject({
    stream_id: text,
    iss: text,
    aud: text,
    delivery: z.strictObject({ method: z.enum([PUSH, POLL]), endpoint_url: text }),
    events_supported: z.array(text),
    events_requested: z.array(text),
    events_delivered: z.array(text),
    min_verification_interval: z.int().describe("Seconds."),
    description: text.exactOptional(),
  })
  .meta({ id: "Stream", description: "A receiver's stream of security events (SSF 1.0 §8.1.1)." });

const STREAM = {
  ...{ stream_id: ID, iss: ISSUER, aud: "cli_01m80vge8se3ps2w3e76kefsk1", min_verification_interval: 30 },
  delivery: { method: POLL, endpoint_url: `${ISSUER}/v1/signals/streams/${ID}/poll` },
  ...{ events_supported: EVENTS_SUPPORTED, events_requested: EVENTS_SUPPORTED },
  events_delivered: EVENTS_SUPPORTED,
};

const statusSchema = z
  .strictObject({
    stream_id: text,
    status: z.enum(["enabled", "paused", "disabled"]),
    reason: text.exactOptional(),
  })
  .meta({ id: "StreamStatus" });
const STATUS = { stream_id: ID, status: "enabled" };

const polled = z.strictObject({
  sets: z.record(text, text).describe("Signed tokens by their `jti`, until they are acknowledged."),
  moreAvailable: z.literal(true).exactOptional(),
});

/** For receivers of Shared Signals, which have clients of their own. */
const ssf = { client: false } as const;
const stream = json("The stream.", streamSchema, STREAM);

export const streamOperations: Operations = {
  "GET /.well-known/ssf-configuration": {
    ...ssf,
    id: "discovery.signals",
    summary: "Read whom to ask for a stream of security events (SSF 1.0 §7)",
    credential: "none",
    answers: {
      200: json("The configuration.", z.looseObject({ issuer: text }), {
        issuer: ISSUER,
        spec_version: "1_0",
      }),
    },
  },
  "POST /v1/signals/streams": {
    ...ssf,
    id: "streams.create",
    summary: "Open one's stream of security events",
    example: { delivery: { method: POLL } },
    answers: { 201: stream },
    errors: ["conflict", "gone"],
  },
  "GET /v1/signals/streams": {
    ...ssf,
    id: "streams.get",
    summary: "Read one's stream",
    answers: {
      200: json(
        "The one that is named; a list where none is.",
        z.union([streamSchema, z.array(streamSchema)]),
        STREAM,
      ),
    },
    errors: ["not_found"],
  },
  "PATCH /v1/signals/streams": {
    ...ssf,
    id: "streams.change",
    summary: "Change one's stream; what is left out stays",
    example: { stream_id: ID, description: "to the SIEM" },
    answers: { 200: stream },
    errors: ["not_found", "conflict"],
  },
  "PUT /v1/signals/streams": {
    ...ssf,
    id: "streams.replace",
    summary: "Replace one's stream; what is left out is as if it had never been said",
    example: { stream_id: ID },
    answers: { 200: stream },
    errors: ["not_found", "conflict"],
  },
  "DELETE /v1/signals/streams": {
    ...ssf,
    id: "streams.close",
    summary: "Close one's stream",
    answers: { 204: { description: "It is closed." } },
    errors: ["not_found"],
  },
  "GET /v1/signals/streams/status": {
    ...ssf,
    id: "streams.status",
    summary: "Read whether one's stream runs",
    answers: { 200: json("The status.", statusSchema, STATUS) },
    errors: ["not_found"],
  },
  "POST /v1/signals/streams/status": {
    ...ssf,
    id: "streams.setStatus",
    summary: "Pause one's stream, disable it, or have it go on",
    example: { stream_id: ID, status: "paused" },
    answers: { 200: json("The status.", statusSchema, { ...STATUS, status: "paused" }) },
    errors: ["not_found", "conflict"],
  },
  "POST /v1/signals/streams/subjects/add": {
    ...ssf,
    id: "streams.addSubject",
    summary: "Have one's stream tell of a subject again",
    example: { stream_id: ID, subject: SUBJECT },
    answers: { 200: { description: "It does." } },
    errors: ["not_found", "conflict"],
  },
  "POST /v1/signals/streams/subjects/remove": {
    ...ssf,
    id: "streams.removeSubject",
    summary: "Have one's stream tell nothing of a subject",
    example: { stream_id: ID, subject: SUBJECT },
    answers: { 204: { description: "It does not." } },
    errors: ["not_found", "conflict"],
  },
  "POST /v1/signals/streams/verification": {
    ...ssf,
    id: "streams.verify",
    summary: "Have a verification event sent",
    example: { stream_id: ID, state: "r4nd0m" },
    answers: { 204: { description: "It is on its way." } },
    errors: ["not_found", "conflict", "too_many_requests"],
  },
  "POST /v1/signals/streams/:id/poll": {
    ...ssf,
    id: "streams.poll",
    summary: "Take events, and acknowledge those that were taken (RFC 8936)",
    example: { maxEvents: 10, returnImmediately: true },
    answers: { 200: json("Events.", polled, { sets: { "9a1c": "eyJ…" } }) },
    errors: ["not_found", "conflict"],
  },
};
