import * as z from "zod";
import { roleName } from "./names.ts";

const MAX_PEOPLE = 50;
const MAX_ASKS = 50;
const MAX_REPLAYED = 200;
const subject = z.string().min(1).max(320);

/** What the access rules of a new policy are tried with before it is put. */
export const simulationSchema = z.strictObject({
  people: z
    .array(z.strictObject({ subject, roles: z.array(roleName).max(64).default([]) }))
    .max(MAX_PEOPLE)
    .default([]),
  asks: z
    .array(
      z.strictObject({
        subject: subject.describe("One of `people`, or somebody without a role."),
        resource: z.string().min(1).max(256),
        scope: z.string().min(1).max(2_000),
        duration_seconds: z.int().min(1).exactOptional(),
        justification: z.string().max(2_000).default("a simulated request for access, in enough words"),
        ticket: z.string().max(200).exactOptional(),
        at: z.int().min(0).max(1e11).exactOptional().describe("Epoch seconds; absent: now."),
      }),
    )
    .max(MAX_ASKS)
    .default([]),
  replay: z
    .int()
    .min(0)
    .max(MAX_REPLAYED)
    .default(0)
    .describe("So many of the latest access requests are decided again by the new rules."),
});

export type Simulation = z.output<typeof simulationSchema>;
export type SimulatedAsk = Simulation["asks"][number];
