import { type Context, Hono } from "hono";
import type { HttpEnv, RequestContext } from "../platform/http.ts";
import { JWKS_MAX_AGE_SECONDS } from "../policy/keys-schema.ts";
import type { PublicJwk } from "../protocol/jwk.ts";
import type { OAuthError } from "../protocol/oauth-error.ts";
import { problem, problemResponse } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { authorizeBackchannel, BACKCHANNEL_PARAMETERS } from "./ciba.ts";
import { authenticateClient, type OAuthCall } from "./client-auth.ts";
import { authorizeDevice, DEVICE_PARAMETERS } from "./device-grant.ts";
import { answerForm, formLimit, postOnly } from "./form-routes.ts";
import { bindingDemand, type GrantDeps, grantRequest, readPolicy } from "./grant.ts";
import { guardedMetadata, resourceMetadata, serverMetadata } from "./metadata.ts";
import { knownParameters } from "./oauth-form.ts";
import type { ProofChecker } from "./proof-checker.ts";
import { bindingOAuthError, bindingOf } from "./sender-binding.ts";
import { answerTokenRequest } from "./token-endpoint.ts";

export type KeyringPort = { jwks(): Promise<Result<{ keys: PublicJwk[] }>> };

export type OAuthDeps = Omit<GrantDeps, "verifySubject" | "binding"> & {
  keyring: KeyringPort;
  proofs: ProofChecker;
  /** Whether the gate asks for a token at this address. */
  isGuarded(url: string): Promise<Result<boolean>>;
  verifySubject(token: string, context: RequestContext): ReturnType<GrantDeps["verifySubject"]>;
};

const NOT_GUARDED = problem("not_found", "No token is asked for at this address.");

const METADATA_MAX_AGE = { "cache-control": `public, max-age=${JWKS_MAX_AGE_SECONDS}` };

/** Token endpoint, backchannel and metadata: called without an access token. */
export function oauthRoutes(deps: OAuthDeps) {
  const app = new Hono<HttpEnv>();
  return app
    .post("/oauth/token", formLimit, (c) => answerGrant(c, deps, answerTokenRequest))
    .post("/oauth/bc-authorize", formLimit, (c) => answerGrant(c, deps, answerBackchannel, 403))
    .post("/oauth/device_authorization", formLimit, (c) => answerGrant(c, deps, answerDevice))
    .all("/oauth/token", postOnly)
    .all("/oauth/device_authorization", postOnly)
    .all("/oauth/bc-authorize", postOnly)
    .get("/.well-known/jwks.json", async (c) => {
      const jwks = await deps.keyring.jwks();
      if (!jwks.ok) return problemResponse(jwks.error, c.var.requestId);
      return c.json(jwks.value, 200, METADATA_MAX_AGE);
    })
    .get("/.well-known/oauth-authorization-server", (c) =>
      c.json(serverMetadata(deps.issuer), 200, METADATA_MAX_AGE),
    )
    .get("/.well-known/oauth-protected-resource", async (c) => {
      const resource = c.req.query("resource");
      if (resource === undefined) return c.json(resourceMetadata(deps.issuer), 200, METADATA_MAX_AGE);
      const guarded = await deps.isGuarded(resource);
      if (!guarded.ok) return problemResponse(guarded.error, c.var.requestId);
      if (!guarded.value) return problemResponse(NOT_GUARDED, c.var.requestId);
      return c.json(guardedMetadata(deps.issuer, resource), 200, METADATA_MAX_AGE);
    });
}

/** Answers a form with what belongs to its request; the nonce that is due comes with any answer (RFC 9449 §8.2). */
async function answerGrant(
  c: Context<HttpEnv>,
  deps: OAuthDeps,
  work: (call: OAuthCall, deps: GrantDeps) => Promise<Result<object, OAuthError>>,
  deniedStatus?: 403,
): Promise<Response> {
  let nextNonce: string | undefined;
  const grantDeps: GrantDeps = {
    ...deps,
    verifySubject: (token) => deps.verifySubject(token, c.env),
    binding: async (demand) => {
      // Only a proof can lack a nonce.
      const policy = c.req.raw.headers.has("dpop") ? await readPolicy(deps) : undefined;
      if (policy && !policy.ok) return policy;
      const nonceNeeded = policy?.value.token_endpoint?.dpop_nonce ?? false;
      const bound = await bindingOf(c.req.raw, { ...demand, nonceNeeded }, deps.proofs);
      if (!bound.ok) return err(await bindingOAuthError(bound.error, deps.proofs));
      ({ nextNonce } = bound.value);
      return ok(bound.value.confirmation);
    },
  };
  const response = await answerForm(c, deps.issuer, (call) => work(call, grantDeps), deniedStatus);
  if (nextNonce !== undefined) response.headers.set("dpop-nonce", nextNonce);
  return response;
}

async function answerBackchannel(call: OAuthCall, deps: GrantDeps) {
  const client = await authenticateClient(call, deps);
  if (!client.ok) return client;
  const known = knownParameters(call.form, BACKCHANNEL_PARAMETERS);
  if (!known.ok) return known;
  // What is polled for later must be proven then: a proof is needed here only for a hint that is bound.
  const bound = await deps.binding({ certificate: bindingDemand(client.value).certificate });
  if (!bound.ok) return bound;
  return authorizeBackchannel(grantRequest(call.form, client.value, bound.value), deps);
}

async function answerDevice(call: OAuthCall, deps: GrantDeps) {
  const client = await authenticateClient(call, deps);
  if (!client.ok) return client;
  const known = knownParameters(call.form, DEVICE_PARAMETERS);
  if (!known.ok) return known;
  return authorizeDevice(grantRequest(call.form, client.value, undefined), deps, call.address);
}
