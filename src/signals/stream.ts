import type { Json } from "../protocol/json.ts";
import { securityEventUri } from "../protocol/security-event.ts";

/** RFC 8935 and RFC 8936 as delivery methods (SSF 1.0 §6.1). */
export const PUSH = "urn:ietf:rfc:8935";
export const POLL = "urn:ietf:rfc:8936";

/** What we tell of. */
export const EVENTS_SUPPORTED = [securityEventUri("session-revoked")];
/** Seconds between two verifications that a receiver asks for. */
export const MIN_VERIFICATION_INTERVAL = 30;

export type StreamStatus = "enabled" | "paused" | "disabled";

type PushDelivery = { method: typeof PUSH; endpoint_url: string; authorization_header?: string };

/** What a receiver says of its stream. `authorization_header` is sent with every push and shown to nobody. */
export type StreamOpening = {
  /** Absent: as it was. */
  delivery?: PushDelivery | { method: typeof POLL };
  /** Absent: everything that is supported. */
  events_requested?: string[];
  description?: string;
};

/** One stream as it is stored; the header is sealed elsewhere. Times are epoch seconds. */
export type Stream = {
  /** `str_…` */
  id: string;
  client_id: string;
  method: typeof PUSH | typeof POLL;
  endpoint_url?: string;
  events_requested?: string[];
  description?: string;
  status: StreamStatus;
  reason?: string;
  /** When the receiver last asked for a verification. */
  verified_at?: number;
  /** 1 at creation, one more with every change. */
  revision: number;
};

/** The configuration as the receiver reads it (SSF 1.0 §8.1.1). */
export function presentStream(stream: Stream, issuer: string): { [member: string]: Json } {
  const { id, client_id, method, endpoint_url, description } = stream;
  const requested = stream.events_requested ?? EVENTS_SUPPORTED;
  return {
    stream_id: id,
    iss: issuer,
    aud: client_id,
    delivery: { method, endpoint_url: endpoint_url ?? `${issuer}/v1/signals/streams/${id}/poll` },
    events_supported: EVENTS_SUPPORTED,
    events_requested: requested,
    events_delivered: EVENTS_SUPPORTED.filter((uri) => requested.includes(uri)),
    min_verification_interval: MIN_VERIFICATION_INTERVAL,
    ...(description === undefined ? {} : { description }),
  };
}

/** The stream with what its receiver says of it now; what it leaves out, but for the delivery, is as if it had never said it. */
export function configured(
  before: Stream,
  { delivery, events_requested, description }: StreamOpening,
): Stream {
  const { events_requested: _requested, description: _about, ...kept } = before;
  const { endpoint_url: _elsewhere, ...rest } = kept;
  const way =
    delivery === undefined
      ? kept
      : {
          ...rest,
          method: delivery.method,
          ...(delivery.method === PUSH ? { endpoint_url: delivery.endpoint_url } : {}),
        };
  return {
    ...way,
    revision: before.revision + 1,
    ...(events_requested ? { events_requested } : {}),
    ...(description === undefined ? {} : { description }),
  };
}

/** Whether events of the type go to the receiver. */
export function delivers({ events_requested }: Stream, uri: string): boolean {
  return EVENTS_SUPPORTED.includes(uri) && (events_requested ?? EVENTS_SUPPORTED).includes(uri);
}
