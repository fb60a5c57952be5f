import { accessRuleFaults } from "./access-rule-faults.ts";
import type { Route, TrustedIssuer } from "./document.ts";
import type { Draft, Part } from "./draft.ts";
import type { KeyPolicy } from "./key-policy.ts";
import { JWKS_MAX_AGE_SECONDS } from "./keys-schema.ts";
import { paramNames, parsePathPattern } from "./path-pattern.ts";
import { remediationFaults } from "./remediation-faults.ts";
import { isReservedPath } from "./reserved-paths.ts";
import { accessFaults } from "./route-faults.ts";
import { routeConflicts } from "./route-table.ts";
import { tokenSizeFaults } from "./token-size.ts";

/** What the document must fit beside its schema: our own issuer, whether plain http on loopback is allowed, secrets and services. */
export type PolicyContext = {
  issuer: string;
  local: boolean;
  /** Names of the secrets that the deployment shares with issuers; absent: none. */
  secretRefs?: ReadonlySet<string>;
  /** Names of the service bindings of the deployment; absent: none. */
  services?: ReadonlySet<string>;
  /** Names of the rate limiters that the deployment has; absent: none. */
  limiters?: ReadonlySet<string>;
};

/** The rules across members, one line for each fault: `path: what is wrong and what to do`. */
export function crossFaults(draft: Draft, context: PolicyContext): string[] {
  const routes = draft.routes.map((part) => part.value);
  return [
    ...repeated(draft.issuers, "id", (issuer) => issuer.id),
    ...repeated(draft.issuers, "issuer", (issuer) => issuer.issuer),
    ...draft.issuers.flatMap((part) => issuerFaults(part, context)),
    ...draft.origins.flatMap(({ at, value }) => [
      ...(value.url === undefined ? [] : originUrlFaults(`${at}.url`, value.url, context)),
      ...(value.url === undefined ? [] : circleFaults(`${at}.url`, value.url, draft)),
      ...(value.service === undefined ? [] : serviceFaults(`${at}.service`, value.service, context)),
      ...audienceFaults(`${at}.audience`, value.audience, context),
    ]),
    ...repeated(draft.routes, "id", (route) => route.id),
    ...draft.routes.flatMap((part) => [
      ...originFaults(part, draft),
      ...routeFaults(part, context),
      ...accessFaults(part, context.limiters),
    ]),
    ...routeConflicts(routes, (index) => draft.routes[index]!.at),
    ...repeated(draft.accessRules, "id", (rule) => rule.id),
    ...draft.accessRules.flatMap((part) => [...originFaults(part, draft), ...accessRuleFaults(part)]),
    ...repeated(draft.delegation, "id", (rule) => rule.id),
    ...tokenSizeFaults(draft, context.issuer),
    ...transmitterFaults(draft, context),
    ...(draft.hasSessions ? [] : sessionlessFaults(draft)),
    ...(draft.keys ? keyFaults(draft.keys, context) : []),
    ...repeated(draft.remediationRules, "id", (rule) => rule.id),
    ...draft.remediationRules.flatMap((part) => remediationFaults(part, draft)),
  ];
}

function repeated<T>(parts: readonly Part<T>[], member: string, read: (value: T) => string): string[] {
  const firstAt = new Map<string, string>();
  return parts.flatMap(({ at, value }) => {
    const key = read(value);
    const first = firstAt.get(key);
    if (first === undefined) firstAt.set(key, at);
    return first === undefined ? [] : [`${at}.${member}: "${key}" is already used by ${first}`];
  });
}

function issuerFaults({ at, value }: Part<TrustedIssuer>, context: PolicyContext): string[] {
  const faults = [...httpsFaults(`${at}.issuer`, value.issuer, context)];
  if (isOurName(value.issuer, context)) {
    faults.push(`${at}.issuer: is this deployment itself; its own tokens are trusted already, leave it out`);
  }
  const { secret_ref } = value;
  if (secret_ref !== undefined && !context.secretRefs?.has(secret_ref)) {
    faults.push(
      `${at}.secret_ref: this deployment has no secret ${secret_ref}; set it first: wrangler secret put ${secret_ref}`,
    );
  }
  faults.push(...signInFaults(at, value, context));
  if (value.jwks_uri !== undefined) faults.push(...httpsFaults(`${at}.jwks_uri`, value.jwks_uri, context));
  return faults;
}

