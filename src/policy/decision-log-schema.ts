import * as z from "zod";
import { DEFAULT_DECISION_LOG } from "./decision-log.ts";

/** A week. */
const MAX_RETENTION_HOURS = 168;

/** What is kept of decisions, beside counts: every refusal, and as many acceptances as this says. */
export const decisionLogSchema = z.strictObject({
  sample_accepted: z
    .number()
    .min(0)
    .max(1)
    .default(DEFAULT_DECISION_LOG.sample_accepted)
    .describe("The share of acceptances of which a line is written and a record is kept."),
  retention_hours: z
    .int()
    .min(1)
    .max(MAX_RETENTION_HOURS)
    .default(DEFAULT_DECISION_LOG.retention_hours)
    .describe("How long records are kept, where there are not so many that they go earlier."),
  addresses: z
    .boolean()
    .default(DEFAULT_DECISION_LOG.addresses)
    .describe("Whether records say the client's address, country and network."),
});
