import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { answer, type HttpEnv, refuse } from "../platform/http.ts";
import type { Logger } from "../platform/log.ts";
import { fromUtf8 } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { type DecisionPorts, decide } from "./decision.ts";
import { sendOnce } from "./sender.ts";
import { readClick, type SlackPorts, type SlackReply } from "./slack-click.ts";

export type InboundDeps = DecisionPorts & SlackPorts & { clock: Clock; log: Logger; local: boolean };

const NOT_UTF8 = problem("invalid_body", "The body is not UTF-8.");
const MAX_BYTES = 64 * 1024;
/** Slack gives up after three seconds; what takes longer goes on behind the answer. */
const SLACK_ANSWER_MS = 2_000;

/** `/v1/hooks/decisions` and `/v1/hooks/slack`: no access token, the signature alone says who speaks. */
export function inboundRoutes(deps: InboundDeps) {
  const limit = bodyLimit({
    maxSize: MAX_BYTES,
    onError: (c) =>
      refuse(c as Context<HttpEnv>, problem("body_too_large", `A decision has at most ${MAX_BYTES} bytes.`)),
  });
  return new Hono<HttpEnv>()
    .post("/v1/hooks/decisions", limit, async (c) => {
      const body = await bodyText(c);
      if (body === undefined) return refuse(c, NOT_UTF8);
      const message = {
        id: c.req.header("webhook-id") ?? null,
        timestamp: c.req.header("webhook-timestamp") ?? null,
        signature: c.req.header("webhook-signature") ?? null,
        body,
      };
      return answer(c, await decide(message, deps, epochSeconds(deps.clock())));
    })
    .post("/v1/hooks/slack", limit, async (c) => {
      const body = await bodyText(c);
      if (body === undefined) return refuse(c, NOT_UTF8);
      const message = {
        timestamp: c.req.header("x-slack-request-timestamp") ?? null,
        signature: c.req.header("x-slack-signature") ?? null,
        body,
      };
      const click = await readClick(message, deps, deps, epochSeconds(deps.clock()));
      if (!click.ok) return refuse(c, click.error);
      const taken = click.value();
      c.env.waitUntil(taken.then((reply) => reply && tellSlack(reply, deps)));
      await Promise.race([taken, new Promise((resolve) => setTimeout(resolve, SLACK_ANSWER_MS))]);
      return c.body(null, 200);
    });
}

async function bodyText(c: Context<HttpEnv>): Promise<string | undefined> {
  return fromUtf8(new Uint8Array(await c.req.arrayBuffer()));
}

/** Updates the message, or tells the one who clicked. Should it fail, the click has counted all the same. */
async function tellSlack({ url, body }: NonNullable<SlackReply>, { clock, log }: InboundDeps): Promise<void> {
  const told = await sendOnce({ url, headers: {}, body }, clock);
  if (told.error) log("warn", "slack.not_told", { error: told.error, status: told.status });
}
