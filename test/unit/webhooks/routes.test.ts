import { Hono } from "hono";
import { beforeEach, describe, expect, it } from "vitest";
import type { Actor, HttpEnv } from "../../../src/platform/http.ts";
import { creationIds } from "../../../src/platform/idempotency.ts";
import { newId } from "../../../src/platform/ids.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { deliveryId } from "../../../src/webhooks/delivery.ts";
import type { EndpointRecord } from "../../../src/webhooks/endpoint.ts";
import { EndpointSecrets } from "../../../src/webhooks/endpoint-secret.ts";
import type { EndpointPort } from "../../../src/webhooks/publish.ts";
import { webhookRoutes } from "../../../src/webhooks/routes.ts";
import { shownSecret } from "../../../src/webhooks/signature.ts";
import { SlackSecretBox } from "../../../src/webhooks/slack-settings.ts";
import { memoryRegistry, recordingEndpoints } from "./memory-ports.ts";

const NOW_MS = 1_800_000_000_000;
const secrets = new EndpointSecrets({ PORTCULLIS_SECRET: "dGVzdC1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3RzLTAx" });
const OPERATOR: Actor = {
  subject: "operator",
  clientId: "operator",
  scopes: ["webhooks:read", "webhooks:write", "policy:write"],
  roles: [],
};
const BOB: Actor = {
  subject: "demo|bob",
  clientId: "cli_1",
  scopes: ["webhooks:read", "webhooks:write"],
  roles: ["approver"],
};
const CREATE = { url: "https://hooks.example.com/", events: ["*"] };

const slack = new SlackSecretBox({ PORTCULLIS_SECRET: "dGVzdC1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3RzLTAx" });
let registry: ReturnType<typeof memoryRegistry>;
let endpoints: ReturnType<typeof recordingEndpoints>;
let call: (actor: Actor, method: string, path: string, body?: unknown, headers?: object) => Promise<Answer>;
type Answer = { status: number; body: Record<string, unknown>; headers: Headers };

