import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import type { Actor, HttpEnv } from "../../src/platform/http.ts";
import { creationIds } from "../../src/platform/idempotency.ts";
import { newId } from "../../src/platform/ids.ts";
import { objectPort } from "../../src/platform/rpc.ts";
import { type PolicyDocument, policySchema } from "../../src/policy/document.ts";
import { SCHEMA_FINGERPRINT } from "../../src/policy/schema-fingerprint.ts";
import { sha256Hex } from "../../src/protocol/encoding.ts";
import { ok } from "../../src/protocol/result.ts";
import type { ClientRecord } from "../../src/registry/client.ts";
import { type ClientPort, clientRoutes } from "../../src/registry/client-routes.ts";
import { type PolicyPort, policyRoutes } from "../../src/registry/policy-routes.ts";
import type { RegistryObject } from "../../src/registry/registry-object.ts";
import type { LogObject } from "../../src/replication/log-object.ts";
import type { EndpointRecord, RegistryPort } from "../../src/webhooks/endpoint.ts";
import { expectValue, remote } from "../support/remote.ts";

const ISSUER = "https://auth.example.com";
const log = remote<LogObject>(env.LOG.getByName("main"));
let count = 0;

const newName = () => `registry-${count++}`;

/** A registry of its own, with its stub for `cloudflare:test`. */
function newRegistry() {
  const stub = env.REGISTRY.getByName(newName());
  return Object.assign(remote<RegistryObject>(stub), { stub });
}

const written = (path: string) => ({
  origins: { api: { url: "https://api.internal.example", audience: "api" } },
  routes: [{ id: "a", path, origin: "api", access: "public" }],
});
const documentOf = (path: string): PolicyDocument => policySchema.parse(written(path));
const change = (path: string, if_match: number) => ({
  id: newId("log", Date.now()),
  document: documentOf(path),
  if_match,
  actor: "operator",
});

/** Makes the log refuse the entry `id` for as long as the returned function is not called. */
async function blockLog(id: string) {
  await log.append({ id, kind: "revocation.lifted", revocation_id: "rev_none", actor: "test" });
  return () =>
    runInDurableObject(env.LOG.getByName("main"), (_object, { storage }) => {
      storage.sql.exec("DELETE FROM entries WHERE id = ?", id);
    });
}

/** Runs what waits in the outbox now, whatever its next attempt. */
async function deliver(stub: DurableObjectStub<RegistryObject>) {
  await runInDurableObject(stub, (_object, { storage }) => {
    storage.sql.exec("UPDATE outbox SET next_at_ms = 0");
  });
  await runDurableObjectAlarm(stub);
}

const entriesAfter = async (seq: number) => {
  const delta = expectValue(await log.since(seq));
  if (delta.too_old) throw new Error("too old");
  return delta.entries.map(({ entry }) => entry);
};
const headSeq = async () => {
  const delta = expectValue(await log.since(0));
  return delta.too_old ? 0 : delta.head_seq;
};

