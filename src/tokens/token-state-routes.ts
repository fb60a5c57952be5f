import { type Context, Hono } from "hono";
import { type FormEnv, oauthForm } from "../platform/oauth-form.ts";
import {
  type OAuthError,
  oauthError,
  oauthErrorResponse,
  TOKEN_RESPONSE_HEADERS,
} from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { authenticateClient, type OAuthClient } from "./client-auth.ts";
import { introspect, revokeToken, type TokenStateDeps } from "./introspection.ts";

/** Introspection (RFC 7662) and revocation (RFC 7009): called by clients, which authenticate as at the token endpoint. */
export function tokenStateRoutes(deps: TokenStateDeps) {
  return new Hono<FormEnv>()
    .post("/oauth/introspect", oauthForm(), async (c) => {
      const asked = await readRequest(c, deps);
      if (!asked.ok) return oauthErrorResponse(asked.error);
      const { token, client } = asked.value;
      const answered = await introspect(token, client, deps, c.env);
      if (!answered.ok) return oauthErrorResponse(answered.error);
      return c.json(answered.value, 200, TOKEN_RESPONSE_HEADERS);
    })
    .post("/oauth/revoke", oauthForm(), async (c) => {
      const asked = await readRequest(c, deps);
      if (!asked.ok) return oauthErrorResponse(asked.error);
      const { token, client } = asked.value;
      const revoked = await revokeToken(token, client, deps, c.env);
      return revoked.ok ? c.body(null, 200, TOKEN_RESPONSE_HEADERS) : oauthErrorResponse(revoked.error);
    });
}

/** `token_type_hint` only says where to look first, and kinds cannot be confused: it is not needed. */
async function readRequest(
  c: Context<FormEnv>,
  deps: TokenStateDeps,
): Promise<Result<{ token: string; client: OAuthClient }, OAuthError>> {
  const form = c.get("form");
  const client = await authenticateClient(c.req.header("authorization") ?? null, form, deps.client);
  if (!client.ok) return client;
  const token = form.get("token");
  if (!token) return err(oauthError("invalid_request", "The parameter token is missing."));
  const repeated = [...new Set(form.keys())].some((name) => form.getAll(name).length > 1);
  if (repeated) return err(oauthError("invalid_request", "A parameter is given more than once."));
  return ok({ token, client: client.value });
}
