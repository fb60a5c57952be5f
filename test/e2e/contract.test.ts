import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Call } from "../../src/local/http-call.ts";
import { ask, hold, ORDERS, review } from "../support/access.ts";
import { bodyOf, type Receipt } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { sendDecision } from "../support/signed-decision.ts";
import { type Stand, standUp } from "../support/stand.ts";

let stand: Stand;
let receiver: Receiver;

beforeAll(async () => {
  stand = await standUp();
  receiver = await Receiver.start();
});

afterAll(async () => {
  await stand?.stop();
  await receiver?.close();
});

type Page = { items: { id?: string; version?: number }[]; next_cursor?: string };

const REVOCATION = { match: { jti: "tok_nobody" }, reason: "a test" };
const CLIENT = { name: "a client", scopes: ["requests:read"], roles: ["developer"] };
const HOOK = { url: "http://127.0.0.1:9/hook", events: ["grant.*"] };

/** Every call that takes a JSON body, with one that is good and the members that are not the caller's to set. */
function writes(): { path: string; call: Call; json: object; foreign: string[] }[] {
  const { requester, approver, gate } = stand;
  const operator = { token: gate.operator };
  const policy = { ...operator, method: "PUT", headers: { "if-match": '"0"' } };
  return [
    {
      path: "/v1/access-requests",
      call: requester,
      json: ORDERS,
      foreign: [
        "id",
        "requester",
        "subject",
        "client_id",
        "state",
        "decided",
        "rule",
        "stages",
        "decided_by",
        "audience",
      ],
    },
    {
      path: "/v1/access-requests/req_00000000000000000000000000/reviews",
      call: approver,
      json: { outcome: "deny" },
      foreign: ["approver", "reviewer", "roles", "via", "id", "reviewed_at", "state", "stage", "leaves"],
    },
    {
      path: "/v1/grants/grt_00000000000000000000000000/revoke",
      call: operator,
      json: { reason: "x" },
      foreign: ["by", "at", "receipt"],
    },
    {
      path: "/v1/grants/grt_00000000000000000000000000/extend",
      call: requester,
      json: { duration_seconds: 60, justification: "x" },
      foreign: ["id", "subject", "access_expiry", "rule"],
    },
    {
      path: "/v1/revocations",
      call: operator,
      json: REVOCATION,
      foreign: ["id", "actor", "created_at", "seq", "lifted_at"],
    },
    {
      path: "/v1/clients",
      call: operator,
      json: CLIENT,
      foreign: ["id", "client_id", "secret_hashes", "client_secret", "created_by"],
    },
    {
      path: "/v1/webhook-endpoints",
      call: operator,
      json: HOOK,
      foreign: ["id", "secret", "secrets_sealed", "enabled", "revision"],
    },
    {
      path: "/v1/webhook-endpoints/whe_00000000000000000000000000",
      call: { ...operator, method: "PATCH" },
      json: { enabled: true },
      foreign: ["id", "secrets_sealed", "revision"],
    },
    { path: "/v1/policy", call: policy, json: {}, foreign: ["version", "created_by", "bypass"] },
    { path: "/v1/policy/check", call: operator, json: {}, foreign: ["bypass"] },
  ];
}

