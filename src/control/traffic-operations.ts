import * as z from "zod";
import { json, type Operations, pageOf } from "../platform/operation.ts";
import { traceSchema } from "./trace-schema.ts";

const counts = {
  allow: z.int(),
  refuse: z.int(),
  reasons: z
    .record(z.string(), z.int())
    .describe("Decisions by reason: those of acceptances are `token`, `public`, `vouched`."),
};
const traffic = z
  .strictObject({
    since: z.int(),
    until: z.int(),
    step_seconds: z.int(),
    route: z.string().exactOptional(),
    series: z
      .array(z.strictObject({ at: z.int(), ...counts }))
      .describe("Steps without a decision are left out."),
    routes: z
      .array(z.strictObject({ route: z.string(), ...counts }))
      .describe("The 20 that were refused most."),
    tokens: z
      .array(z.strictObject({ iss: z.string(), jti: z.string(), refused: z.int() }))
      .describe("The 20 that were refused most, by the hour."),
  })
  .meta({ id: "Traffic", description: "Decisions over time." });

const text = z.string().exactOptional();
const record = traceSchema
  .extend({
    at: z.number(),
    surface: z.enum(["proxy", "forward_auth", "service", "authzen", "control"]),
    method: z.string(),
    origin_fault: text.describe("What went wrong at the origin of a request that was let through."),
    token: z
      .strictObject({
        ...{ iss: z.string(), sub: z.string(), kid: z.string() },
        ...{ jti: text, client_id: text, grant: text, session: text },
      })
      .exactOptional()
      .describe("Of the token that was verified."),
    unverified: z
      .strictObject({ iss: z.string(), kid: text, jti: text })
      .exactOptional()
      .describe("What a token says whose signature did not hold."),
    address: text,
    country: text,
    asn: z.int().exactOptional(),
  })
  .meta({ id: "DecisionRecord", description: "A decision that was taken, as it is kept." });

const COUNTS = { allow: 1190, refuse: 5, reasons: { token: 1190, token_expired: 5 } };
const RECORD = {
  ...{ trace_version: 1, decision_id: "dec_01m80vge8se3ps2w3e76kefsk1", outcome: "refuse" },
  ...{ reason: "scope_missing", status: 403, route: "orders", origin: "shop", seq: 42, replica_age_ms: 340 },
  checks: [{ check: "scopes", outcome: "failed", demand: { missing: ["orders:read"] } }],
  remedies: [{ kind: "scope", missing: ["orders:read"] }],
  ...{ at: 1_795_325_180.315, surface: "proxy", method: "GET" },
  token: { iss: "https://auth.example.com", sub: "corp|ann", kid: "k1", jti: "tok_1" },
};

export const trafficOperations: Operations = {
  "GET /v1/traffic": {
    id: "traffic.read",
    summary: "Read decisions over time, and what is refused most",
    answers: {
      200: json("By the minute for 24 hours, by the hour for 30 days.", traffic, {
        ...{ since: 1_795_321_560, until: 1_795_325_220, step_seconds: 60 },
        series: [{ at: 1_795_325_160, ...COUNTS }],
        routes: [{ route: "orders", ...COUNTS }],
        tokens: [{ iss: "https://auth.example.com", jti: "tok_1", refused: 5 }],
      }),
    },
  },
  "GET /v1/decisions": {
    id: "decisions.list",
    summary: "List decisions that were taken, newest first",
    description: "Refusals, and acceptances by the policy's sample.",
    answers: { 200: json("A page.", pageOf(record), { items: [RECORD] }) },
  },
  "GET /v1/decisions/:id": {
    id: "decisions.get",
    summary: "Read a decision that was taken, with every check",
    answers: { 200: json("The record.", record, RECORD) },
    errors: ["not_found"],
  },
};
