import * as z from "zod";
import { UNTOLD_USES_PER_SECOND } from "../protocol/detection.ts";
import { DEFAULT_DETECTIONS as BY_DEFAULT, type DetectionPolicy, MAX_DISTINCT } from "./detection-policy.ts";
import { DAY_SECONDS } from "./names.ts";

/** A token's places are told anew every five minutes: what is counted in less would fall between two tellings. */
const MIN_PLACES_WINDOW_SECONDS = 600;

type Counted = DetectionPolicy["scope_probing"];

const enabled = z.boolean().default(true).describe("Whether it is detected.");
const exact = z
  .boolean()
  .default(false)
  .describe("Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed.");
const window = (seconds: number, min = 10) =>
  z.int().min(min).max(DAY_SECONDS).default(seconds).describe("The length of the window that is counted in.");
const threshold = (count: number, max: number, min = 1) =>
  z.int().min(min).max(max).default(count).describe("How many in one window are a detection.");

/** One event is enough. */
const event = () => z.strictObject({ enabled }).prefault({});
const counted = ({ threshold: count, window_seconds }: Counted) => ({
  enabled,
  threshold: threshold(count, 1_000_000),
  window_seconds: window(window_seconds),
  exact,
});
const distinct = ({ threshold: count, window_seconds }: Counted, minSeconds?: number) => ({
  enabled,
  // One value is where every token is.
  threshold: threshold(count, MAX_DISTINCT, 2),
  window_seconds: window(window_seconds, minSeconds),
  exact,
});
const places = (by: Counted) => z.strictObject(distinct(by, MIN_PLACES_WINDOW_SECONDS)).prefault({});

/** What is detected, and from when on. */
export const detectionsSchema = z.strictObject({
  show_address: z
    .boolean()
    .default(true)
    .describe("Whether a detection names the client's address; without it, no address can be blocked."),
  token_tampered: z
    .strictObject(counted(BY_DEFAULT.token_tampered))
    .prefault({})
    .describe("Tokens from one address whose signature does not hold under the key that they name."),
  token_used_after_expiry: z
    .strictObject({
      ...counted(BY_DEFAULT.token_used_after_expiry),
      grace_seconds: z
        .int()
        .min(0)
        .max(DAY_SECONDS)
        .default(BY_DEFAULT.token_used_after_expiry.grace_seconds)
        .describe("Uses so soon after the end are a clock that is behind, or a client that renews late."),
    })
    .prefault({})
    .describe("One token, used after its end."),
  token_used_after_revocation: z
    .strictObject(counted(BY_DEFAULT.token_used_after_revocation))
    .prefault({})
    .describe("One revoked token, used still."),
  refresh_token_reused: event().describe("A spent refresh token was used again; its session is over."),
  token_overused: z
    .strictObject({
      ...counted(BY_DEFAULT.token_overused),
      times_own_rate: z
        .int()
        .min(2)
        .max(1_000)
        .default(BY_DEFAULT.token_overused.times_own_rate)
        .describe("How many times its own highest count is a detection, once it is known for five windows."),
    })
    .refine(({ threshold, window_seconds }) => threshold > UNTOLD_USES_PER_SECOND * window_seconds, {
      path: ["threshold"],
      message: `must be more than ${UNTOLD_USES_PER_SECOND} for each second of the window: less is not counted`,
    })
    .prefault({})
    .describe("Requests with one token (of a session: with its tokens)."),
  token_many_addresses: places(BY_DEFAULT.token_many_addresses).describe(
    "Addresses that one token, or session, is used from.",
  ),
  token_many_countries: places(BY_DEFAULT.token_many_countries).describe(
    "Countries that one token, or session, is used from.",
  ),
  token_many_networks: places(BY_DEFAULT.token_many_networks).describe(
    "Networks (ASN) that one token, or session, is used from.",
  ),
  impossible_travel: z
    .strictObject({
      ...counted(BY_DEFAULT.impossible_travel),
      window_seconds: window(BY_DEFAULT.impossible_travel.window_seconds, MIN_PLACES_WINDOW_SECONDS),
      min_distance_km: z
        .int()
        .min(50)
        .max(20_000)
        .default(BY_DEFAULT.impossible_travel.min_distance_km)
        .describe("Shorter ways are none."),
      max_speed_kmh: z
        .int()
        .min(100)
        .max(100_000)
        .default(BY_DEFAULT.impossible_travel.max_speed_kmh)
        .describe("Slower than this is possible."),
      same_country: z
        .boolean()
        .default(false)
        .describe("Whether ways within one country count: providers move their addresses about in one."),
    })
    .prefault({})
    .describe("Moves of one token, or session, that are too fast. A VPN switched on or off is one move."),
  scope_probing: z
    .strictObject(distinct(BY_DEFAULT.scope_probing))
    .prefault({})
    .describe("Different routes and resources that one subject was refused (403)."),
  unknown_key_storm: z
    .strictObject(distinct(BY_DEFAULT.unknown_key_storm))
    .prefault({})
    .describe("Different `kid`s from one address that no trusted issuer has."),
  key_rotation_overdue: event().describe("A signing key is not replaced in time."),
  key_compromised: event().describe("A signing key was replaced as compromised."),
  webhook_endpoint_dead: event().describe("A receiver is gone, or has not answered for three days."),
  break_glass_used: event().describe("Somebody took access without an approval."),
});
