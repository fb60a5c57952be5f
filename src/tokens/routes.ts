import { Hono } from "hono";
import { answer, type HttpEnv, type RequestContext, requireScope } from "../platform/http.ts";
import { type FormEnv, oauthForm } from "../platform/oauth-form.ts";
import type { PublicJwk } from "../protocol/jwk.ts";
import { oauthErrorResponse, TOKEN_RESPONSE_HEADERS } from "../protocol/oauth-error.ts";
import { problemResponse } from "../protocol/problem.ts";
import type { Result } from "../protocol/result.ts";
import type { KeyInfo } from "./keyring-object.ts";
import { answerTokenRequest, type TokenEndpointDeps } from "./token-endpoint.ts";
import { GRANT_TYPES_SUPPORTED } from "./token-request.ts";

export type KeyringPort = {
  jwks(): Promise<Result<{ keys: PublicJwk[] }>>;
  keys(): Promise<Result<KeyInfo[]>>;
  ready(): Promise<Result<null>>;
};

export type OAuthDeps = Omit<TokenEndpointDeps, "verifyExternal"> & {
  keyring: KeyringPort;
  verifyExternal(token: string, context: RequestContext): ReturnType<TokenEndpointDeps["verifyExternal"]>;
};

const AUTH_METHODS = ["client_secret_basic", "client_secret_post"];
const METADATA_MAX_AGE = { "cache-control": "public, max-age=300" };

/** Token endpoint and metadata: called without an access token. */
export function oauthRoutes(deps: OAuthDeps) {
  return new Hono<FormEnv>()
    .post("/oauth/token", oauthForm(), async (c) => {
      const form = c.get("form");
      const result = await answerTokenRequest(c.req.header("authorization") ?? null, form, {
        ...deps,
        verifyExternal: (token) => deps.verifyExternal(token, c.env),
      });
      if (!result.ok) return oauthErrorResponse(result.error);
      return c.json(result.value, 200, TOKEN_RESPONSE_HEADERS);
    })
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

/** Keys as operators see them. */
export function keyRoutes(deps: { keyring: KeyringPort }) {
  return new Hono<HttpEnv>().get("/v1/keys", requireScope("keys:rotate"), async (c) =>
    answer(c, await deps.keyring.keys()),
  );
}

/** RFC 8414: lists what works, nothing else. */
function serverMetadata(issuer: string) {
  return {
    issuer,
    token_endpoint: `${issuer}/oauth/token`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    grant_types_supported: GRANT_TYPES_SUPPORTED,
    response_types_supported: [],
    token_endpoint_auth_methods_supported: AUTH_METHODS,
    introspection_endpoint_auth_methods_supported: AUTH_METHODS,
    revocation_endpoint_auth_methods_supported: AUTH_METHODS,
  };
}

/** RFC 9728: the control plane as a protected resource. */
function resourceMetadata(issuer: string) {
  return {
    resource: issuer,
    authorization_servers: [issuer],
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    bearer_methods_supported: ["header"],
  };
}
