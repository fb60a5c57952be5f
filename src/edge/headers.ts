import { COOKIE_PREFIX } from "../browser/session-cookie.ts";
import { hasCookiePrefix, withoutCookiePrefix } from "../protocol/cookie.ts";

/**
 * Request headers that no client may send to an origin, as lower-case names with `-` for every punctuation
 * mark; a trailing `*` stands for any rest. Servers that turn header names into variables (CGI, WSGI, PHP)
 * read `X_Forwarded_User` and `X.Forwarded.User` as `X-Forwarded-User`: every spelling is stripped.
 */
export const STRIPPED_REQUEST_HEADERS = [
  // Ours.
  "x-portcullis-*",
  "x-request-id",
  // Who the user is, as gateways and single sign-on products tell it.
  "remote-*",
  "x-remote-*",
  "x-user",
  "x-user-id",
  "x-user-name",
  "x-user-email",
  "x-user-groups",
  "x-user-roles",
  "x-username",
  "x-userid",
  "x-email",
  "x-groups",
  "x-roles",
  "x-authenticated-*",
  "x-auth-request-*",
  "x-authentik-*",
  "x-pomerium-*",
  "x-webauth-*",
  "x-consumer-*",
  "x-credential-*",
  "x-anonymous-consumer",
  "x-jwt-*",
  "x-oidc-*",
  "oidc-*",
  "x-amzn-oidc-*",
  "x-goog-authenticated-*",
  "x-goog-iap-*",
  "x-apigateway-api-userinfo",
  "x-endpoint-api-userinfo",
  "x-ms-client-principal*",
  "x-ms-token-*",
  "cf-access-*",
  "tailscale-*",
  "teleport-*",
  "shib-*",
  "sm-*",
  "iv-*",
  "x-ssl-*",
  "ssl-client-*",
  "x-client-cert*",
  "x-client-verify",
  "x-client-dn",
  // Where the request came from: set by us, once.
  "forwarded",
  "x-forwarded*",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "true-client-ip",
  // What would make an origin act on another path, host or method than the one decided on.
  "x-original-*",
  "x-rewrite-*",
  "x-host",
  "x-http-host-override",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-middleware-*",
  "x-envoy-*",
  // Credentials for a proxy.
  "proxy-authorization",
  "proxy-authenticate",
] as const;

/** Meant for one connection only (RFC 9110 §7.6.1), or settled by the runtime for the next one. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "expect",
  "host",
];

/** Bounds what is kept about names: clients may make up any number of them. */
const MAX_KNOWN_NAMES = 500;
const MAX_KNOWN_CHARS = 64;
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Whether a client's header of this name (lower case) is kept from the origin. */
export const isStripped = matcher([...STRIPPED_REQUEST_HEADERS, ...HOP_BY_HOP]);
const isStrippedFromResponse = matcher(["x-portcullis-*", ...HOP_BY_HOP]);

/** Who is behind a request, as the origin is told. */
export type Identity = {
  assertion?: string | undefined;
  subject?: string | undefined;
  scope?: string | undefined;
  grant?: string | undefined;
};

/** What the edge itself says to the origin. */
export type OwnHeaders = Identity & {
  requestId: string;
  scheme: string;
  host: string;
  passAuthorization: boolean;
};

/**
 * The headers for the origin: a copy of the client's, without what no client may send, and with ours. Ours come
 * last: nothing that the client names can remove or precede them. Values stay in the runtime but for the few that
 * are looked at: each that crosses into JavaScript and back costs as much as a check of this path.
 */
