import type { DetectionSubject } from "../protocol/detection.ts";

/** What was refused, as far as it can be a sign of something. */
export type SuspectRefusal = "tampered" | "expired" | "revoked" | "forbidden" | "unknown_key";

/** Where a token was used from. What Cloudflare does not tell is not there. */
export type Place = {
  /** A number that stands for the address: equal addresses have equal ones. */
  address_hash?: number;
  country?: string;
  asn?: number;
  latitude?: number;
  longitude?: number;
};

/**
 * What an isolate tells of the requests of about one second, in ids; equal ones are told once, with their number.
 * `at` is in epoch seconds.
 */
export type Observation = { about: DetectionSubject; at: number } & (
  | {
      what: "refused";
      why: SuspectRefusal;
      count: number;
      /** What tells one of these refusals from another: of `forbidden` route and resource, of `unknown_key` the `kid`. */
      value?: string;
      /** How long an `expired` token was over. */
      late_seconds?: number;
    }
  /** A token was used from a place that it was not used from in this isolate lately. */
  | ({ what: "seen" } & Place)
  /** A token was used so often that it matters. */
  | { what: "used"; count: number }
);

/** What one isolate tells one shard of about a second. A shard takes a report once, by its id (`rpt_…`). */
export type Report = { id: string; isolate: string; observations: Observation[] };

/**
 * Who a token belongs together with: its session's others, or nothing but itself. Undefined for a token that
 * nothing tells from the others of its subject.
 */
export function tokenKey({ iss, session, jti }: DetectionSubject): string | undefined {
  const own = session ?? jti;
  return iss === undefined || own === undefined ? undefined : `${iss} ${own}`;
}

/** What is counted together, and so which shard it belongs to. */
export function observedKey({ about, ...observed }: Observation): string | undefined {
  if (observed.what !== "refused") return tokenKey(about);
  switch (observed.why) {
    case "tampered":
    case "unknown_key":
      // What a forged token says of itself is anybody's choice, but for the issuer, which the policy names.
      return about.address ?? about.iss;
    case "forbidden":
      return about.sub === undefined ? undefined : `${about.iss} ${about.sub}`;
    default:
      return tokenKey(about);
  }
}
