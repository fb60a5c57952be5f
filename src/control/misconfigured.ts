import type { Check } from "./health-routes.ts";

/** `/healthz` and `/readyz` of a deployment that is not configured; nothing else is served then. */
export function misconfiguredHealth(path: string, faults: string[]): Response | undefined {
  const headers = { "cache-control": "no-store" };
  if (path === "/healthz") return Response.json({ status: "ok" }, { headers });
  if (path !== "/readyz") return undefined;
  const checks: Check[] = faults.map((detail) => ({ name: "configuration", ready: false, detail }));
  return Response.json({ ready: false, checks }, { status: 503, headers });
}
