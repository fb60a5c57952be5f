/** Everything that can be detected. Closed: the policy's `detections` has a member for each, remediation rules name them. */
export const DETECTION_KINDS = [
  "token_tampered",
  "token_used_after_expiry",
  "token_used_after_revocation",
  "refresh_token_reused",
  "token_overused",
  "token_many_addresses",
  "token_many_countries",
  "token_many_networks",
  "impossible_travel",
  "scope_probing",
  "unknown_key_storm",
  "key_rotation_overdue",
  "key_compromised",
  "webhook_endpoint_dead",
  "break_glass_used",
] as const;

export type DetectionKind = (typeof DETECTION_KINDS)[number];

/** An isolate does not tell of a token that is used less often than this. */
export const UNTOLD_USES_PER_SECOND = 5;

/**
 * What a detection is about: ids, never a token or a claim set. Every member is verified, but where the kind is
 * about forged or unknown tokens (`token_tampered`, `unknown_key_storm`): `iss` and `kid` are then what the
 * token says of itself, and only `address` and `route` are sure.
 */
export type DetectionSubject = {
  /** Issuer, exactly as in the token. */
  iss?: string;
  jti?: string;
  /** `sub`, exactly as in the token; it is this subject together with `iss` only. */
  sub?: string;
  client_id?: string;
  /** `grt_…` */
  grant?: string;
  /** `sid` of the token, `ses_…` of one of ours. */
  session?: string;
  kid?: string;
  route?: string;
  /** The client's address: of IPv6 the block that one subscriber has, such as `2001:db8:1:2::/64`. */
  address?: string;
  /** `whe_…` */
  endpoint?: string;
};

/** One thing that was noticed. */
export type Detection = {
  /** `det_…`: the same for the same kind, subject and window, so that a repeat is the same detection. */
  id: string;
  kind: DetectionKind;
  /** When the threshold was reached, epoch seconds. */
  at: number;
  /** The length of the window that was counted in; 0 where one event is enough. */
  window_seconds: number;
  /** What was counted in the window, at least `threshold`. */
  count: number;
  threshold: number;
  about: DetectionSubject;
  /** Figures and names that tell how it came to it, such as the countries; for people and conditions. */
  facts?: Record<string, string | number>;
};
