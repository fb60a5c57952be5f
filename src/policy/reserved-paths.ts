/** What the control plane answers on the issuer's origin, whatever the policy says. */
const RESERVED_PATHS = [
  "/.well-known/oauth-authorization-server",
  "/.well-known/jwks.json",
  "/.well-known/oauth-protected-resource",
  "/healthz",
  "/readyz",
  "/metrics",
  "/forward-auth",
  "/console",
  "/session",
];
const RESERVED_PREFIXES = ["/oauth/", "/v1/", "/ext-authz/", "/console/", "/access/v1/", "/session/"];

/** On every other host: where a browser gets the cookie of that host, and its scripts learn whose it is. */
export const HOST_SESSION_PATH = "/.portcullis/session";

export function isHostSessionUrl(url: string): boolean {
  if (!url.includes(HOST_SESSION_PATH)) return false;
  const { pathname } = new URL(url);
  return pathname === HOST_SESSION_PATH || pathname.startsWith(`${HOST_SESSION_PATH}/`);
}

/** Whether the path, percent-encoded and without a query, belongs to the control plane on the issuer's origin. */
export function isReservedPath(path: string): boolean {
  return RESERVED_PATHS.includes(path) || RESERVED_PREFIXES.some((prefix) => path.startsWith(prefix));
}
