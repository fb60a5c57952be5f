import { csrfTokenOf } from "../../../src/browser/session-cookie.ts";
import { consoleApp } from "../../../src/console/routes.tsx";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { NOW } from "./samples.ts";

const ISSUER = "https://gate.example";
const COOKIE = "psc_of_bob";
const SCOPES = "requests:read requests:review";

/** A console before a control plane that answers as told, and notes what it is asked. */
export function world({
  scope = SCOPES,
  answers = {},
}: {
  scope?: string;
  answers?: Record<string, unknown>;
} = {}) {
  const asked: {
    method: string;
    path: string;
    authorization: string | null;
    ifMatch: string | null;
    body: string;
  }[] = [];
  const token = ["e30", btoa(JSON.stringify({ sub: "corp|bob", scope, roles: ["approver"] })), "x"].join(".");
  const app = consoleApp({
    issuer: ISSUER,
    clock: () => NOW * 1000,
    logger: () => {},
    tokenOf: async (cookie) => {
      if (cookie === "broken") return err(problem("unavailable", "The session did not answer."));
      return cookie === COOKIE ? ok({ access_token: token }) : err(problem("invalid_token", "It is over."));
    },
    control: async (request) => {
      const { pathname, search } = new URL(request.url);
      const path = pathname + search;
      const { method, headers } = request;
      const [authorization, ifMatch] = [headers.get("authorization"), headers.get("if-match")];
      asked.push({ method, path, authorization, ifMatch, body: await request.text() });
      const answer = answers[`${method} ${pathname}`] ?? { items: [] };
      return answer instanceof Response ? answer.clone() : Response.json(answer);
    },
  });
  const context = { requestId: "dec_1", waitUntil: () => {} };
  const open = (path: string, { cookie = COOKIE, ...init }: RequestInit & { cookie?: string } = {}) => {
    const headers = new Headers(init.headers);
    if (cookie) headers.set("cookie", `__Host-portcullis-session=${cookie}`);
    return app.fetch(new Request(`${ISSUER}${path}`, { ...init, headers }), context);
  };
  const send = async (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    open(path, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "sec-fetch-site": "same-origin",
        origin: ISSUER,
        ...headers,
      },
      body: new URLSearchParams({ csrf_token: await csrfTokenOf(COOKIE), ...form }),
    });
  return { open, send, asked, routes: app.routes };
}
