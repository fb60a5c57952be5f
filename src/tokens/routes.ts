import { type Context, Hono } from "hono";
import type { HttpEnv, RequestContext } from "../platform/http.ts";
import { JWKS_MAX_AGE_SECONDS } from "../policy/keys-schema.ts";
import type { PublicJwk } from "../protocol/jwk.ts";
import { problemResponse } from "../protocol/problem.ts";
import type { Result } from "../protocol/result.ts";
import { authorizeBackchannel, BACKCHANNEL_PARAMETERS } from "./ciba.ts";
import { authenticateClient, type OAuthCall } from "./client-auth.ts";
import { answerForm, formLimit, postOnly } from "./form-routes.ts";
import type { GrantDeps } from "./grant.ts";
import { resourceMetadata, serverMetadata } from "./metadata.ts";
import { knownParameters } from "./oauth-form.ts";
import { answerTokenRequest } from "./token-endpoint.ts";

export type KeyringPort = { jwks(): Promise<Result<{ keys: PublicJwk[] }>> };

export type OAuthDeps = Omit<GrantDeps, "verifySubject"> & {
  keyring: KeyringPort;
  verifySubject(token: string, context: RequestContext): ReturnType<GrantDeps["verifySubject"]>;
};

const METADATA_MAX_AGE = { "cache-control": `public, max-age=${JWKS_MAX_AGE_SECONDS}` };

/** Token endpoint, backchannel and metadata: called without an access token. */
export function oauthRoutes(deps: OAuthDeps) {
  const app = new Hono<HttpEnv>();
  const grantDeps = (c: Context<HttpEnv>): GrantDeps => ({
    ...deps,
    verifySubject: (token) => deps.verifySubject(token, c.env),
  });
  return app
    .post("/oauth/token", formLimit, (c) =>
      answerForm(c, deps.issuer, (call) => answerTokenRequest(call, grantDeps(c))),
    )
    .post("/oauth/bc-authorize", formLimit, (c) =>
      answerForm(c, deps.issuer, (call) => answerBackchannel(call, grantDeps(c)), 403),
    )
    .all("/oauth/token", postOnly)
    .all("/oauth/bc-authorize", postOnly)
    .get("/.well-known/jwks.json", async (c) => {
      const jwks = await deps.keyring.jwks();
      if (!jwks.ok) return problemResponse(jwks.error, c.var.requestId);
      return c.json(jwks.value, 200, METADATA_MAX_AGE);
    })
    .get("/.well-known/oauth-authorization-server", (c) =>
      c.json(serverMetadata(deps.issuer), 200, METADATA_MAX_AGE),
    )
    .get("/.well-known/oauth-protected-resource", (c) =>
      c.json(resourceMetadata(deps.issuer), 200, METADATA_MAX_AGE),
    );
}

async function answerBackchannel(call: OAuthCall, deps: GrantDeps) {
  const client = await authenticateClient(call, deps);
  if (!client.ok) return client;
  const known = knownParameters(call.form, BACKCHANNEL_PARAMETERS);
  return known.ok ? authorizeBackchannel({ form: call.form, client: client.value }, deps) : known;
}
