import { consoleLogger } from "../platform/log.ts";
import { type Namespace, objectPort } from "../platform/rpc.ts";
import type { Result } from "../protocol/result.ts";
import type { DeliveryPage, DeliveryQuery, DeliveryView } from "./delivery-log.ts";
import { configOf, type EndpointConfig, type RegistryPort } from "./endpoint.ts";
import { DETECTED_EVENT_TYPES, type EventType, type WebhookEvent } from "./event.ts";

/** How many dead letters are sent again, and how many are left for another call. */
export type Redelivered = { redelivered: number; remaining: number };

/** An endpoint's object as others see it. */
export type EndpointPort = {
  enqueue(config: EndpointConfig, event: WebhookEvent): Promise<Result<{ delivery_id: string }>>;
  configure(config: EndpointConfig): Promise<Result<{ id: string }>>;
  remove(): Promise<Result<null>>;
  deliveries(page: DeliveryQuery): Promise<Result<DeliveryPage>>;
  delivery(deliveryId: string): Promise<Result<DeliveryView>>;
  redeliver(deliveryId: string): Promise<Result<DeliveryView>>;
  /** Sends dead letters again, those that became it at `sinceMs` or later. */
  redeliverDead(sinceMs: number): Promise<Result<Redelivered>>;
  /** What `redeliverDead` would do. */
  countDead(sinceMs: number): Promise<Result<Redelivered>>;
  /** Sends these again that do not wait to be sent anyway. */
  redeliverEach(deliveryIds: string[]): Promise<Result<Redelivered>>;
};

/** What looks for a detection in events; idempotent by the event. */
export type EventDetector = { published(event: WebhookEvent): Promise<Result<null>> };

export type PublishPorts = {
  registry: Pick<RegistryPort, "endpointsFor" | "streamIds">;
  detector: EventDetector;
  /** The object of one endpoint, by its id. */
  endpoint: (id: string) => Pick<EndpointPort, "enqueue">;
  /** The object of one stream of shared signals, by its id: it takes what its receiver asked for. */
  stream: (id: string) => OfferPort;
  /** The status lists of grants. */
  statusList: OfferPort;
};

type OfferPort = { offer(event: WebhookEvent): Promise<Result<null>> };

/** What an alert needs beside that: how its deliveries go. */
export type AlertPorts = {
  registry: Pick<RegistryPort, "endpointsFor">;
  endpoint: (id: string) => Pick<EndpointPort, "enqueue" | "delivery">;
  sleep: (ms: number) => Promise<void>;
};

/** An event as one endpoint has taken it. */
type Handed = { endpointId: string; deliveryId: string };

/** What receivers of shared signals are told of, and what status lists follow. */
const SIGNALLED: EventType = "revocation.created";
const LISTED: readonly EventType[] = ["revocation.created", "revocation.lifted"];

const ALERT_POLL_MS = 50;
/** A receiver that has not answered by then has been sent to, and is not waited for. */
const ALERT_WAIT_MS = 5_000;

type PublishNamespaces = {
  REGISTRY: Namespace;
  ENDPOINT: Namespace;
  STREAM: Namespace;
  STATUS_LIST: Namespace;
  DETECTOR: Namespace;
};

/** The shard that takes events: there are few of them. */
const EVENTS_SHARD = "0";

