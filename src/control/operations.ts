import * as z from "zod";
import { json, type Operations, raw } from "../platform/operation.ts";
import { traceMembers, traceSchema } from "./trace-schema.ts";
import { trafficOperations } from "./traffic-operations.ts";

const open = { credential: "none" } as const;

const health = z.strictObject({ status: z.literal("ok") });
const readiness = z
  .strictObject({
    ready: z.boolean(),
    checks: z.array(
      z.strictObject({
        ...{ name: z.string(), ready: z.boolean(), detail: z.string() },
        optional: z.literal(true).exactOptional().describe("Nobody is kept from being ready by it."),
      }),
    ),
  })
  .meta({ id: "Readiness", description: "What is there, and what is missing." });
const CHECK = { name: "policy", ready: true, detail: "version 3" };

const evaluation = z
  .strictObject({ decision: z.boolean(), context: traceMembers.exactOptional() })
  .meta({ id: "EvaluationAnswer", description: "AuthZEN 1.0 §6.2." });
const evaluations = z
  .union([z.strictObject({ evaluations: z.array(evaluation) }), evaluation])
  .meta({ id: "EvaluationAnswers", description: "AuthZEN 1.0 §7.2; without `evaluations` as for one." });

const EVALUATION = {
  subject: { type: "access_token", id: "eyJhbGciOiJFUzI1NiIs…" },
  action: { name: "GET" },
  resource: { type: "url", id: "https://api.example.com/orders" },
};

export const controlOperations: Operations = {
  ...trafficOperations,
  "GET /healthz": {
    ...open,
    id: "health.live",
    summary: "Ask whether the Worker answers",
    answers: { 200: json("It does.", health, { status: "ok" }) },
  },
  "GET /readyz": {
    ...open,
    id: "health.ready",
    summary: "Ask whether it can decide requests, and what is missing",
    answers: {
      200: json("It can.", readiness, { ready: true, checks: [CHECK] }),
      503: json("It cannot.", readiness, {
        ready: false,
        checks: [{ name: "policy", ready: false, detail: "none yet" }],
      }),
    },
  },
  "GET /metrics": {
    id: "metrics.read",
    summary: "Read counters and gauges for a scraper",
    answers: { 200: raw("Prometheus' text format.", "text/plain", "portcullis_log_seq 42\n") },
  },
  "GET /openapi.json": {
    ...open,
    client: false,
    id: "discovery.api",
    summary: "Read this document",
    answers: { 200: json("OpenAPI 3.1.", z.looseObject({ openapi: z.string() }), { openapi: "3.1.1" }) },
  },
  "GET /reference": {
    ...open,
    client: false,
    id: "discovery.reference",
    summary: "Read this document as a page",
    answers: { 200: raw("The page.", "text/html") },
  },
  "GET /.well-known/authzen-configuration": {
    ...open,
    client: false,
    id: "discovery.decisions",
    summary: "Read where decisions can be asked for (AuthZEN 1.0 §9)",
    answers: {
      200: json("The endpoints.", z.record(z.string(), z.string()), {
        policy_decision_point: "https://auth.example.com",
      }),
    },
  },
  "POST /v1/explain": {
    id: "decisions.explain",
    summary: "Ask what the gate would do with a request, and why",
    description: "The gate's own engine; nothing is forwarded and nothing is counted.",
    example: { method: "GET", url: "https://api.example.com/orders", token: "eyJhbGciOiJFUzI1NiIs…" },
    answers: {
      200: json("The decision.", traceSchema, {
        ...{ trace_version: 1, decision_id: "dec_01m80vge8se3ps2w3e76kefsk1", outcome: "refuse" },
        ...{ reason: "insufficient_scope", status: 403, route: "orders" },
        checks: [{ check: "scopes", outcome: "failed", demand: { scopes: ["orders:read"] } }],
        remedies: [{ kind: "scope", missing: ["orders:read"] }],
      }),
    },
  },
  "POST /access/v1/evaluation": {
    id: "decisions.evaluate",
    summary: "Ask for one decision (AuthZEN 1.0)",
    example: EVALUATION,
    answers: { 200: json("The decision.", evaluation, { decision: true }) },
  },
  "POST /access/v1/evaluations": {
    id: "decisions.evaluateAll",
    summary: "Ask for several decisions at once (AuthZEN 1.0)",
    example: { ...EVALUATION, evaluations: [{}, { action: { name: "DELETE" } }] },
    answers: {
      200: json("The decisions, in order.", evaluations, {
        evaluations: [{ decision: true }, { decision: false }],
      }),
    },
  },
};
