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

/** Header fields as `fetch` takes them, by their names in lower case; without a prototype, as clients choose names. */
export type Fields = Record<string, string>;

/**
 * The headers for the origin: the client's, without what no client may send, and with ours. Ours come last: nothing
 * that the client names can remove or precede them. Several lines of one name become one, with commas, which is how
 * everything here reads them too. An object of strings, as `Headers` would be copied once more by `fetch`.
 */
export function headersForOrigin(headers: Headers, own: OwnHeaders): Fields {
  const fields: Fields = Object.create(null);
  const { taken, upgrade, cookie } = scan(headers, isStripped, fields);
  for (const name of taken) delete fields[name];
  if (!own.passAuthorization) delete fields.authorization;
  // An origin that had a session's cookie could use it at every other one.
  if (cookie !== undefined && hasCookiePrefix(cookie, COOKIE_PREFIX) && "cookie" in fields) {
    putCookies(fields, withoutCookiePrefix(cookie, COOKIE_PREFIX));
  }
  // A WebSocket handshake is the one upgrade that is carried on.
  if (upgrade?.toLowerCase() === "websocket") fields.upgrade = "websocket";
  fields["x-request-id"] = own.requestId;
  fields["x-forwarded-proto"] = own.scheme;
  fields["x-forwarded-host"] = own.host;
  const address = fields["cf-connecting-ip"];
  if (address !== undefined) fields["x-forwarded-for"] = address;
  writeIdentity(own, (name, value) => {
    fields[name] = value;
  });
  return fields;
}

/** What is left of a Cookie field; without any the field goes. */
export function putCookies(fields: Fields, cookies: string): void {
  if (cookies === "") delete fields.cookie;
  else fields.cookie = cookies;
}

/** Puts the identity headers, those that there is something to say in. */
export function writeIdentity(
  { assertion, subject, scope, grant }: Identity,
  put: (name: string, value: string) => void,
): void {
  if (assertion !== undefined) put("x-portcullis-assertion", assertion);
  if (subject !== undefined) put("x-portcullis-subject", subject);
  if (scope !== undefined) put("x-portcullis-scope", scope);
  if (grant !== undefined) put("x-portcullis-grant", grant);
}

const NOT_UTF8 = "\ufffd";

/**
 * The fields for `fetch`. A value of the client's that is not UTF-8 cannot be read as it came, and its bytes stay in
 * the runtime: then, and only then, the fields are a copy of the client's.
 */
export function withClientBytes(fields: Fields, client: Headers): Fields | Headers {
  const unread: string[] = [];
  for (const name in fields) {
    const value = fields[name]!;
    if (value.includes(NOT_UTF8) && !isStripped(name) && value === client.get(name)) unread.push(name);
  }
  if (unread.length === 0) return fields;
  const copy = new Headers(client);
  for (const name of [...copy.keys()]) if (!unread.includes(name)) copy.delete(name);
  for (const name in fields) if (!unread.includes(name)) copy.set(name, fields[name]!);
  return copy;
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
function scan(headers: Headers, isTaken: (name: string) => boolean, into?: Fields): Scan {
  const found: Scan = { taken: [] };
  headers.forEach((value, name) => {
    if (into) into[name] = value;
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
