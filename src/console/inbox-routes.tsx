import { Hono } from "hono";
import { sha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { BulkDenial } from "./bulk-denial.tsx";
import { Inbox } from "./inbox-page.tsx";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { openQuestion } from "./question.ts";
import { seeOther, show, showProblem } from "./respond.tsx";
import { textOf } from "./review.ts";
import { highRiskRules, standingsOf } from "./standings.ts";
import type { Listed, RequestView } from "./wire.ts";

export const INBOX = "/console/inbox";
/** Each shows everything that a decision needs. */
const PER_PAGE = 20;

/** What waits for the visitor's review. */
export function inboxRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/inbox", showInbox)
    .get("/inbox/deny", confirmDenial)
    .post("/inbox/deny", denyAll);
}

async function showInbox(c: ConsoleContext) {
  const { api, visitor, now } = c.var;
  const cursor = c.req.query("cursor");
  const query = { reviewable: "true", limit: PER_PAGE, cursor };
  const listed = await api.get<Listed<RequestView>>("/v1/access-requests", query);
  if (!listed.ok) return showProblem(c, listed.error);
  const { items, next_cursor: next } = listed.value;
  const [standings, highRisk] = await Promise.all([
    standingsOf(items, visitor, api),
    highRiskRules(visitor, api),
  ]);
  if (!standings.ok) return showProblem(c, standings.error);
  if (!highRisk.ok) return showProblem(c, highRisk.error);
  const version = await sha256Hex(JSON.stringify(items));
  const props = {
    items,
    standings: standings.value,
    highRisk: highRisk.value,
    visitor,
    now,
    version,
    cursor,
    next,
  };
  return show(c, { title: "Inbox", place: INBOX }, <Inbox {...props} />);
}

/** Says what will be denied; nothing is changed by it. */
async function confirmDenial(c: ConsoleContext) {
  const found = await readAll(c, c.req.queries("id") ?? []);
  if (!found.ok) return showProblem(c, found.error, INBOX);
  return show(
    c,
    { title: "Deny several requests", place: INBOX },
    <BulkDenial requests={found.value} visitor={c.var.visitor} />,
  );
}

async function denyAll(c: ConsoleContext) {
  const { api, form } = c.var;
  const found = await readAll(c, form.getAll("id"));
  if (!found.ok) return showProblem(c, found.error, INBOX);
  const comment = textOf(form, "comment");
  const said = { outcome: "deny", ...(comment === undefined ? {} : { comment }) };
  // One after the other: where one is refused, those before it are denied, and the page says which one it was.
  for (const request of found.value) {
    const { extension } = openQuestion(request) ?? {};
    const body = { ...said, ...(extension === undefined ? {} : { extension }) };
    const denied = await api.post(`/v1/access-requests/${encodeURIComponent(request.id)}/reviews`, body);
    if (denied.ok) continue;
    const detail = `The request of ${request.requester} for ${request.resource}: ${denied.error.detail} Those before it in the list are denied.`;
    return showProblem(c, { ...denied.error, detail }, INBOX);
  }
  return seeOther(c, INBOX, "denied-all");
}

async function readAll(c: ConsoleContext, ids: readonly string[]): Promise<Result<RequestView[]>> {
  if (ids.length === 0 || ids.length > PER_PAGE) {
    return err(problem("invalid_request", "Select the requests to deny in the inbox first."));
  }
  const found: RequestView[] = [];
  for (const id of new Set(ids)) {
    const request = await c.var.api.get<RequestView>(`/v1/access-requests/${encodeURIComponent(id)}`);
    if (!request.ok) return request;
    found.push(request.value);
  }
  return ok(found);
}
