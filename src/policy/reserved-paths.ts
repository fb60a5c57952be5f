/** What the control plane answers on the issuer's origin, whatever the policy says. */
const RESERVED_PATHS = [
  "/.well-known/oauth-authorization-server",
  "/.well-known/jwks.json",
  "/.well-known/oauth-protected-resource",
  "/.well-known/authzen-configuration",
  "/healthz",
  "/readyz",
  "/metrics",
  "/forward-auth",
  "/console",
];
const RESERVED_PREFIXES = ["/oauth/", "/v1/", "/ext-authz/", "/console/", "/access/v1/"];

/** Whether the path, percent-encoded and without a query, belongs to the control plane on the issuer's origin. */
export function isReservedPath(path: string): boolean {
  return RESERVED_PATHS.includes(path) || RESERVED_PREFIXES.some((prefix) => path.startsWith(prefix));
}
