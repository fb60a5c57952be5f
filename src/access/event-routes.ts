import { Hono } from "hono";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { type HttpEnv, refuse, requireScope } from "../platform/http.ts";
import { utf8 } from "../protocol/encoding.ts";
import type { AccessRequest } from "./access-request.ts";
import type { EventRow } from "./access-request-store.ts";
import { nextChange } from "./agenda.ts";
import { presentRequest } from "./present.ts";
import { type AccessDeps, readVisible } from "./routes.ts";

/** One call to the object waits this long; then a comment keeps the connection from being closed as idle. */
const WAIT_MS = 20_000;
/** Then the client comes back, with a token that is looked at again. */
const STREAM_MS = 120_000;
/** What an object that lets nobody wait any more is given before it is asked again. */
const RETRY_MS = 3_000;

type EventDeps = Pick<AccessDeps, "accessRequest" | "policy" | "waiting" | "clock">;

/** `GET /v1/access-requests/{id}/events`: what happens to a request, as server-sent events. */
export function accessEventRoutes(deps: EventDeps) {
  return new Hono<HttpEnv>().get(
    "/v1/access-requests/:id/events",
    requireScope("requests:read"),
    async (c) => {
      const found = await readVisible(c.var.actor, deps, c.req.param("id"));
      if (!found.ok) return refuse(c, found.error);
      const after = c.req.header("last-event-id") ?? null;
      return new Response(eventStream(found.value.id, after, deps), {
        headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
      });
    },
  );
}

/** Every event once, in order, from the one after `after`. It ends when nothing more can happen to the request. */
function eventStream(id: string, after: string | null, { waiting, clock }: EventDeps): ReadableStream {
  const endsAtMs = clock() + STREAM_MS;
  let last = after;
  let first = true;
  return new ReadableStream<Uint8Array>({
    start: (stream) => stream.enqueue(utf8(`retry: ${RETRY_MS}\n\n`)),
    pull: async (stream) => {
      const startedAtMs = clock();
      const left = Math.min(WAIT_MS, endsAtMs - startedAtMs);
      const happened = await waiting(id).happened(last, first ? 0 : left);
      if (!happened.ok) return stream.close();
      const { request, events } = happened.value;
      for (const event of events) stream.enqueue(utf8(eventText(event, request, clock)));
      last = events.at(-1)?.id ?? last;
      const over = nextChange(request) === undefined;
      // An answer without events that came early: too many wait already.
      const turnedAway = !first && events.length === 0 && clock() - startedAtMs < left / 2;
      if (over || turnedAway || clock() >= endsAtMs) return stream.close();
      if (events.length === 0) stream.enqueue(utf8(": waiting\n\n"));
      first = false;
    },
  });
}

/** `access_request` is as it is when this is sent, which may be later than the event. */
function eventText({ id, type, at }: EventRow, request: AccessRequest, clock: Clock): string {
  const data = { type, at, access_request: presentRequest(request, epochSeconds(clock())) };
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