describe("policy versions", () => {
  it("begin with the empty one, which is version 0", async () => {
    const registry = newRegistry();
    expect(await registry.activePolicy()).toMatchObject({ value: { version: 0, document: { routes: [] } } });
    expect(await registry.policyVersions({ limit: 10 })).toEqual({ ok: true, value: { items: [] } });
    expect(await registry.policyVersion(0)).toMatchObject({ error: { code: "not_found" } });
  });

  it("come into force with the log's receipt, and reach the log whole", async () => {
    const registry = newRegistry();
    const before = await headSeq();
    const first = change("/one", 0);
    const put = expectValue(await registry.putPolicy(first));
    expect(put).toMatchObject({ version: 1, receipt: { id: first.id } });
    expect(put.receipt.effective_by.bounded).toBeGreaterThan(put.receipt.accepted_at);
    expect(await entriesAfter(before)).toEqual([
      {
        ...{ id: first.id, kind: "policy.activated" },
        ...{ version: 1, document: first.document, schema: SCHEMA_FINGERPRINT },
      },
    ]);
    expect(await registry.activePolicy()).toEqual({
      ok: true,
      value: { version: 1, document: first.document },
    });
  });

  it("are put over the version that was edited only, and once for each id", async () => {
    const registry = newRegistry();
    const first = change("/one", 0);
    const put = await registry.putPolicy(first);
    expect(await registry.putPolicy(first)).toEqual(put);
    expect(await registry.putPolicy(change("/other", 0))).toMatchObject({
      error: { code: "precondition_failed", extra: { active_version: 1 } },
    });
    expect(await registry.putPolicy(change("/other", 2))).toMatchObject({
      error: { code: "precondition_failed" },
    });
    expect(await registry.putPolicy(change("/two", 1))).toMatchObject({ value: { version: 2 } });
    expect(await registry.activePolicy()).toMatchObject({
      value: { version: 2, document: documentOf("/two") },
    });
  });

  it("of two that were edited from the same one, one wins", async () => {
    const registry = newRegistry();
    const results = await Promise.all(["/a", "/b", "/c"].map((path) => registry.putPolicy(change(path, 0))));
    expect(results.filter((result) => result.ok)).toHaveLength(1);
    expect(await registry.policyVersions({ limit: 10 })).toMatchObject({
      value: { items: [{ version: 1 }] },
    });
  });

  it("can be gone back to", async () => {
    const registry = newRegistry();
    await registry.putPolicy(change("/one", 0));
    const second = expectValue(await registry.putPolicy(change("/two", 1)));
    const back = { id: newId("log", Date.now()), version: 1, actor: "olivia" };
    const activated = expectValue(await registry.activatePolicyVersion(back));
    expect(activated).toMatchObject({ version: 1, receipt: { id: back.id } });
    expect(activated.receipt.seq).toBeGreaterThan(second.receipt.seq);
    expect(await registry.activatePolicyVersion(back)).toEqual(ok(activated));
    expect(await registry.activatePolicyVersion({ ...back, id: "log_again" })).toEqual(ok(activated));
    expect(await registry.activePolicy()).toMatchObject({
      value: { version: 1, document: documentOf("/one") },
    });
    expect(await registry.activatePolicyVersion({ ...back, version: 9 })).toMatchObject({
      error: { code: "not_found" },
    });
    expect(await registry.putPolicy(change("/three", 2))).toMatchObject({
      error: { code: "precondition_failed" },
    });
    expect(await registry.putPolicy(change("/three", 1))).toMatchObject({ value: { version: 3 } });
  });

  it("are listed newest first, page by page, with who wrote them", async () => {
    const registry = newRegistry();
    for (const version of [0, 1, 2]) await registry.putPolicy(change(`/${version}`, version));
    const page = expectValue(await registry.policyVersions({ limit: 2 }));
    expect(page).toMatchObject({
      items: [
        { version: 3, active: true, created_by: "operator" },
        { version: 2, active: false },
      ],
      next_cursor: "2",
    });
    expect(page.items[0]).not.toHaveProperty("document");
    expect(await registry.policyVersions({ limit: 2, before: 2 })).toMatchObject({
      value: { items: [{ version: 1 }] },
    });
    expect(expectValue(await registry.policyVersions({ limit: 3 }))).not.toHaveProperty("next_cursor");
    expect(await registry.policyVersion(1)).toMatchObject({
      value: { active: false, document: documentOf("/0") },
    });
  });

  it("that are larger than a row of storage are refused", async () => {
    const registry = newRegistry();
    const document = documentOf("/one");
    document.roles = { r: { scopes: Array.from({ length: 12_000 }, () => "é".repeat(64)) } };
    const large = { ...change("/one", 0), document };
    expect(await registry.putPolicy(large)).toMatchObject({ error: { code: "body_too_large" } });
    document.roles = { r: { scopes: Array.from({ length: 10_000 }, () => "é".repeat(64)) } };
    expect(await registry.putPolicy(large)).toMatchObject({ value: { version: 1 } });
  });

  it("stand without the log, are not acknowledged, and take effect when it answers", async () => {
    const registry = newRegistry();
    const first = change("/one", 0);
    const unblock = await blockLog(first.id);
    const put = await registry.putPolicy(first);
    expect(put).toMatchObject({ ok: false, error: { code: "unavailable" } });
    expect(put.ok || put.error.detail).toContain("The policy is stored as version 1.");
    expect(await registry.activePolicy()).toMatchObject({ value: { version: 1 } });
    await evictDurableObject(registry.stub);
    await unblock();
    await deliver(registry.stub);
    expect(await registry.putPolicy(first)).toMatchObject({
      value: { version: 1, receipt: { id: first.id } },
    });
    expect(await registry.sweep()).toMatchObject(ok({ outbox_rows: 0 }));
  });

  it("that were stored before a member had its default are read with it", async () => {
    const registry = newRegistry();
    await registry.putPolicy(change("/old", 0));
    await runInDurableObject(registry.stub, (_object, { storage }) => {
      const { sql } = storage;
      sql.exec(
        "UPDATE policy_versions SET schema = 'older', document = json_remove(document, '$.routes[0].credential')",
      );
    });
    await evictDurableObject(registry.stub);
    const document = documentOf("/old");
    expect(document.routes[0]?.credential).toEqual([{ from: "authorization" }]);
    expect(await registry.activePolicy()).toEqual({ ok: true, value: { version: 1, document } });
    expect(await registry.policyVersion(1)).toMatchObject({ value: { document } });
  });

  it("survive eviction", async () => {
    const registry = newRegistry();
    const put = change("/one", 0);
    const answered = await registry.putPolicy(put);
    await evictDurableObject(registry.stub);
    expect(await registry.activePolicy()).toMatchObject({
      value: { version: 1, document: documentOf("/one") },
    });
    expect(await registry.putPolicy(put)).toEqual(answered);
  });
});