/** Registry, endpoints, streams and detector as an object that publishes reaches them. */
export function publishPorts(env: PublishNamespaces): PublishPorts & AlertPorts {
  return {
    detector: objectPort<EventDetector>(env.DETECTOR, EVENTS_SHARD, { log: consoleLogger }),
    registry: objectPort<PublishPorts["registry"]>(env.REGISTRY, "main", { log: consoleLogger }),
    endpoint: (id) => objectPort<EndpointPort>(env.ENDPOINT, id, { log: consoleLogger }),
    stream: (id) => objectPort<OfferPort>(env.STREAM, id, { log: consoleLogger }),
    statusList: objectPort<OfferPort>(env.STATUS_LIST, "main", { log: consoleLogger }),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
}

/**
 * Hands one event to every endpoint that subscribes to it, and to the detector where it is something to detect:
 * the effect of an outbox row "webhook.publish". Throws where one could not be reached, so that the row is tried
 * again; those that have the event already keep it once.
 */
export async function publishEvent(
  event: WebhookEvent & { type: EventType },
  ports: PublishPorts,
): Promise<void> {
  const done = await Promise.allSettled([
    handOut(event, ports),
    event.type === SIGNALLED ? offer(event, ports) : undefined,
    LISTED.includes(event.type) ? list(event, ports) : undefined,
    detectEvent(event, ports),
  ]);
  const failed = done.find((each) => each.status === "rejected");
  if (failed) throw failed.reason;
}

async function list(event: WebhookEvent, { statusList }: PublishPorts): Promise<void> {
  const taken = await statusList.offer(event);
  if (!taken.ok) throw new Error(`the status lists could not be reached: ${taken.error.code}`);
}

/** Tells the detector of an event that is something to detect. Throws where it could not be told. */
export async function detectEvent(event: WebhookEvent, { detector }: Pick<PublishPorts, "detector">) {
  if (!DETECTED_EVENT_TYPES.some((type) => type === event.type)) return;
  const told = await detector.published(event);
  if (!told.ok) throw new Error(`the detector was not told of ${event.type}: ${told.error.code}`);
}

/** Offers an event to every stream; those that have it already keep it once. */
async function offer(event: WebhookEvent, { registry, stream }: PublishPorts): Promise<void> {
  const streams = await registry.streamIds();
  if (!streams.ok) throw new Error(`the streams are not known: ${streams.error.code}`);
  const offered = await Promise.all(streams.value.map((id) => stream(id).offer(event)));
  const missed = offered.filter((each) => !each.ok).length;
  if (missed > 0) throw new Error(`${missed} of ${offered.length} streams could not be reached`);
}

/**
 * Hands one event to every endpoint that subscribes to it, and resolves only when every endpoint has been sent to: its receiver has answered, or five
 * seconds have passed. What failed is tried again as for every event. Throws where nobody listens.
 */
export async function alertEndpoints(
  event: WebhookEvent & { type: EventType },
  ports: AlertPorts,
): Promise<void> {
  const handed = await handOut(event, ports);
  if (handed.length === 0) throw new Error(`no webhook endpoint listens to ${event.type}`);
  let waiting = handed;
  for (let waitedMs = 0; waitedMs < ALERT_WAIT_MS; waitedMs += ALERT_POLL_MS) {
    const open = await Promise.all(waiting.map(async (each) => ((await isTried(each, ports)) ? [] : [each])));
    waiting = open.flat();
    if (waiting.length === 0) return;
    await ports.sleep(ALERT_POLL_MS);
  }
}

async function isTried({ endpointId, deliveryId }: Handed, ports: AlertPorts): Promise<boolean> {
  const delivery = await ports.endpoint(endpointId).delivery(deliveryId);
  // One that is not kept any more, or whose endpoint is disabled, is not on its way.
  if (!delivery.ok) return delivery.error.code === "not_found";
  return delivery.value.attempts.length > 0 || delivery.value.state !== "pending";
}

async function handOut(
  event: WebhookEvent & { type: EventType },
  ports: Pick<AlertPorts, "registry"> & Pick<PublishPorts, "endpoint">,
): Promise<Handed[]> {
  const endpoints = await ports.registry.endpointsFor(event.type);
  if (!endpoints.ok)
    throw new Error(`the endpoints for ${event.type} are not known: ${endpoints.error.code}`);
  const results = await Promise.all(
    endpoints.value.map(async (record) => {
      const taken = await ports.endpoint(record.id).enqueue(configOf(record), event);
      return { endpointId: record.id, taken };
    }),
  );
  // `gone`: the endpoint was deleted between the two calls.
  const missed = results.filter(({ taken }) => !taken.ok && taken.error.code !== "gone").length;
  if (missed > 0) throw new Error(`${missed} of ${results.length} webhook endpoints could not be reached`);
  return results.flatMap(({ endpointId, taken }) =>
    taken.ok ? [{ endpointId, deliveryId: taken.value.delivery_id }] : [],
  );
}
