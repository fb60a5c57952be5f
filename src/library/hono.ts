import type { MiddlewareHandler } from "hono";
import type { Auth, PortcullisService } from "../protocol/service.ts";
import { createGuard, type GuardOptions } from "./guard.ts";

export type { Auth, AuthorizeAnswer, PortcullisService } from "../protocol/service.ts";

/** What an app has in `c.var` behind {@link portcullis}. */
export type WithAuth<Bindings extends object = object> = { Bindings: Bindings; Variables: { auth: Auth } };
/** And behind {@link portcullisGate}, whose public routes may have nobody. */
export type MaybeAuth<Bindings extends object = object> = {
  Bindings: Bindings;
  Variables: { auth: Auth | undefined };
};

/**
 * The app checks access tokens itself, and `c.var.auth` is who sent one. Refusals are answered as the gate does:
 * 401 or 403 with `WWW-Authenticate` and a problem.
 */
export function portcullis<Bindings extends object = object>(
  options: GuardOptions<Bindings>,
): MiddlewareHandler<WithAuth<Bindings>> {
  const guard = createGuard(options);
  return async (c, next) => {
    const asked = { request: c.req.raw, bindings: c.env as Bindings, params: c.req.param() };
    const guarded = await guard(asked);
    if (!guarded.ok) return guarded.response;
    c.set("auth", guarded.auth);
    return next();
  };
}

/** The Worker `portcullis` decides by the routes of its policy, and the app answers what is allowed. */
export function portcullisGate<Bindings extends object = object>(
  service: (bindings: Bindings) => Pick<PortcullisService, "authorize">,
): MiddlewareHandler<MaybeAuth<Bindings>> {
  return async (c, next) => {
    const { method, url, headers, cf } = c.req.raw as Request & { cf?: unknown };
    const decided = await service(c.env as Bindings).authorize({ method, url, headers, cf });
    if (!decided.allowed) {
      const { body, status } = decided;
      return new Response(body, { status, headers: decided.headers });
    }
    c.set("auth", decided.auth);
    await next();
    if (decided.dpopNonce !== undefined) c.header("dpop-nonce", decided.dpopNonce);
  };
}
