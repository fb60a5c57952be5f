import { Hono } from "hono";
import type { DecisionRecord, DecisionTrace } from "../protocol/decision-trace.ts";
import { type Problem, problemStatus } from "../protocol/problem.ts";
import { Command } from "./command.tsx";
import { DecisionView } from "./decision-view.tsx";
import { readExplain, withoutQuery } from "./explaining.ts";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { show, showProblem } from "./respond.tsx";
import { portcullisText } from "./shell-text.ts";
import { WHY } from "./traffic-page.tsx";
import { hasAny } from "./visitor.ts";
import { AskWhy, decisionPath, WhyPage } from "./why-page.tsx";
import type { Listed } from "./wire.ts";

const PER_PAGE = 50;

/** Why the gate decided as it did, and what it would do. */
export function whyRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/why", showWhy)
    .post("/why", explain)
    .get("/why/:id", (c) => showDecision(c, c.req.param("id")));
}

async function showWhy(c: ConsoleContext) {
  const { api, visitor, now } = c.var;
  const { id, outcome, reason, route, sub, jti, cursor } = c.req.query();
  if (id) return c.redirect(decisionPath(id.trim()), 303);
  const query = { outcome, reason, route, sub, jti, cursor };
  const sees = hasAny(visitor, ["decisions:read"]);
  const listed = sees
    ? await api.get<Listed<DecisionRecord>>("/v1/decisions", { ...query, limit: PER_PAGE })
    : undefined;
  if (listed?.ok === false) return showProblem(c, listed.error, WHY);
  const mayExplain = hasAny(visitor, ["policy:read"]);
  const { items, next_cursor: next } = listed?.value ?? {};
  const props = { decisions: items, mayExplain, visitor, now, query, next };
  return show(c, { title: "Why", place: WHY }, <WhyPage {...props} />);
}

async function showDecision(c: ConsoleContext, id: string) {
  const found = await c.var.api.get<DecisionRecord>(`/v1/decisions/${encodeURIComponent(id)}`);
  if (!found.ok) return showProblem(c, found.error, WHY);
  const { outcome, method } = found.value;
  const title = `${method} was ${outcome === "allow" ? "let through" : "refused"}`;
  return show(c, { title, place: WHY }, <DecisionView decision={found.value} now={c.var.now} />);
}

/** The answer is the page itself: a token must not get into an address. */
async function explain(c: ConsoleContext) {
  const { api, form, now } = c.var;
  const read = readExplain(form);
  if (!read.ok) return askAgain(c, read.error);
  const traced = await api.post<DecisionTrace>("/v1/explain", read.value);
  if (!traced.ok) return askAgain(c, traced.error);
  const { method, url, token } = read.value;
  const title = `${method} ${withoutQuery(url)}`;
  return show(
    c,
    { title, place: WHY },
    <>
      <DecisionView decision={traced.value} now={now} />
      <Command
        label={`The same from a shell${token === undefined ? "" : ", with the token in the variable TOKEN"}`}
        text={portcullisText(["explain", method, withoutQuery(url)], {
          "token-from-env": token === undefined ? undefined : "TOKEN",
        })}
      />
      <p>
        <a class="button second" href={WHY}>
          Ask again
        </a>
      </p>
    </>,
  );
}

function askAgain(c: ConsoleContext, refusal: Problem) {
  const { visitor, form } = c.var;
  const status = problemStatus(refusal.code);
  return show(
    c,
    { title: "Why", place: WHY, status },
    <AskWhy visitor={visitor} filled={form} refusal={refusal} />,
  );
}
