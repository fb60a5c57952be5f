import { Hono } from "hono";
import type { WebhookEndpointsUpdateBody } from "../client/contract.ts";
import { newSecret } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { parseUniqueObject } from "../protocol/json.ts";
import { type Problem, problem, problemStatus } from "../protocol/problem.ts";
import { ConfirmEndpointEdit, EditEndpoint } from "./edit-endpoint.tsx";
import { CHANGED_MEANWHILE } from "./editing.ts";
import { endpointFilled, readEndpoint, readEndpointEdit, readSlack } from "./endpoint-editing.ts";
import type { EndpointView } from "./operator-wire.ts";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { seeOther, show, showProblem } from "./respond.tsx";
import { DAY, PERIODS, type Period, SendAgain } from "./send-again.tsx";
import { SlackForm } from "./slack-form.tsx";
import { endpointPath, WEBHOOKS } from "./webhooks-page.tsx";

/** Changes of webhook endpoints, Slack's among them, and sending again what was given up. */
export function webhookEditRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/webhooks/new/slack", (c) => showNewSlack(c, new URLSearchParams({ events: "access_request.*" })))
    .post("/webhooks/new/slack", addSlack)
    .get("/webhooks/:id/edit", (c) => showEdit(c, c.req.param("id")))
    .post("/webhooks/:id/edit", (c) => showChanges(c, c.req.param("id")))
    .post("/webhooks/:id/change", (c) => change(c, c.req.param("id")))
    .get("/webhooks/:id/slack", (c) => showSlack(c, c.req.param("id")))
    .post("/webhooks/:id/slack", (c) => replaceSlack(c, c.req.param("id")))
    .get("/webhooks/:id/again", (c) => askAgain(c, c.req.param("id")))
    .post("/webhooks/:id/again", (c) => sendAgain(c, c.req.param("id")));
}

function apiPath(id: string, below = ""): string {
  return `/v1/webhook-endpoints/${encodeURIComponent(id)}${below}`;
}

function statusOf(refusal: Problem | undefined): number {
  return refusal ? problemStatus(refusal.code) : 200;
}

/** The form as the endpoint is now, or as it was filled in where that was refused. */
async function showEdit(c: ConsoleContext, id: string, refusal?: Problem, asFilled?: URLSearchParams) {
  const found = await c.var.api.get<EndpointView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, WEBHOOKS);
  const endpoint = found.value;
  const props = { endpoint, visitor: c.var.visitor, filled: asFilled ?? endpointFilled(endpoint) };
  const shown = { title: "Edit an endpoint", place: WEBHOOKS, status: statusOf(refusal) };
  return show(c, shown, <EditEndpoint {...props} problem={refusal} />);
}

/** Says what the form would change; nothing is changed by it. */
async function showChanges(c: ConsoleContext, id: string) {
  const { api, visitor, form } = c.var;
  const found = await api.get<EndpointView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, WEBHOOKS);
  const endpoint = found.value;
  if (form.get("revision") !== String(endpoint.revision)) return showEdit(c, id, CHANGED_MEANWHILE);
  const patch = readEndpointEdit(form, endpoint);
  if (!patch.ok) return showEdit(c, id, patch.error, form);
  const props = { endpoint, patch: patch.value, visitor };
  return show(c, { title: "Change this endpoint?", place: WEBHOOKS }, <ConfirmEndpointEdit {...props} />);
}

/** Does what the page before it showed, to the endpoint as it was then. */
async function change(c: ConsoleContext, id: string) {
  const { api, form } = c.var;
  const patch = parseUniqueObject(form.get("patch") ?? "");
  if (!patch) return showEdit(c, id, problem("invalid_body", "Fill the form in first."));
  const changed = await api.patch(apiPath(id), patch, form.get("revision") ?? "");
  if (changed.ok) return seeOther(c, endpointPath(id), "endpoint-changed");
  return showEdit(c, id, changed.error.code === "precondition_failed" ? CHANGED_MEANWHILE : changed.error);
}

function showNewSlack(c: ConsoleContext, filled: URLSearchParams, refusal?: Problem) {
  const props = { visitor: c.var.visitor, nonce: newSecret(), filled, problem: refusal };
  const shown = { title: "Send to Slack", place: WEBHOOKS, status: statusOf(refusal) };
  return show(c, shown, <SlackForm {...props} />);
}

async function addSlack(c: ConsoleContext) {
  const { api, form } = c.var;
  const slack = readSlack(form);
  if (!slack.ok) return showNewSlack(c, form, slack.error);
  const body = { ...readEndpoint(form), slack: slack.value };
  const key = await sha256Hex(JSON.stringify([form.get("nonce"), body]));
  const added = await api.post<EndpointView>("/v1/webhook-endpoints", body, { key });
  if (!added.ok) return showNewSlack(c, form, added.error);
  return seeOther(c, endpointPath(added.value.id), "endpoint-added");
}

async function showSlack(c: ConsoleContext, id: string, refusal?: Problem) {
  const found = await c.var.api.get<EndpointView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, WEBHOOKS);
  const endpoint = found.value;
  if (!endpoint.slack) return showProblem(c, NOT_SLACK, endpointPath(id));
  const filled = refusal ? c.var.form : endpointFilled(endpoint);
  const shown = { title: "Slack's settings", place: WEBHOOKS, status: statusOf(refusal) };
  return show(
    c,
    shown,
    <SlackForm visitor={c.var.visitor} filled={filled} problem={refusal} endpoint={endpoint} />,
  );
}

const NOT_SLACK = problem("conflict", "This endpoint takes Standard Webhooks; add another one for Slack.");

async function replaceSlack(c: ConsoleContext, id: string) {
  const slack = readSlack(c.var.form);
  if (!slack.ok) return showSlack(c, id, slack.error);
  const patch: WebhookEndpointsUpdateBody = { slack: slack.value };
  const changed = await c.var.api.patch(apiPath(id), patch);
  return changed.ok ? seeOther(c, endpointPath(id), "endpoint-changed") : showSlack(c, id, changed.error);
}

/** Says how much would be sent again; nothing is sent by it. */
async function askAgain(c: ConsoleContext, id: string) {
  const { api, visitor, now } = c.var;
  const within = c.req.query("within") ?? "";
  const period: Period = Object.hasOwn(PERIODS, within) ? (within as Period) : DAY;
  const since = now - Number(period);
  type Counted = { redelivered: number; remaining: number };
  const [found, counted] = await Promise.all([
    api.get<EndpointView>(apiPath(id)),
    api.post<Counted>(apiPath(id, "/redeliver"), { since }, { dry_run: "true" }),
  ]);
  if (!found.ok) return showProblem(c, found.error, WEBHOOKS);
  if (!counted.ok) return showProblem(c, counted.error, endpointPath(id));
  const props = { endpoint: found.value, visitor, period, since, counted: counted.value, now };
  return show(c, { title: "Send again what was given up", place: WEBHOOKS }, <SendAgain {...props} />);
}

async function sendAgain(c: ConsoleContext, id: string) {
  const since = Number(c.var.form.get("since") ?? Number.NaN);
  if (!Number.isFinite(since)) {
    return showProblem(c, problem("invalid_body", "Say from when on."), endpointPath(id));
  }
  const sent = await c.var.api.post<{ remaining: number }>(apiPath(id, "/redeliver"), { since });
  if (!sent.ok) return showProblem(c, sent.error, endpointPath(id));
  return seeOther(c, endpointPath(id), sent.value.remaining > 0 ? "sent-again-in-part" : "all-sent-again");
}
