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

const forRequests = pattern([...STRIPPED_REQUEST_HEADERS, ...HOP_BY_HOP]);
const forAnswers = pattern(["x-portcullis-*", ...HOP_BY_HOP]);

/** Whether a client's header of this name (lower case) is kept from the origin. */
export function isStripped(name: string): boolean {
  return forRequests.test(spelled(name));
}

/** What is done with a client's field of this name: it is passed on or kept back, or its value is looked at. */
export const requestKindOf = remembered((name): RequestKind => {
  if (name === "connection" || name === "upgrade") return name;
  if (isStripped(name)) return "stripped";
  return name === "authorization" || name === "cookie" ? name : "passed";
});
type RequestKind = "passed" | "stripped" | "connection" | "upgrade" | "authorization" | "cookie";

/** The same of an origin's answer. */
export const answerKindOf = remembered((name): AnswerKind => {
  if (name === "connection" || name === "set-cookie") return name;
  return forAnswers.test(spelled(name)) ? "stripped" : "passed";
});
type AnswerKind = "passed" | "stripped" | "connection" | "set-cookie";

/** Names come again and again: what was found of one is kept. */
function remembered<Kind>(find: (name: string) => Kind): (name: string) => Kind {
  const known = new Map<string, Kind>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const found = find(name);
    if (known.size < MAX_KNOWN_NAMES && name.length <= MAX_KNOWN_CHARS) known.set(name, found);
    return found;
  };
}

function pattern(names: readonly string[]): RegExp {
  return new RegExp(`^(?:${names.map((each) => each.replace(/\*$/, ".*")).join("|")})$`);
}

function spelled(name: string): string {
  return /[^a-z0-9-]/.test(name) ? name.toLowerCase().replace(/[^a-z0-9]/g, "-") : name;
}
