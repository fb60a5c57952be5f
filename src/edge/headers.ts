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
 * The headers for the origin, made in one pass over the client's: each call into a `Headers` costs more than most
 * checks of this path. Ours come last: nothing that the client names can remove or precede them. A field that
 * was sent more than once is one field with commas (RFC 9110 §5.3), so that nobody can read another of its lines.
 */
export function headersForOrigin(headers: Headers, own: OwnHeaders): Record<string, string> {
  const forOrigin: Record<string, string> = {};
  let connection: string | undefined;
  let upgrade: string | undefined;
  let address: string | undefined;
  for (const [name, value] of headers) {
    if (name === "connection") connection = value;
    else if (name === "upgrade") upgrade = value;
    else if (name === "cf-connecting-ip") address = value;
    if (!isStripped(name)) forOrigin[name] = value;
  }
  if (connection !== undefined) for (const name of namesIn(connection)) delete forOrigin[name];
  if (!own.passAuthorization) delete forOrigin.authorization;
  // A WebSocket handshake is the one upgrade that is carried on.
  if (upgrade?.toLowerCase() === "websocket") forOrigin.upgrade = "websocket";
  forOrigin["x-request-id"] = own.requestId;
  forOrigin["x-forwarded-proto"] = own.scheme;
  forOrigin["x-forwarded-host"] = own.host;
  if (address !== undefined) forOrigin["x-forwarded-for"] = address;
  writeIdentity(forOrigin, own);
  return forOrigin;
}

/** Adds the identity headers, those that there is something to say in. */
export function writeIdentity(
  headers: Record<string, string>,
  { assertion, subject, scope, grant }: Identity,
): void {
  if (assertion !== undefined) headers["x-portcullis-assertion"] = assertion;
  if (subject !== undefined) headers["x-portcullis-subject"] = subject;
  if (scope !== undefined) headers["x-portcullis-scope"] = scope;
  if (grant !== undefined) headers["x-portcullis-grant"] = grant;
}

/** The origin's answer for the client, its body streamed on; an origin cannot speak in our name. */
export function clientResponse(answer: Response, requestId: string): Response {
  const { status, statusText, webSocket } = answer;
  const init = { status, statusText, headers: answer.headers, ...(webSocket ? { webSocket } : {}) };
  const response = new Response(answer.body, init);
  const { headers } = response;
  const names = [...headers.keys()];
  for (const name of names) if (isStrippedFromResponse(name)) headers.delete(name);
  const connection = names.includes("connection") ? answer.headers.get("connection") : null;
  if (connection !== null) for (const name of namesIn(connection)) headers.delete(name);
  headers.set("x-request-id", requestId);
  return response;
}

/** RFC 9110 §7.6.1: what `Connection` names goes no further. */
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
