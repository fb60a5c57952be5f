import * as z from "zod";
import type { ApprovalTree } from "../policy/approval-tree.ts";
import { receiptSchema } from "../revocation/shown-schema.ts";

const moment = z.number().describe("Epoch seconds.");
const people = { roles: z.array(z.string()), subjects: z.array(z.string()) };

const tree: z.ZodType<ApprovalTree> = z
  .union([
    z.strictObject({ ...people, count: z.int() }),
    z.strictObject({
      get all() {
        return z.array(tree);
      },
    }),
    z.strictObject({
      get any() {
        return z.array(tree);
      },
    }),
  ])
  .meta({ id: "ApprovalTree", description: "So many of these people; every branch; or one branch." });

const requestState = z.enum(["pending", "approved", "denied", "cancelled", "expired"]);

const review = z
  .strictObject({
    id: z.string(),
    approver: z.string(),
    actors: z.array(z.string()).exactOptional().describe("Who acted for the approver, nearest first."),
    outcome: z.enum(["approve", "deny"]),
    comment: z.string().exactOptional(),
    duration_seconds: z.int().exactOptional(),
    scope: z.string().exactOptional(),
    max_uses: z.int().exactOptional(),
    via: z.string().exactOptional().describe("The webhook endpoint or the maker of the link that vouches."),
    passkey: z.string().exactOptional().describe("The approver's passkey that has confirmed it."),
    extension: z.string().exactOptional(),
    reviewed_at: moment,
    stage: z.int(),
  })
  .meta({ id: "Review", description: "What an approver said, and what it left of the ask." });

export const grantSchema = z
  .strictObject({
    id: z.string(),
    state: z.enum(["scheduled", "active", "expired", "revoked", "used_up"]),
    access_request: z.string(),
    subject: z.string(),
    resource: z.string(),
    scope: z.string(),
    access_start: moment,
    access_expiry: moment,
    max_uses: z.int().exactOptional(),
    uses_left: z.int().exactOptional().describe("Uses that no isolate holds; told where one grant is read."),
    used_up_at: moment.exactOptional(),
    revoked_at: moment.exactOptional(),
    revoked_by: z.string().exactOptional(),
    revoke_reason: z.string().exactOptional(),
    revoke_receipt: receiptSchema.exactOptional().describe("Once the log has acknowledged it."),
  })
  .meta({ id: "Grant", description: "Access for a window of time." });

const round = {
  created_at: moment,
  review_deadline: moment,
  decided_at: moment.exactOptional(),
  decided_by: z.enum(["rule", "break_glass"]).exactOptional().describe("Absent where people decided."),
  stage: z.int().exactOptional().describe("The open stage, from 1."),
  stages: z.int().exactOptional(),
  awaiting: tree.exactOptional().describe("Who must approve in the open stage."),
  escalated_to: z.strictObject(people).exactOptional(),
  reviews: z.array(review),
};

const extensionSchema = z
  .strictObject({
    id: z.string(),
    state: requestState,
    duration_seconds: z.int(),
    justification: z.string(),
    ...round,
  })
  .meta({ id: "Extension", description: "More time that was asked for: reviewed like the request itself." });

export const accessRequestSchema = z
  .strictObject({
    id: z.string(),
    state: requestState,
    requester: z.string(),
    client_id: z.string(),
    actors: z.array(z.string()).exactOptional().describe("Who acts for the requester, nearest first."),
    resource: z.string(),
    scope: z.string(),
    duration_seconds: z.int(),
    justification: z.string(),
    starts_at: moment.exactOptional(),
    ticket: z.string().exactOptional(),
    max_uses: z.int().exactOptional(),
    rule: z.string().describe("The access rule that it was taken by."),
    decide_in_chat: z.literal(true).exactOptional(),
    ...round,
    grant: grantSchema.exactOptional(),
    extensions: z.array(extensionSchema).exactOptional(),
    break_glass: z
      .strictObject({
        review_due_at: moment,
        alerted_at: moment.exactOptional(),
        review: review.exactOptional(),
      })
      .exactOptional()
      .describe("Of emergency access: it is reviewed afterwards."),
  })
  .meta({ id: "AccessRequest", description: "An access request with its reviews and its grant." });

export const ruleTermsSchema = z
  .strictObject({
    id: z.string(),
    may: z.array(z.enum(["ask", "review", "emergency"])).describe("What the caller may do by it."),
    resource: z.string(),
    scopes: z.array(z.string()),
    stages: z.array(tree).describe("Who approves, one stage after the other."),
    high_risk: z.literal(true).exactOptional().describe("An approval needs the approver's passkey."),
    conditional: z.literal(true).exactOptional().describe("A condition decides who may ask."),
    may_be_approved_at_once: z.literal(true).exactOptional(),
    justification_min_length: z.int(),
    ticket: z
      .strictObject({
        prefixes: z.array(z.string()).exactOptional(),
        suffix: z.enum(["digits", "letters_and_digits"]).exactOptional(),
      })
      .exactOptional()
      .describe("A ticket is needed, one of these and what follows."),
    default_duration_seconds: z.int(),
    max_duration_seconds: z.int(),
    max_total_seconds: z.int(),
    review_deadline_seconds: z.int(),
    max_uses: z.int().exactOptional(),
    cool_down_seconds: z.int().exactOptional(),
    max_parallel: z.int().exactOptional(),
    break_glass: z
      .strictObject({ max_duration_seconds: z.int(), review_within_seconds: z.int() })
      .exactOptional(),
  })
  .meta({ id: "AccessRuleTerms", description: "An access rule, as who may ask or review by it sees it." });

export type ShownRule = z.output<typeof ruleTermsSchema>;
export type ShownRequest = z.output<typeof accessRequestSchema>;
export type ShownGrant = z.output<typeof grantSchema>;
export type ShownReview = z.output<typeof review>;
export type ShownExtension = z.output<typeof extensionSchema>;
