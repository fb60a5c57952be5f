import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, collect, hold, ORDERS, review, revokeGrant, type ShownRequest } from "../support/access.ts";
import { AccessModel, schedule } from "../support/access-model.ts";
import { bodyOf, type Endpoint } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { type Stand, standUp } from "../support/stand.ts";

let stand: Stand;
let receiver: Receiver;
let endpoint: Endpoint;

beforeAll(async () => {
  stand = await standUp((policy) => ({
    ...policy,
    access_rules: policy.access_rules.map((rule) =>
      rule.id === "orders" ? { ...rule, max_uses: 40 } : rule,
    ),
  }));
  receiver = await Receiver.start();
  endpoint = await stand.gate.newEndpoint({ url: receiver.url, events: ["grant.*"] });
  receiver.trust(endpoint.secret);
});

afterAll(async () => {
  await stand?.stop();
  await receiver?.close();
});

const use = async (token: string) => (await stand.gate.call("/orders", { token })).status;
const grantOf = async (id: string) =>
  bodyOf<{ state: string; max_uses: number; uses_left?: number; used_up_at?: number }>(
    await stand.gate.asOperator(`/v1/grants/${id}`),
    200,
  );
const toldOf = (id: string) =>
  receiver.received
    .filter(({ data }) => (data as { access_request: { id: string } }).access_request.id === id)
    .map(({ type }) => type)
    .filter((type) => type === "grant.used_up");

describe("a grant with max_uses", () => {
  it("of one opens one request of fifty at once, and has ended then", async () => {
    const { gate, origin, requester } = stand;
    const held = await hold(gate, stand, { max_uses: 1 });
    const other = await collect(gate, requester.token, held.request);
    const before = origin.received.length;
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => use(i % 2 ? held.token : other)));
    expect(origin.received.length - before).toBe(1);
    expect(answers.filter((status) => status === 200)).toHaveLength(1);
    expect(answers.filter((status) => status === 403)).toHaveLength(49);
    await expect
      .poll(() => grantOf(held.grant), { timeout: 10_000 })
      .toMatchObject({
        state: "used_up",
        max_uses: 1,
        used_up_at: expect.any(Number),
      });
    await expect.poll(() => toldOf(held.request), { timeout: 10_000 }).toEqual(["grant.used_up"]);
    expect(
      await gate.call(`/v1/access-requests/${held.request}/token`, { method: "POST", ...requester }),
    ).toMatchObject({ status: 410, body: { state: "used_up" } });
    const listed = await gate.asOperator("/v1/grants?state=used_up");
    expect(bodyOf<{ items: { id: string }[] }>(listed, 200).items.map(({ id }) => id)).toEqual([held.grant]);
    expect(await gate.call("/orders", { token: held.token })).toMatchObject({
      status: 403,
      body: { code: "insufficient_scope", detail: expect.stringContaining("Every use") },
    });
    const revoke = { json: { reason: "late" } };
    expect(await gate.asOperator(`/v1/grants/${held.grant}/revoke`, revoke)).toMatchObject({ status: 410 });
    const extend = { token: requester.token, json: { duration_seconds: 60, justification: "more of it" } };
    expect(await gate.call(`/v1/grants/${held.grant}/extend`, extend)).toMatchObject({ status: 410 });
  });

  it("gives what the rule gives where nothing is asked for, and never more", async () => {
    const { gate, requester, approver, origin } = stand;
    const asked = await ask(gate, requester.token);
    expect(asked).toMatchObject({ max_uses: 40 });
    const narrowed = bodyOf<ShownRequest>(
      await review(gate, approver.token, asked.id, { max_uses: 12 }),
      201,
    );
    expect(narrowed.grant).toMatchObject({ max_uses: 12 });
    expect((await grantOf(narrowed.grant!.id)).uses_left).toBe(12);
    const token = await collect(gate, requester.token, asked.id);
    const before = origin.received.length;
    const answers = await Promise.all(Array.from({ length: 30 }, () => use(token)));
    expect(answers.filter((status) => status === 200)).toHaveLength(12);
    expect(origin.received.length - before).toBe(12);
    expect((await grantOf(narrowed.grant!.id)).uses_left).toBe(0);
    const tooMany = { token: requester.token, json: { ...ORDERS, max_uses: 41 } };
    expect(await gate.call("/v1/access-requests", tooMany)).toMatchObject({
      status: 400,
      body: { code: "invalid_request", max_uses: 40 },
    });
    const second = await ask(gate, requester.token, { max_uses: 2 });
    expect(await review(gate, approver.token, second.id, { max_uses: 3 })).toMatchObject({ status: 400 });
  });

  it("counts neither what was refused nor what nobody forwarded", async () => {
    const { gate, requester } = stand;
    const held = await hold(gate, stand, { max_uses: 2 });
    for (const path of ["/orders?access_token=x", "/nothing", "/vault"]) {
      expect((await gate.call(path, { token: held.token })).status).toBeGreaterThanOrEqual(400);
    }
    expect([await use(held.token), await use(held.token), await use(held.token)]).toEqual([200, 200, 403]);
    const another = await hold(gate, stand, { max_uses: 5 });
    expect(await use(another.token)).toBe(200);
    await revokeGrant(gate, another.grant, requester.token);
    await gate.call("/readyz");
    expect(await use(another.token)).toBe(401);
  });

  it("keeps its count when the machine dies", async () => {
    const { gate, runtime } = stand;
    const held = await hold(gate, stand, { max_uses: 3 });
    expect([await use(held.token), await use(held.token)]).toEqual([200, 200]);
    await runtime.kill();
    // A new isolate asks for patience, or knows what its location heard up to the bound ago.
    await expect.poll(() => use(held.token), { timeout: 10_000 }).toBe(200);
    expect([await use(held.token), await use(held.token)]).toEqual([403, 403]);
  });

  it("is told to its client alone by introspection: who takes it elsewhere cannot count", async () => {
    const { gate, requester } = stand;
    const held = await hold(gate, stand, { max_uses: 2 });
    const introspect = async (client: { id: string; secret: string }) =>
      bodyOf(await gate.call("/oauth/introspect", { client, form: { token: held.token } }), 200);
    expect(await introspect(requester)).toMatchObject({ active: true, max_uses: 2 });
    const server = await gate.newClient({ introspects: ["urn:portcullis:demo-origin"] });
    expect(await introspect(server)).toEqual({ active: false });
    expect(await use(held.token)).toBe(200);
  });
});