const client = (over: Partial<ClientRecord> = {}): ClientRecord => ({
  id: newId("cli", Date.now() + count++),
  name: "batch",
  auth_method: "client_secret",
  secret_hashes: ["h1"],
  grant_types: ["client_credentials"],
  scopes: ["orders:read"],
  roles: [],
  created_at: 1,
  created_by: "operator",
  revision: 1,
  ...over,
});

describe("clients", () => {
  it("are created once for each id", async () => {
    const registry = newRegistry();
    const record = client();
    expect(await registry.client(record.id)).toMatchObject({ error: { code: "not_found" } });
    expect(await registry.createClient(record)).toEqual(ok(record));
    expect(await registry.createClient({ ...record, scopes: ["keys:rotate"] })).toEqual(ok(record));
    expect(await registry.client(record.id)).toEqual(ok(record));
  });

  it("are listed newest first, page by page", async () => {
    const registry = newRegistry();
    const records = [client(), client(), client()];
    for (const record of records) await registry.createClient(record);
    const page = expectValue(await registry.listClients({ limit: 2 }));
    expect(page.items).toEqual([records[2], records[1]]);
    const rest = await registry.listClients({ limit: 2, cursor: page.next_cursor! });
    expect(rest).toEqual(ok({ items: [records[0]] }));
  });

  it("keep two secrets through a rotation", async () => {
    const registry = newRegistry();
    const record = client();
    await registry.createClient(record);
    const rotate = (secret_hash: string) => registry.rotateClientSecret({ id: record.id, secret_hash });
    expect(await rotate("h2")).toEqual(ok({ ...record, secret_hashes: ["h2", "h1"], revision: 2 }));
    expect(await rotate("h2")).toEqual(ok({ ...record, secret_hashes: ["h2", "h1"], revision: 2 }));
    expect(await rotate("h3")).toEqual(ok({ ...record, secret_hashes: ["h3", "h2"], revision: 3 }));
    expect(await registry.client(record.id)).toMatchObject({ value: { secret_hashes: ["h3", "h2"] } });
    expect(await registry.rotateClientSecret({ id: "cli_none", secret_hash: "h" })).toMatchObject({
      error: { code: "not_found" },
    });
  });

  it("take their tokens with them, and never come back", async () => {
    const registry = newRegistry();
    const [record, other] = [client(), client()];
    await registry.createClient(record);
    await registry.createClient(other);
    const before = await headSeq();
    const deleted = expectValue(await registry.deleteClient({ id: record.id, actor: "olivia" }));
    expect(await entriesAfter(before)).toMatchObject([
      {
        id: deleted.receipt.id,
        kind: "revocation.added",
        rule: { match: { client_id: record.id }, reason: "client deleted", actor: "olivia" },
      },
    ]);
    const stored = expectValue(await log.revocation(deleted.receipt.id));
    expect(stored).not.toHaveProperty("expires_at");
    expect(await registry.client(record.id)).toMatchObject({ error: { code: "not_found" } });
    expect(await registry.listClients({ limit: 9 })).toEqual(ok({ items: [other] }));
    expect(await registry.deleteClient({ id: record.id, actor: "olivia" })).toEqual(ok(deleted));
    expect(await registry.createClient(record)).toMatchObject({ error: { code: "gone" } });
    expect(await registry.deleteClient({ id: "cli_none", actor: "olivia" })).toMatchObject({
      error: { code: "not_found" },
    });
  });
});

