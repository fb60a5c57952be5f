import { Hono } from "hono";
import { newSecret } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { type Problem, problem, problemStatus } from "../protocol/problem.ts";
import { ok, type Result } from "../protocol/result.ts";
import { ConfirmEndpointAct, type Counted, type EndpointAct } from "./endpoint-act.tsx";
import { readEndpoint } from "./endpoint-editing.ts";
import { EndpointForm } from "./new-endpoint.tsx";
import type { DeliveryView, EndpointView } from "./operator-wire.ts";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { seeOther, show, showProblem } from "./respond.tsx";
import { hasAny } from "./visitor.ts";
import { EndpointSecret, WebhookPage } from "./webhook-page.tsx";
import { endpointPath, WEBHOOKS, WebhooksPage } from "./webhooks-page.tsx";
import type { Listed } from "./wire.ts";

const PER_PAGE = 25;
const MAX_COUNTED = 200;

/** Webhook endpoints: who is told of what, every attempt to tell them, and telling them again. */
export function webhooksRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/webhooks", showEndpoints)
    .get("/webhooks/new", (c) => showForm(c, new URLSearchParams()))
    .post("/webhooks/new", add)
    .get("/webhooks/:id", (c) => showEndpoint(c, c.req.param("id")))
    .post("/webhooks/:id/test", (c) => sendTest(c, c.req.param("id")))
    .post("/webhooks/:id/redeliver", (c) => redeliver(c, c.req.param("id")))
    .get("/webhooks/:id/:act{rotate|pause|delete}", (c) => askAct(c, c.req.param("id"), c.req.param("act")))
    .post("/webhooks/:id/rotate", (c) => rotate(c, c.req.param("id")))
    .post("/webhooks/:id/pause", (c) => enable(c, c.req.param("id"), false))
    .post("/webhooks/:id/enable", (c) => enable(c, c.req.param("id"), true))
    .post("/webhooks/:id/delete", (c) => remove(c, c.req.param("id")));
}

function apiPath(id: string, below = ""): string {
  return `/v1/webhook-endpoints/${encodeURIComponent(id)}${below}`;
}

async function showEndpoints(c: ConsoleContext) {
  const { api, visitor, now } = c.var;
  const cursor = c.req.query("cursor");
  const listed = await api.get<Listed<EndpointView>>("/v1/webhook-endpoints", { limit: PER_PAGE, cursor });
  if (!listed.ok) return showProblem(c, listed.error, WEBHOOKS);
  const { items: endpoints, next_cursor: next } = listed.value;
  const props = { endpoints, cursor, next, now, mayWrite: hasAny(visitor, ["webhooks:write"]) };
  return show(c, { title: "Webhooks", place: WEBHOOKS }, <WebhooksPage {...props} />);
}

function showForm(c: ConsoleContext, filled: URLSearchParams, refusal?: Problem) {
  const props = { visitor: c.var.visitor, nonce: newSecret(), filled, problem: refusal };
  const status = refusal ? problemStatus(refusal.code) : 200;
  return show(c, { title: "Add an endpoint", place: WEBHOOKS, status }, <EndpointForm {...props} />);
}

/** The answer is the page with the secret: no address ever holds it. */
async function add(c: ConsoleContext) {
  const { api, form } = c.var;
  const body = { ...readEndpoint(form), signature: form.get("signature") ?? "hmac" };
  const key = await sha256Hex(JSON.stringify([form.get("nonce"), body]));
  const added = await api.post<EndpointView>("/v1/webhook-endpoints", body, { key });
  if (!added.ok) return showForm(c, form, added.error);
  return showSecret(c, "The endpoint is added", added.value);
}

function showSecret(c: ConsoleContext, title: string, endpoint: EndpointView) {
  return show(c, { title, place: WEBHOOKS }, <EndpointSecret endpoint={endpoint} />);
}

