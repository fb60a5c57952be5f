import { Hono } from "hono";
import { sha256Hex } from "../protocol/encoding.ts";
import { type Problem, problemStatus } from "../protocol/problem.ts";
import type { Done } from "./done.ts";
import { INBOX } from "./inbox-routes.tsx";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { openQuestion } from "./question.ts";
import { RequestPage } from "./request-page.tsx";
import { requestPath } from "./request-view.tsx";
import { seeOther, show, showProblem } from "./respond.tsx";
import { readReview } from "./review.ts";
import { standingOf } from "./standings.ts";
import type { RequestView } from "./wire.ts";

/** One access request, for who asks, who reviews and who reads; where a message's *Open* leads. */
export function requestRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/access-requests/:id", (c) => showRequest(c, c.req.param("id")))
    .post("/access-requests/:id/reviews", (c) => review(c, c.req.param("id")));
}

/** What is at the control plane's path of a request. */
function apiPath(id: string, below = ""): string {
  return `/v1/access-requests/${encodeURIComponent(id)}${below}`;
}

type Refusal = { problem: Problem; filled: URLSearchParams };

async function showRequest(c: ConsoleContext, id: string, refusal?: Refusal) {
  const { api, visitor, now } = c.var;
  const found = await api.get<RequestView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error);
  const request = found.value;
  const standing = await standingOf(request.requester, visitor, api);
  if (!standing.ok) return showProblem(c, standing.error);
  const version = await sha256Hex(JSON.stringify(request));
  const title = `${request.requester} asks for ${request.resource}`;
  const props = { request, standing: standing.value, visitor, now, version };
  return show(
    c,
    { title, status: refusal ? problemStatus(refusal.problem.code) : 200, place: INBOX },
    <RequestPage {...props} {...(refusal ? { refusal } : {})} />,
  );
}

async function review(c: ConsoleContext, id: string) {
  const { api, form } = c.var;
  const read = readReview(form);
  if (!read.ok) return showRequest(c, id, { problem: read.error, filled: form });
  const reviewed = await api.post<RequestView>(apiPath(id, "/reviews"), read.value);
  if (!reviewed.ok) return showRequest(c, id, { problem: reviewed.error, filled: form });
  const path = form.get("from") === "inbox" ? INBOX : requestPath(id);
  return seeOther(c, path, outcomeOf(reviewed.value));
}

function outcomeOf(request: RequestView): Done {
  if (request.break_glass || request.extensions?.length) return "reviewed";
  if (request.state === "approved" || request.state === "denied") return request.state;
  return openQuestion(request) ? "counted" : "reviewed";
}
