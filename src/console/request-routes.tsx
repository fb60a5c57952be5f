import { Hono } from "hono";
import { sha256Hex } from "../protocol/encoding.ts";
import { type Problem, problem, problemStatus } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { ASK } from "./ask-page.tsx";
import type { Done } from "./done.ts";
import { readDuration } from "./duration.ts";
import { GiveBack } from "./give-back.tsx";
import { INBOX } from "./inbox-routes.tsx";
import { readAnswer } from "./passkey-routes.tsx";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { openQuestion } from "./question.ts";
import { RequestPage } from "./request-page.tsx";
import { requestPath } from "./request-view.tsx";
import { seeOther, show, showProblem } from "./respond.tsx";
import { NOT_A_DURATION, readReview, textOf } from "./review.ts";
import { highRiskRules, standingOf } from "./standings.ts";
import type { GrantView, RequestView } from "./wire.ts";

/** One access request, for who asks, who reviews and who reads; where a message's *Open* leads. */
export function requestRoutes({ issuer }: { issuer: string }) {
  return new Hono<ConsoleEnv>()
    .get("/access-requests/:id", (c) => showRequest(c, c.req.param("id"), issuer))
    .post("/access-requests/:id/reviews", (c) => review(c, c.req.param("id"), issuer))
    .post("/access-requests/:id/cancel", (c) => cancel(c, c.req.param("id")))
    .post("/access-requests/:id/extend", (c) => extend(c, c.req.param("id"), issuer))
    .get("/access-requests/:id/give-back", (c) => confirmGiveBack(c, c.req.param("id")))
    .post("/access-requests/:id/give-back", (c) => giveBack(c, c.req.param("id")));
}

/** What is at the control plane's path of a request. */
function apiPath(id: string, below = ""): string {
  return `/v1/access-requests/${encodeURIComponent(id)}${below}`;
}

/** A form that was not taken, and what it was about. */
export type Refusal = { problem: Problem; filled: URLSearchParams; form: "review" | "extend" };

async function showRequest(c: ConsoleContext, id: string, issuer: string, refusal?: Refusal) {
  const { api, visitor, now } = c.var;
  const found = await api.get<RequestView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error);
  const request = found.value;
  const own = request.requester === visitor.subject;
  const [standing, highRisk] = await Promise.all([
    own ? ok(undefined) : standingOf(request.requester, visitor, api),
    highRiskRules(visitor, api),
  ]);
  if (!standing.ok) return showProblem(c, standing.error);
  if (!highRisk.ok) return showProblem(c, highRisk.error);
  const version = await sha256Hex(JSON.stringify(request));
  const title = `${own ? "You ask" : `${request.requester} asks`} for ${request.resource}`;
  const props = { request, standing: standing.value, visitor, now, version, issuer };
  const risky = highRisk.value.has(request.rule);
  return show(
    c,
    { title, status: refusal ? problemStatus(refusal.problem.code) : 200, place: own ? ASK : INBOX },
    <RequestPage {...props} highRisk={risky} {...(refusal ? { refusal } : {})} />,
  );
}

async function review(c: ConsoleContext, id: string, issuer: string) {
  const { api, form } = c.var;
  const refused = (p: Problem) => showRequest(c, id, issuer, { problem: p, filled: form, form: "review" });
  const read = readReview(form);
  if (!read.ok) return refused(read.error);
  const passkey = readAnswer(form, "passkey");
  const body = { ...read.value, ...(passkey ? { passkey } : {}) };
  const reviewed = await api.post<RequestView>(apiPath(id, "/reviews"), body);
  if (!reviewed.ok) return refused(reviewed.error);
  const path = form.get("from") === "inbox" ? INBOX : requestPath(id);
  return seeOther(c, path, outcomeOf(reviewed.value));
}

function outcomeOf(request: RequestView): Done {
  if (request.break_glass || request.extensions?.length) return "reviewed";
  if (request.state === "approved" || request.state === "denied") return request.state;
  return openQuestion(request) ? "counted" : "reviewed";
}

async function cancel(c: ConsoleContext, id: string) {
  const cancelled = await c.var.api.post<RequestView>(apiPath(id, "/cancel"));
  return cancelled.ok
    ? seeOther(c, requestPath(id), "cancelled")
    : showProblem(c, cancelled.error, requestPath(id));
}

async function extend(c: ConsoleContext, id: string, issuer: string) {
  const { api, form } = c.var;
  const refused = (p: Problem) => showRequest(c, id, issuer, { problem: p, filled: form, form: "extend" });
  const grant = await grantOf(c, id);
  if (!grant.ok) return refused(grant.error);
  const seconds = readDuration(form.get("duration") ?? "");
  const justification = textOf(form, "justification");
  if (seconds === undefined) return refused(problem("invalid_body", `How much more: ${NOT_A_DURATION}`));
  if (justification === undefined) return refused(problem("invalid_body", "Say why you need more time."));
  const path = `/v1/grants/${encodeURIComponent(grant.value.id)}/extend`;
  const extended = await api.post<RequestView>(path, { duration_seconds: seconds, justification });
  if (!extended.ok) return refused(extended.error);
  return seeOther(c, requestPath(id), "extension-asked");
}

async function confirmGiveBack(c: ConsoleContext, id: string) {
  const grant = await grantOf(c, id);
  if (!grant.ok) return showProblem(c, grant.error, requestPath(id));
  const { visitor, now } = c.var;
  return show(
    c,
    { title: `Give back ${grant.value.resource}`, place: ASK },
    <GiveBack grant={grant.value} visitor={visitor} now={now} />,
  );
}

async function giveBack(c: ConsoleContext, id: string) {
  const grant = await grantOf(c, id);
  if (!grant.ok) return showProblem(c, grant.error, requestPath(id));
  const reason = textOf(c.var.form, "reason") ?? "Given back.";
  const revoked = await c.var.api.post(`/v1/grants/${encodeURIComponent(grant.value.id)}/revoke`, { reason });
  return revoked.ok
    ? seeOther(c, requestPath(id), "given-back")
    : showProblem(c, revoked.error, requestPath(id));
}

async function grantOf({ var: { api } }: ConsoleContext, id: string): Promise<Result<GrantView>> {
  const found = await api.get<RequestView>(apiPath(id));
  if (!found.ok) return found;
  const { grant } = found.value;
  return grant ? ok(grant) : err(problem("conflict", "This request has no grant."));
}
