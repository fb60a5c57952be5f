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

const STRIPPED_FROM_REQUEST = matcher([...STRIPPED_REQUEST_HEADERS, ...HOP_BY_HOP]);
const STRIPPED_FROM_RESPONSE = matcher(["x-portcullis-*", ...HOP_BY_HOP]);

/** Whether a client's header of this name (lower case) is kept from the origin. */
export function isStripped(name: string): boolean {
  return STRIPPED_FROM_REQUEST.test(spelled(name));
}

/** What the edge itself says to the origin. */
export type OwnHeaders = {
  requestId: string;
  scheme: string;
  host: string;
  passAuthorization: boolean;
  assertion?: string | undefined;
  subject?: string | undefined;
  scope?: string | undefined;
  grant?: string | undefined;
};

/**
 * Makes a copy of the client's headers fit for the origin, in place and in one pass, as copies cost more
 * than anything else on this path. Ours come last: nothing that the client names can remove them.
 */
export function dressForOrigin(headers: Headers, own: OwnHeaders): void {
  const dropped = namedByConnection(headers);
  for (const name of headers.keys()) if (isStripped(name)) dropped.push(name);
  // A WebSocket handshake is the one upgrade that is carried on.
  const webSocket = headers.get("upgrade")?.toLowerCase() === "websocket";
  const address = headers.get("cf-connecting-ip");
  for (const name of dropped) headers.delete(name);
  if (!own.passAuthorization) headers.delete("authorization");
  if (webSocket) headers.set("upgrade", "websocket");
  headers.set("x-request-id", own.requestId);
  headers.set("x-forwarded-proto", own.scheme);
  headers.set("x-forwarded-host", own.host);
  if (address !== null) headers.set("x-forwarded-for", address);
  if (own.assertion !== undefined) headers.set("x-portcullis-assertion", own.assertion);
  if (own.subject !== undefined) headers.set("x-portcullis-subject", own.subject);
  if (own.scope !== undefined) headers.set("x-portcullis-scope", own.scope);
  if (own.grant !== undefined) headers.set("x-portcullis-grant", own.grant);
}

/** The origin's answer for the client, its body streamed on; an origin cannot speak in our name. */
export function clientResponse(answer: Response, requestId: string): Response {
  const response = new Response(answer.body, answer);
  const dropped = namedByConnection(answer.headers);
  for (const name of answer.headers.keys())
    if (STRIPPED_FROM_RESPONSE.test(spelled(name))) dropped.push(name);
  for (const name of dropped) response.headers.delete(name);
  response.headers.set("x-request-id", requestId);
  return response;
}

/** RFC 9110 §7.6.1: what `Connection` names goes no further. */
function namedByConnection(headers: Headers): string[] {
  const value = headers.get("connection");
  if (value === null) return [];
  return value.split(",").flatMap((item) => {
    const name = item.trim().toLowerCase();
    return /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) ? [name] : [];
  });
}

function spelled(name: string): string {
  return /[^a-z0-9-]/.test(name) ? name.toLowerCase().replace(/[^a-z0-9]/g, "-") : name;
}

function matcher(names: readonly string[]): RegExp {
  return new RegExp(`^(?:${names.map((name) => name.replace(/\*$/, ".*")).join("|")})$`);
}
