import * as z from "zod";
import { DETECTION_KINDS } from "../protocol/detection.ts";
import { conditionSource, DAY_SECONDS, name, scopeToken, seconds } from "./names.ts";

/** No token lives longer, so that nothing needs to be held against one for longer. */
const MAX_RULE_SECONDS = 31 * DAY_SECONDS;
const DEFAULT_BLOCK_SECONDS = 600;

export const detectionKind = z.enum(DETECTION_KINDS).meta({ id: "DetectionKind" });

/** Whose tokens an action is for, as the detection names them. */
const target = z
  .enum(["narrowest", "token", "session", "grant", "subject", "client"])
  .describe("`narrowest`: the first of token, session, grant, subject and client that the detection names.");
const lasting = seconds(MAX_RULE_SECONDS).exactOptional();

const actionSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("count") }).describe("Nothing but a record of it."),
  z
    .strictObject({ kind: z.literal("notify") })
    .describe("The event `remediation.acted` to webhook endpoints."),
  z
    .strictObject({
      kind: z.literal("revoke"),
      target: z.enum([...target.options, "key"]),
      seconds: lasting.describe(
        "Absent: as long as a token may live; a subject or client until it is lifted.",
      ),
    })
    .describe("Refuses the target's tokens. `key`: what one signing key has signed before now."),
  z
    .strictObject({
      kind: z.literal("step_up"),
      target: target.default("subject"),
      acr_values: z.array(scopeToken).min(1).max(16).exactOptional(),
      new_sign_in: z.boolean().default(true).describe("The sign-in has to be later than the detection."),
      seconds: lasting.describe("Absent: as long as a token may live."),
    })
    .refine((action) => action.new_sign_in || action.acr_values !== undefined, {
      path: ["acr_values"],
      message: "is needed where new_sign_in is false: nothing would be asked for",
    })
    .describe("The target's tokens need another sign-in behind them (RFC 9470)."),
  z
    .strictObject({
      kind: z.literal("shrink_scope"),
      target,
      scopes: z.array(scopeToken).min(1).max(64),
      seconds: lasting.describe("Absent: as long as a token may live."),
    })
    .describe("The target's tokens count without these scopes."),
  z
    .strictObject({ kind: z.literal("force_sign_in") })
    .describe("Ends every session and token of the subject that began before now."),
  z
    .strictObject({
      kind: z.literal("block_address"),
      seconds: z.int().min(10).max(DAY_SECONDS).default(DEFAULT_BLOCK_SECONDS),
    })
    .describe("Refuses every request from the detection's address, of IPv6 from its /64."),
  z.strictObject({ kind: z.literal("rotate_key") }).describe("Begins the rotation of our keys that is due."),
]);

export const remediationRuleSchema = z
  .strictObject({
    id: name,
    when: z.union([detectionKind, z.array(detectionKind).min(1).max(DETECTION_KINDS.length)]),
    condition: conditionSource
      .exactOptional()
      .describe(
        "CEL over `detection`, `about`, `facts` and `time` (UTC); the rule acts only where it is true.",
      ),
    threshold: z
      .strictObject({ count: z.int().min(1).max(10_000), window_seconds: seconds(DAY_SECONDS) })
      .exactOptional()
      .describe("So many such detections of the same target in the window. Absent: the first is enough."),
    actions: z.array(actionSchema).min(1).max(8),
    cooldown_seconds: z
      .int()
      .min(0)
      .max(DAY_SECONDS)
      .default(300)
      .describe("So long after it acted, the rule leaves the same target alone."),
    max_cut: z
      .int()
      .min(0)
      .max(1e9)
      .default(100)
      .describe("Live tokens that one firing may cut; more wait for a person, and everybody is told."),
    max_per_hour: z.int().min(1).max(100_000).default(100).describe("How often the rule may act in an hour."),
    shadow: z.boolean().default(false).describe("Only records what it would have done."),
  })
  .meta({ id: "RemediationRule", description: "What is done when something is noticed." });

export const remediationSchema = z.strictObject({
  rules: z.array(remediationRuleSchema).max(100).describe("All that match a detection act, each by itself."),
});

export type RemediationRule = z.output<typeof remediationRuleSchema>;
export type RemediationAction = RemediationRule["actions"][number];