const endpoint = (over: Partial<EndpointRecord> = {}): EndpointRecord => ({
  id: newId("whe", Date.now() + count++),
  url: "https://hooks.example.com/in",
  events: ["*"],
  secrets_sealed: ["s1"],
  enabled: true,
  created_at: 1,
  revision: 1,
  ...over,
});

describe("webhook endpoints", () => {
  it("are kept as their room expects it", async () => {
    const registry = objectPort<RegistryPort>(env.REGISTRY, newName());
    const record = endpoint();
    expect(await registry.createEndpoint(record)).toEqual(ok(record));
    expect(await registry.createEndpoint({ ...record, url: "https://x.test" })).toEqual(ok(record));
    const changed = { ...record, description: "chat", revision: 2 };
    expect(await registry.updateEndpoint(record.id, { description: "chat" })).toEqual(ok(changed));
    expect(await registry.updateEndpoint(record.id, { description: "lost" }, 1)).toMatchObject({
      error: { code: "precondition_failed", extra: { revision: 2 } },
    });
    const rotated = { ...changed, secrets_sealed: ["s2", "s1"], revision: 3 };
    expect(await registry.rotateEndpointSecret(record.id, "s2")).toEqual(ok(rotated));
    expect(await registry.endpoint(record.id)).toEqual(ok(rotated));
    expect(await registry.listEndpoints({ limit: 5 })).toEqual(ok({ items: [rotated] }));
    expect(await registry.deleteEndpoint(record.id)).toEqual(ok({ id: record.id }));
    expect(await registry.deleteEndpoint(record.id)).toEqual(ok({ id: record.id }));
    expect(await registry.listEndpoints({ limit: 5 })).toEqual(ok({ items: [] }));
    expect(await registry.createEndpoint(record)).toMatchObject({ error: { code: "gone" } });
    for (const answer of [
      registry.endpoint(record.id),
      registry.updateEndpoint(record.id, { enabled: true }),
      registry.rotateEndpointSecret(record.id, "s3"),
      registry.deleteEndpoint("whe_none"),
    ]) {
      expect(await answer).toMatchObject({ error: { code: "not_found" } });
    }
  });

  it("are found by event while they are enabled", async () => {
    const registry = newRegistry();
    const [all, family, exact, off, other] = [
      endpoint(),
      endpoint({ events: ["grant.*"] }),
      endpoint({ events: ["grant.revoked"] }),
      endpoint({ enabled: false }),
      endpoint({ events: ["access_request.*", "grant.expired"] }),
    ];
    for (const each of [all, family, exact, off, other]) await registry.createEndpoint(each);
    const ids = (await registry.endpointsFor("grant.revoked").then(expectValue)).map(({ id }) => id);
    expect(ids.toSorted()).toEqual([all.id, family.id, exact.id].toSorted());
  });

  it("decide while they are enabled and vouch for approvers", async () => {
    const registry = newRegistry();
    const reviews_as = { roles: ["approver"] };
    const deciding = endpoint({ reviews_as });
    for (const each of [endpoint(), deciding, endpoint({ reviews_as, enabled: false })]) {
      await registry.createEndpoint(each);
    }
    expect(await registry.decisionEndpoints()).toEqual(ok([deciding]));
    await registry.updateEndpoint(deciding.id, { reviews_as: null });
    expect(await registry.decisionEndpoints()).toEqual(ok([]));
  });
});

