import * as z from "zod";
import { CHECKS } from "../protocol/decision-trace.ts";

export const traceMembers = z.record(z.string(), z.json());
/** `DecisionTrace` as it is described. */
export const traceSchema = z
  .looseObject({
    trace_version: z.literal(1),
    decision_id: z.string(),
    outcome: z.enum(["allow", "refuse"]),
    reason: z.string(),
    status: z.int().describe("What the client is answered; 200 stands for what the origin says."),
    route: z.string().exactOptional(),
    origin: z.string().exactOptional(),
    seq: z.int().exactOptional(),
    replica_age_ms: z.number().exactOptional(),
    checks: z.array(
      z.looseObject({
        check: z.enum(CHECKS),
        outcome: z.enum(["passed", "failed", "skipped"]),
        demand: traceMembers.exactOptional().describe("What the policy asks for, never what a token says."),
        reason: z.string().exactOptional(),
      }),
    ),
    remedies: z
      .array(z.looseObject({ kind: z.string() }))
      .describe(
        "What would turn a refusal around. `other_route`, the nearest to an address that no route takes, is in explanations only.",
      ),
  })
  .meta({ id: "DecisionTrace", description: "A decision with all that led to it. Members may be added." });