function start(answers: Partial<EndpointPort> = {}) {
  registry = memoryRegistry();
  endpoints = recordingEndpoints(answers);
  const keys = new Map<string, { hash: string; id: string }>();
  const ids = creationIds(
    {
      reserve: async (key, hash, id) => {
        const known = keys.get(key);
        if (known && known.hash !== hash) return err(problem("idempotency_mismatch", "other body"));
        if (!known) keys.set(key, { hash, id });
        return ok(known?.id ?? id);
      },
    },
    () => NOW_MS,
  );
  const { endpoint } = endpoints;
  const routes = webhookRoutes({
    registry: registry.port,
    endpoint,
    secrets,
    slack,
    ids,
    clock: () => NOW_MS,
    local: false,
  });
  call = async (actor, method, path, body, headers = {}) => {
    const app = new Hono<HttpEnv>()
      .use((c, next) => {
        c.set("requestId", "r1");
        c.set("actor", actor);
        return next();
      })
      .route("/", routes);
    const response = await app.request(path, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return {
      status: response.status,
      body: (await response.json()) as Record<string, unknown>,
      headers: response.headers,
    };
  };
}
beforeEach(() => start());

const create = async (actor: Actor, members: object = {}) =>
  call(actor, "POST", "/v1/webhook-endpoints", { ...CREATE, ...members });
const kept = (): EndpointRecord[] => [...registry.kept.values()];

describe("creation", () => {
  it("answers the endpoint and, once, its secret", async () => {
    const { status, body, headers } = await create(OPERATOR, {
      events: ["grant.*", "access_request.created", "grant.*"],
      description: "chat",
      reviews_as: { roles: ["approver"] },
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^whe_/),
      url: "https://hooks.example.com/",
      events: ["grant.*", "access_request.created"],
      description: "chat",
      reviews_as: { roles: ["approver"] },
      signature: "hmac",
      enabled: true,
      created_at: NOW_MS / 1000,
      revision: 1,
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    });
    expect(headers.get("location")).toBe(`/v1/webhook-endpoints/${body.id}`);
    expect(headers.get("cache-control")).toBe("no-store");
    const shown = await call(OPERATOR, "GET", `/v1/webhook-endpoints/${body.id}`);
    expect(shown.body).toEqual({ ...body, secret: undefined });
    const list = await call(OPERATOR, "GET", "/v1/webhook-endpoints?limit=1");
    expect(list.body).toEqual({ items: [shown.body] });
  });

  it("stores the secret sealed for this endpoint only", async () => {
    const { body } = await create(OPERATOR);
    const [record] = kept();
    expect(JSON.stringify(record)).not.toContain("whsec_");
    const opened = await secrets.open(record!.id, record!.secrets_sealed);
    expect(opened.map(shownSecret)).toEqual([body.secret]);
    expect(await secrets.open("whe_other", record!.secrets_sealed)).toEqual([]);
  });

  it.each([
    ["an address that is not public", { url: "https://10.0.0.1/" }],
    ["an unknown event", { events: ["grant.created"] }],
    ["a family that does not exist", { events: ["token.*"] }],
    ["no event", { events: [] }],
    ["an unknown member", { secret: "whsec_mine" }],
    ["a member that is not the caller's to set", { enabled: true }],
    ["sealed secrets", { secrets_sealed: ["v1.a.b"] }],
    ["authority of nobody", { reviews_as: {} }],
  ])("refuses %s", async (_name, members) => {
    expect(await create(OPERATOR, members)).toMatchObject({ status: 400, body: { code: "invalid_body" } });
    expect(kept()).toEqual([]);
  });

  it("the same Idempotency-Key answers the same endpoint and secret; another body is a conflict", async () => {
    const key = { "idempotency-key": "k1" };
    const path = "/v1/webhook-endpoints";
    const first = await call(OPERATOR, "POST", path, CREATE, key);
    const second = await call(OPERATOR, "POST", path, CREATE, key);
    expect(second).toMatchObject({ status: 201, body: first.body });
    expect(kept()).toHaveLength(1);
    expect((await call(OPERATOR, "POST", path, { ...CREATE, events: ["grant.*"] }, key)).status).toBe(409);
    await call(OPERATOR, "POST", `${path}/${first.body.id}/rotate-secret`);
    expect((await call(OPERATOR, "POST", path, CREATE, key)).body).not.toHaveProperty("secret");
  });

  it("a key whose endpoint was deleted does not bring it back", async () => {
    const key = { "idempotency-key": "k1" };
    const { body } = await call(OPERATOR, "POST", "/v1/webhook-endpoints", CREATE, key);
    await call(OPERATOR, "DELETE", `/v1/webhook-endpoints/${body.id}`);
    expect((await call(OPERATOR, "POST", "/v1/webhook-endpoints", CREATE, key)).status).toBe(410);
    expect(kept()).toEqual([]);
  });
});

describe("authority over reviews is handed out only by whoever has it", () => {
  const own = { roles: ["approver"], subjects: ["demo|bob"] };

  it.each([
    [{ roles: ["admin"], subjects: ["demo|bob"] }],
    [{ roles: ["approver"] }],
    [{ roles: [], subjects: ["demo|carol"] }],
  ])("on creation: %j", async (reviews_as) => {
    expect(await create(BOB, { reviews_as })).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect(kept()).toEqual([]);
    expect((await create(BOB, { reviews_as: own })).status).toBe(201);
    expect((await create(OPERATOR, { reviews_as })).status).toBe(201);
  });

  it("on a change, on enabling and on rotation", async () => {
    const { body } = await create(OPERATOR, { reviews_as: { roles: ["admin"] } });
    const path = `/v1/webhook-endpoints/${body.id}`;
    expect((await call(BOB, "PATCH", path, { enabled: true })).status).toBe(403);
    expect((await call(BOB, "PATCH", path, { reviews_as: { roles: ["approver"] } })).status).toBe(403);
    expect(await call(BOB, "POST", `${path}/rotate-secret`)).toMatchObject({ status: 403 });
    expect(kept()[0]!.revision).toBe(1);
    expect((await call(BOB, "PATCH", path, { enabled: false })).status).toBe(200);
    expect((await call(OPERATOR, "POST", `${path}/rotate-secret`)).status).toBe(200);
    // Narrowed to what is Bob's own, or without authority at all, it is his to change.
    expect((await call(BOB, "PATCH", path, { reviews_as: own, enabled: true })).status).toBe(200);
    expect((await call(BOB, "POST", `${path}/rotate-secret`)).status).toBe(200);
    expect((await call(BOB, "PATCH", path, { reviews_as: null, enabled: true })).status).toBe(200);
    expect(kept()[0]).not.toHaveProperty("reviews_as");
  });
});

