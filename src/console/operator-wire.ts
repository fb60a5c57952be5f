/** What the operators' pages read of the HTTP contract's answers. Times are epoch seconds. */

export const TIERS = ["strict", "bounded", "eventual"] as const;
export type Tier = (typeof TIERS)[number];

export type ReceiptView = {
  id: string;
  seq: number;
  accepted_at: number;
  /** After this moment no accept decision of that tier is taken against the change. */
  effective_by: Record<Tier, number>;
};

/** The claims that a revocation can name, from the narrowest to the widest. */
export const MATCH_MEMBERS = [
  "jti",
  "grant",
  "session",
  "sub",
  "client_id",
  "jkt",
  "kid",
  "iss",
  "address",
] as const;
export type MatchView = Readonly<Record<string, string>>;

export type EffectView =
  | { kind: "step_up"; acr_values?: string[]; signed_in_since?: number }
  | { kind: "shrink_scope"; scopes: string[] };

export type WouldCutView = { tokens: number; grants: number; subjects: number; clients: number };

export type DryRunView = {
  would_cut: WouldCutView;
  /** False: there are more. */
  exact: boolean;
  sample: { jti: string; sub: string; client_id: string; grant?: string; exp: number }[];
};

export const REVOCATION_STATES = [
  "awaiting_confirmation",
  "in_force",
  "lifted",
  "expired",
  "cancelled",
  "confirmation_expired",
] as const;

export type RevocationView = {
  id: string;
  match: MatchView;
  effect?: EffectView;
  issued_before?: number;
  reason: string;
  actor: string;
  created_at: number;
  expires_at?: number;
  emergency?: true;
  state: string;
  seq?: number;
  confirmation?: { would_cut: WouldCutView; exact: boolean; expires_at: number };
  history: { event: string; at: number; actor: string; reason?: string }[];
  receipt?: ReceiptView;
};

/** What the canary measured of one tier, in milliseconds. */
export type SummaryView = {
  promise_ms: number;
  count: number;
  broken: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
};

export type PropagationView = {
  window_seconds: number;
  tiers: Record<Tier, SummaryView | null>;
  /** Decisions by the age of the replica that they were taken on; null is for what is older. */
  replica_age: Record<Tier, { at_most_ms: number | null; decisions: number }[]>;
};

export type KeyView = {
  kid: string;
  purpose: string;
  alg: string;
  state: "next" | "current" | "previous" | "retired" | "compromised";
  created_at: number;
  published_at?: number;
  /** Also the planned moment. */
  signs_from?: number;
  signs_until?: number;
  retires_at?: number;
  compromised_at?: number;
};

export type PolicyView = { version: number; document: object };

export type PolicyVersionView = {
  version: number;
  created_at: number;
  created_by: string;
  active: boolean;
};

/** What a new policy would change, and how it would have decided what was asked lately. */
export type PolicyCheckView = {
  active_version: number;
  changes: Record<string, { added: string[]; removed: string[]; changed: string[]; reordered?: boolean }>;
  warnings: string[];
  /** As it would be kept, with its defaults. */
  document: object;
  simulation?: { replayed?: number; decided_otherwise?: DecidedOtherwiseView[] };
};

export type DecidedOtherwiseView = {
  id: string;
  requester: string;
  resource: string;
  scope: string;
  was: string;
  would_be: string;
  detail?: string;
};

export type ClientView = {
  id: string;
  name: string;
  auth_method: string;
  grant_types: string[];
  scopes: string[];
  roles: string[];
  introspects?: string[];
  jwks_uri?: string;
  created_at: number;
  created_by: string;
  disabled: boolean;
  /** Shown by the call that made it, and never again. */
  client_secret?: string;
};

export type EndpointView = {
  id: string;
  url: string;
  events: string[];
  description?: string;
  enabled: boolean;
  /** The receiver answered 410. */
  disabled_reason?: "gone";
  created_at: number;
  signature?: "hmac" | "ed25519";
  public_keys?: string[];
  slack?: object;
  /** Shown by the call that made it, and never again. */
  secret?: string;
};

export type DeliveryView = {
  id: string;
  event_type: string;
  state: "pending" | "delivered" | "dead_letter";
  created_at: number;
  next_attempt_at?: number;
  dead_reason?: string;
  /** The latest ones, newest first. */
  attempts: { number: number; at: number; duration_seconds: number; status?: number; error?: string }[];
};
