import { Hono } from "hono";
import { newSecret } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { type Problem, problemStatus } from "../protocol/problem.ts";
import type { DeliveryView, EndpointView } from "./operator-wire.ts";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { seeOther, show, showProblem } from "./respond.tsx";
import { textOf } from "./review.ts";
import { hasAny } from "./visitor.ts";
import { ConfirmEndpointAct, type EndpointAct, EndpointSecret, WebhookPage } from "./webhook-page.tsx";
import { EndpointForm, endpointPath, WEBHOOKS, WebhooksPage } from "./webhooks-page.tsx";
import type { Listed } from "./wire.ts";

const PER_PAGE = 25;

/** Webhook endpoints: who is told of what, every attempt to tell them, and telling them again. */
export function webhooksRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/webhooks", showEndpoints)
    .get("/webhooks/new", (c) => showForm(c, new URLSearchParams()))
    .post("/webhooks/new", add)
    .get("/webhooks/:id", (c) => showEndpoint(c, c.req.param("id")))
    .post("/webhooks/:id/test", (c) => sendTest(c, c.req.param("id")))
    .post("/webhooks/:id/redeliver", (c) => redeliver(c, c.req.param("id")))
    .get("/webhooks/:id/:act{rotate|delete}", (c) => askAct(c, c.req.param("id"), c.req.param("act")))
    .post("/webhooks/:id/rotate", (c) => rotate(c, c.req.param("id")))
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
  const description = textOf(form, "description");
  const body = {
    url: textOf(form, "url") ?? "",
    events: (textOf(form, "events") ?? "").split(/[\s,]+/).filter((word) => word !== ""),
    ...(description === undefined ? {} : { description }),
    signature: form.get("signature") ?? "hmac",
  };
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
  const cursor = c.req.query("cursor");
  const [endpoint, listed] = await Promise.all([
    api.get<EndpointView>(apiPath(id)),
    api.get<Listed<DeliveryView>>(apiPath(id, "/deliveries"), { limit: PER_PAGE, cursor }),
  ]);
  if (!endpoint.ok) return showProblem(c, endpoint.error, WEBHOOKS);
  if (!listed.ok) return showProblem(c, listed.error, WEBHOOKS);
  const { items: deliveries, next_cursor: next } = listed.value;
  const version = await sha256Hex(JSON.stringify(deliveries));
  const props = { endpoint: endpoint.value, deliveries, visitor, cursor, next, now, version };
  return show(c, { title: "Webhook endpoint", place: WEBHOOKS }, <WebhookPage {...props} />);
}

async function sendTest(c: ConsoleContext, id: string) {
  const queued = await c.var.api.post(apiPath(id, "/test"));
  if (!queued.ok) return showProblem(c, queued.error, endpointPath(id));
  return seeOther(c, endpointPath(id), "test-sent");
}

async function redeliver(c: ConsoleContext, id: string) {
  const delivery = encodeURIComponent(c.var.form.get("delivery") ?? "");
  const queued = await c.var.api.post(`/v1/deliveries/${delivery}/redeliver`);
  if (!queued.ok) return showProblem(c, queued.error, endpointPath(id));
  return seeOther(c, endpointPath(id), "sent-again");
}

/** Says what will end; nothing is changed by it. */
async function askAct(c: ConsoleContext, id: string, act: string) {
  const { api, visitor, now } = c.var;
  const found = await api.get<EndpointView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, WEBHOOKS);
  const props = { endpoint: found.value, act: act as EndpointAct, visitor, now };
  return show(c, { title: "Webhook endpoint", place: WEBHOOKS }, <ConfirmEndpointAct {...props} />);
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
