import * as z from "zod";
import { json, type Operations, pageOf, type Same } from "../platform/operation.ts";
import { detectionKind, remediationRuleSchema } from "../policy/remediation-schema.ts";
import type { Detection } from "../protocol/detection.ts";
import { RECEIPT } from "../revocation/operations.ts";
import { matchSchema } from "../revocation/rule-schema.ts";
import { moment, receiptSchema } from "../revocation/shown-schema.ts";
import { OUTCOMES } from "./remediate.ts";
import type { ReplayReport } from "./replay.ts";

const ID = "det_01m80vge8se3ps2w3e76kefsk1";
const REMEDIATION_ID = "rmd_01m80vge8se3ps2w3e76kefsk1";

const text = z.string().exactOptional();
const about = z.strictObject({
  ...{ iss: text, jti: text, sub: text, client_id: text, grant: text, session: text, kid: text },
  ...{ route: text, address: text, endpoint: text },
});

const detection = {
  id: z.string(),
  kind: detectionKind,
  at: moment,
  window_seconds: z.number().describe("0 where one event is enough."),
  count: z.number(),
  threshold: z.number(),
  about: about.describe("Ids, never a token or a claim set."),
  facts: z.record(z.string(), z.union([z.string(), z.number()])).exactOptional(),
};
const detectionOnly = z.strictObject(detection);
true satisfies Same<z.output<typeof detectionOnly>, Detection>;

const detectionSchema = z
  .strictObject({
    ...detection,
    received_at: moment,
    outcomes: z
      .array(z.strictObject({ rule_id: z.string(), outcome: z.string(), remediation_id: text }))
      .describe("What each rule made of it."),
  })
  .meta({ id: "Detection", description: "Something that was noticed." });

const DETECTION = {
  ...{ id: ID, kind: "token_used_after_revocation", at: 1795325180, window_seconds: 60 },
  ...{ count: 3, threshold: 3, about: { sub: "corp|mallory" }, received_at: 1795325181 },
  outcomes: [{ rule_id: "cut-them-off", outcome: "acted", remediation_id: REMEDIATION_ID }],
};

const confirmations = z.array(z.strictObject({ actor: z.string(), at: moment, comment: text }));
const action = z
  .looseObject({
    kind: z.string(),
    on: z
      .union([matchSchema, z.strictObject({ address: z.string() }), z.strictObject({})])
      .nullable()
      .describe("Whom it is for; null where the detection named nobody."),
    scopes: z.array(z.string()).exactOptional(),
    seconds: z.int().exactOptional().describe("How long it lasts."),
    acr_values: z.array(z.string()).exactOptional(),
    would_cut: z.int().exactOptional(),
    revocation_id: text,
    receipt: receiptSchema.exactOptional(),
    result: text,
    lift_receipt: receiptSchema.exactOptional(),
    not_undone: text,
  })
  .describe("The rule's action, with what came of it.");

const remediationSchema = z
  .strictObject({
    id: z.string(),
    rule_id: z.string(),
    detection_id: z.string(),
    detection_kind: detectionKind,
    at: moment,
    state: z.enum(["acted", "held", "hold_expired", "shadow", "dismissed", "undone"]),
    would_cut: z.int(),
    would_hold: z.literal(true).exactOptional(),
    actions: z.array(action),
    held: z.strictObject({ until: moment, needed: z.int(), confirmations }).exactOptional(),
    ended: z.strictObject({ at: moment, by: z.string(), reason: z.string() }).exactOptional(),
  })
  .meta({ id: "Remediation", description: "A rule that fired, and what it did." });

const REMEDIATION = {
  ...{ id: REMEDIATION_ID, rule_id: "cut-them-off", detection_id: ID },
  ...{ detection_kind: "token_used_after_revocation", at: 1795325181, state: "acted", would_cut: 2 },
  actions: [
    { kind: "revoke", target: "subject", on: { sub: "corp|mallory" }, would_cut: 2, receipt: RECEIPT },
  ],
};

