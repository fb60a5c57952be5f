import { type Context, Hono } from "hono";
import type { HttpEnv } from "../platform/http.ts";
import { callback } from "./callback.ts";
import { type DevicePageDeps, decideDevice, devicePage } from "./device-page.ts";
import { showSession, signedOutPage, signOut, signOutPage } from "./session-view.ts";
import { signIn } from "./sign-in-start.ts";

/** `/session` on the issuer's origin: what browsers open, and what tells the pages' scripts who is signed in. */
export function browserRoutes(deps: DevicePageDeps) {
  const id = (c: Context<HttpEnv>) => c.var.requestId;
  return new Hono<HttpEnv>()
    .get("/session", (c) => showSession(c.req.raw, id(c), deps))
    .get("/session/sign-in", (c) => signIn(c.req.raw, deps))
    .get("/session/callback/:provider", (c) => callback(c.req.raw, c.req.param("provider"), deps))
    .get("/session/device", (c) => devicePage(c.req.raw, deps))
    .post("/session/device", (c) => decideDevice(c.req.raw, deps))
    .get("/session/sign-out", (c) => signOutPage(c.req.raw, deps))
    .post("/session/sign-out", (c) => signOut(c.req.raw, id(c), deps))
    .get("/session/signed-out", () => signedOutPage());
}
