/** What the control plane answers on the issuer's origin, whatever the policy says. */
const RESERVED_PATHS = [
  "/.well-known/oauth-authorization-server",
  "/.well-known/jwks.json",
  "/.well-known/oauth-protected-resource",
  "/.well-known/authzen-configuration",
  "/.well-known/ssf-configuration",
  "/healthz",
  "/readyz",
  "/metrics",
  "/openapi.json",
  "/reference",
  "/forward-auth",
  "/console",
  "/session",
];
const RESERVED_PREFIXES = ["/oauth/", "/v1/", "/ext-authz/", "/console/", "/access/v1/", "/session/"];

/** On every other host: where a browser gets the cookie of that host, and its scripts learn whose it is. */
export const HOST_SESSION_PATH = "/.portcullis/session";

/** The path of a URL below {@link HOST_SESSION_PATH} on another host than the issuer's, else undefined. */
export function hostSessionPathOf(url: string, issuer: string): string | undefined {
  if (!url.includes(HOST_SESSION_PATH) || url.startsWith(`${issuer}/`)) return undefined;
  const { pathname } = new URL(url);
  const below = pathname === HOST_SESSION_PATH || pathname.startsWith(`${HOST_SESSION_PATH}/`);
  return below ? pathname : undefined;
}

/** The raw path of a URL on the issuer's own origin where the control plane answers it, else undefined. */
export function controlPathOf(url: string, issuer: string): string | undefined {
  if (url[issuer.length] !== "/" || !url.startsWith(issuer)) return undefined;
  const query = url.search(/[?#]/);
  const path = url.slice(issuer.length, query === -1 ? undefined : query);
  return isReservedPath(path) ? path : undefined;
}

const RESERVED = new RegExp(
  `^(?:(?:${RESERVED_PATHS.map(literal).join("|")})$|(?:${RESERVED_PREFIXES.map(literal).join("|")}))`,
);

/** Whether the path, percent-encoded and without a query, belongs to the control plane on the issuer's origin. */
export function isReservedPath(path: string): boolean {
  return RESERVED.test(path);
}

function literal(text: string): string {
  return text.replaceAll(".", "\\.");
}
