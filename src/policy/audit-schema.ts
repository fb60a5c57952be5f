import * as z from "zod";
import { DEFAULT_AUDIT_POLICY } from "./audit-policy.ts";

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
    .default(DEFAULT_AUDIT_POLICY.record_addresses)
    .describe("Records say from which address a call came, and not only from which country and network."),
  checkpoint_seconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(DEFAULT_AUDIT_POLICY.checkpoint_seconds)
    .describe("How long after a record the next signed checkpoint is anchored in KV and told to endpoints."),
});
