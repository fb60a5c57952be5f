import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { answer, type HttpEnv, type RequestContext, refuse, requireScope } from "../platform/http.ts";
import type { PublicJwk } from "../protocol/jwk.ts";
import {
  type OAuthError,
  oauthError,
  oauthErrorResponse,
  TOKEN_RESPONSE_HEADERS,
} from "../protocol/oauth-error.ts";
import { problem, problemResponse } from "../protocol/problem.ts";
import type { Result } from "../protocol/result.ts";
import { authorizeBackchannel, BACKCHANNEL_PARAMETERS } from "./ciba.ts";
import { authenticateClient, type OAuthCall } from "./client-auth.ts";
import type { GrantDeps } from "./grant.ts";
import type { KeyInfo } from "./keyring-object.ts";
import { resourceMetadata, serverMetadata } from "./metadata.ts";
import { knownParameters, MAX_FORM_BYTES, readForm } from "./oauth-form.ts";
import { answerTokenRequest } from "./token-endpoint.ts";

export type KeyringPort = {
  jwks(): Promise<Result<{ keys: PublicJwk[] }>>;
  keys(): Promise<Result<KeyInfo[]>>;
  ready(): Promise<Result<null>>;
};

export type OAuthDeps = Omit<GrantDeps, "verifySubject"> & {
  keyring: KeyringPort;
  verifySubject(token: string, context: RequestContext): ReturnType<GrantDeps["verifySubject"]>;
};

const METADATA_MAX_AGE = { "cache-control": "public, max-age=300" };
const tooLarge = bodyLimit({
  maxSize: MAX_FORM_BYTES,
  onError: () => oauthErrorResponse(oauthError("invalid_request", "The form is over 32 KiB.")),
});

/** Token endpoint, backchannel and metadata: called without an access token. */
export function oauthRoutes(deps: OAuthDeps) {
  const app = new Hono<HttpEnv>();
  const grantDeps = (c: Context<HttpEnv>): GrantDeps => ({
    ...deps,
    verifySubject: (token) => deps.verifySubject(token, c.env),
  });
  return app
    .post("/oauth/token", tooLarge, (c) =>
      answerForm(c, deps.issuer, (call) => answerTokenRequest(call, grantDeps(c))),
    )
    .post("/oauth/bc-authorize", tooLarge, (c) =>
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

/** Keys as operators see them. */
export function keyRoutes(deps: { keyring: KeyringPort }) {
  return new Hono<HttpEnv>().get("/v1/keys", requireScope("keys:rotate"), async (c) =>
    answer(c, await deps.keyring.keys()),
  );
}

/** One OAuth endpoint: reads the form and says from where it came; every answer is kept by nobody. */
export async function answerForm(
  c: Context<HttpEnv>,
  issuer: string,
  work: (call: OAuthCall) => Promise<Result<object, OAuthError>>,
  deniedStatus?: 400 | 403,
): Promise<Response> {
  const form = readForm(c.req.header("content-type"), await c.req.text());
  if (!form.ok) return oauthErrorResponse(form.error);
  const result = await work({
    form: form.value,
    authorization: c.req.header("authorization") ?? null,
    // Set by Cloudflare, whatever the client sends.
    address: c.req.header("cf-connecting-ip") ?? "",
    endpoint: `${issuer}${c.req.path}`,
  });
  if (!result.ok) return oauthErrorResponse(result.error, deniedStatus);
  return Response.json(result.value, { status: 200, headers: TOKEN_RESPONSE_HEADERS });
}

async function answerBackchannel(call: OAuthCall, deps: GrantDeps) {
  const client = await authenticateClient(call, deps);
  if (!client.ok) return client;
  const known = knownParameters(call.form, BACKCHANNEL_PARAMETERS);
  return known.ok ? authorizeBackchannel({ form: call.form, client: client.value }, deps) : known;
}

/** RFC 6749 §3.2. */
function postOnly(c: Context<HttpEnv>): Response {
  const refused = refuse(c, problem("method_not_allowed", "Use POST."));
  refused.headers.set("allow", "POST");
  return refused;
}
