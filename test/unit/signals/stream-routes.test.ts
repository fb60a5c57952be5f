import { Hono } from "hono";
import { beforeEach, describe, expect, it } from "vitest";
import type { Actor, HttpEnv } from "../../../src/platform/http.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { configured, POLL, PUSH, type Stream } from "../../../src/signals/stream.ts";
import { type StreamDeps, ssfMetadataRoutes, streamRoutes } from "../../../src/signals/stream-routes.ts";

const OURS = "https://gate.example.com";
const BASE = "/v1/signals/streams";
const CAEP = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const PUSHED = { method: PUSH, endpoint_url: "https://receiver.example.org/events" };

let actor: Actor;
let stream: Stream | undefined;
let calls: unknown[][];

beforeEach(() => {
  actor = { subject: "cli_1", clientId: "cli_1", scopes: ["ssf:manage"], roles: [] };
  stream = undefined;
  calls = [];
});

/** One stream, of the client that made it. */
const port: StreamDeps["stream"] = () => ({
  create: async (id, clientId, opening) => {
    if (stream) return err(problem("conflict", "is there"));
    const empty: Stream = { id, client_id: clientId, method: POLL, status: "enabled", revision: 0 };
    stream = configured(empty, opening);
    return ok(stream);
  },
  read: async () => (stream ? ok(stream) : err(problem("not_found", "none"))),
  replace: async (_clientId, opening) => {
    stream = configured(stream!, opening);
    return ok(stream);
  },
  close: async () => {
    stream = undefined;
    return ok(null);
  },
  setStatus: async (_clientId, status, reason) => {
    stream = { ...stream!, status, ...(reason === undefined ? {} : { reason }) };
    return ok(stream);
  },
  setSubject: async (...args) => {
    calls.push(args);
    return ok(null);
  },
  verify: async (...args) => {
    calls.push(args);
    return args[1] === "too-soon" ? err(problem("too_many_requests", "wait")) : ok(null);
  },
  poll: async (...args) => {
    calls.push(args);
    return ok({ sets: { sig_1: "a.b.c" }, more: args[1].max === 1 });
  },
});

function app() {
  const deps: StreamDeps = {
    issuer: OURS,
    local: false,
    clock: () => 1_800_000_000_000,
    registry: {
      openStream: async (entry) => ok(entry),
      closeStream: async () => ok(null),
      streamOf: async (clientId) => ok(stream?.client_id === clientId ? { id: stream.id } : null),
    },
    stream: port,
  };
  return new Hono<HttpEnv>()
    .use(async (c, next) => {
      c.set("requestId", "dec_1");
      c.set("actor", actor);
      await next();
    })
    .route("/", ssfMetadataRoutes(deps))
    .route("/", streamRoutes(deps));
}

async function call(method: string, path: string, json?: unknown) {
  const init =
    json === undefined ? {} : { body: JSON.stringify(json), headers: { "content-type": "application/json" } };
  const answer = await app().request(path, { method, ...init });
  const text = await answer.text();
  return { status: answer.status, text, body: text === "" ? undefined : JSON.parse(text) };
}
const create = (json: object = {}) => call("POST", BASE, json);
const idOf = async (json: object = {}) => (await create(json)).body.stream_id as string;

