import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { HttpEnv } from "../platform/http.ts";
import type { Logger } from "../platform/log.ts";
import { MAX_FORM_BYTES, readForm } from "../tokens/oauth-form.ts";
import { endByLogoutToken, type LogoutDeps } from "./backchannel-logout.ts";

export type LogoutRouteDeps = LogoutDeps & { logger: Logger };

const PATH = "/v1/signals/backchannel-logout";

/** Back-Channel Logout §2.5: the provider calls; the logout token is the credential. */
export function logoutRoutes(deps: LogoutRouteDeps) {
  const limited = bodyLimit({
    maxSize: MAX_FORM_BYTES,
    onError: (c) => refused(c as Context<HttpEnv>, 413, "The form is too large."),
  });
  return new Hono<HttpEnv>().post(PATH, limited, async (c) => {
    const form = readForm(c.req.header("content-type"), await c.req.text());
    if (!form.ok) return refused(c, 400, form.error.description);
    const token = form.value.get("logout_token");
    if (token === null) return refused(c, 400, "The parameter logout_token is missing.");
    const ended = await endByLogoutToken(token, deps);
    if (ended.ok) return c.body(null, 200, { "cache-control": "no-store" });
    const { code, detail } = ended.error;
    deps.logger("warn", "logout.refused", { request_id: c.var.requestId, code, detail });
    return refused(c, code === "invalid_token" ? 400 : 503, detail);
  });
}

/** §2.8. */
function refused(c: Context<HttpEnv>, status: 400 | 413 | 503, description: string): Response {
  const error = status === 503 ? "temporarily_unavailable" : "invalid_request";
  return c.json({ error, error_description: description }, status, { "cache-control": "no-store" });
}
