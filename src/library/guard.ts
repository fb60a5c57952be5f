import * as z from "zod";
import { hasTokenParameter, readCredential } from "../edge/credential.ts";
import { type Refusal, refusal } from "../edge/decision.ts";
import { permissionFault, resourceOf } from "../edge/permission.ts";
import { refusalResponse } from "../edge/refusal.ts";
import { newId } from "../platform/ids.ts";
import type { Logger } from "../platform/log.ts";
import type { Route, TrustedIssuer } from "../policy/document.ts";
import { issuerSchema } from "../policy/issuer-schema.ts";
import { routeSchema } from "../policy/route-schema.ts";
import { readJoseHeader } from "../protocol/jose-header.ts";
import { readCompactJws } from "../protocol/jws.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Auth } from "../protocol/service.ts";
import { authOf } from "../tokens/auth.ts";
import { type VerifiedToken, windowFault } from "../tokens/claims.ts";
import { RemoteKeys } from "../tokens/remote-keys.ts";
import { type OwnKeys, verifyAccessToken } from "../tokens/verify.ts";
import type { RevocationCheck } from "./revocation.ts";

export type { Auth, PortcullisService } from "../protocol/service.ts";

export type GuardOptions<Bindings = unknown> = {
  /** The origin of Portcullis, `iss` of its tokens; its public keys are fetched from there. */
  issuer: string;
  /** What its tokens must be for. */
  audience: string;
  /** As a route's in the policy, but for its condition; of the resource, `:name` is the path's parameter. */
  access?: {
    scopes?: string[];
    any_scopes?: string[];
    roles?: string[];
    resource?: string;
    max_token_age_seconds?: number;
    step_up?: { acr_values?: string[]; max_age_seconds?: number };
  };
  /** Where the token may be sent, as a route's in the policy; else in `Authorization`. */
  credential?: z.input<typeof routeSchema>["credential"];
  /** Other issuers whose tokens are taken as well, as in the policy; no `secret_ref`. */
  issuers?: z.input<typeof issuerSchema>[];
  /** What knows of revocations; `"unchecked"`: a token is good until it is over, whatever happens. */
  revoked: RevocationCheck<Bindings> | "unchecked";
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  clock?: () => number;
  /** Hears of refusals and of keys that cannot be fetched; no token is ever in it. */
  log?: Logger;
};

/** `params`: of the request's path, for the resource. */
export type GuardedRequest<Bindings> = {
  request: { method: string; url: string; headers: Pick<Headers, "get"> };
  bindings: Bindings;
  params?: Record<string, string>;
};

export type Guarded = { ok: true; auth: Auth } | { ok: false; response: Response };
export type Guard<Bindings = unknown> = (asked: GuardedRequest<Bindings>) => Promise<Guarded>;

type Setting<Bindings> = {
  options: GuardOptions<Bindings>;
  route: Route;
  issuers: ReadonlyMap<string, TrustedIssuer>;
  remoteKeys: RemoteKeys;
  clock: () => number;
};

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const issuerOrigin = z.url({ protocol: /^https?$/ }).refine(
  (text) => {
    const { origin, protocol, hostname } = new URL(text);
    return text === origin && (protocol === "https:" || LOOPBACK.includes(hostname));
  },
  { message: "must be the https origin of Portcullis, e.g. https://auth.example.com" },
);
const callable = z.custom<never>((value) => typeof value === "function", "must be a function");

/** Strict: a misspelled option would leave something unchecked. What is unknown here the route's schema knows. */
const optionsSchema = z.strictObject({
  issuer: issuerOrigin,
  audience: z.string().min(1),
  access: z
    .strictObject({
      scopes: z.unknown().optional(),
      any_scopes: z.unknown().optional(),
      roles: z.unknown().optional(),
      resource: z.unknown().optional(),
      max_token_age_seconds: z.unknown().optional(),
      step_up: z.unknown().optional(),
    })
    .default({}),
  credential: z.unknown().optional(),
  issuers: z
    .array(issuerSchema.refine(({ secret_ref }) => secret_ref === undefined, "secret_ref is not taken here"))
    .default([]),
  revoked: z.union([z.literal("unchecked"), callable]),
  fetch: callable.optional(),
  clock: callable.optional(),
  log: callable.optional(),
});

/**
 * Checks access tokens where a request is answered, without the gate in front: the same verification, with the
 * same refusals. Tokens that are bound to their sender, or whose uses are counted, are not taken: nothing is proven or counted here. Throws at once for
 * options that do not fit.
 */
