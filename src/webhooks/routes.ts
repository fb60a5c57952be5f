import { Hono } from "hono";
import * as z from "zod";
import {
  answer,
  type HttpEnv,
  jsonBody,
  queryParams,
  readEntityTag,
  refuse,
  requireScope,
} from "../platform/http.ts";
import { isId, newId } from "../platform/ids.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { endpointOfDelivery } from "./delivery.ts";
import { configOf, type EndpointRecord } from "./endpoint.ts";
import { TEST_EVENT_TYPE, type WebhookEvent } from "./event.ts";
import {
  createEndpoint,
  createSchema,
  deleteEndpoint,
  type ManageDeps,
  presentEndpoint,
  presented,
  rotateSecret,
  updateEndpoint,
  updateSchema,
} from "./manage-endpoint.ts";
import type { EndpointPort, Redelivered } from "./publish.ts";

const NOT_FOUND = problem("not_found", "There is no such webhook endpoint.");

const redeliverSchema = z
  .strictObject({
    since: z
      .number()
      .min(0)
      .max(1e11)
      .exactOptional()
      .describe("Epoch seconds: what became a dead letter then or later."),
    deliveries: z
      .array(z.string().min(1).max(128))
      .min(1)
      .max(200)
      .exactOptional()
      .describe("These, whatever became of them; one that waits to be sent is left as it is."),
  })
  .refine((body) => (body.since === undefined) !== (body.deliveries === undefined), {
    path: ["since"],
    message: "give either since or deliveries",
  });

const redeliverQuery = z.strictObject({ dry_run: z.enum(["true", "false"]).exactOptional() });

const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(128).exactOptional(),
});

const deliveryQuery = pageQuery.extend({
  state: z.enum(["pending", "delivered", "dead_letter"]).exactOptional(),
});

const read = requireScope("webhooks:read");
const write = requireScope("webhooks:write");

/** `/v1/webhook-endpoints` and `/v1/deliveries`, for the control plane. */
export function webhookRoutes(deps: ManageDeps) {
  return new Hono<HttpEnv>().route("/", endpointRoutes(deps)).route("/", deliveryRoutes(deps));
}

function endpointRoutes(deps: ManageDeps) {
  const { registry } = deps;
  return new Hono<HttpEnv>()
    .post("/v1/webhook-endpoints", write, jsonBody(createSchema), async (c) => {
      const idFor = (body: unknown) => deps.ids(c, "whe", body);
      const created = await createEndpoint(deps, c.var.actor, idFor, c.req.valid("json"));
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
      return answer(c, presented(known), 200, known.ok ? etag(known.value) : {});
    })
    .patch("/v1/webhook-endpoints/:id", write, jsonBody(updateSchema), async (c) => {
      const patch = c.req.valid("json");
      const header = c.req.header("if-match");
      const ifMatch = header === undefined ? ok(undefined) : readEntityTag(header);
      if (!ifMatch.ok) return refuse(c, ifMatch.error);
      const updated = await withEndpoint(deps, c.req.param("id"), (record) =>
        updateEndpoint(deps, c.var.actor, record, patch, ifMatch.value),
      );
      return answer(c, presented(updated), 200, updated.ok ? etag(updated.value) : {});
    })
    .delete("/v1/webhook-endpoints/:id", write, async (c) =>
      answer(c, await withEndpoint(deps, c.req.param("id"), (record) => deleteEndpoint(deps, record))),
    )
    .post("/v1/webhook-endpoints/:id/rotate-secret", write, async (c) =>
      answer(
        c,
        await withEndpoint(deps, c.req.param("id"), (record) => rotateSecret(deps, c.var.actor, record)),
      ),
    );
}

/** What was sent to an endpoint, and what is sent to it again. */
function deliveryRoutes(deps: ManageDeps) {
  const { endpoint } = deps;
  return new Hono<HttpEnv>()
    .get("/v1/webhook-endpoints/:id/deliveries", read, queryParams(deliveryQuery), async (c) => {
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
    .post(
      "/v1/webhook-endpoints/:id/redeliver",
      write,
      queryParams(redeliverQuery),
      jsonBody(redeliverSchema),
      async (c) => {
        const isDry = c.req.valid("query").dry_run === "true";
        const done = await withEndpoint(deps, c.req.param("id"), (record) =>
          redeliver(endpoint(record.id), c.req.valid("json"), isDry),
        );
        return answer(c, done, isDry ? 200 : 202);
      },
    )
    .post("/v1/deliveries/:id/redeliver", write, async (c) => {
      const id = c.req.param("id");
      const queued = await withEndpoint(deps, endpointOfDelivery(id) ?? "", (record) =>
        endpoint(record.id).redeliver(id),
      );
      return answer(c, queued, 202);
    });
}

function etag({ revision }: EndpointRecord): Record<string, string> {
  return { etag: `"${revision}"` };
}

async function redeliver(
  endpoint: EndpointPort,
  { since = 0, deliveries }: z.output<typeof redeliverSchema>,
  isDry: boolean,
): Promise<Result<Redelivered & { dry_run?: true }>> {
  if (!isDry) return deliveries ? endpoint.redeliverEach(deliveries) : endpoint.redeliverDead(since * 1000);
  if (deliveries) return err(problem("invalid_request", "dry_run: counts what became a dead letter since."));
  const counted = await endpoint.countDead(since * 1000);
  return counted.ok ? ok({ dry_run: true, ...counted.value }) : counted;
}

/** Only endpoints that the registry knows are reached: an invented id makes no object. */
async function withEndpoint<T>(
  { registry }: ManageDeps,
  id: string,
  use: (record: EndpointRecord) => Promise<Result<T>>,
): Promise<Result<T>> {
  if (!isId("whe", id)) return err(NOT_FOUND);
  const known = await registry.endpoint(id);
  return known.ok ? use(known.value) : known;
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
