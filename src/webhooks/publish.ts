import { consoleLogger } from "../platform/log.ts";
import { type Namespace, objectPort } from "../platform/rpc.ts";
import type { Result } from "../protocol/result.ts";
import type { DeliveryPage, DeliveryView } from "./delivery-log.ts";
import { configOf, type EndpointConfig, type RegistryPort } from "./endpoint.ts";
import type { EventType, WebhookEvent } from "./event.ts";

/** How many dead letters are sent again, and how many are left for another call. */
export type Redelivered = { redelivered: number; remaining: number };

/** An endpoint's object as others see it. */
export type EndpointPort = {
  enqueue(config: EndpointConfig, event: WebhookEvent): Promise<Result<{ delivery_id: string }>>;
  configure(config: EndpointConfig): Promise<Result<{ id: string }>>;
  remove(): Promise<Result<null>>;
  deliveries(page: { limit: number; cursor?: string }): Promise<Result<DeliveryPage>>;
  redeliver(deliveryId: string): Promise<Result<DeliveryView>>;
  /** Sends dead letters again, those that became it at `sinceMs` or later. */
  redeliverDead(sinceMs: number): Promise<Result<Redelivered>>;
};

export type PublishPorts = {
  registry: Pick<RegistryPort, "endpointsFor">;
  /** The object of one endpoint, by its id. */
  endpoint: (id: string) => Pick<EndpointPort, "enqueue">;
};

/** Registry and endpoints as an object that publishes reaches them. */
export function publishPorts(env: { REGISTRY: Namespace; ENDPOINT: Namespace }): PublishPorts {
  return {
    registry: objectPort<PublishPorts["registry"]>(env.REGISTRY, "main", { log: consoleLogger }),
    endpoint: (id) => objectPort<EndpointPort>(env.ENDPOINT, id, { log: consoleLogger }),
  };
}

/**
 * Hands one event to every endpoint that subscribes to it: the effect of an outbox row "webhook.publish".
 * Throws where an endpoint could not be reached, so that the row is tried again; those that have the event
 * already keep it once.
 */
export async function publishEvent(
  event: WebhookEvent & { type: EventType },
  ports: PublishPorts,
): Promise<void> {
  const endpoints = await ports.registry.endpointsFor(event.type);
  if (!endpoints.ok)
    throw new Error(`the endpoints for ${event.type} are not known: ${endpoints.error.code}`);
  const results = await Promise.all(
    endpoints.value.map((record) => ports.endpoint(record.id).enqueue(configOf(record), event)),
  );
  // `gone`: the endpoint was deleted between the two calls.
  const missed = results.filter((result) => !result.ok && result.error.code !== "gone").length;
  if (missed > 0) throw new Error(`${missed} of ${results.length} webhook endpoints could not be reached`);
}
