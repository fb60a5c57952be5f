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
  if (!url.startsWith(issuer) || url[issuer.length] !== "/") return undefined;
  const end = url.slice(issuer.length).search(/[?#]/);
  const path = end === -1 ? url.slice(issuer.length) : url.slice(issuer.length, issuer.length + end);
  return isReservedPath(path) ? path : undefined;
}

/** Whether the path, percent-encoded and without a query, belongs to the control plane on the issuer's origin. */
export function isReservedPath(path: string): boolean {
  return RESERVED_PATHS.includes(path) || RESERVED_PREFIXES.some((prefix) => path.startsWith(prefix));
}