/** The room's HTTP in front of a new registry, for an actor with these scopes and roles. */
function http(scopes: string[], roles: string[] = [], name = newName()) {
  const actor: Actor = { subject: "corp|olivia", clientId: "cli_console", scopes, roles };
  const reserved = new Map<string, string>();
  const ids = creationIds(
    {
      reserve: async (key, _hash, id) => {
        if (!reserved.has(key)) reserved.set(key, id);
        return ok(reserved.get(key) as string);
      },
    },
    Date.now,
  );
  const app = new Hono<HttpEnv>()
    .use(async (c, next) => {
      c.set("requestId", "r1");
      c.set("actor", actor);
      await next();
    })
    .route(
      "/",
      policyRoutes({
        registry: objectPort<PolicyPort>(env.REGISTRY, name),
        clock: Date.now,
        issuer: ISSUER,
        local: false,
        simulate: async () => ok({ asks: [] }),
      }),
    )
    .route(
      "/",
      clientRoutes({
        registry: objectPort<ClientPort>(env.REGISTRY, name),
        ids,
        clock: Date.now,
        local: false,
      }),
    );
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const init = { method, headers: { "content-type": "application/json", ...headers } };
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const response = await app.request(path, body === undefined ? init : { ...init, body: text });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer };
  };
  return { call, name };
}

// biome-ignore lint/suspicious/noExplicitAny: an answer is looked into member by member
type Answer = any;

