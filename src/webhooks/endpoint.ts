import type { Result } from "../protocol/result.ts";
import type { EventFilter, EventType } from "./event.ts";
import type { ReviewsAs } from "./reviews-as.ts";
import type { SlackSettings } from "./slack-settings.ts";

/** How many endpoints a deployment keeps: the registry refuses to create more. */
export const MAX_ENDPOINTS = 200;

/** How many of them may have `reviews_as`: an inbound decision is checked against every one's secrets. */
export const MAX_DECISION_ENDPOINTS = 32;

/** The newest secret and the one before it: receivers change over while both are signed with. */
export const MAX_SECRETS = 2;

/** A webhook endpoint as the registry keeps it. Times are epoch seconds. */
export type EndpointRecord = {
  /** `whe_…` */
  id: string;
  url: string;
  events: EventFilter[];
  description?: string;
  reviews_as?: ReviewsAs;
  /** What events are sent as messages of Slack, and whose clicks count. Absent: Standard Webhooks. */
  slack?: SlackSettings;
  /** Sealed secrets (`EndpointSecrets`), newest first, one or two. */
  secrets_sealed: string[];
  enabled: boolean;
  /** Why it is not enabled, where no operator disabled it: the receiver answered 410. */
  disabled_reason?: "gone";
  created_at: number;
  /** 1 at creation, one more with every change: the endpoint's object ignores an older configuration. */
  revision: number;
};

/** What may be changed. `null` removes an optional member; an absent one stays. */
export type EndpointPatch = {
  url?: string;
  events?: EventFilter[];
  description?: string | null;
  reviews_as?: ReviewsAs | null;
  slack?: SlackSettings;
  enabled?: boolean;
  disabled_reason?: "gone";
};

type EndpointPage = { items: EndpointRecord[]; next_cursor?: string };

/** The registry as this room needs it. All methods are idempotent; an unknown id answers `not_found`. */
export type RegistryPort = {
  /** `conflict` above `MAX_ENDPOINTS`, or above `MAX_DECISION_ENDPOINTS` with `reviews_as`; `gone` for a deleted id. */
  createEndpoint(record: EndpointRecord): Promise<Result<EndpointRecord>>;
  endpoint(id: string): Promise<Result<EndpointRecord>>;
  /** Newest first. */
  listEndpoints(page: { limit: number; cursor?: string }): Promise<Result<EndpointPage>>;
  /**
   * Applies the patch and raises `revision`; `conflict` as for `createEndpoint`, `precondition_failed` where
   * another revision is named than the record's.
   */
  updateEndpoint(id: string, patch: EndpointPatch, ifMatch?: number): Promise<Result<EndpointRecord>>;
  deleteEndpoint(id: string): Promise<Result<{ id: string }>>;
  /** Puts the sealed secret first, keeps the one before it, raises `revision`. */
  rotateEndpointSecret(id: string, sealed: string): Promise<Result<EndpointRecord>>;
  /** The enabled endpoints that subscribe to the type (`matchesEvent`). */
  endpointsFor(type: EventType): Promise<Result<EndpointRecord[]>>;
  /** Ids of the streams of shared signals whose clients may act. */
  streamIds(ofAll?: boolean): Promise<Result<string[]>>;
  /** The enabled endpoints with `reviews_as`, at most `MAX_DECISION_ENDPOINTS`. */
  decisionEndpoints(): Promise<Result<EndpointRecord[]>>;
};

/** What an endpoint's own object must know to deliver. */
export type EndpointConfig = Pick<
  EndpointRecord,
  "id" | "url" | "secrets_sealed" | "enabled" | "revision" | "slack"
>;

/** What the object needs of the registry's record. */
export function configOf(record: EndpointRecord): EndpointConfig {
  const { id, url, secrets_sealed, enabled, revision, slack } = record;
  return { id, url, secrets_sealed, enabled, revision, ...(slack ? { slack } : {}) };
}