async function showEndpoint(c: ConsoleContext, id: string) {
  const { api, visitor, now } = c.var;
  const query = { state: c.req.query("state") || undefined, cursor: c.req.query("cursor") };
  const [endpoint, listed] = await Promise.all([
    api.get<EndpointView>(apiPath(id)),
    api.get<Listed<DeliveryView>>(apiPath(id, "/deliveries"), { ...query, limit: PER_PAGE }),
  ]);
  if (!endpoint.ok) return showProblem(c, endpoint.error, WEBHOOKS);
  if (!listed.ok) return showProblem(c, listed.error, WEBHOOKS);
  const { items: deliveries, next_cursor: next } = listed.value;
  const version = await sha256Hex(JSON.stringify(deliveries));
  const props = { endpoint: endpoint.value, deliveries, visitor, query, next, now, version };
  return show(c, { title: "Webhook endpoint", place: WEBHOOKS }, <WebhookPage {...props} />);
}

async function sendTest(c: ConsoleContext, id: string) {
  const queued = await c.var.api.post(apiPath(id, "/test"));
  if (!queued.ok) return showProblem(c, queued.error, endpointPath(id));
  return seeOther(c, endpointPath(id), "test-sent");
}

/** One delivery, or those that were chosen. */
async function redeliver(c: ConsoleContext, id: string) {
  const deliveries = c.var.form.getAll("delivery");
  if (deliveries.length === 0) {
    return showProblem(c, problem("invalid_body", "Choose what is to be sent again."), endpointPath(id));
  }
  const queued = await c.var.api.post<{ remaining: number }>(apiPath(id, "/redeliver"), { deliveries });
  if (!queued.ok) return showProblem(c, queued.error, endpointPath(id));
  return seeOther(c, endpointPath(id), queued.value.remaining > 0 ? "sent-again-in-part" : "sent-again");
}

/** Says what will end; nothing is changed by it. */
async function askAct(c: ConsoleContext, id: string, act: string) {
  const { api, visitor, now } = c.var;
  const [found, left] = await Promise.all([api.get<EndpointView>(apiPath(id)), leftOf(c, id)]);
  if (!found.ok) return showProblem(c, found.error, WEBHOOKS);
  if (!left.ok) return showProblem(c, left.error, endpointPath(id));
  const props = { endpoint: found.value, act: act as EndpointAct, ...left.value, visitor, now };
  return show(c, { title: "Webhook endpoint", place: WEBHOOKS }, <ConfirmEndpointAct {...props} />);
}

/** How much waits to be sent, and how much was given up: exact below what one page of the contract holds. */
async function leftOf(
  { var: { api } }: ConsoleContext,
  id: string,
): Promise<Result<{ waiting: Counted; givenUp: Counted }>> {
  const list = (state: DeliveryView["state"]) =>
    api.get<Listed<DeliveryView>>(apiPath(id, "/deliveries"), { state, limit: MAX_COUNTED });
  const [pending, dead] = await Promise.all([list("pending"), list("dead_letter")]);
  if (!pending.ok) return pending;
  if (!dead.ok) return dead;
  const counted = ({ items, next_cursor: next }: Listed<DeliveryView>) => ({
    count: items.length,
    exact: next === undefined,
  });
  return ok({ waiting: counted(pending.value), givenUp: counted(dead.value) });
}

async function enable(c: ConsoleContext, id: string, enabled: boolean) {
  const changed = await c.var.api.patch(apiPath(id), { enabled });
  if (!changed.ok) return showProblem(c, changed.error, endpointPath(id));
  return seeOther(c, endpointPath(id), enabled ? "endpoint-enabled" : "endpoint-paused");
}

async function rotate(c: ConsoleContext, id: string) {
  const rotated = await c.var.api.post<EndpointView>(apiPath(id, "/rotate-secret"));
  if (!rotated.ok) return showProblem(c, rotated.error, endpointPath(id));
  return showSecret(c, "A new secret", rotated.value);
}

async function remove(c: ConsoleContext, id: string) {
  const removed = await c.var.api.delete(apiPath(id));
  if (!removed.ok) return showProblem(c, removed.error, endpointPath(id));
  return seeOther(c, WEBHOOKS, "endpoint-deleted");
}