describe("changes", () => {
  it("reach the endpoint's object with a higher revision", async () => {
    const { body } = await create(OPERATOR);
    const path = `/v1/webhook-endpoints/${body.id}`;
    const changed = await call(OPERATOR, "PATCH", path, {
      url: "https://hooks.example.com:443/b",
      enabled: false,
    });
    expect(changed.body).toMatchObject({ url: "https://hooks.example.com/b", enabled: false });
    expect(endpoints.calls).toMatchObject([
      {
        id: body.id,
        method: "configure",
        args: [{ url: "https://hooks.example.com/b", enabled: false, revision: 2 }],
      },
    ]);
    expect(await call(OPERATOR, "PATCH", path, { url: "http://hooks.example.com/" })).toMatchObject({
      status: 400,
    });
    expect(await call(OPERATOR, "PATCH", path, {})).toMatchObject({ status: 400 });
    expect(kept()[0]!.revision).toBe(2);
  });

  it("name the revision that was read, or any; another one than the endpoint's changes nothing", async () => {
    const { body } = await create(OPERATOR);
    const path = `/v1/webhook-endpoints/${body.id}`;
    const read = await call(OPERATOR, "GET", path);
    expect(read.headers.get("etag")).toBe('"1"');
    const patch = (ifMatch: string) =>
      call(OPERATOR, "PATCH", path, { description: ifMatch }, { "if-match": ifMatch });
    const changed = await patch('"1"');
    expect(changed).toMatchObject({ status: 200, body: { description: '"1"', revision: 2 } });
    expect(changed.headers.get("etag")).toBe('"2"');
    expect(await patch('"1"')).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    expect(await patch("1")).toMatchObject({ status: 400 });
    expect(kept()[0]).toMatchObject({ description: '"1"', revision: 2 });
    expect((await call(OPERATOR, "PATCH", path, { description: "any" })).status).toBe(200);
  });

  it("that the object did not hear of are said to be unfinished", async () => {
    start({ configure: async () => err(problem("unavailable", "no")) });
    const { body } = await create(OPERATOR);
    const changed = await call(OPERATOR, "PATCH", `/v1/webhook-endpoints/${body.id}`, { enabled: false });
    expect(changed).toMatchObject({
      status: 503,
      body: { detail: expect.stringContaining("Repeat the call") },
    });
  });

  it("rotation shows a new secret and keeps the one before for receivers to change over", async () => {
    const { body } = await create(OPERATOR);
    const path = `/v1/webhook-endpoints/${body.id}/rotate-secret`;
    const { body: second } = await call(OPERATOR, "POST", path);
    const record = kept()[0]!;
    const opened = (await secrets.open(record.id, record.secrets_sealed)).map(shownSecret);
    expect(opened).toEqual([second.secret, body.secret]);
    expect(second.secret).not.toBe(body.secret);
    expect(endpoints.calls.map(({ method }) => method)).toEqual(["configure"]);
  });

  it("deletion removes the object first, then the record; the record stays where the object did not answer", async () => {
    start({ remove: async () => err(problem("unavailable", "no")) });
    const { body } = await create(OPERATOR);
    expect((await call(OPERATOR, "DELETE", `/v1/webhook-endpoints/${body.id}`)).status).toBe(503);
    expect(kept()).toHaveLength(1);
    start();
    const again = await create(OPERATOR);
    expect((await call(OPERATOR, "DELETE", `/v1/webhook-endpoints/${again.body.id}`)).status).toBe(200);
    expect(kept()).toEqual([]);
    expect(endpoints.calls).toMatchObject([{ method: "remove" }]);
  });
});

