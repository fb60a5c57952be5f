import { Hono } from "hono";
import { jwt } from "hono/jwt";
import { proxy } from "hono/proxy";

type Bindings = { ORIGIN: string; SECRET: string };

/** Hono with its own middleware for tokens that are signed with a shared secret, and its own proxy helper. */
const app = new Hono<{ Bindings: Bindings }>();
app.use("*", (c, next) => jwt({ secret: c.env.SECRET, alg: "HS256" })(c as never, next));
app.get("*", (c) => {
  const { pathname, search } = new URL(c.req.url);
  return proxy(c.env.ORIGIN + pathname + search, { headers: c.req.raw.headers });
});

export default app;
