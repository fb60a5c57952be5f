import * as z from "zod";
import type { Same } from "../platform/operation.ts";
import type { WouldCut } from "./live-token.ts";
import type { Receipt } from "./receipt.ts";
import { REVOCATION_STATES, type RevocationRecord } from "./record.ts";
import { effectSchema, matchSchema } from "./rule-schema.ts";

/** Epoch seconds, with milliseconds as the fraction where it is a moment of ours. */
export const moment = z.number();

export const receiptSchema = z
  .strictObject({
    id: z.string().describe("The log entry's id, or the revocation's."),
    seq: z.int().describe("The entry's place in the log."),
    accepted_at: moment,
    effective_by: z
      .strictObject({ strict: moment, bounded: moment, eventual: moment })
      .describe("After this moment no accept decision of that tier is taken against the change."),
  })
  .meta({ id: "Receipt", description: "Acknowledges a change of authority. Times are epoch seconds." });

const wouldCut = z
  .strictObject({ tokens: z.int(), grants: z.int(), subjects: z.int(), clients: z.int() })
  .meta({ id: "WouldCut", description: "Live tokens that are hit, and how many hold them." });

const state = z.enum(REVOCATION_STATES);

const confirmation = { would_cut: wouldCut, exact: z.boolean(), expires_at: moment };

export const revocationSchema = z
  .strictObject({
    id: z.string(),
    match: matchSchema,
    effect: effectSchema.exactOptional().describe("Absent: what it hits is refused."),
    issued_before: moment.exactOptional(),
    reason: z.string(),
    actor: z.string(),
    created_at: moment,
    expires_at: moment.exactOptional(),
    emergency: z.literal(true).exactOptional(),
    state,
    seq: z.int().exactOptional().describe("Its place in the log; absent before it is confirmed."),
    lifted_at: moment.exactOptional(),
    lifted_by: z.string().exactOptional(),
    confirmation: z
      .strictObject(confirmation)
      .exactOptional()
      .describe("Where a second person is or was needed: what it would cut, until when it can be confirmed."),
    history: z
      .array(
        z.strictObject({
          event: z.enum(["proposed", "created", "confirmed", "cancelled", "lifted"]),
          at: moment,
          actor: z.string(),
          reason: z.string().exactOptional(),
        }),
      )
      .describe("Oldest first."),
    receipt: receiptSchema
      .exactOptional()
      .describe("What acknowledged it; told where one revocation is read."),
  })
  .meta({ id: "Revocation", description: "A rule that refuses tokens, with its state and its history." });

export const heldBackSchema = z
  .strictObject({ id: z.string(), state: z.literal("awaiting_confirmation"), ...confirmation })
  .meta({ id: "HeldBackRevocation", description: "It waits for a second person, and hits nothing yet." });

export const liveCountSchema = z
  .strictObject({
    dry_run: z.literal(true),
    would_cut: wouldCut,
    exact: z.boolean().describe("False where the index was full: there are more."),
    sample: z.array(
      z.strictObject({
        jti: z.string(),
        sub: z.string(),
        client_id: z.string(),
        grant: z.string().exactOptional(),
        exp: moment,
      }),
    ),
  })
  .meta({ id: "RevocationDryRun", description: "What the revocation would cut; nothing is changed." });

true satisfies Same<z.output<typeof receiptSchema>, Receipt>;
true satisfies Same<z.output<typeof wouldCut>, WouldCut>;
true satisfies Same<z.output<typeof revocationSchema>, RevocationRecord>;
