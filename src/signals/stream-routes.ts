import { type Context, Hono } from "hono";
import * as z from "zod";
import type { Clock } from "../platform/clock.ts";
import { epochSeconds } from "../platform/clock.ts";
import { answer, type HttpEnv, jsonBody, queryParams, refuse, requireScope } from "../platform/http.ts";
import { newId } from "../platform/ids.ts";
import type { Json } from "../protocol/json.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { checkWebhookUrl } from "../webhooks/url-guard.ts";
import { POLL, PUSH, presentStream, type Stream, type StreamOpening, type StreamStatus } from "./stream.ts";
import type { Poll, Polled } from "./stream-object.ts";

/** The object of one stream. All methods but `close` are for the stream's own client; `not_found` for another. */
export type StreamPort = {
  create(id: string, clientId: string, opening: StreamOpening): Promise<Result<Stream>>;
  read(clientId: string): Promise<Result<Stream>>;
  replace(clientId: string, opening: StreamOpening): Promise<Result<Stream>>;
  close(): Promise<Result<null>>;
  setStatus(clientId: string, status: StreamStatus, reason?: string): Promise<Result<Stream>>;
  setSubject(clientId: string, subject: string, included: boolean): Promise<Result<null>>;
  verify(clientId: string, state?: string): Promise<Result<null>>;
  poll(clientId: string, poll: Poll): Promise<Result<Polled>>;
};

/** Which client has which stream. */
export type StreamRegistryPort = {
  openStream(entry: { id: string; client_id: string; created_at: number }): Promise<Result<{ id: string }>>;
  closeStream(id: string): Promise<Result<null>>;
  streamOf(clientId: string): Promise<Result<{ id: string } | null>>;
};

export type StreamDeps = {
  issuer: string;
  local: boolean;
  clock: Clock;
  registry: StreamRegistryPort;
  stream(id: string): StreamPort;
};

export const MANAGE_SCOPE = "ssf:manage";
const BASE = "/v1/signals/streams";
/** Below what callers and proxies wait for. */
const POLL_WAIT_MS = 20_000;
const MAX_POLLED = 100;

/** SSF 1.0 §7.1. */
export function ssfConfiguration(issuer: string) {
  const base = `${issuer}${BASE}`;
  return {
    spec_version: "1_0",
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    delivery_methods_supported: [PUSH, POLL],
    configuration_endpoint: base,
    status_endpoint: `${base}/status`,
    add_subject_endpoint: `${base}/subjects/add`,
    remove_subject_endpoint: `${base}/subjects/remove`,
    verification_endpoint: `${base}/verification`,
    authorization_schemes: [{ spec_urn: "urn:ietf:rfc:6749" }],
    default_subjects: "ALL",
  };
}

const text = z.string().min(1).max(1_024);
const id = z.string().max(64);
const delivery = z.discriminatedUnion("method", [
  z.strictObject({
    method: z.literal(PUSH),
    endpoint_url: z.string().max(512),
    authorization_header: z
      .string()
      .max(2_048)
      .regex(/^[\x21-\x7e]+( [\x21-\x7e]+)*$/, "must be the value of a header: printable ASCII")
      .exactOptional(),
  }),
  // The URL is ours to give.
  z.strictObject({ method: z.literal(POLL), endpoint_url: z.string().max(512).exactOptional() }),
]);
const supplied = {
  delivery: delivery.exactOptional(),
  events_requested: z.array(z.string().max(512)).max(64).exactOptional(),
  description: text.exactOptional(),
};
/** What we say of the stream: it may be sent back, as it is. */
const anything = z.json().exactOptional();
const ours = {
  ...{ iss: anything, aud: anything, events_supported: anything },
  ...{ events_delivered: anything, min_verification_interval: anything },
};

const OURS = Object.keys(ours) as (keyof typeof ours)[];

const createSchema = z.strictObject(supplied);
const changeSchema = z.strictObject({ stream_id: id, ...supplied, ...ours });
const oneSchema = z.strictObject({ stream_id: id });
const anySchema = z.strictObject({ stream_id: id.exactOptional() });
const statusSchema = z.strictObject({
  stream_id: id,
  status: z.enum(["enabled", "paused", "disabled"]),
  reason: text.exactOptional(),
});
const subject = z.strictObject({
  format: z.literal("iss_sub"),
  iss: z.string().max(512),
  sub: z.string().min(1).max(512),
});
const addSchema = z.strictObject({ stream_id: id, subject, verified: z.boolean().exactOptional() });
const removeSchema = z.strictObject({ stream_id: id, subject });
const verifySchema = z.strictObject({ stream_id: id, state: z.string().max(1_024).exactOptional() });
const jti = z.string().max(255);
const pollSchema = z.strictObject({
  maxEvents: z.int().min(0).max(1e6).exactOptional(),
  returnImmediately: z.boolean().default(false),
  ack: z.array(jti).max(1_000).default([]),
  setErrs: z
    .record(
      jti,
      z.looseObject({ err: z.string().max(255), description: z.string().max(2_000).exactOptional() }),
    )
    .refine((errors) => Object.keys(errors).length <= 1_000, "at most 1,000")
    .default({}),
});