export function headersForOrigin(headers: Headers, own: OwnHeaders): Headers {
  const forOrigin = new Headers(headers);
  const { taken, upgrade, cookie } = scan(headers, isStripped);
  for (const name of taken) forOrigin.delete(name);
  if (!own.passAuthorization) forOrigin.delete("authorization");
  // An origin that had a session's cookie could use it at every other one.
  if (cookie !== undefined && hasCookiePrefix(cookie, COOKIE_PREFIX) && forOrigin.has("cookie")) {
    const rest = withoutCookiePrefix(cookie, COOKIE_PREFIX);
    if (rest === "") forOrigin.delete("cookie");
    else forOrigin.set("cookie", rest);
  }
  // A WebSocket handshake is the one upgrade that is carried on.
  if (upgrade?.toLowerCase() === "websocket") forOrigin.set("upgrade", "websocket");
  forOrigin.set("x-request-id", own.requestId);
  forOrigin.set("x-forwarded-proto", own.scheme);
  forOrigin.set("x-forwarded-host", own.host);
  const address = headers.get("cf-connecting-ip");
  if (address !== null) forOrigin.set("x-forwarded-for", address);
  writeIdentity(forOrigin, own);
  return forOrigin;
}

/** Adds the identity headers, those that there is something to say in. */
export function writeIdentity(headers: Headers, { assertion, subject, scope, grant }: Identity): void {
  if (assertion !== undefined) headers.set("x-portcullis-assertion", assertion);
  if (subject !== undefined) headers.set("x-portcullis-subject", subject);
  if (scope !== undefined) headers.set("x-portcullis-scope", scope);
  if (grant !== undefined) headers.set("x-portcullis-grant", grant);
}

/** The origin's answer for the client, its body streamed on; an origin cannot speak in our name. */
export function clientResponse(answer: Response, requestId: string): Response {
  const { taken, setsCookies } = scan(answer.headers, isStrippedFromResponse);
  const response = new Response(answer.body, answer);
  const { headers } = response;
  for (const name of taken) headers.delete(name);
  if (setsCookies) keepOurCookies(headers);
  headers.set("x-request-id", requestId);
  return response;
}

/** An origin that set a session's cookie could have people act in somebody else's session. */
function keepOurCookies(headers: Headers): void {
  const set = headers.getSetCookie();
  const theirs = set.filter((line) => !hasCookiePrefix(line.split(";", 1)[0]!, COOKIE_PREFIX));
  if (theirs.length === set.length) return;
  headers.delete("set-cookie");
  for (const line of theirs) headers.append("set-cookie", line);
}

/** What is taken out of some headers, and what is asked of them beside. */
type Scan = { taken: string[]; upgrade?: string; cookie?: string; setsCookies?: true };

/**
 * One pass over the fields: names that are stripped, and those that `Connection` names (RFC 9110 §7.6.1). By `forEach`,
 * as an iterator is an object of the runtime's for each request, and one more for each field.
 */
function scan(headers: Headers, isTaken: (name: string) => boolean): Scan {
  const found: Scan = { taken: [] };
  headers.forEach((value, name) => {
    if (isTaken(name)) found.taken.push(name);
    if (name === "connection") found.taken.push(...namesIn(value));
    else if (name === "upgrade") found.upgrade = value;
    else if (name === "cookie") found.cookie = value;
    else if (name === "set-cookie") found.setsCookies = true;
  });
  return found;
}

function namesIn(connection: string): string[] {
  return connection
    .split(",")
    .map((item) => item.trim().toLowerCase())
    .filter((name) => FIELD_NAME.test(name));
}

/** Whether a name is one of these, in whatever spelling. Names come again and again: what was found is kept. */
function matcher(patterns: readonly string[]): (name: string) => boolean {
  const pattern = new RegExp(`^(?:${patterns.map((each) => each.replace(/\*$/, ".*")).join("|")})$`);
  const known = new Map<string, boolean>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const found = pattern.test(spelled(name));
    if (known.size < MAX_KNOWN_NAMES && name.length <= MAX_KNOWN_CHARS) known.set(name, found);
    return found;
  };
}

function spelled(name: string): string {
  return /[^a-z0-9-]/.test(name) ? name.toLowerCase().replace(/[^a-z0-9]/g, "-") : name;
}