describe("/v1/policy", () => {
  const POLICY = ["policy:read", "policy:write"];

  it("is read, edited and put back", async () => {
    const { call } = http(POLICY);
    const empty = await call("GET", "/v1/policy");
    expect([empty.status, empty.headers.get("etag"), empty.body.version]).toEqual([200, '"0"', 0]);
    const put = await call("PUT", "/v1/policy", written("/one"), { "if-match": empty.headers.get("etag")! });
    expect([put.status, put.headers.get("etag")]).toEqual([200, '"1"']);
    expect(put.body).toMatchObject({ version: 1, receipt: { seq: expect.any(Number) } });
    const again = await call("GET", "/v1/policy");
    expect(again.body).toEqual({ version: 1, document: documentOf("/one") });
    const weak = await call("PUT", "/v1/policy", again.body.document, { "if-match": 'W/"1"' });
    expect([weak.status, weak.body.version]).toEqual([200, 2]);
    expect((await call("GET", "/v1/policy/versions/2")).body).toMatchObject({ created_by: "corp|olivia" });
  });

  it.each<[string, Record<string, string>, unknown, number, string]>([
    ["no If-Match", {}, written("/a"), 428, "precondition_required"],
    ["any version", { "if-match": "*" }, written("/a"), 400, "invalid_request"],
    ["a bare number", { "if-match": "0" }, written("/a"), 400, "invalid_request"],
    ["two versions", { "if-match": '"0", "1"' }, written("/a"), 400, "invalid_request"],
    ["another version", { "if-match": '"1"' }, written("/a"), 412, "precondition_failed"],
    [
      "a form",
      { "if-match": '"0"', "content-type": "text/plain" },
      written("/a"),
      415,
      "unsupported_media_type",
    ],
    ["no JSON", { "if-match": '"0"' }, "{", 400, "invalid_body"],
    ["no object", { "if-match": '"0"' }, "[]", 400, "invalid_body"],
    ["a member twice", { "if-match": '"0"' }, '{"routes":[],"routes":[]}', 400, "invalid_body"],
    ["a fault", { "if-match": '"0"' }, { routes: [{ id: "a" }] }, 400, "invalid_body"],
  ])("refuses %s without effect", async (_title, headers, body, status, code) => {
    const { call } = http(POLICY);
    const put = await call("PUT", "/v1/policy", body, headers);
    expect([put.status, put.body.code]).toEqual([status, code]);
    expect((await call("GET", "/v1/policy")).body.version).toBe(0);
    const good = await call("PUT", "/v1/policy", written("/a"), { "if-match": '"0"' });
    expect(good.status).toBe(200);
  });

  it("names every fault", async () => {
    const { call } = http(POLICY);
    const put = await call("PUT", "/v1/policy", { a: 1, origins: { o: { url: 5 } } }, { "if-match": '"0"' });
    expect(put.body.faults).toHaveLength(3);
  });

  it("is checked and compared without effect", async () => {
    const { call } = http(POLICY);
    await call("PUT", "/v1/policy", written("/one"), { "if-match": '"0"' });
    const changed = { ...written("/two"), roles: { dev: { scopes: ["a"] } } };
    const checked = await call("POST", "/v1/policy/check", changed);
    expect(checked.body).toMatchObject({
      valid: true,
      active_version: 1,
      changes: { routes: { changed: ["a"] }, roles: { added: ["dev"] }, origins: { changed: [] } },
    });
    // As it is kept once it is put: a text beside the one in force differs where the policy does.
    await call("PUT", "/v1/policy", changed, { "if-match": '"1"' });
    const kept = await call("GET", "/v1/policy");
    expect(JSON.stringify(checked.body.document)).toBe(JSON.stringify(kept.body.document));
    expect(checked.body.document).not.toEqual(changed);
    await call("POST", "/v1/policy/versions/1/activate");
    expect((await call("POST", "/v1/policy/check", { a: 1 })).body.faults).toEqual([
      "a: is not a member of this object",
    ]);
    expect((await call("GET", "/v1/policy")).body).toMatchObject({
      version: 1,
      document: documentOf("/one"),
    });
  });

  it("goes back to a version that is still acceptable", async () => {
    const { call, name } = http(POLICY);
    for (const [n, path] of ["/one", "/two"].entries()) {
      await call("PUT", "/v1/policy", written(path), { "if-match": `"${n}"` });
    }
    const back = await call("POST", "/v1/policy/versions/1/activate");
    expect([back.status, back.headers.get("etag"), back.body.version]).toEqual([200, '"1"', 1]);
    for (const n of ["0", "9", "01", "x", "1e1"]) {
      expect((await call("POST", `/v1/policy/versions/${n}/activate`)).status).toBe(404);
    }
    // Stored when the schema still allowed it.
    await runInDurableObject(env.REGISTRY.getByName(name), (_object, { storage }) => {
      storage.sql.exec("UPDATE policy_versions SET document = '{\"old\":1}' WHERE version = 2");
    });
    const old = await call("POST", "/v1/policy/versions/2/activate");
    expect([old.status, old.body.faults]).toEqual([409, ["old: is not a member of this object"]]);
    expect((await call("GET", "/v1/policy")).body.version).toBe(1);
  });

  it("lists versions", async () => {
    const { call } = http(POLICY);
    for (const n of [0, 1]) await call("PUT", "/v1/policy", written(`/${n}`), { "if-match": `"${n}"` });
    const page = await call("GET", "/v1/policy/versions?limit=1");
    expect(page.body).toMatchObject({ items: [{ version: 2, active: true }], next_cursor: "2" });
    const next = await call("GET", `/v1/policy/versions?limit=1&cursor=${page.body.next_cursor}`);
    expect(next.body).toMatchObject({ items: [{ version: 1 }] });
    expect((await call("GET", "/v1/policy/versions?limit=0")).status).toBe(400);
    expect((await call("GET", "/v1/policy/versions?page=1")).status).toBe(400);
  });

  it("serves its JSON Schema under its own address", async () => {
    const schema = await http(POLICY).call("GET", "/v1/policy/schema");
    expect(schema.headers.get("content-type")).toBe("application/schema+json");
    expect(schema.body.$id).toBe(`${ISSUER}/v1/policy/schema`);
  });

  it("is read by policy:read and changed by policy:write only", async () => {
    const reader = http(["policy:read"]);
    const writer = http(["policy:write"]);
    const nobody = http(["clients:write"]);
    for (const path of ["/v1/policy", "/v1/policy/versions", "/v1/policy/schema"]) {
      expect((await reader.call("GET", path)).status).toBe(200);
      expect((await writer.call("GET", path)).status).toBe(403);
    }
    const put = [written("/a"), { "if-match": '"0"' }] as const;
    expect((await reader.call("PUT", "/v1/policy", ...put)).status).toBe(403);
    expect((await writer.call("PUT", "/v1/policy", ...put)).status).toBe(200);
    expect((await reader.call("POST", "/v1/policy/versions/1/activate")).status).toBe(403);
    expect((await writer.call("POST", "/v1/policy/versions/1/activate")).status).toBe(200);
    expect((await reader.call("GET", "/v1/policy/versions/1")).status).toBe(404);
    for (const { call } of [reader, writer]) {
      expect((await call("POST", "/v1/policy/check", written("/a"))).status).toBe(200);
    }
    const refused = await nobody.call("POST", "/v1/policy/check", written("/a"));
    expect([refused.status, refused.body.code]).toEqual([403, "insufficient_scope"]);
  });
});

