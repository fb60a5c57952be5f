import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { answer, type HttpEnv, type RequestContext, requireScope } from "../platform/http.ts";
import { DPOP_ALGORITHMS } from "../protocol/dpop.ts";
import type { PublicJwk } from "../protocol/jwk.ts";
import { oauthError, oauthErrorResponse, TOKEN_RESPONSE_HEADERS } from "../protocol/oauth-error.ts";
import { problemResponse } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { KeyInfo } from "./keyring-object.ts";
import type { ProofChecker } from "./proof-checker.ts";
import { bindingOAuthError, bindingOf } from "./sender-binding.ts";
import { answerTokenRequest, type TokenEndpointDeps } from "./token-endpoint.ts";
import { TOKEN_EXCHANGE } from "./token-request.ts";

export type KeyringPort = {
  jwks(): Promise<Result<{ keys: PublicJwk[] }>>;
  keys(): Promise<Result<KeyInfo[]>>;
  ready(): Promise<Result<null>>;
};

export type OAuthDeps = Omit<TokenEndpointDeps, "verifyExternal" | "binding"> & {
  keyring: KeyringPort;
  proofs: ProofChecker;
  verifyExternal(token: string, context: RequestContext): ReturnType<TokenEndpointDeps["verifyExternal"]>;
};

const MAX_FORM_BYTES = 32 * 1024;
const METADATA_MAX_AGE = { "cache-control": "public, max-age=300" };

/** Token endpoint and metadata: called without an access token. */
export function oauthRoutes(deps: OAuthDeps) {
  const tooLarge = bodyLimit({
    maxSize: MAX_FORM_BYTES,
    onError: () => oauthErrorResponse(oauthError("invalid_request", "The form is over 32 KiB.")),
  });
  return new Hono<HttpEnv>()
    .post("/oauth/token", tooLarge, async (c) => {
      const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
      if (type !== "application/x-www-form-urlencoded") {
        return oauthErrorResponse(
          oauthError("invalid_request", "Send the parameters as application/x-www-form-urlencoded."),
        );
      }
      const form = new URLSearchParams(await c.req.text());
      let nextNonce: string | undefined;
      const result = await answerTokenRequest(c.req.header("authorization") ?? null, form, {
        ...deps,
        verifyExternal: (token) => deps.verifyExternal(token, c.env),
        binding: async (demand) => {
          const bound = await bindingOf(c.req.raw, demand, deps.proofs);
          if (!bound.ok) return err(await bindingOAuthError(bound.error, deps.proofs));
          nextNonce = bound.value.nextNonce;
          return ok(bound.value.confirmation);
        },
      });
      if (!result.ok) return oauthErrorResponse(result.error);
      const nonce = nextNonce === undefined ? {} : { "dpop-nonce": nextNonce };
      return c.json(result.value, 200, { ...TOKEN_RESPONSE_HEADERS, ...nonce });
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
    grant_types_supported: ["client_credentials", TOKEN_EXCHANGE],
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    tls_client_certificate_bound_access_tokens: true,
  };
}

/** RFC 9728: the control plane as a protected resource. */
function resourceMetadata(issuer: string) {
  return {
    resource: issuer,
    authorization_servers: [issuer],
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    bearer_methods_supported: ["header"],
    dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    dpop_bound_access_tokens_required: false,
    tls_client_certificate_bound_access_tokens: true,
  };
}
