import { Hono } from "hono";
import { newSecret } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { type Problem, problem, problemStatus } from "../protocol/problem.ts";
import { AskForm } from "./ask-form.tsx";
import { ASK, AskPage } from "./ask-page.tsx";
import { readAsk } from "./asking.ts";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { requestPath } from "./request-view.tsx";
import { seeOther, show, showProblem } from "./respond.tsx";
import type { GrantView, Listed, RequestView, RuleView } from "./wire.ts";

/** A person has few at once. */
const MAX_LIVE = 24;
const RULES_PER_PAGE = 24;
const REQUESTS_PER_PAGE = 20;

/** What one has, what one may ask for, and asking for it. */
export function askRoutes({ issuer }: { issuer: string }) {
  return new Hono<ConsoleEnv>()
    .get("/ask", showAsk)
    .get("/ask/new", (c) => showForm(c, issuer, new URL(c.req.url).searchParams))
    .post("/ask/new", (c) => ask(c, issuer));
}

async function showAsk(c: ConsoleContext) {
  const { api, visitor, now } = c.var;
  const query = { cursor: c.req.query("cursor"), rules: c.req.query("rules") };
  const mine = { subject: visitor.subject, limit: MAX_LIVE };
  const [active, scheduled, requests, rules] = await Promise.all([
    api.get<Listed<GrantView>>("/v1/grants", { ...mine, state: "active" }),
    api.get<Listed<GrantView>>("/v1/grants", { ...mine, state: "scheduled" }),
    api.get<Listed<RequestView>>("/v1/access-requests", {
      requester: visitor.subject,
      limit: REQUESTS_PER_PAGE,
      cursor: query.cursor,
    }),
    api.get<Listed<RuleView>>("/v1/access-rules", {
      askable: "true",
      limit: RULES_PER_PAGE,
      cursor: query.rules,
    }),
  ]);
  if (!active.ok) return showProblem(c, active.error, ASK);
  if (!scheduled.ok) return showProblem(c, scheduled.error, ASK);
  if (!requests.ok) return showProblem(c, requests.error, ASK);
  if (!rules.ok) return showProblem(c, rules.error, ASK);
  const shown = {
    grants: [...active.value.items, ...scheduled.value.items],
    requests: requests.value.items,
    rules: rules.value.items,
    moreGrants: [active, scheduled].some(({ value }) => value.next_cursor !== undefined),
  };
  const version = await sha256Hex(JSON.stringify(shown));
  const next = { requests: requests.value.next_cursor, rules: rules.value.next_cursor };
  return show(
    c,
    { title: "Ask for access", place: ASK },
    <AskPage {...shown} now={now} version={version} query={query} next={next} />,
  );
}

/** By the rule that is named, or by the first one that covers the resource and scopes that are. */
async function showForm(c: ConsoleContext, issuer: string, filled: URLSearchParams, refusal?: Problem) {
  const rule = await findRule(c, filled);
  if ("code" in rule) return showProblem(c, rule, ASK);
  const props = { rule, visitor: c.var.visitor, issuer, nonce: newSecret(), filled, problem: refusal };
  return show(
    c,
    {
      title: `Ask for ${rule.resource}`,
      place: ASK,
      status: refusal ? problemStatus(refusal.code) : 200,
    },
    <AskForm {...props} />,
  );
}

async function findRule(c: ConsoleContext, filled: URLSearchParams): Promise<RuleView | Problem> {
  const [id, resource] = [filled.get("rule"), filled.get("resource") ?? undefined];
  const scope = filled.getAll("scope").join(" ");
  const query = id === null ? { resource, scope } : {};
  for (let cursor: string | undefined; ; ) {
    const listed = await c.var.api.get<Listed<RuleView>>("/v1/access-rules", {
      ...query,
      ...{ askable: "true", limit: 200, cursor },
    });
    if (!listed.ok) return listed.error;
    const found = listed.value.items.find((rule) => id === null || rule.id === id);
    if (found) return found;
    cursor = listed.value.next_cursor;
    if (cursor === undefined) return problem("not_found", "No access rule lets you ask for this.");
  }
}

async function ask(c: ConsoleContext, issuer: string) {
  const { api, form } = c.var;
  const read = readAsk(form);
  if (!read.ok) return showForm(c, issuer, form, read.error);
  // The same form with another text is another wish.
  const key = await sha256Hex(JSON.stringify([form.get("nonce"), read.value]));
  const opened = await api.post<RequestView>("/v1/access-requests", read.value, { key });
  if (!opened.ok) return showForm(c, issuer, form, opened.error);
  return seeOther(c, requestPath(opened.value.id), opened.value.state === "pending" ? "asked" : "answered");
}
