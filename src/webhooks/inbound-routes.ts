import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { answer, type HttpEnv, refuse } from "../platform/http.ts";
import { fromUtf8 } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { type DecisionPorts, decide } from "./decision.ts";

export type InboundDeps = DecisionPorts & { clock: Clock };

const MAX_BYTES = 64 * 1024;

/** `POST /v1/hooks/decisions`: no access token, the signature alone says who speaks. */
export function inboundRoutes(deps: InboundDeps) {
  const limit = bodyLimit({
    maxSize: MAX_BYTES,
    onError: (c) =>
      refuse(c as Context<HttpEnv>, problem("body_too_large", `A decision has at most ${MAX_BYTES} bytes.`)),
  });
  return new Hono<HttpEnv>().post("/v1/hooks/decisions", limit, async (c) => {
    const body = fromUtf8(new Uint8Array(await c.req.arrayBuffer()));
    if (body === undefined) return refuse(c, problem("invalid_body", "The body is not UTF-8."));
    const message = {
      id: c.req.header("webhook-id") ?? null,
      timestamp: c.req.header("webhook-timestamp") ?? null,
      signature: c.req.header("webhook-signature") ?? null,
      body,
    };
    return answer(c, await decide(message, deps, epochSeconds(deps.clock())));
  });
}