describe("a receiver's stream", () => {
  it("is made, read, found in the list, and deleted", async () => {
    expect((await call("GET", BASE)).body).toEqual([]);
    const made = await create({ delivery: PUSHED, description: "d" });
    expect(made).toMatchObject({
      status: 201,
      body: {
        ...{ iss: OURS, aud: "cli_1", delivery: PUSHED, description: "d" },
        ...{ events_supported: [CAEP], events_requested: [CAEP], events_delivered: [CAEP] },
      },
    });
    const { stream_id } = made.body;
    expect((await call("GET", `${BASE}?stream_id=${stream_id}`)).body).toEqual(made.body);
    expect((await call("GET", BASE)).body).toEqual([made.body]);
    expect((await create()).status).toBe(409);
    expect(await call("DELETE", `${BASE}?stream_id=${stream_id}`)).toMatchObject({ status: 204, text: "" });
    expect((await call("GET", `${BASE}?stream_id=${stream_id}`)).status).toBe(404);
  });

  it("is polled where nothing is said of its delivery, at an address of ours", async () => {
    const { body } = await create();
    expect(body.delivery).toEqual({ method: POLL, endpoint_url: `${OURS}${BASE}/${body.stream_id}/poll` });
  });

  it.each<[string, object]>([
    ["a way that is none", { delivery: { method: "urn:x" } }],
    ["no address to push to", { delivery: { method: PUSH } }],
    ["an address in the clear", { delivery: { ...PUSHED, endpoint_url: "http://receiver.example.org/" } }],
    ["an address that is a number", { delivery: { ...PUSHED, endpoint_url: "https://10.0.0.1/" } }],
    ["a private name", { delivery: { ...PUSHED, endpoint_url: "https://metadata.internal/" } }],
    ["a header of two lines", { delivery: { ...PUSHED, authorization_header: "a\nb: c" } }],
    ["an unknown member", { secret: "x" }],
    ["what is ours to say", { aud: "https://other" }],
  ])("is not made with %s", async (_what, json) => {
    expect((await create(json)).status).toBe(400);
    expect(stream).toBeUndefined();
    expect((await create({ delivery: { ...PUSHED, authorization_header: "Bearer s" } })).status).toBe(201);
  });

  it("is changed where something is said (PATCH), or as a whole (PUT)", async () => {
    const stream_id = await idOf({ delivery: PUSHED, description: "d", events_requested: [CAEP, "urn:x"] });
    const patched = await call("PATCH", BASE, { stream_id, description: "e" });
    expect(patched.body).toMatchObject({
      ...{ delivery: PUSHED, description: "e" },
      ...{ events_requested: [CAEP, "urn:x"], events_delivered: [CAEP] },
    });
    // What we said may come back.
    expect((await call("PATCH", BASE, patched.body)).body).toEqual(patched.body);
    const put = await call("PUT", BASE, { stream_id, events_requested: [] });
    expect(put.body).toMatchObject({ delivery: { method: POLL }, events_delivered: [] });
    expect(put.body).not.toHaveProperty("description");
    for (const wrong of [{ aud: "other" }, { events_supported: [] }, { iss: `${OURS}/` }]) {
      expect((await call("PATCH", BASE, { stream_id, ...wrong })).status).toBe(400);
    }
    expect((await call("PATCH", BASE, { description: "x" })).status).toBe(400);
  });

  it("has a status, subjects and verifications", async () => {
    const stream_id = await idOf();
    expect((await call("GET", `${BASE}/status?stream_id=${stream_id}`)).body).toEqual({
      stream_id,
      status: "enabled",
    });
    const paused = { stream_id, status: "paused", reason: "maintenance" };
    expect((await call("POST", `${BASE}/status`, paused)).body).toEqual(paused);
    expect((await call("POST", `${BASE}/status`, { stream_id, status: "off" })).status).toBe(400);
    const subject = { format: "iss_sub", iss: OURS, sub: "corp|alice" };
    expect(await call("POST", `${BASE}/subjects/add`, { stream_id, subject, verified: true })).toMatchObject({
      status: 200,
      text: "",
    });
    expect((await call("POST", `${BASE}/subjects/remove`, { stream_id, subject })).status).toBe(204);
    const foreign = { ...subject, iss: "https://idp.example.com" };
    expect((await call("POST", `${BASE}/subjects/remove`, { stream_id, subject: foreign })).status).toBe(404);
    expect((await call("POST", `${BASE}/verification`, { stream_id, state: "s" })).status).toBe(204);
    expect((await call("POST", `${BASE}/verification`, { stream_id, state: "too-soon" })).status).toBe(429);
    expect(calls).toEqual([
      ["cli_1", "corp|alice", true],
      ["cli_1", "corp|alice", false],
      ["cli_1", "s"],
      ["cli_1", "too-soon"],
    ]);
  });

  it("is polled as RFC 8936 says", async () => {
    const stream_id = await idOf();
    const poll = (json: object) => call("POST", `${BASE}/${stream_id}/poll`, json);
    expect((await poll({})).body).toEqual({ sets: { sig_1: "a.b.c" } });
    const errors = { sig_8: { err: "invalid_key", description: "d" } };
    const more = await poll({ maxEvents: 1, returnImmediately: true, ack: ["sig_9"], setErrs: errors });
    expect(more.body).toEqual({ sets: { sig_1: "a.b.c" }, moreAvailable: true });
    await poll({ maxEvents: 5_000 });
    expect(calls).toEqual([
      ["cli_1", { max: 100, waitMs: 20_000, ack: [], errors: [] }],
      ["cli_1", { max: 1, waitMs: 0, ack: ["sig_9"], errors: ["sig_8"] }],
      ["cli_1", { max: 100, waitMs: 20_000, ack: [], errors: [] }],
    ]);
    for (const wrong of [{ maxEvents: -1 }, { ack: "sig_1" }, { setErrs: { sig_1: "bad" } }, { more: 1 }]) {
      expect((await poll(wrong)).status).toBe(400);
    }
  });

  it("is its client's alone, with the scope", async () => {
    const stream_id = await idOf();
    const subject = { format: "iss_sub", iss: OURS, sub: "corp|alice" };
    const tries: [string, string, object?][] = [
      ["GET", `${BASE}?stream_id=${stream_id}`],
      ["PATCH", BASE, { stream_id, description: "x" }],
      ["PUT", BASE, { stream_id }],
      ["DELETE", `${BASE}?stream_id=${stream_id}`],
      ["GET", `${BASE}/status?stream_id=${stream_id}`],
      ["POST", `${BASE}/status`, { stream_id, status: "disabled" }],
      ["POST", `${BASE}/subjects/add`, { stream_id, subject }],
      ["POST", `${BASE}/subjects/remove`, { stream_id, subject }],
      ["POST", `${BASE}/verification`, { stream_id }],
      ["POST", `${BASE}/${stream_id}/poll`, { returnImmediately: true }],
    ];
    const before = stream;
    actor = { ...actor, clientId: "cli_2" };
    for (const [method, path, json] of tries) expect((await call(method, path, json)).status).toBe(404);
    actor = { ...actor, clientId: "cli_1", scopes: ["webhooks:write", "signals:read"] };
    for (const [method, path, json] of [...tries, ["POST", BASE, {}] as const]) {
      expect((await call(method, path, json)).status).toBe(403);
    }
    expect(stream).toBe(before);
    expect(calls).toEqual([]);
  });
});

describe("/.well-known/ssf-configuration", () => {
  it("says whom to ask, to everybody", async () => {
    const { body } = await call("GET", "/.well-known/ssf-configuration");
    expect(body).toMatchObject({
      ...{ spec_version: "1_0", issuer: OURS, jwks_uri: `${OURS}/.well-known/jwks.json` },
      delivery_methods_supported: ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"],
      ...{ configuration_endpoint: `${OURS}${BASE}`, default_subjects: "ALL" },
    });
  });
});