/** A provider's word is verified with its public keys, and its client secret is the deployment's to keep. */
function signInFaults(at: string, issuer: TrustedIssuer, { secretRefs }: PolicyContext) {
  const { sign_in, secret_ref } = issuer;
  const faults: string[] = [];
  const member = signInMember(issuer);
  if (!member) return faults;
  const name = sign_in?.client_secret_ref;
  if (name !== undefined && !secretRefs?.has(name)) {
    faults.push(
      `${at}.sign_in.client_secret_ref: this deployment has no secret ${name}; set it first: wrangler secret put ${name}`,
    );
  }
  if (secret_ref !== undefined) {
    faults.push(`${at}.${member}: an issuer with a shared secret signs nobody in; give jwks_uri or jwks`);
  }
  return faults;
}

/** Who has signed in has a session, and nowhere else is said how long one is good. */
function sessionlessFaults({ issuers }: Draft): string[] {
  return issuers.flatMap(({ at, value }) => {
    const member = signInMember(value);
    return member ? [`${at}.${member}: needs the section sessions; add it, {} takes the defaults`] : [];
  });
}

/** By which member an issuer's people get sessions. */
function signInMember({ sign_in, cloudflare_access }: TrustedIssuer): string | undefined {
  if (sign_in) return "sign_in";
  return cloudflare_access ? "cloudflare_access" : undefined;
}

/** Two that sign as one issuer could speak of each other's people. */
function transmitterFaults({ transmitters, issuers }: Draft, context: PolicyContext): string[] {
  return [
    ...repeated(transmitters, "id", ({ id }) => id),
    ...repeated(transmitters, "issuer", ({ issuer }) => issuer),
    ...transmitters.flatMap(({ at, value: { issuer, jwks_uri, subjects_of } }) => [
      ...httpsFaults(`${at}.issuer`, issuer, context),
      ...(jwks_uri === undefined ? [] : httpsFaults(`${at}.jwks_uri`, jwks_uri, context)),
      ...(isOurName(issuer, context) ? [`${at}.issuer: is this deployment itself`] : []),
      ...(issuers.some(({ value }) => value.id === subjects_of)
        ? []
        : [`${at}.subjects_of: there is no issuer "${subjects_of}"; name the id of one in issuers`]),
    ]),
  ];
}

/** A next key must be in every copy of the JWK set before it signs; only a local deployment may be in a hurry. */
function keyFaults(keys: KeyPolicy, { local }: PolicyContext): string[] {
  const { rotation_seconds: rotation, publish_ahead_seconds: ahead } = keys;
  const faults: string[] = [];
  if (rotation < 2 * ahead) {
    faults.push("keys.rotation_seconds: must be at least twice publish_ahead_seconds");
  }
  if (!local && ahead < 2 * JWKS_MAX_AGE_SECONDS) {
    const least = 2 * JWKS_MAX_AGE_SECONDS;
    faults.push(
      `keys.publish_ahead_seconds: must be at least ${least}: caches keep the JWK set for half of that`,
    );
  }
  return faults;
}

function originUrlFaults(path: string, text: string, context: PolicyContext): string[] {
  const faults = httpsFaults(path, text, context);
  const { origin } = new URL(text);
  if (text !== origin) {
    faults.push(
      `${path}: must be scheme, host and port only, because the request's path is appended: ${origin}`,
    );
  }
  if (comparable(new URL(text)) === comparable(new URL(context.issuer))) {
    faults.push(`${path}: is this deployment itself; requests would go round in a circle`);
  }
  return faults;
}

/** What the Worker fetches goes the way of any request from the Internet: to a host that it serves, to itself. */
function circleFaults(path: string, text: string, { routes }: Draft): string[] {
  const url = new URL(text);
  if (isLoopback(url)) return [];
  const wildcard = `*${url.host.slice(url.host.indexOf("."))}`;
  const route = routes.find(({ value }) => value.host === url.host || value.host === wildcard);
  if (!route) return [];
  return [
    `${path}: ${route.at}.host has the gate answer for this host, so requests would go round in a circle; give the origin a host of its own, or a service`,
  ];
}