describe("bodies", () => {
  it("refuse members that are not known, by name, and with them those that are not the caller's to set", async () => {
    const { gate } = stand;
    for (const { path, call, json, foreign } of writes()) {
      for (const member of [...foreign, "constructor", "__proto__"]) {
        const answer = await gate.call(path, { ...call, json: { ...json, [member]: "operator" } });
        expect(answer, `${path}: ${member}`).toMatchObject({ status: 400, body: { code: "invalid_body" } });
        expect(JSON.stringify((answer.body as { faults: string[] }).faults), `${path}: ${member}`).toContain(
          member,
        );
      }
      // The neighbour: without it, the body is not what is wrong.
      const neighbour = await gate.call(path, { ...call, json });
      expect([200, 201, 404, 412], path).toContain(neighbour.status);
    }
  });

  it("refuse unknown members at any depth, also in signed decisions and at the token endpoint", async () => {
    const { gate, requester } = stand;
    const nested: [string, object, string][] = [
      ["/v1/revocations", { ...REVOCATION, match: { jti: "tok_x", subject: "y" } }, "subject"],
      ["/v1/webhook-endpoints", { ...HOOK, reviews_as: { roles: ["approver"], scopes: ["x"] } }, "scopes"],
      [
        "/v1/policy/check",
        { roles: { developer: { scopes: [], inherits: "x" } } },
        "roles.developer.inherits",
      ],
    ];
    for (const [path, json, member] of nested) {
      const answer = await gate.asOperator(path, { json });
      expect(answer, path).toMatchObject({ status: 400, body: { code: "invalid_body" } });
      expect(JSON.stringify(answer.body), path).toContain(member);
    }

    const endpoint = await gate.newEndpoint({ url: HOOK.url, reviews_as: { roles: ["approver"] } });
    const { id } = await ask(gate, requester.token);
    const decision = { access_request_id: id, approver: "somebody", outcome: "deny" };
    const refused = await sendDecision(gate, endpoint, { ...decision, roles: ["approver"] });
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_body" } });
    expect(JSON.stringify(refused.body)).toContain("roles");
    expect((await sendDecision(gate, endpoint, decision)).status).toBe(200);

    const form = { grant_type: "client_credentials" };
    expect(
      await gate.call("/oauth/token", { client: requester, form: { ...form, subject: "operator" } }),
    ).toMatchObject({
      status: 400,
      body: { error: "invalid_request", error_description: expect.stringContaining("subject") },
    });
    expect((await gate.call("/oauth/token", { client: requester, form })).status).toBe(200);
  });

  it("are refused where a call takes none", async () => {
    const { gate, requester } = stand;
    const operator = { token: gate.operator };
    const calls: [string, { token: string }][] = [
      ["/v1/access-requests/req_00000000000000000000000000/cancel", requester],
      ["/v1/access-requests/req_00000000000000000000000000/token", requester],
      ["/v1/webhook-endpoints/whe_00000000000000000000000000/rotate-secret", operator],
      ["/v1/webhook-endpoints/whe_00000000000000000000000000/test", operator],
      ["/v1/deliveries/dlv_00000000000000000000000000/redeliver", operator],
      ["/v1/policy/versions/999/activate", operator],
      ["/v1/clients/cli_00000000000000000000000000/rotate-secret", operator],
    ];
    for (const [path, { token }] of calls) {
      const refused = await gate.call(path, { token, json: { force: true } });
      expect(refused, path).toMatchObject({ status: 400, body: { code: "invalid_body" } });
      expect(JSON.stringify(refused.body), path).toContain("force");
      expect((await gate.call(path, { token, json: {} })).status, path).toBe(404);
      expect((await gate.call(path, { token, method: "POST" })).status, path).toBe(404);
    }
  });

  it("must be JSON, and say so", async () => {
    const { gate, requester } = stand;
    const authorization = `Bearer ${requester.token}`;
    const json = { authorization, "content-type": "application/json" };
    const path = "/v1/access-requests";
    for (const text of ["{", "", "nonsense", '{"resource":']) {
      const answer = await gate.postText(path, text, json);
      expect(answer, text).toMatchObject({ status: 400, body: { code: "invalid_body" } });
    }
    for (const text of ["null", "[]", '"x"', "42"]) {
      expect(await gate.postText(path, text, json), text).toMatchObject({
        status: 400,
        body: { code: "invalid_body" },
      });
    }
    const plain = await gate.postText(path, JSON.stringify(ORDERS), {
      authorization,
      "content-type": "text/plain",
    });
    expect([400, 415]).toContain(plain.status);
    expect((await gate.postText(path, JSON.stringify(ORDERS), json)).status).toBe(201);
    const large = JSON.stringify({ ...ORDERS, justification: "x".repeat(1024 * 1024) });
    expect(await gate.postText(path, large, json)).toMatchObject({
      status: 413,
      body: { code: "body_too_large" },
    });
  });
});

