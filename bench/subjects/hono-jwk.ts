import { Hono } from "hono";
import { jwk } from "hono/jwk";
import { proxy } from "hono/proxy";

type Bindings = { ORIGIN: string; JWKS: { keys: JsonWebKey[] } };

/** Hono with its own middleware for tokens that are signed by a public key, and its own proxy helper. */
const app = new Hono<{ Bindings: Bindings }>();
app.use("*", (c, next) => {
  const keys = c.env.JWKS.keys as never;
  return jwk({ keys, alg: ["ES256", "RS256"] })(c as never, next);
});
app.get("*", (c) => {
  const { pathname, search } = new URL(c.req.url);
  return proxy(c.env.ORIGIN + pathname + search, { headers: c.req.raw.headers });
});

export default app;
