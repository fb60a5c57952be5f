import { Hono, type MiddlewareHandler } from "hono";
import { csrfTokenOf, readCookie, SESSION_COOKIE } from "../browser/session-cookie.ts";
import { epochSeconds } from "../platform/clock.ts";
import { faultText } from "../platform/log.ts";
import { equalText } from "../protocol/equal-text.ts";
import { problem, problemResponse } from "../protocol/problem.ts";
import { isSameOrigin } from "../protocol/same-origin.ts";
import { Api } from "./api.ts";
import { askRoutes } from "./ask-routes.tsx";
import { serveAsset } from "./assets.ts";
import { auditRoutes } from "./audit-routes.tsx";
import { clientRoutes } from "./clients-routes.tsx";
import { detectionsRoutes } from "./detections-routes.tsx";
import { grantRoutes } from "./grants-routes.tsx";
import { inboxRoutes } from "./inbox-routes.tsx";
import { keyRoutes } from "./keys-routes.tsx";
import { placesFor } from "./navigation.ts";
import { Empty } from "./notice.tsx";
import { passkeyRoutes } from "./passkey-routes.tsx";
import { policyRoutes } from "./policy-routes.tsx";
import type { ConsoleContext, ConsoleDeps, ConsoleEnv } from "./ports.ts";
import { requestRoutes } from "./request-routes.tsx";
import { show, showProblem } from "./respond.tsx";
import { revocationRoutes } from "./revocations-routes.tsx";
import { trafficRoutes } from "./traffic-routes.tsx";
import { hasAny, visitorOf } from "./visitor.ts";
import { webhookEditRoutes } from "./webhook-edit-routes.tsx";
import { webhooksRoutes } from "./webhooks-routes.tsx";
import { whyRoutes } from "./why-routes.tsx";

/** Everything comes from here, and nothing is written into a page that would run. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "cache-control": "no-store",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-robots-tag": "noindex, nofollow",
};

const NO_FILE = problem("not_found", "This version of the console has no such file: open the page anew.");

/** `/console`: pages over the HTTP contract. Whoever is not signed in is sent to sign in, and comes back. */
export function consoleApp(deps: ConsoleDeps) {
  const app = new Hono<ConsoleEnv>().basePath("/console");
  app.onError((fault, c) => {
    deps.logger("error", "console.fault", { request_id: c.env.requestId, fault: faultText(fault) });
    const p = problem("internal", "The fault is in the log under this request's id.");
    return c.var.visitor ? showProblem(c, p) : problemResponse(p, c.env.requestId);
  });
  app.get("/assets/:file", (c) => {
    return serveAsset(c.req.param("file")) ?? problemResponse(NO_FILE, c.env.requestId);
  });
  app.use(async (c, next) => {
    c.set("now", epochSeconds(deps.clock()));
    await next();
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
  });
  app.use(signedIn(deps));
  app.use(ownForms);
  app.notFound((c) => notFound(c));
  for (const [path, ...anyOf] of TAKES) app.use(path, takes(anyOf));
  app.get("/", home);
  app.route("/", inboxRoutes());
  app.route("/", askRoutes(deps));
  app.route("/", requestRoutes(deps));
  app.route("/", trafficRoutes());
  app.route("/", detectionsRoutes());
  app.route("/", whyRoutes());
  app.route("/", auditRoutes());
  app.route("/", grantRoutes());
  app.route("/", revocationRoutes());
  app.route("/", keyRoutes());
  app.route("/", policyRoutes());
  app.route("/", clientRoutes(deps));
  app.route("/", webhookEditRoutes());
  app.route("/", webhooksRoutes());
  app.route("/", passkeyRoutes());
  return app;
}

/** Knows the visitor by the session's cookie; without one, a page leads to the sign-in. */
function signedIn(deps: ConsoleDeps): MiddlewareHandler<ConsoleEnv> {
  return async (c, next) => {
    const cookie = readCookie(c.req.raw.headers, SESSION_COOKIE);
    const token = cookie === undefined ? undefined : await deps.tokenOf(cookie);
    if (cookie === undefined || !token || (!token.ok && token.error.code === "invalid_token")) {
      const { pathname, search } = new URL(c.req.url);
      const back = c.req.method === "GET" ? `${pathname}${search}` : "/console";
      return c.redirect(`/session/sign-in?${new URLSearchParams({ return_to: back })}`, 303);
    }
    if (!token.ok) return problemResponse(token.error, c.env.requestId);
    const { access_token: accessToken } = token.value;
    const renewed = (refused: string) => deps.tokenOf(cookie, refused);
    c.set("visitor", visitorOf(accessToken, await csrfTokenOf(cookie)));
    c.set("api", new Api(deps, { accessToken, renewed }, c.env));
    return next();
  };
}

/**
 * Pages with a form that takes more than their list does, by the scopes of which one is enough: who may not send it is
 * told so before it is filled in.
 */
const TAKES: readonly (readonly [path: string, ...anyOf: string[]])[] = [
  ["/inbox/deny", "requests:review"],
  ["/grants/:id/revoke", "grants:revoke"],
  ["/revocations/new", "revocations:write"],
  ["/revocations/:id/:deed", "revocations:write"],
  ["/policy/edit", "policy:write"],
  ["/policy/versions/:version/activate", "policy:write"],
  ["/clients/new", "clients:write"],
  ["/webhooks/new", "webhooks:write"],
  ["/webhooks/:id/:deed", "webhooks:write"],
  ["/why", "decisions:read", "policy:read"],
];

function takes(anyOf: readonly string[]): MiddlewareHandler<ConsoleEnv> {
  return async (c, next) => {
    if (hasAny(c.var.visitor, anyOf)) return next();
    const detail = `This takes the scope ${anyOf.join(" or ")}, which your roles do not bring. Nothing was changed.`;
    return showProblem(c, problem("insufficient_scope", detail));
  };
}

/** What changes something comes from a page of ours, in this very session, or is refused before it is looked at. */
const ownForms: MiddlewareHandler<ConsoleEnv> = async (c, next) => {
  if (c.req.method === "GET" || c.req.method === "HEAD") return next();
  if (!isSameOrigin(c.req.raw)) {
    return showProblem(c, problem("forbidden", "Another site made this request. Nothing was changed."));
  }
  const type = c.req.header("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) {
    return showProblem(c, problem("unsupported_media_type", "The console takes forms only."));
  }
  const form = new URLSearchParams(await c.req.text());
  if (!equalText(form.get("csrf_token") ?? "", c.var.visitor.csrfToken)) {
    const detail = "This page is from another session. Nothing was changed: open it anew and try again.";
    return showProblem(c, problem("forbidden", detail));
  }
  c.set("form", form);
  return next();
};

async function home(c: ConsoleContext) {
  const first = placesFor(c.var.visitor)[0]?.places[0];
  if (first) return c.redirect(first.path, 303);
  return show(
    c,
    { title: "Welcome" },
    <Empty title="There is nothing for you here yet">
      Your roles bring no rights in the control plane. Ask whoever runs this deployment for a role.
    </Empty>,
  );
}

function notFound(c: ConsoleContext) {
  return showProblem(c, problem("not_found", "The console has no such page."));
}