describe("Idempotency-Key", () => {
  it("makes one thing of many equal calls, and refuses another body under the same key", async () => {
    const { gate, requester } = stand;
    const creates: [string, { token: string }, object, object][] = [
      ["/v1/access-requests", requester, ORDERS, { ...ORDERS, justification: "another" }],
      ["/v1/revocations", { token: gate.operator }, REVOCATION, { ...REVOCATION, reason: "another" }],
      ["/v1/clients", { token: gate.operator }, CLIENT, { ...CLIENT, name: "another" }],
      ["/v1/webhook-endpoints", { token: gate.operator }, HOOK, { ...HOOK, events: ["*"] }],
    ];
    for (const [path, { token }, json, other] of creates) {
      const post = (key: string, body: object) =>
        gate.call(path, { token, json: body, headers: { "idempotency-key": key } });
      const answers = await Promise.all(Array.from({ length: 8 }, () => post(`key-${path}`, json)));
      const first = bodyOf<{ id: string }>(answers[0]!, 201);
      for (const answer of answers) expect(bodyOf(answer, 201), path).toMatchObject({ id: first.id });
      expect(bodyOf(await post(`key-${path}`, json), 201), path).toMatchObject({ id: first.id });
      expect(await post(`key-${path}`, other), path).toMatchObject({
        status: 409,
        body: { code: "idempotency_mismatch" },
      });
      expect(bodyOf<{ id: string }>(await post(`key-2-${path}`, json), 201).id, path).not.toBe(first.id);
      expect((await post("no spaces", json)).status, path).toBe(400);
      const { items } = bodyOf<Page>(await gate.call(`${path}?limit=200`, { token }), 200);
      expect(
        items.filter(({ id }) => id === first.id),
        path,
      ).toHaveLength(1);
    }
  });

  it("answers a revocation's first receipt, also in another second", async () => {
    const headers = { "idempotency-key": "dated" };
    const revoke = () => stand.gate.asOperator("/v1/revocations", { json: REVOCATION, headers });
    const first = bodyOf<Receipt>(await revoke(), 201);
    await sleep(1000 - (Date.now() % 1000));
    expect(bodyOf(await revoke(), 201)).toEqual(first);
  });

  it("shows a client's secret once, and belongs to whom it comes from", async () => {
    const { gate, requester } = stand;
    const headers = { "idempotency-key": "once" };
    const secrets = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const answer = await gate.asOperator("/v1/clients", { json: CLIENT, headers });
        return bodyOf<{ client_secret?: string }>(answer, 201).client_secret;
      }),
    );
    expect(secrets.filter((secret) => secret !== undefined)).toHaveLength(1);
    const another = await gate.newPerson(["developer"], ["requests:create"]);
    const asked = async (token: string) =>
      bodyOf<{ id: string }>(await gate.call("/v1/access-requests", { token, json: ORDERS, headers }), 201)
        .id;
    expect(await asked(requester.token)).not.toBe(await asked(another.token));
  });
});

describe("PUT /v1/policy", () => {
  it("changes the version that was edited, and no other", async () => {
    const { gate } = stand;
    const current = await gate.asOperator("/v1/policy");
    const { version, document } = bodyOf<{ version: number; document: object }>(current, 200);
    expect(current.headers.get("etag")).toBe(`"${version}"`);
    const put = (ifMatch: string | undefined, json: object = document) =>
      gate.asOperator("/v1/policy", {
        method: "PUT",
        json,
        headers: ifMatch === undefined ? {} : { "if-match": ifMatch },
      });
    expect(await put(undefined)).toMatchObject({ status: 428, body: { code: "precondition_required" } });
    for (const bad of ["*", `${version}`, `"${version}", "9"`, '"x"'])
      expect((await put(bad)).status).toBe(400);
    const stale = { status: 412, body: { code: "precondition_failed", active_version: version } };
    expect(await put(`"${version - 1}"`)).toMatchObject(stale);
    expect(await put(`"${version + 1}"`)).toMatchObject(stale);

    const bad = await put(`"${version}"`, { ...document, routes: [{ id: "x", path: "no-slash" }] });
    expect(bad).toMatchObject({ status: 400, body: { code: "invalid_body", faults: expect.any(Array) } });
    expect(JSON.stringify(bad.body)).toContain("routes.0.path");
    expect(bodyOf(await gate.asOperator("/v1/policy"), 200)).toMatchObject({ version });

    const rivals = await Promise.all(Array.from({ length: 6 }, () => put(`"${version}"`)));
    const won = rivals.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(won[0]!.headers.get("etag")).toBe(`"${version + 1}"`);
    expect(won[0]!.body).toMatchObject({ version: version + 1, receipt: { seq: expect.any(Number) } });
    expect(rivals.filter(({ status }) => status === 412)).toHaveLength(5);

    const back = await gate.asOperator(`/v1/policy/versions/${version}/activate`, { method: "POST" });
    expect(back).toMatchObject({ status: 200, body: { version } });
    expect(await gate.asOperator("/v1/policy")).toMatchObject({ body: { version } });
    expect((await gate.asOperator("/v1/policy/versions/999/activate", { method: "POST" })).status).toBe(404);
  });
});

