import type {
  Client,
  ClientWithSecret,
  DecidedOtherwise,
  Delivery,
  PolicyCheck,
  PolicyVersion,
  PolicyVersionInfo,
  Propagation,
  Receipt,
  Revocation,
  RevocationDryRun,
  SigningKey,
  WebhookEndpoint,
  WouldCut,
} from "../client/contract.ts";

/** What the operators' pages read of the HTTP contract's answers, by the names that they have for them. */

export const TIERS = ["strict", "bounded", "eventual"] as const;
export type Tier = (typeof TIERS)[number];

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
] as const satisfies readonly (keyof Revocation["match"])[];

export type ReceiptView = Receipt;
export type MatchView = Revocation["match"];
export type EffectView = NonNullable<Revocation["effect"]>;
export type WouldCutView = WouldCut;
export type DryRunView = RevocationDryRun;
export type RevocationView = Revocation;
export type PropagationView = Propagation;
/** What the canary measured of one tier, in milliseconds. */
export type SummaryView = NonNullable<Propagation["tiers"][Tier]>;
export type KeyView = SigningKey;
export type PolicyView = PolicyVersion;
export type PolicyVersionView = PolicyVersionInfo;
/** What a new policy would change, and how it would have decided what was asked lately. */
export type PolicyCheckView = PolicyCheck;
export type DecidedOtherwiseView = DecidedOtherwise;
export type ClientView = Client & Partial<ClientWithSecret>;
export type EndpointView = WebhookEndpoint;
export type DeliveryView = Delivery;
