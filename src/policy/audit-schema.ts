import * as z from "zod";

export const auditSchema = z.strictObject({
  retain_days: z
    .int()
    .min(1)
    .max(36_500)
    .exactOptional()
    .describe(
      "Records older than this lose their text; their hashes stay, and so do all proofs. Absent: kept.",
    ),
  record_addresses: z
    .boolean()
    .default(false)
    .describe("Records say from which address a call came, and not only from which country and network."),
  checkpoint_seconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(60)
    .describe("How long after a record the next signed checkpoint is anchored in KV and told to endpoints."),
});

export type AuditPolicy = z.output<typeof auditSchema>;

/** What holds where the policy says nothing. */
export const DEFAULT_AUDIT_POLICY: AuditPolicy = auditSchema.parse({});
