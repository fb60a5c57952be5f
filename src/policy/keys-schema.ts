import * as z from "zod";
import { SIGNING_ALGORITHMS } from "../protocol/signature-algorithm.ts";
import { DEFAULT_KEY_POLICY } from "./key-policy.ts";

const DAY = 86_400;
/** How long caches keep our JWK set, by its `Cache-Control`; a next key is published for longer than that. */
export const JWKS_MAX_AGE_SECONDS = 300;

export const keysSchema = z.strictObject({
  algorithm: z
    .enum(SIGNING_ALGORITHMS)
    .default(DEFAULT_KEY_POLICY.algorithm)
    .describe("Algorithm of the keys that are made from now on."),
  rotation_seconds: z
    .int()
    .min(1)
    .max(366 * DAY)
    .default(DEFAULT_KEY_POLICY.rotation_seconds)
    .describe("How long a key signs before the next one takes its place."),
  publish_ahead_seconds: z
    .int()
    .min(1)
    .max(31 * DAY)
    .default(DEFAULT_KEY_POLICY.publish_ahead_seconds)
    .describe("How long a key is in the JWK set before it signs: longer than any verifier keeps its copy."),
  overdue_grace_seconds: z
    .int()
    .min(0)
    .max(366 * DAY)
    .default(DEFAULT_KEY_POLICY.overdue_grace_seconds)
    .describe("Where a rotation is overdue for longer, no more tokens are issued."),
});
