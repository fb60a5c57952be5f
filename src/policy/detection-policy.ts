/** One event is enough. */
type Event = { enabled: boolean };

/** `threshold` in one window is a detection; `exact` counts more of them one by one. */
type Counted = { enabled: boolean; threshold: number; window_seconds: number; exact: boolean };

/** What is detected, and from when on, as the policy says it. */
export type DetectionPolicy = {
  show_address: boolean;
  token_tampered: Counted;
  token_used_after_expiry: Counted & { grace_seconds: number };
  token_used_after_revocation: Counted;
  refresh_token_reused: Event;
  token_overused: Counted & { times_own_rate: number };
  token_many_addresses: Counted;
  token_many_countries: Counted;
  token_many_networks: Counted;
  impossible_travel: Counted & { min_distance_km: number; max_speed_kmh: number; same_country: boolean };
  scope_probing: Counted;
  unknown_key_storm: Counted;
  key_rotation_overdue: Event;
  key_compromised: Event;
  webhook_endpoint_dead: Event;
  break_glass_used: Event;
};

/** So many values of one token are remembered. */
export const MAX_DISTINCT = 256;

const EVENT: Event = { enabled: true };
const counted = (threshold: number, window_seconds: number): Counted => ({
  enabled: true,
  threshold,
  window_seconds,
  exact: false,
});

/** What holds where the policy says nothing. */
export const DEFAULT_DETECTIONS: DetectionPolicy = {
  show_address: true,
  token_tampered: counted(10, 300),
  token_used_after_expiry: { ...counted(10, 3_600), grace_seconds: 600 },
  token_used_after_revocation: counted(20, 300),
  refresh_token_reused: EVENT,
  token_overused: { ...counted(20_000, 60), times_own_rate: 10 },
  token_many_addresses: counted(30, 3_600),
  token_many_countries: counted(4, 3_600),
  token_many_networks: counted(8, 3_600),
  impossible_travel: {
    ...counted(6, 3_600),
    min_distance_km: 500,
    max_speed_kmh: 1_000,
    same_country: false,
  },
  scope_probing: counted(10, 300),
  unknown_key_storm: counted(10, 300),
  key_rotation_overdue: EVENT,
  key_compromised: EVENT,
  webhook_endpoint_dead: EVENT,
  break_glass_used: EVENT,
};

/** What the policy says of detections. */
export function detectionPolicy({ detections }: { detections?: DetectionPolicy }): DetectionPolicy {
  return detections ?? DEFAULT_DETECTIONS;
}