export function createGuard<Bindings = unknown>(options: GuardOptions<Bindings>): Guard<Bindings> {
  const { log = () => {}, clock = Date.now } = options;
  const { access, credential, issuers } = optionsSchema.parse(options);
  const setting: Setting<Bindings> = {
    options,
    route: routeSchema.parse({ id: "guard", path: "/**", origin: "app", access, credential }),
    issuers: new Map(issuers.map((each) => [each.issuer, each])),
    remoteKeys: new RemoteKeys({ fetch: options.fetch ?? ((url, init) => fetch(url, init)), clock, log }),
    clock,
  };
  return async (asked) => {
    const checked = await check(asked, setting);
    if (checked.ok) return { ok: true, auth: authOf(checked.value) };
    const id = newId("dec", clock());
    const { reason, token } = checked.error;
    log("info", "guard.refused", { decision_id: id, reason, jti: token?.facts.jti });
    return { ok: false, response: refusalResponse(checked.error, options.issuer, id) };
  };
}

async function check<Bindings>(
  { request, bindings, params = {} }: GuardedRequest<Bindings>,
  setting: Setting<Bindings>,
): Promise<Result<VerifiedToken, Refusal>> {
  const { options, route, clock } = setting;
  if (hasTokenParameter(new URL(request.url).search)) return err(refusal("credential_in_query"));
  const credential = readCredential(request, route.credential);
  if (!credential.ok) return err(refusal(`credential_${credential.error}`));
  if (!credential.value) return err(refusal("credential_missing"));
  const { token } = credential.value;
  const verified = await verify(token, setting);
  if (!verified.ok) return verified;
  const { facts, confirmation, audience, maxUses } = verified.value;
  const about: Partial<Refusal> = { route, token: verified.value };
  if (confirmation) return err(refusal("sender_not_taken", about));
  if (maxUses !== undefined) return err(refusal("uses_not_counted", about));
  const wanted = verified.value.own ? options.audience : setting.issuers.get(facts.iss)?.audience;
  if (wanted === undefined || !audience.includes(wanted)) return err(refusal("token_audience", about));
  if (options.revoked !== "unchecked") {
    const { iss, sub, iat, jti, grant, session: sid, client_id, kid } = facts;
    const claims = { iss, sub, iat, jti, grant, sid, client_id };
    // Whoever is asked may be out of reach: what throws is not a no.
    const revoked = await options.revoked({ token, claims, kid }, bindings).catch(() => undefined);
    if (!revoked?.ok) return err(refusal("stale", about));
    if (revoked.value) return err(refusal("token_revoked", about));
  }
  // It may have ended meanwhile.
  const late = windowFault(verified.value, clock() / 1000);
  if (late) return err(refusal(`token_${late}`, about));
  const fault = permissionFault(route.access, params, verified.value, clock() / 1000);
  return fault ? err(refusal(fault, { ...about, ...resourceFor(route, params) })) : verified;
}

async function verify<Bindings>(
  token: string,
  { options, issuers, remoteKeys, clock }: Setting<Bindings>,
): Promise<Result<VerifiedToken, Refusal>> {
  const { issuer } = options;
  const keys = await ownKeys(token, issuer, remoteKeys);
  if (!keys.ok) return keys;
  const nowSeconds = clock() / 1000;
  const context = { issuer, keys: keys.value, issuers, remoteKeys, nowSeconds };
  const verified = await verifyAccessToken(token, context);
  return verified.ok ? verified : err(refusal(`token_${verified.error.reason}`));
}

/**
 * The key of ours that the token names, if it says that it is ours. The published set does not tell what a key is
 * for; an assertion is never taken for an access token, as its type is another one.
 */
async function ownKeys(
  token: string,
  issuer: string,
  remoteKeys: RemoteKeys,
): Promise<Result<OwnKeys, Refusal>> {
  const none: OwnKeys = new Map();
  const parts = readCompactJws(token);
  if (parts?.claims.iss !== issuer) return ok(none);
  const header = readJoseHeader(parts.header);
  if (!header.ok || header.value.kid === undefined) return ok(none);
  const { kid, alg } = header.value;
  const source = { id: "portcullis", issuer, jwks_uri: `${issuer}/.well-known/jwks.json` };
  const found = await remoteKeys.find(source, kid, alg);
  if (found.ok) return ok(new Map([[kid, { kid, purpose: "access_token", alg, key: found.value.key }]]));
  return found.error === "unknown_key" ? ok(none) : err(refusal("token_issuer_keys_unavailable"));
}

function resourceFor({ access }: Route, params: Record<string, string>): { resource?: string } {
  const pattern = access === "public" ? undefined : access.resource;
  const resource = pattern === undefined ? undefined : resourceOf(pattern, params);
  return resource === undefined ? {} : { resource };
}