const rules = z.array(remediationRuleSchema);
const RULE = {
  ...{ id: "cut-them-off", when: "token_used_after_revocation" },
  actions: [{ kind: "revoke", target: "subject" }],
};

const ruleSet = z
  .strictObject({ rules, default: z.boolean().describe("The policy says nothing, and these apply.") })
  .meta({ id: "RemediationRules" });

const outcome = z.enum(OUTCOMES);
const replay = z
  .strictObject({
    detections: z.int(),
    truncated: z.boolean(),
    rules: z.array(
      z.strictObject({
        rule_id: z.string(),
        outcomes: z.partialRecord(outcome, z.int()),
        tokens_cut: z.int(),
      }),
    ),
    firings: z.array(
      z.strictObject({
        ...{ rule_id: z.string(), detection_id: z.string(), kind: detectionKind, at: moment },
        ...{ outcome, would_hold: z.boolean(), would_cut: z.int(), actions: z.array(z.string()) },
      }),
    ),
  })
  .meta({ id: "RemediationReplay", description: "What rules would have done; nothing was done." });
true satisfies Same<z.output<typeof replay>, ReplayReport>;

const ETAG = { ETag: "Names the policy's version: send it as `If-Match`." };

export const remediationOperations: Operations = {
  "GET /v1/detections": {
    id: "detections.list",
    summary: "List what was noticed, newest first",
    answers: { 200: json("A page.", pageOf(detectionSchema), { items: [DETECTION] }) },
  },
  "GET /v1/detections/:id": {
    id: "detections.get",
    summary: "Read a detection",
    answers: { 200: json("The detection.", detectionSchema, DETECTION) },
    errors: ["not_found"],
  },
  "GET /v1/remediations": {
    id: "remediations.list",
    summary: "List what was done about detections, newest first",
    answers: { 200: json("A page.", pageOf(remediationSchema), { items: [REMEDIATION] }) },
  },
  "GET /v1/remediations/:id": {
    id: "remediations.get",
    summary: "Read a remediation",
    answers: { 200: json("The remediation.", remediationSchema, REMEDIATION) },
    errors: ["not_found"],
  },
  "POST /v1/remediations/:id/undo": {
    id: "remediations.undo",
    summary: "Take back what a remediation did",
    example: { reason: "it was a test" },
    answers: { 200: json("The remediation.", remediationSchema, { ...REMEDIATION, state: "undone" }) },
    errors: ["not_found", "conflict", "gone"],
  },
  "POST /v1/remediations/:id/confirm": {
    id: "remediations.confirm",
    summary: "Let a remediation that was held act",
    example: { comment: "seen the traffic" },
    answers: {
      200: json("It acts.", remediationSchema, REMEDIATION),
      202: json("It needs another person.", remediationSchema, { ...REMEDIATION, state: "held" }),
    },
    errors: ["not_found", "forbidden", "passkey_required", "conflict", "gone"],
  },
  "GET /v1/remediation-rules": {
    id: "remediationRules.get",
    summary: "Read the rules that act on detections",
    answers: { 200: json("The rules.", ruleSet, { rules: [RULE], default: true }, ETAG) },
  },
  "PUT /v1/remediation-rules": {
    id: "remediationRules.put",
    summary: "Put new rules that act on detections",
    headers: ["if-match (required)"],
    example: { rules: [RULE] },
    answers: {
      200: json(
        "They are in force.",
        z.strictObject({ version: z.int(), receipt: receiptSchema }),
        { version: 4, receipt: RECEIPT },
        ETAG,
      ),
    },
    errors: ["invalid_request", "precondition_required", "precondition_failed"],
  },
  "POST /v1/remediation-rules/replay": {
    id: "remediationRules.replay",
    summary: "Try rules on the detections of the past, without effect",
    example: { rules: [RULE], since: 1795238780 },
    answers: {
      200: json("What they would have done.", replay, {
        ...{ detections: 12, truncated: false, firings: [] },
        rules: [{ rule_id: RULE.id, outcomes: { acted: 2 }, tokens_cut: 3 }],
      }),
    },
  },
};
