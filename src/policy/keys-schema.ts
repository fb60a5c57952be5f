import * as z from "zod";
import { SIGNING_ALGORITHMS } from "../protocol/signature-algorithm.ts";

const DAY = 86_400;
/** How long caches keep our JWK set, by its `Cache-Control`; a next key is published for longer than that. */
export const JWKS_MAX_AGE_SECONDS = 300;

export const keysSchema = z.strictObject({
  algorithm: z
    .enum(SIGNING_ALGORITHMS)
    .default("ES256")
    .describe("Algorithm of the keys that are made from now on."),
  rotation_seconds: z
    .int()
    .min(1)
    .max(366 * DAY)
    .default(30 * DAY)
    .describe("How long a key signs before the next one takes its place."),
  publish_ahead_seconds: z
    .int()
    .min(1)
    .max(31 * DAY)
    .default(DAY)
    .describe("How long a key is in the JWK set before it signs: longer than any verifier keeps its copy."),
  overdue_grace_seconds: z
    .int()
    .min(0)
    .max(366 * DAY)
    .default(7 * DAY)
    .describe("Where a rotation is overdue for longer, no more tokens are issued."),
});

export type KeyPolicy = z.output<typeof keysSchema>;

/** What holds where the policy says nothing. */
export const DEFAULT_KEY_POLICY: KeyPolicy = keysSchema.parse({});
