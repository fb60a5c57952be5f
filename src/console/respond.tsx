import type { Child } from "hono/jsx";
import { type Problem, problemStatus } from "../protocol/problem.ts";
import type { Done } from "./done.ts";
import { page } from "./page.tsx";
import type { ConsoleContext } from "./ports.ts";
import { address } from "./table.tsx";

type Shown = { title: string; place?: string; status?: number };

/** Answers a page to the visitor. */
export function show(c: ConsoleContext, { title, place, status = 200 }: Shown, children: Child) {
  const { visitor, now } = c.var;
  // A page that says what went wrong does not say that something was done.
  const done = status < 400 ? c.req.query("done") : undefined;
  const props = { title, visitor, now, done, children };
  return c.html(page(place === undefined ? props : { ...props, place }), status as 200);
}

/** Answers what the control plane refused, under the id by which it is found in the log. */
export function showProblem(c: ConsoleContext, problem: Problem, place?: string) {
  const status = problemStatus(problem.code);
  const title = TITLES[problem.code] ?? (status < 500 ? "That did not work" : "Not available right now");
  return show(
    c,
    { title, status, ...(place === undefined ? {} : { place }) },
    <>
      <p class="notice bad">{problem.detail}</p>
      <p>
        <a class="button" href={place ?? "/console"}>
          Go back
        </a>
      </p>
      <p class="quiet">
        Request <code>{c.env.requestId}</code>: quote it when you ask for help.
      </p>
    </>,
  );
}

const TITLES: Partial<Record<Problem["code"], string>> = {
  not_found: "Nothing is here",
  forbidden: "This is not yours to do",
  insufficient_scope: "This is not yours to do",
  conflict: "Too late for this",
  gone: "Too late for this",
};

/** 303 after a form: the next page is opened with GET, and says what was done. */
export function seeOther(c: ConsoleContext, path: string, done?: Done, more: Record<string, string> = {}) {
  return c.redirect(address(path, { ...more, done }), 303);
}