function serviceFaults(path: string, service: string, { services }: PolicyContext): string[] {
  if (services?.has(service)) return [];
  return [
    `${path}: this deployment has no service binding ${service}; add [[services]] with binding = "${service}" to wrangler.toml, and deploy`,
  ];
}

function audienceFaults(path: string, audience: string, context: PolicyContext): string[] {
  if (!isOurName(audience, context)) return [];
  return [`${path}: is the audience of the control plane; an origin could use the tokens it receives there`];
}

function routeFaults({ at, value: route }: Part<Route>, context: PolicyContext): string[] {
  const faults: string[] = [];
  const names = paramNames(parsePathPattern(route.path));
  if (new Set(names).size < names.length) faults.push(`${at}.path: uses the name of a parameter twice`);
  const resource = route.access === "public" ? undefined : route.access.resource;
  for (const name of resource?.split("/").filter((part) => part.startsWith(":")) ?? []) {
    if (names.includes(name.slice(1))) continue;
    faults.push(`${at}.access.resource: ${name} is not a parameter of the path ${route.path}`);
  }
  if (route.consistency.tier === "strict" && route.on_stale !== "deny") {
    faults.push(
      `${at}.on_stale: a strict route cannot allow requests on an old revocation state; use "deny"`,
    );
  }
  faults.push(...senderFaults(at, route));
  if (isShadowed(route, context)) {
    faults.push(`${at}.path: is answered by the control plane on ${route.host}, so this route never is`);
  }
  return faults;
}

/** Where a token may come from, and what its sender has to prove. */
function senderFaults(at: string, { access, credential, dpop, mtls }: Route): string[] {
  const faults: string[] = [];
  const places = credential.map((source) =>
    source.from === "session" ? source.from : JSON.stringify(source).toLowerCase(),
  );
  if (new Set(places).size < places.length) faults.push(`${at}.credential: names the same place twice`);
  const required = [dpop.mode === "required" ? "dpop.mode" : "", mtls === "required" ? "mtls" : ""];
  for (const member of required.filter((name) => name !== "" && access === "public")) {
    faults.push(`${at}.${member}: a public route is called without a token; use "optional"`);
  }
  if (dpop.mode === "required" && !credential.some(({ from }) => from === "authorization")) {
    faults.push(`${at}.dpop.mode: a token with a DPoP proof goes in Authorization; add it to credential`);
  }
  return faults;
}

/** On the issuer's own host, whether all that the pattern takes belongs to the control plane. */
function isShadowed({ host, path }: Route, { issuer }: PolicyContext): boolean {
  const own = new URL(issuer);
  if (host !== own.host && host !== own.hostname) return false;
  const wildAt = path.search(/\/[:*]/);
  return isReservedPath(wildAt === -1 ? path : path.slice(0, wildAt + 1));
}

function originFaults({ at, value }: Part<{ origin: string }>, { originNames }: Draft): string[] {
  if (originNames.has(value.origin)) return [];
  return [`${at}.origin: there is no origin "${value.origin}"; add it to origins, or name one of them`];
}

function httpsFaults(path: string, text: string, { local }: PolicyContext): string[] {
  const url = new URL(text);
  const faults: string[] = [];
  if (url.username || url.password) faults.push(`${path}: must not hold credentials`);
  if (text.includes("#")) faults.push(`${path}: must not have a fragment`);
  if (url.protocol === "https:" || (local && isLoopback(url))) return faults;
  const exception = local ? "; plain http is for loopback hosts only" : "";
  return [...faults, `${path}: must be https${exception}`];
}

function isOurName(text: string, { issuer }: PolicyContext): boolean {
  return text.replace(/\/$/, "") === issuer;
}

/** The names of the loopback interface are one host. */
function comparable(url: URL): string {
  return isLoopback(url) ? `${url.protocol}//localhost:${url.port}` : url.origin;
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || hostname === "127.0.0.1";
}