describe("deliveries", () => {
  it("are listed a page at a time", async () => {
    const { body } = await create(OPERATOR);
    const path = `/v1/webhook-endpoints/${body.id}/deliveries`;
    expect((await call(OPERATOR, "GET", `${path}?limit=2&cursor=dlv_1`)).body).toEqual({ items: [] });
    expect((await call(OPERATOR, "GET", path)).status).toBe(200);
    expect(endpoints.calls.map(({ args }) => args)).toEqual([
      [{ limit: 2, cursor: "dlv_1" }],
      [{ limit: 50 }],
    ]);
    expect((await call(OPERATOR, "GET", `${path}?limit=201`)).status).toBe(400);
    expect((await call(OPERATOR, "GET", `${path}?page=2`)).status).toBe(400);
  });

  it("a test event is queued for this endpoint", async () => {
    const { body } = await create(OPERATOR, { events: ["grant.revoked"] });
    const queued = await call(OPERATOR, "POST", `/v1/webhook-endpoints/${body.id}/test`);
    expect(queued).toMatchObject({ status: 202, body: { delivery_id: "dlv_1" } });
    expect(endpoints.calls[0]!.args[1]).toMatchObject({
      type: "webhook.test",
      data: { endpoint_id: body.id },
    });
  });

  it("are sent again by their id alone", async () => {
    const { body } = await create(OPERATOR);
    const id = deliveryId(newId("dlv", NOW_MS), String(body.id));
    expect((await call(OPERATOR, "POST", `/v1/deliveries/${id}/redeliver`)).status).toBe(202);
    expect(endpoints.calls).toEqual([{ id: body.id, method: "redeliver", args: [id] }]);
  });

  it("no object is made for an id that was invented", async () => {
    const stranger = newId("whe", NOW_MS);
    const paths = [
      ["GET", `/v1/webhook-endpoints/${stranger}/deliveries`],
      ["POST", `/v1/webhook-endpoints/${stranger}/test`],
      ["DELETE", `/v1/webhook-endpoints/${stranger}`],
      ["GET", "/v1/webhook-endpoints/whe_1"],
      ["POST", `/v1/deliveries/${deliveryId(newId("dlv", NOW_MS), stranger)}/redeliver`],
      ["POST", "/v1/deliveries/dlv_1/redeliver"],
    ];
    for (const [method, path] of paths) {
      expect(await call(OPERATOR, method!, path!), path!).toMatchObject({
        status: 404,
        body: { code: "not_found" },
      });
    }
    expect(endpoints.calls).toEqual([]);
  });
});

describe("scopes", () => {
  const id = newId("whe", NOW_MS);
  const reads = [
    "/v1/webhook-endpoints",
    `/v1/webhook-endpoints/${id}`,
    `/v1/webhook-endpoints/${id}/deliveries`,
  ];
  const writes: [string, string, object?][] = [
    ["POST", "/v1/webhook-endpoints", CREATE],
    ["PATCH", `/v1/webhook-endpoints/${id}`, { enabled: false }],
    ["DELETE", `/v1/webhook-endpoints/${id}`],
    ["POST", `/v1/webhook-endpoints/${id}/rotate-secret`],
    ["POST", `/v1/webhook-endpoints/${id}/test`],
    ["POST", `/v1/deliveries/${deliveryId(newId("dlv", NOW_MS), id)}/redeliver`],
  ];
  const withScopes = (...scopes: string[]): Actor => ({ ...OPERATOR, scopes });

  it.each(reads)("GET %s needs webhooks:read", async (path) => {
    const refused = await call(withScopes("webhooks:write"), "GET", path);
    expect(refused).toMatchObject({
      status: 403,
      body: { code: "insufficient_scope", scope: "webhooks:read" },
    });
    expect([200, 404]).toContain((await call(withScopes("webhooks:read"), "GET", path)).status);
  });

  it.each(writes)("%s %s needs webhooks:write", async (method, path, body) => {
    const refused = await call(withScopes("webhooks:read"), method, path, body);
    expect(refused).toMatchObject({
      status: 403,
      body: { code: "insufficient_scope", scope: "webhooks:write" },
    });
    expect([201, 404]).toContain((await call(withScopes("webhooks:write"), method, path, body)).status);
  });
});

