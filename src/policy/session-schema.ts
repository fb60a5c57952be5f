import * as z from "zod";
import { DAY_SECONDS, seconds } from "./names.ts";

/** A role that was taken away is gone after the access token that still carries it: five minutes at most. */
const MAX_ACCESS_TOKEN_TTL_SECONDS = 300;
const MAX_SESSION_SECONDS = 30 * DAY_SECONDS;

/** Whether people get sessions (refresh tokens), and how long those last. */
export const sessionsSchema = z
  .strictObject({
    idle_seconds: seconds(MAX_SESSION_SECONDS)
      .default(8 * 3600)
      .describe("A session that is not refreshed for this long is over."),
    absolute_seconds: seconds(MAX_SESSION_SECONDS)
      .default(DAY_SECONDS)
      .describe("A session is over this long after it began, however it is used."),
    access_token_ttl_seconds: seconds(MAX_ACCESS_TOKEN_TTL_SECONDS)
      .default(MAX_ACCESS_TOKEN_TTL_SECONDS)
      .describe("Life of its access tokens, and so the longest that a lost role still counts."),
    reuse_window_seconds: z
      .int()
      .min(0)
      .max(60)
      .default(10)
      .describe(
        "A refresh token that is sent again within this time gets the same answer; later it ends the session.",
      ),
    reassert_seconds: seconds(MAX_SESSION_SECONDS)
      .exactOptional()
      .describe(
        "What the identity provider said of a person counts this long; then a refresh must bring a fresh `subject_token`. Absent: as long as the session.",
      ),
  })
  .refine((s) => s.idle_seconds <= s.absolute_seconds, {
    path: ["idle_seconds"],
    message: "must not be longer than absolute_seconds",
  });