describe("/v1/clients", () => {
  const SCOPES = ["clients:write", "orders:read"];

  it("shows a secret once and keeps its hash", async () => {
    const { call, name } = http(SCOPES);
    const created = await call("POST", "/v1/clients", { name: "batch", scopes: ["orders:read"] });
    expect(created.status).toBe(201);
    const { id, client_id, client_secret } = created.body;
    expect(created.headers.get("location")).toBe(`/v1/clients/${id}`);
    expect(created.headers.get("cache-control")).toBe("no-store");
    expect([client_id, client_secret.length]).toEqual([id, 43]);
    const shown = {
      id,
      name: "batch",
      auth_method: "client_secret",
      scopes: ["orders:read"],
      created_by: "corp|olivia",
    };
    expect((await call("GET", `/v1/clients/${id}`)).body).toMatchObject(shown);
    const stored = await remote<RegistryObject>(env.REGISTRY.getByName(name)).client(id);
    expect(stored).toMatchObject({ value: { secret_hashes: [await sha256Hex(client_secret)] } });
    const list = await call("GET", "/v1/clients");
    expect(list.body).toMatchObject({ items: [shown] });
    expect(JSON.stringify([list.body, (await call("GET", `/v1/clients/${id}`)).body])).not.toMatch(
      /secret_hashes|"client_secret":/,
    );
  });

  it("rotates: the new secret is shown, the old one stays for one rotation", async () => {
    const { call, name } = http(SCOPES);
    const first = (await call("POST", "/v1/clients", { name: "batch" })).body;
    const rotated = await call("POST", `/v1/clients/${first.id}/rotate-secret`);
    expect(rotated.body).toMatchObject({ client_id: first.id, client_secret: expect.any(String) });
    const stored = await remote<RegistryObject>(env.REGISTRY.getByName(name)).client(first.id);
    expect(stored).toMatchObject({
      value: {
        secret_hashes: [await sha256Hex(rotated.body.client_secret), await sha256Hex(first.client_secret)],
      },
    });
  });

  it("gives no scope and no role that its creator does not have", async () => {
    const { call, name } = http(SCOPES, ["developer"]);
    const own = { name: "batch", scopes: ["orders:read", "clients:write"], roles: ["developer"] };
    expect((await call("POST", "/v1/clients", own)).status).toBe(201);
    const scope = await call("POST", "/v1/clients", { ...own, scopes: ["orders:read", "policy:write"] });
    expect([scope.status, scope.body.code, scope.body.scopes]).toEqual([403, "forbidden", ["policy:write"]]);
    const role = await call("POST", "/v1/clients", { ...own, roles: ["developer", "approver"] });
    expect([role.status, role.body.roles]).toEqual([403, ["approver"]]);
    expect((await call("GET", "/v1/clients")).body.items).toHaveLength(1);

    const operator = http([...SCOPES, "keys:rotate", "policy:write"], [], name);
    const strong = await operator.call("POST", "/v1/clients", {
      name: "ops",
      scopes: ["keys:rotate"],
      roles: ["approver"],
    });
    expect(strong.status).toBe(201);
    const stolen = await call("POST", `/v1/clients/${strong.body.id}/rotate-secret`);
    expect([stolen.status, stolen.body.client_secret]).toEqual([403, undefined]);
    expect((await operator.call("POST", `/v1/clients/${strong.body.id}/rotate-secret`)).status).toBe(200);
  });

  it("is changed by who may narrow it, and widened by who has what it then has", async () => {
    const { call, name } = http([...SCOPES, "keys:rotate"], ["developer"]);
    const { id } = (
      await call("POST", "/v1/clients", { name: "batch", scopes: ["keys:rotate", "orders:read"] })
    ).body;
    const weak = http(["clients:write"], [], name);
    const path = `/v1/clients/${id}`;
    expect((await weak.call("PATCH", path, { scopes: ["keys:rotate"], name: "less" })).body).toMatchObject({
      name: "less",
      scopes: ["keys:rotate"],
      disabled: false,
    });
    for (const change of [
      { scopes: ["keys:rotate", "orders:read"] },
      { roles: ["developer"] },
      { auth_method: "client_secret_basic" },
    ]) {
      expect((await weak.call("PATCH", path, change)).status).toBe(403);
      expect((await call("PATCH", path, change)).status).toBe(200);
    }
    const disabled = await weak.call("PATCH", path, { disabled: true });
    expect(disabled.body).toMatchObject({ disabled: true, receipt: { seq: expect.any(Number) } });
    expect((await weak.call("PATCH", path, { disabled: false })).status).toBe(403);
    expect((await call("PATCH", path, { disabled: false })).body).toMatchObject({ disabled: false });
    const jwks = { keys: [{ kty: "EC", crv: "P-256", x: "x", y: "y" }] };
    const keyed = { auth_method: "private_key_jwt", jwks };
    expect(await call("PATCH", path, keyed)).toMatchObject({ status: 409, body: { code: "conflict" } });
    expect(await call("PATCH", path, { jwks })).toMatchObject({ status: 400 });
    expect((await call("PATCH", path, { name: "x" }, { "if-match": '"1"' })).status).toBe(412);
    const { headers } = await call("GET", path);
    expect((await call("PATCH", path, { name: "x" }, { "if-match": headers.get("etag")! })).status).toBe(200);
    expect((await call("PATCH", path, { name: "y" }, { "if-match": "*" })).status).toBe(400);
  });

  it("takes nothing but what a client is registered with", async () => {
    const { call } = http(SCOPES);
    for (const over of [
      { id: "cli_x" },
      { secret_hashes: [] },
      { created_by: "x" },
      { client_secret: "x" },
    ]) {
      expect((await call("POST", "/v1/clients", { name: "batch", ...over })).status).toBe(400);
    }
    expect((await call("POST", "/v1/clients", { name: "batch" })).status).toBe(201);
  });

  it("creates once for one Idempotency-Key, and cannot show the secret again", async () => {
    const { call } = http(SCOPES);
    const key = { "idempotency-key": "k1" };
    const first = await call("POST", "/v1/clients", { name: "batch" }, key);
    const second = await call("POST", "/v1/clients", { name: "batch" }, key);
    expect([second.status, second.body.id]).toEqual([201, first.body.id]);
    expect(second.body).not.toHaveProperty("client_secret");
    expect((await call("GET", "/v1/clients")).body.items).toHaveLength(1);
  });

  it("deletes with a receipt", async () => {
    const { call } = http(SCOPES);
    const { id } = (await call("POST", "/v1/clients", { name: "batch" })).body;
    const deleted = await call("DELETE", `/v1/clients/${id}`);
    expect(deleted.body).toMatchObject({ id, receipt: { effective_by: { strict: expect.any(Number) } } });
    expect((await call("DELETE", `/v1/clients/${id}`)).body).toEqual(deleted.body);
    for (const [method, path] of [
      ["GET", id],
      ["POST", `${id}/rotate-secret`],
      ["GET", "operator"],
      ["DELETE", "x"],
    ]) {
      expect((await call(method!, `/v1/clients/${path}`)).status).toBe(404);
    }
  });

  it("needs clients:write for every call", async () => {
    const { call } = http(["policy:read", "policy:write"]);
    const { call: allowed } = http(["clients:write"]);
    const id = newId("cli", 1);
    const calls = [
      ["POST", "/v1/clients", 201],
      ["GET", "/v1/clients", 200],
      ["GET", `/v1/clients/${id}`, 404],
      ["DELETE", `/v1/clients/${id}`, 404],
      ["PATCH", `/v1/clients/${id}`, 404],
      ["POST", `/v1/clients/${id}/rotate-secret`, 404],
    ] as const;
    for (const [method, path, status] of calls) {
      const body =
        path === "/v1/clients" && method === "POST" ? { name: "batch" } : method === "PATCH" ? {} : undefined;
      expect((await call(method, path, body)).status).toBe(403);
      expect((await allowed(method, path, body)).status).toBe(status);
    }
  });
});