/** `/.well-known/ssf-configuration`: whom to ask for a stream. */
export function ssfMetadataRoutes({ issuer }: Pick<StreamDeps, "issuer">) {
  return new Hono<HttpEnv>().get("/.well-known/ssf-configuration", (c) =>
    c.json(ssfConfiguration(issuer), 200, { "cache-control": "public, max-age=300" }),
  );
}

/** `/v1/signals/streams`: a receiver's own stream (SSF 1.0 §8.1), and its poll endpoint (RFC 8936). */
export function streamRoutes(deps: StreamDeps) {
  const scope = requireScope(MANAGE_SCOPE);
  const shown = (stream: Result<Stream>) =>
    stream.ok ? ok(presentStream(stream.value, deps.issuer)) : stream;
  return new Hono<HttpEnv>()
    .use(BASE, scope)
    .use(`${BASE}/*`, scope)
    .post(BASE, jsonBody(createSchema), async (c) => {
      const opening = openingOf(c.req.valid("json"), undefined, deps);
      return opening.ok
        ? answer(c, shown(await openStream(opening.value, c.var.actor.clientId, deps)), 201)
        : refuse(c, opening.error);
    })
    .get(BASE, queryParams(anySchema), async (c) => {
      const { stream_id } = c.req.valid("query");
      const stream = await ownStream(c, stream_id, deps);
      if (stream_id !== undefined) return answer(c, shown(stream));
      if (!stream.ok && stream.error.code !== "not_found") return refuse(c, stream.error);
      return answer(c, ok(stream.ok ? [presentStream(stream.value, deps.issuer)] : []));
    })
    .patch(BASE, jsonBody(changeSchema), (c) => change(c, c.req.valid("json"), true, deps))
    .put(BASE, jsonBody(changeSchema), (c) => change(c, c.req.valid("json"), false, deps))
    .delete(BASE, queryParams(oneSchema), async (c) => {
      const stream = await ownStream(c, c.req.valid("query").stream_id, deps);
      if (!stream.ok) return refuse(c, stream.error);
      const closed = await deps.stream(stream.value.id).close();
      return empty(c, closed.ok ? await deps.registry.closeStream(stream.value.id) : closed, 204);
    })
    .get(`${BASE}/status`, queryParams(oneSchema), async (c) =>
      answer(c, statusOf(await ownStream(c, c.req.valid("query").stream_id, deps))),
    )
    .post(`${BASE}/status`, jsonBody(statusSchema), async (c) => {
      const { stream_id, status, reason } = c.req.valid("json");
      const port = await ownPort(c, stream_id, deps);
      return answer(
        c,
        port.ok ? statusOf(await port.value.setStatus(c.var.actor.clientId, status, reason)) : port,
      );
    })
    .post(`${BASE}/subjects/add`, jsonBody(addSchema), async (c) => {
      const { stream_id, subject: named } = c.req.valid("json");
      return empty(c, await setSubject(c, stream_id, named, true, deps), 200);
    })
    .post(`${BASE}/subjects/remove`, jsonBody(removeSchema), async (c) => {
      const { stream_id, subject: named } = c.req.valid("json");
      return empty(c, await setSubject(c, stream_id, named, false, deps), 204);
    })
    .post(`${BASE}/verification`, jsonBody(verifySchema), async (c) => {
      const { stream_id, state } = c.req.valid("json");
      const port = await ownPort(c, stream_id, deps);
      return empty(c, port.ok ? await port.value.verify(c.var.actor.clientId, state) : port, 204);
    })
    .post(`${BASE}/:id/poll`, jsonBody(pollSchema), async (c) => {
      const port = await ownPort(c, c.req.param("id"), deps);
      if (!port.ok) return refuse(c, port.error);
      return answer(c, await poll(port.value, c.var.actor.clientId, c.req.valid("json")));
    });
}

async function openStream(
  opening: StreamOpening,
  client_id: string,
  { registry, stream, clock }: StreamDeps,
) {
  const entry = { id: newId("str", clock()), client_id, created_at: epochSeconds(clock()) };
  const opened = await registry.openStream(entry);
  return opened.ok ? stream(opened.value.id).create(opened.value.id, client_id, opening) : opened;
}

