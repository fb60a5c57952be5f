import { type Context, Hono } from "hono";
import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import {
  type Actor,
  answer,
  type HttpEnv,
  jsonBody,
  queryParams,
  refuse,
  requireScope,
} from "../platform/http.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import { isId, newId } from "../platform/ids.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { endpointOfDelivery } from "./delivery.ts";
import { configOf, type EndpointRecord, type RegistryPort } from "./endpoint.ts";
import type { EndpointSecrets } from "./endpoint-secret.ts";
import { EVENT_FILTERS, TEST_EVENT_TYPE, type WebhookEvent } from "./event.ts";
import type { EndpointPort } from "./publish.ts";
import { checkHandOut, type ReviewsAs, reviewsAsSchema } from "./reviews-as.ts";
import { shownSecret } from "./signature.ts";
import { checkWebhookUrl } from "./url-guard.ts";

export type WebhookRouteDeps = {
  registry: RegistryPort;
  /** The object of one endpoint, by its id. */
  endpoint: (id: string) => EndpointPort;
  secrets: EndpointSecrets;
  ids: CreationIds;
  clock: Clock;
  /** The deployment runs on a loopback host: receivers may, too. */
  local: boolean;
};

type ShownEndpoint = Omit<EndpointRecord, "secrets_sealed" | "revision"> & { secret?: string };

const UNREADABLE = problem(
  "internal",
  "The endpoint's secret cannot be opened: PORTCULLIS_SECRET is not the one that sealed it.",
);
const UNTOLD = problem(
  "unavailable",
  "The change is saved, but deliveries under way do not know it yet. Repeat the call.",
);
const NOT_FOUND = problem("not_found", "There is no such webhook endpoint.");

const events = z
  .array(z.enum(EVENT_FILTERS))
  .min(1)
  .max(EVENT_FILTERS.length)
  .describe("Types, families (`grant.*`) or everything (`*`).");
const url = z.string().describe("https, a public host name, port 443 or 8443.");
const description = z.string().max(200);

const createSchema = z.strictObject({
  url,
  events,
  description: description.exactOptional(),
  reviews_as: reviewsAsSchema
    .exactOptional()
    .describe("Lets the holder of the secret send signed decisions."),
});

const updateSchema = z
  .strictObject({
    url: url.exactOptional(),
    events: events.exactOptional(),
    description: description.nullable().exactOptional(),
    reviews_as: reviewsAsSchema.nullable().exactOptional(),
    enabled: z.boolean().exactOptional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "name at least one member to change");

const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(128).exactOptional(),
});

/** `/v1/webhook-endpoints` and `/v1/deliveries`, for the control plane. */
export function webhookRoutes(deps: WebhookRouteDeps) {
  const { registry, endpoint } = deps;
  const read = requireScope("webhooks:read");
  const write = requireScope("webhooks:write");

  return new Hono<HttpEnv>()
    .post("/v1/webhook-endpoints", write, jsonBody(createSchema), async (c) => {
      const created = await createEndpoint(c, deps, c.req.valid("json"));
      const location = created.ok ? { location: `/v1/webhook-endpoints/${created.value.id}` } : {};
      return answer(c, created, 201, location);
    })
    .get("/v1/webhook-endpoints", read, queryParams(pageQuery), async (c) => {
      const page = await registry.listEndpoints(c.req.valid("query"));
      if (!page.ok) return refuse(c, page.error);
      return answer(c, ok({ ...page.value, items: page.value.items.map(presentEndpoint) }));
    })
    .get("/v1/webhook-endpoints/:id", read, async (c) => {
      const known = await withEndpoint(deps, c.req.param("id"), async (record) => ok(record));
      return answer(c, presented(known));
    })
    .patch("/v1/webhook-endpoints/:id", write, jsonBody(updateSchema), async (c) => {
      const patch = c.req.valid("json");
      const updated = await withEndpoint(deps, c.req.param("id"), (record) =>
        updateEndpoint(deps, c.var.actor, record, patch),
      );
      return answer(c, presented(updated));
    })
    .delete("/v1/webhook-endpoints/:id", write, async (c) =>
      answer(c, await withEndpoint(deps, c.req.param("id"), (record) => deleteEndpoint(deps, record))),
    )
    .post("/v1/webhook-endpoints/:id/rotate-secret", write, async (c) =>
      answer(
        c,
        await withEndpoint(deps, c.req.param("id"), (record) => rotateSecret(deps, c.var.actor, record)),
      ),
    )
    .get("/v1/webhook-endpoints/:id/deliveries", read, queryParams(pageQuery), async (c) => {
      const page = c.req.valid("query");
      return answer(
        c,
        await withEndpoint(deps, c.req.param("id"), (record) => endpoint(record.id).deliveries(page)),
      );
    })
    .post("/v1/webhook-endpoints/:id/test", write, async (c) => {
      const queued = await withEndpoint(deps, c.req.param("id"), (record) =>
        endpoint(record.id).enqueue(configOf(record), testEvent(record.id, deps.clock())),
      );
      return answer(c, queued, 202);
    })
    .post("/v1/deliveries/:id/redeliver", write, async (c) => {
      const id = c.req.param("id");
      const queued = await withEndpoint(deps, endpointOfDelivery(id) ?? "", (record) =>
        endpoint(record.id).redeliver(id),
      );
      return answer(c, queued, 202);
    });
}

