import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { dirname } from "node:path";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import Provider, { interactionPolicy, type ProviderContext } from "oidc-provider";
import { createMemoryAdapter } from "oidc-provider/lib/adapters/memory_adapter.js";
import { choosePersonPage, faultPage, welcomePage } from "./identity-pages.ts";
import { type LoopbackServer, listen } from "./loopback-server.ts";
import { isPerson, PEOPLE } from "./people.ts";

/** Audience of the provider's access tokens: the gate that exchanges them. */
export const IDENTITY_AUDIENCE = "urn:portcullis:demo-gate";
/** The public client of the demo (RFC 8252: any port of the loopback address). */
export const DEMO_CLIENT_ID = "portcullis-demo";
const DEMO_REDIRECT_URI = "http://127.0.0.1/callback";
/** What the gate itself is here, for people who sign in with a browser. */
export const BROWSER_CLIENT_ID = "portcullis-browser";

/** A gate whose browsers sign in here, as the provider `demo` of its policy. Without a secret, a public client. */
export type GateClient = { issuer: string; secret?: string };

const ACCESS_TOKEN_TTL_SECONDS = 600;
const SESSION_TTL_SECONDS = 3600;
const MAX_FORM_BYTES = 1024;

/**
 * Starts a real OpenID provider (authorization code flow with PKCE, access tokens of RFC 9068) on loopback.
 * `keyFile` keeps its signing key over restarts. `info` is served at `/instance` as JSON.
 */
export async function startIdentityProvider(options: {
  port: number;
  keyFile: string;
  info?: Record<string, string | number>;
  gate?: GateClient;
}): Promise<LoopbackServer> {
  const key = await signingKey(options.keyFile);
  let handle: ((req: IncomingMessage, res: ServerResponse) => Promise<void>) | undefined;
  const server = await listen(options.port, (req, res) => {
    void handle?.(req, res);
  });
  const provider = new Provider(server.url, configuration(key, options.gate));
  const oidc = provider.callback();
  handle = async (req, res) => {
    const path = new URL(req.url ?? "/", server.url).pathname;
    if (path === "/") return sendPage(res, 200, welcomePage());
    if (path === "/instance") return sendJson(res, options.info ?? {});
    if (path.startsWith("/interaction/")) return interaction(provider, req, res);
    return oidc(req, res);
  };
  return server;
}

const DEMO_CLIENT = {
  client_id: DEMO_CLIENT_ID,
  application_type: "native",
  token_endpoint_auth_method: "none",
  grant_types: ["authorization_code"],
  response_types: ["code"],
  redirect_uris: [DEMO_REDIRECT_URI],
  id_token_signed_response_alg: "ES256",
};

function configuration(key: JWK, gate?: GateClient): Record<string, unknown> {
  const prompts = interactionPolicy.base();
  // The clients are the demo's own, so nobody is asked whether it may sign them in.
  prompts.remove("consent");
  return {
    adapter: createMemoryAdapter(0),
    jwks: { keys: [key] },
    cookies: { keys: [randomBytes(32).toString("base64url")] },
    clients: [DEMO_CLIENT, ...(gate ? [gateClient(gate)] : [])],
    claims: { openid: ["sub", "roles"] },
    // ID tokens tell the roles, so that whoever signs in with a browser has them.
    conformIdTokenClaims: false,
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => IDENTITY_AUDIENCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "",
          audience: IDENTITY_AUDIENCE,
          accessTokenFormat: "jwt",
          accessTokenTTL: ACCESS_TOKEN_TTL_SECONDS,
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
    clientBasedCORS: () => false,
    // Its own dispatcher refuses loopback addresses, where the gate is.
    fetch: (url: URL, { dispatcher: _refusing, ...init }: RequestInit & { dispatcher?: unknown }) =>
      fetch(url, init),
    renderError: (ctx: ProviderContext, { error }: { error: string }) => {
      ctx.type = "html";
      ctx.body = faultPage(`The client's request was refused: ${error}.`);
    },
    findAccount: (_ctx: ProviderContext, id: string) =>
      isPerson(id)
        ? { accountId: id, claims: () => ({ sub: id, name: PEOPLE[id].name, roles: [PEOPLE[id].role] }) }
        : undefined,
    extraTokenClaims: (_ctx: ProviderContext, token: { accountId?: string }) =>
      isPerson(token.accountId) ? { roles: [PEOPLE[token.accountId].role] } : undefined,
    interactions: { policy: prompts },
    loadExistingGrant: grantToTheDemo,
    ttl: {
      AccessToken: ACCESS_TOKEN_TTL_SECONDS,
      IdToken: ACCESS_TOKEN_TTL_SECONDS,
      Interaction: SESSION_TTL_SECONDS,
      Session: SESSION_TTL_SECONDS,
      Grant: SESSION_TTL_SECONDS,
    },
  };
}

function gateClient({ issuer, secret }: GateClient): Record<string, unknown> {
  const authentication =
    secret === undefined
      ? { token_endpoint_auth_method: "none" }
      : { token_endpoint_auth_method: "client_secret_basic", client_secret: secret };
  return {
    client_id: BROWSER_CLIENT_ID,
    ...authentication,
    grant_types: ["authorization_code"],
    response_types: ["code"],
    redirect_uris: [`${issuer}/session/callback/demo`],
    post_logout_redirect_uris: [`${issuer}/session/signed-out`],
    backchannel_logout_uri: `${issuer}/v1/signals/backchannel-logout`,
    backchannel_logout_session_required: true,
    id_token_signed_response_alg: "ES256",
  };
}

async function grantToTheDemo(ctx: ProviderContext) {
  const { client, session, provider } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope("openid");
  await grant.save();
  return grant;
}

async function interaction(provider: Provider, req: IncomingMessage, res: ServerResponse): Promise<void> {
  try {
    await provider.interactionDetails(req, res);
  } catch {
    return sendPage(res, 400, faultPage("This sign-in is over. Start again from the client."));
  }
  if (req.method === "GET") return sendPage(res, 200, choosePersonPage());
  if (req.method !== "POST") return sendPage(res, 405, faultPage("Only GET and POST are known here."));
  const person = (await readForm(req))?.get("person");
  if (!isPerson(person)) return sendPage(res, 400, faultPage("Choose one of the three people."));
  return provider.interactionFinished(
    req,
    res,
    { login: { accountId: person } },
    { mergeWithLastSubmission: false },
  );
}

async function readForm(req: IncomingMessage): Promise<URLSearchParams | undefined> {
  let text = "";
  for await (const part of req) {
    text += String(part);
    if (text.length > MAX_FORM_BYTES) return undefined;
  }
  return new URLSearchParams(text);
}

async function signingKey(file: string): Promise<JWK> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== "ENOENT") throw fault;
  }
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(privateKey);
  const key = { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: "ES256", use: "sig" };
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(key), { mode: 0o600 });
  return key;
}

function sendPage(res: ServerResponse, status: number, html: string): void {
  res.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  });
  res.end(html);
}

function sendJson(res: ServerResponse, body: unknown): void {
  res.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
  res.end(JSON.stringify(body));
}
