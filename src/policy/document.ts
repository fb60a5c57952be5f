import * as z from "zod";
import { accessRuleSchema } from "./access-rule-schema.ts";
import { auditSchema } from "./audit-schema.ts";
import { DEFAULT_CONFIRM_ABOVE } from "./confirm-above.ts";
import { decisionLogSchema } from "./decision-log-schema.ts";
import { delegationSchema } from "./delegation-schema.ts";
import { detectionsSchema } from "./detection-schema.ts";
import { issuerSchema } from "./issuer-schema.ts";
import { keysSchema } from "./keys-schema.ts";
import { name, roleName } from "./names.ts";
import { remediationSchema } from "./remediation-schema.ts";
import { roleSchema } from "./role-schema.ts";
import { originSchema, routeSchema } from "./route-schema.ts";
import { sessionsSchema } from "./session-schema.ts";
import { signalsSchema } from "./signal-schema.ts";

/** The policy document as it is stored, shown and put: snake_case, unknown members refused with their path. */
export const policySchema = z.strictObject({
  $schema: z.string().max(512).optional(),
  issuers: z.array(issuerSchema).max(64).default([]),
  origins: z.record(name, originSchema).default({}),
  routes: z.array(routeSchema).max(2_000).default([]),
  access_rules: z.array(accessRuleSchema).max(1_000).default([]),
  roles: z
    .record(roleName, roleSchema)
    .default({})
    .describe("Scopes that a role brings when an identity provider's token is exchanged for ours."),
  audit: auditSchema
    .exactOptional()
    .describe("The audit log. Absent: kept for ever, without addresses, anchored once a minute."),
  token_endpoint: z
    .strictObject({
      dpop_nonce: z
        .boolean()
        .default(false)
        .describe("A DPoP proof must hold a nonce of ours that is recent."),
    })
    .exactOptional(),
  delegation: z
    .array(delegationSchema)
    .max(1_000)
    .default([])
    .describe("Who may act for whom by token exchange with an actor token; nobody where it is empty."),
  revocations: z
    .strictObject({
      confirm_above: z
        .int()
        .min(1)
        .max(1e9)
        .describe("A revocation that would cut more live tokens than this needs a second person."),
      confirm_with_passkey: z
        .boolean()
        .exactOptional()
        .describe("The second person confirms with a passkey."),
    })
    .exactOptional()
    .describe(`Absent: confirm_above is ${DEFAULT_CONFIRM_ABOVE}.`),
  decision_log: decisionLogSchema
    .exactOptional()
    .describe("Absent: refusals only, for 24 hours, without addresses."),
  keys: keysSchema
    .exactOptional()
    .describe(
      "The life of our own signing keys. Absent: ES256, replaced every 30 days, published a day ahead.",
    ),
  sessions: sessionsSchema
    .exactOptional()
    .describe("Sessions of people whose token is exchanged. Absent: none, and no refresh token."),
  detections: detectionsSchema
    .exactOptional()
    .describe("What is noticed about tokens, and from when on. Absent: everything, by the defaults."),
  remediation: remediationSchema
    .exactOptional()
    .describe("What is done about what is detected. Absent: a gentle set of rules, see docs/remediation.md."),
  signals: signalsSchema.exactOptional().describe("Shared signals (SSF). Absent: nobody is listened to."),
});

export type PolicyDocument = z.output<typeof policySchema>;
export type TrustedIssuer = PolicyDocument["issuers"][number];
export type Origin = PolicyDocument["origins"][string];
export type Route = PolicyDocument["routes"][number];
export type CredentialSource = Route["credential"][number];
export type AccessRule = PolicyDocument["access_rules"][number];
export type Delegation = PolicyDocument["delegation"][number];
export type Transmitter = NonNullable<PolicyDocument["signals"]>["transmitters"][number];
export type SessionPolicy = NonNullable<PolicyDocument["sessions"]>;

/** One version of the policy; version 0 is the built-in empty one, which refuses every request. */
export type PolicyVersion = { version: number; document: PolicyDocument };

/** A version as it is kept and replicated: `schema` says by which schema its document was written. */
export type StoredPolicy = PolicyVersion & { schema?: string };
