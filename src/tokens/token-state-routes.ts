import { type Context, Hono } from "hono";
import type { HttpEnv } from "../platform/http.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { authenticateClient, type OAuthCall, type OAuthClient } from "./client-auth.ts";
import { answerForm, formLimit, postOnly } from "./form-routes.ts";
import { introspect, revokeToken, type TokenStateDeps } from "./introspection.ts";
import { COMMAND_LINE_CLIENT } from "./public-client.ts";

/** Introspection (RFC 7662) and revocation (RFC 7009): called by clients, which authenticate as at the token endpoint. */
export function tokenStateRoutes(deps: TokenStateDeps) {
  const answered = (c: Context<HttpEnv>, work: typeof introspect | typeof revokeToken) =>
    answerForm(c, deps.issuer, async (call) => {
      const asked = await readRequest(call, deps);
      return asked.ok ? work(asked.value.token, asked.value.client, deps, c.env) : asked;
    });
  return new Hono<HttpEnv>()
    .post("/oauth/introspect", formLimit, (c) => answered(c, introspectForOwner))
    .post("/oauth/revoke", formLimit, (c) => answered(c, revokeToken))
    .all("/oauth/introspect", postOnly)
    .all("/oauth/revoke", postOnly);
}

/** RFC 7662 §2.1: the endpoint must know who asks, and a client without a secret could be anybody. */
const introspectForOwner: typeof introspect = async (token, client, deps, context) =>
  client.id === COMMAND_LINE_CLIENT.id
    ? err(oauthError("invalid_client", "A client without a secret learns nothing of tokens."))
    : introspect(token, client, deps, context);

/** `token_type_hint` only says where to look first, and kinds cannot be confused: it is not needed. */
async function readRequest(
  call: OAuthCall,
  deps: TokenStateDeps,
): Promise<Result<{ token: string; client: OAuthClient }, OAuthError>> {
  const client = await authenticateClient(call, deps);
  if (!client.ok) return client;
  const token = call.form.get("token");
  if (!token) return err(oauthError("invalid_request", "The parameter token is missing."));
  return ok({ token, client: client.value });
}