describe("how messages are signed", () => {
  it("with Ed25519 shows public keys, always, and never a secret; a rotation keeps the one before", async () => {
    const { status, body } = await create(OPERATOR, { signature: "ed25519" });
    expect(status).toBe(201);
    expect(body).toMatchObject({ signature: "ed25519", public_keys: [expect.stringMatching(/^whpk_/)] });
    expect(body).not.toHaveProperty("secret");
    const rotated = await call(OPERATOR, "POST", `/v1/webhook-endpoints/${body.id}/rotate-secret`);
    const [newest, before] = rotated.body.public_keys as string[];
    expect([before]).toEqual(body.public_keys);
    expect(newest).not.toBe(before);
    expect((await call(OPERATOR, "GET", `/v1/webhook-endpoints/${body.id}`)).body).toEqual(rotated.body);
    expect(JSON.stringify(kept())).not.toContain("whsec_");
  });

  it("lets only who shares a secret send decisions", async () => {
    const reviews_as = { roles: ["approver"] };
    expect((await create(OPERATOR, { signature: "ed25519", reviews_as })).status).toBe(400);
    const { body } = await create(OPERATOR, { signature: "ed25519" });
    const patched = await call(OPERATOR, "PATCH", `/v1/webhook-endpoints/${body.id}`, { reviews_as });
    expect(patched.status).toBe(409);
    expect((await create(OPERATOR, { signature: "hmac", reviews_as })).status).toBe(201);
    expect((await create(OPERATOR, { signature: "none" })).status).toBe(400);
  });
});

describe("Slack endpoints", () => {
  const HOOK = "https://hooks.slack.com/services/T1/B1/x";
  const approvers = { UBOB: { subject: "demo|bob", roles: ["approver"] } };
  const signing_secret = "8f742231b10e8888abcd99yyyzzz85a5";

  it("send to Slack alone, the bot's token to one address", async () => {
    const bot = { bot_token: "xoxb-1", channel: "C1" };
    const post = "https://slack.com/api/chat.postMessage";
    expect((await create(OPERATOR, { url: HOOK, slack: {} })).status).toBe(201);
    expect((await create(OPERATOR, { url: post, slack: bot })).status).toBe(201);
    for (const [url, slack] of [
      [post, {}],
      [HOOK, bot],
      ["https://slack.com/api/auth.revoke", bot],
      ["https://slack.com.evil.example/api/chat.postMessage", bot],
      ["https://hooks.slack.com.evil.example/services/x", {}],
      ["https://hooks.example.com/", {}],
      ["http://127.0.0.1:9/", {}],
    ]) {
      expect((await create(OPERATOR, { url, slack })).status, String(url)).toBe(400);
    }
    const { body } = await create(OPERATOR, { url: post, slack: bot });
    const path = `/v1/webhook-endpoints/${body.id}`;
    expect((await call(OPERATOR, "PATCH", path, { url: "https://hooks.example.com/" })).status).toBe(400);
    // Without the bot's token the address is no longer one for it.
    expect((await call(OPERATOR, "PATCH", path, { slack: {} })).status).toBe(400);
    expect((await call(OPERATOR, "PATCH", path, { slack: {}, url: HOOK })).status).toBe(200);
    expect((await call(OPERATOR, "POST", `${path}/rotate-secret`)).status).toBe(409);
  });

  it("hand an approver's authority out as reviews_as does: only one's own without policy:write", async () => {
    const slack = { signing_secret, approvers };
    expect((await create(BOB, { url: HOOK, slack })).status).toBe(201);
    const eve = { UEVE: { subject: "demo|eve", roles: [] } };
    const lead = { UBOB: { subject: "demo|bob", roles: ["lead"] } };
    for (const foreign of [eve, lead]) {
      const refused = await create(BOB, { url: HOOK, slack: { signing_secret, approvers: foreign } });
      expect(refused.status).toBe(403);
      expect(
        (await create(OPERATOR, { url: HOOK, slack: { signing_secret, approvers: foreign } })).status,
      ).toBe(201);
    }
    const { body } = await create(OPERATOR, { url: HOOK, slack: { signing_secret, approvers: eve } });
    const path = `/v1/webhook-endpoints/${body.id}`;
    expect((await call(BOB, "PATCH", path, { enabled: true })).status).toBe(403);
    expect((await call(BOB, "PATCH", path, { description: "x" })).status).toBe(200);
  });

  it("stay what they were made as", async () => {
    const plain = (await create(OPERATOR)).body;
    expect((await call(OPERATOR, "PATCH", `/v1/webhook-endpoints/${plain.id}`, { slack: {} })).status).toBe(
      409,
    );
    const chat = (await create(OPERATOR, { url: HOOK, slack: {} })).body;
    const reviews_as = { roles: ["approver"] };
    const patched = await call(OPERATOR, "PATCH", `/v1/webhook-endpoints/${chat.id}`, { reviews_as });
    expect(patched.status).toBe(409);
    expect((await create(OPERATOR, { url: HOOK, slack: {}, reviews_as })).status).toBe(400);
  });
});