/** Only endpoints that the registry knows are reached: an invented id makes no object. */
async function withEndpoint<T>(
  { registry }: WebhookRouteDeps,
  id: string,
  use: (record: EndpointRecord) => Promise<Result<T>>,
): Promise<Result<T>> {
  if (!isId("whe", id)) return err(NOT_FOUND);
  const known = await registry.endpoint(id);
  return known.ok ? use(known.value) : known;
}

async function createEndpoint(
  c: Context<HttpEnv>,
  deps: WebhookRouteDeps,
  body: z.output<typeof createSchema>,
): Promise<Result<ShownEndpoint>> {
  const allowed = checkAuthority(c.var.actor, body.reviews_as);
  if (!allowed.ok) return allowed;
  const url = checkWebhookUrl(body.url, deps);
  if (!url.ok) return url;
  const creation = await deps.ids(c, "whe", body);
  if (!creation.ok) return creation;
  const { id } = creation.value;
  const created = await deps.registry.createEndpoint({
    ...body,
    id,
    url: url.value,
    events: [...new Set(body.events)],
    secrets_sealed: [await deps.secrets.create(id)],
    enabled: true,
    created_at: epochSeconds(deps.clock()),
    revision: 1,
  });
  if (!created.ok) return created;
  // A repeated creation answers what the first one did, unless the endpoint was changed since.
  return created.value.revision === 1 ? withSecret(deps, created.value) : presented(created);
}

async function updateEndpoint(
  deps: WebhookRouteDeps,
  actor: Actor,
  { id, reviews_as }: EndpointRecord,
  body: z.output<typeof updateSchema>,
): Promise<Result<EndpointRecord>> {
  // Enabling an endpoint that reviews hands its authority out again.
  const kept = body.enabled && body.reviews_as === undefined ? reviews_as : undefined;
  const allowed = checkAuthority(actor, body.reviews_as ?? kept);
  if (!allowed.ok) return allowed;
  const url = body.url === undefined ? undefined : checkWebhookUrl(body.url, deps);
  if (url?.ok === false) return url;
  const updated = await deps.registry.updateEndpoint(id, url ? { ...body, url: url.value } : body);
  if (!updated.ok) return updated;
  const told = await deps.endpoint(id).configure(configOf(updated.value));
  if (told.ok) return updated;
  return err(told.error.code === "gone" ? told.error : UNTOLD);
}

async function deleteEndpoint(deps: WebhookRouteDeps, { id }: EndpointRecord) {
  // The object first: should the second call fail, the endpoint is still there to be deleted again.
  const removed = await deps.endpoint(id).remove();
  return removed.ok ? deps.registry.deleteEndpoint(id) : removed;
}

async function rotateSecret(
  deps: WebhookRouteDeps,
  actor: Actor,
  { id, reviews_as }: EndpointRecord,
): Promise<Result<ShownEndpoint>> {
  // Whoever sees the new secret can review with it.
  const allowed = checkAuthority(actor, reviews_as);
  if (!allowed.ok) return allowed;
  const rotated = await deps.registry.rotateEndpointSecret(id, await deps.secrets.create(id));
  if (!rotated.ok) return rotated;
  // The answer is not looked at: the next event brings the object the new secret too, and a repeated
  // rotation would drop the one that receivers still have.
  await deps.endpoint(id).configure(configOf(rotated.value));
  return withSecret(deps, rotated.value);
}

/** The only two answers that show a secret: creation and rotation. */
async function withSecret(
  { secrets }: WebhookRouteDeps,
  record: EndpointRecord,
): Promise<Result<ShownEndpoint>> {
  const [newest] = await secrets.open(record.id, record.secrets_sealed.slice(0, 1));
  if (!newest) return err(UNREADABLE);
  return ok({ ...presentEndpoint(record), secret: shownSecret(newest) });
}

function checkAuthority(actor: Actor, handedOut: ReviewsAs | undefined): Result<null> {
  return handedOut ? checkHandOut(actor, handedOut) : ok(null);
}

/** The wire form: everything but what signs. */
function presentEndpoint({
  secrets_sealed: _sealed,
  revision: _revision,
  ...shown
}: EndpointRecord): ShownEndpoint {
  return shown;
}

function presented(result: Result<EndpointRecord>): Result<ShownEndpoint> {
  return result.ok ? ok(presentEndpoint(result.value)) : result;
}

function testEvent(endpointId: string, nowMs: number): WebhookEvent {
  const id = newId("evt", nowMs);
  return {
    id,
    type: TEST_EVENT_TYPE,
    timestamp: new Date(nowMs).toISOString(),
    data: { endpoint_id: endpointId },
  };
}