describe("grants that overlap", () => {
  it("open together what each of them opens, and none of them ends another", async () => {
    const { gate, requester } = stand;
    const tokenFor = (scope: string, token = requester.token) =>
      gate.call("/v1/grants/token", { token, json: { resource: "orders", scope } });
    const other = await gate.newPerson(["developer"], ["requests:create", "requests:read"]);
    const people = { requester: other, approver: stand.approver };
    expect(await tokenFor("orders:read", other.token)).toMatchObject({ status: 404 });
    const reading = await hold(gate, people, { max_uses: 10 });
    const writing = await hold(gate, people, { scope: "orders:read orders:write", duration_seconds: 60 });
    const get = async (answer: Awaited<ReturnType<typeof tokenFor>>, method = "GET") => {
      const { access_token: token } = bodyOf<{ access_token: string }>(answer, 200);
      return (await gate.call("/orders", { token, method })).status;
    };
    expect(await get(await tokenFor("orders:write", other.token), "POST")).toBe(200);
    expect(await get(await tokenFor("orders:read", other.token))).toBe(200);
    await revokeGrant(gate, writing.grant);
    await gate.call("/readyz");
    expect(await use(writing.token)).toBe(401);
    expect(await tokenFor("orders:write", other.token)).toMatchObject({ status: 404 });
    expect(await use(reading.token)).toBe(200);
    expect(await get(await tokenFor("orders:read", other.token))).toBe(200);
    // Nobody draws on the grants of others.
    expect(await tokenFor("orders:read", stand.approver.token)).toMatchObject({ status: 403 });
    const third = await gate.newPerson(["developer"], ["requests:create"]);
    expect(await tokenFor("orders:read", third.token)).toMatchObject({ status: 404 });
  });
});

it("any schedule over the HTTP API is as the model says", async () => {
  const model = await AccessModel.on(stand);
  try {
    const property = fc.asyncProperty(schedule, (commands) => model.run(commands));
    await fc.assert(property, { numRuns: 5, endOnFailure: true });
  } finally {
    await model.close();
  }
});