async function poll(port: StreamPort, clientId: string, asked: z.output<typeof pollSchema>) {
  const { maxEvents = MAX_POLLED, returnImmediately, ack, setErrs } = asked;
  const waitMs = returnImmediately ? 0 : POLL_WAIT_MS;
  const page = { max: Math.min(maxEvents, MAX_POLLED), waitMs, ack, errors: Object.keys(setErrs) };
  const polled = await port.poll(clientId, page);
  if (!polled.ok) return polled;
  const { sets, more } = polled.value;
  return ok({ sets, ...(more ? { moreAvailable: true } : {}) });
}

type Supplied = z.output<typeof createSchema>;
type Change = z.output<typeof changeSchema>;

/** `merge`: what is left out stays as it is (PATCH); else it is as if it had never been said (PUT). */
async function change(
  c: Context<HttpEnv>,
  body: Change,
  merge: boolean,
  deps: StreamDeps,
): Promise<Response> {
  const stream = await ownStream(c, body.stream_id, deps);
  if (!stream.ok) return refuse(c, stream.error);
  const present = presentStream(stream.value, deps.issuer);
  const wrong = OURS.find((name) => body[name] !== undefined && !isSame(body[name] as Json, present[name]!));
  if (wrong) return refuse(c, problem("invalid_body", `${wrong}: is for us to say; leave it out.`));
  const opening = openingOf(body, merge ? stream.value : undefined, deps);
  if (!opening.ok) return refuse(c, opening.error);
  const changed = await deps.stream(stream.value.id).replace(c.var.actor.clientId, opening.value);
  return answer(c, changed.ok ? ok(presentStream(changed.value, deps.issuer)) : changed);
}

/** Without a `delivery` a stream is polled (SSF 1.0 §8.1.1.1); one that is there and changed goes on as it was. */
function openingOf(
  { delivery: given, events_requested, description }: Supplied,
  before: Stream | undefined,
  { local }: StreamDeps,
): Result<StreamOpening> {
  const requested = events_requested ?? before?.events_requested;
  const about = description ?? before?.description;
  const said = {
    ...(requested ? { events_requested: requested } : {}),
    ...(about === undefined ? {} : { description: about }),
  };
  if (!given) return ok(before ? said : { ...said, delivery: { method: POLL } });
  if (given.method === POLL) return ok({ ...said, delivery: { method: POLL } });
  const url = checkWebhookUrl(given.endpoint_url, { local });
  if (url.ok) return ok({ ...said, delivery: { ...given, endpoint_url: url.value } });
  return err(problem("invalid_body", `delivery.endpoint_${url.error.detail}`));
}

/** The caller's stream; `not_found` where it has none, or another one than it names. */
async function ownPort(
  c: Context<HttpEnv>,
  streamId: string | undefined,
  { registry, stream }: StreamDeps,
): Promise<Result<StreamPort>> {
  const entry = await registry.streamOf(c.var.actor.clientId);
  if (!entry.ok) return entry;
  if (entry.value && (streamId ?? entry.value.id) === entry.value.id) return ok(stream(entry.value.id));
  return err(problem("not_found", "There is no such stream of this client."));
}

async function ownStream(
  c: Context<HttpEnv>,
  streamId: string | undefined,
  deps: StreamDeps,
): Promise<Result<Stream>> {
  const port = await ownPort(c, streamId, deps);
  return port.ok ? port.value.read(c.var.actor.clientId) : port;
}

/** Of our own people; others are not recognised (§8.1.3). */
async function setSubject(
  c: Context<HttpEnv>,
  streamId: string,
  { iss, sub }: z.output<typeof subject>,
  included: boolean,
  deps: StreamDeps,
): Promise<Result<null>> {
  const port = await ownPort(c, streamId, deps);
  if (!port.ok) return port;
  if (iss !== deps.issuer)
    return err(problem("not_found", `subject.iss: subjects here are of ${deps.issuer}.`));
  return port.value.setSubject(c.var.actor.clientId, sub, included);
}

function statusOf(stream: Result<Stream>) {
  if (!stream.ok) return stream;
  const { id: stream_id, status, reason } = stream.value;
  return ok({ stream_id, status, ...(reason === undefined ? {} : { reason }) });
}

function empty(c: Context<HttpEnv>, result: Result<unknown>, status: 200 | 204): Response {
  return result.ok ? c.body(null, status, { "cache-control": "no-store" }) : refuse(c, result.error);
}

function isSame(one: Json, other: Json): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