describe("dead letters", () => {
  it("are asked for again from a moment on", async () => {
    start({ redeliverDead: async (sinceMs) => ok({ redelivered: sinceMs, remaining: 0 }) });
    const { body } = await create(OPERATOR);
    const path = `/v1/webhook-endpoints/${body.id}/redeliver`;
    expect(await call(OPERATOR, "POST", path, { since: 1_800_000_000.5 })).toMatchObject({
      status: 202,
      body: { redelivered: 1_800_000_000_500 },
    });
    for (const wrong of [
      ...[{}, { since: -1 }, { since: "now" }, { since: 1, all: true }],
      ...[{ deliveries: [] }, { deliveries: ["dlv_1"], since: 1 }, { deliveries: [1] }],
      { deliveries: Array.from({ length: 201 }, (_, i) => `dlv_${i}`) },
    ]) {
      expect((await call(OPERATOR, "POST", path, wrong)).status).toBe(400);
    }
    expect((await call({ ...OPERATOR, scopes: ["webhooks:read"] }, "POST", path, { since: 1 })).status).toBe(
      403,
    );
    expect((await call(OPERATOR, "POST", "/v1/webhook-endpoints/whe_1/redeliver", { since: 1 })).status).toBe(
      404,
    );
  });

  it("are counted without being sent, and chosen ones are sent whatever became of them", async () => {
    start({
      countDead: async (sinceMs) => ok({ redelivered: sinceMs, remaining: 1 }),
      redeliverEach: async (ids) => ok({ redelivered: ids.length, remaining: 0 }),
    });
    const { body } = await create(OPERATOR);
    const path = `/v1/webhook-endpoints/${body.id}/redeliver`;
    expect(await call(OPERATOR, "POST", `${path}?dry_run=true`, { since: 2 })).toMatchObject({
      status: 200,
      body: { dry_run: true, redelivered: 2000, remaining: 1 },
    });
    const deliveries = ["dlv_1", "dlv_2"];
    expect(await call(OPERATOR, "POST", path, { deliveries })).toMatchObject({
      status: 202,
      body: { redelivered: 2, remaining: 0 },
    });
    expect((await call(OPERATOR, "POST", `${path}?dry_run=true`, { deliveries })).status).toBe(400);
    expect(endpoints.calls.map(({ method }) => method)).toEqual(["countDead", "redeliverEach"]);
  });
});