describe("lists", () => {
  it("are paged by a cursor: newest first, nothing twice, nothing left out, also while more is made", async () => {
    const { gate, approver } = stand;
    const requester = await gate.newPerson(["developer"], ["requests:create", "requests:read"]);
    const endpoint = await gate.newEndpoint(HOOK);
    const makers: [string, { token: string }, () => Promise<unknown>][] = [
      ["/v1/access-requests", requester, () => ask(gate, requester.token)],
      ["/v1/grants", requester, () => hold(gate, { requester, approver })],
      ["/v1/revocations", { token: gate.operator }, () => gate.revoke({ jti: "tok_listed" })],
      ["/v1/clients", { token: gate.operator }, () => gate.newClient({ scopes: [] })],
      ["/v1/webhook-endpoints", { token: gate.operator }, () => gate.newEndpoint(HOOK)],
      [
        `/v1/webhook-endpoints/${endpoint.id}/deliveries`,
        { token: gate.operator },
        () => gate.asOperator(`/v1/webhook-endpoints/${endpoint.id}/test`, { method: "POST" }),
      ],
      ["/v1/policy/versions", { token: gate.operator }, () => putAgain()],
    ];
    for (const [path, { token }, make] of makers) {
      for (let i = 0; i < 5; i++) await make();
      const page = async (query: string) => bodyOf<Page>(await gate.call(`${path}?${query}`, { token }), 200);
      const all = (await page("limit=200")).items.map(nameOf);
      expect(all.length, path).toBeGreaterThanOrEqual(5);
      expect(new Set(all).size, path).toBe(all.length);
      const paged: string[] = [];
      let next: string | undefined;
      do {
        const { items, next_cursor } = await page(`limit=2${next ? `&cursor=${next}` : ""}`);
        expect(items.length, path).toBeLessThanOrEqual(2);
        paged.push(...items.map(nameOf));
        next = next_cursor;
        if (paged.length === 2) await make();
      } while (next);
      expect(paged, path).toEqual(all);
      for (const query of ["limit=0", "limit=201", "limit=x", "page=2"]) {
        expect(await gate.call(`${path}?${query}`, { token }), `${path}?${query}`).toMatchObject({
          status: 400,
          body: { code: "invalid_request" },
        });
      }
    }
  });

  it("show a state only to whom it still fits", async () => {
    const { gate, approver } = stand;
    const requester = await gate.newPerson(["developer"], ["requests:create", "requests:read"]);
    const pending = await ask(gate, requester.token);
    const denied = await ask(gate, requester.token);
    bodyOf(await review(gate, approver.token, denied.id, { outcome: "deny" }), 201);
    const listed = async (state: string) => {
      const { items } = bodyOf<Page>(await gate.call(`/v1/access-requests?state=${state}`, requester), 200);
      return items.map(nameOf);
    };
    expect(await listed("pending")).toEqual([pending.id]);
    expect(await listed("denied")).toEqual([denied.id]);
    expect(await listed("approved")).toEqual([]);
  });
});

function nameOf({ id, version }: Page["items"][number]): string {
  return id ?? String(version);
}

async function putAgain(): Promise<unknown> {
  const { document } = bodyOf<{ document: object }>(await stand.gate.asOperator("/v1/policy"), 200);
  return stand.gate.putPolicy(document);
}
