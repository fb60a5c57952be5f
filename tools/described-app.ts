import { describeApi } from "../src/control/api-routes.ts";
import { type ControlDeps, controlApp } from "../src/control/app.ts";

/** Stands for whatever a route is given: routes are made, and none is called. */
const nothing: never = new Proxy(() => nothing, { get: () => nothing }) as never;

export const EXAMPLE_ISSUER = "https://auth.example.com";

/** The control plane's routes, as they are registered, without anything behind them. */
export function describedApp() {
  const oauth = { issuer: EXAMPLE_ISSUER } as ControlDeps["oauth"];
  return controlApp(
    new Proxy({} as ControlDeps, { get: (_deps, name) => (name === "oauth" ? oauth : nothing) }),
  );
}

/** The OpenAPI document of the routes as they are in this source. */
export function describeSource() {
  const app = describedApp();
  return describeApi({ issuer: EXAMPLE_ISSUER, routes: () => app.routes });
}
