import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../src/local/http-call.ts";
import { ask, hold, read, review, type ShownRequest } from "../support/access.ts";
import { bodyOf, type Endpoint, type Person } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { sendDecision } from "../support/signed-decision.ts";
import { type Stand, standUp } from "../support/stand.ts";
import { APPROVER_SCOPES, REQUESTER_SCOPES } from "../support/test-policy.ts";

const QUICK = { resource: "quick", scope: "quick:read" };
const DOUBLE = { resource: "double", scope: "double:read" };
const PEERS = { resource: "peers", scope: "peers:read" };
const NO_ID = "req_00000000000000000000000000";

let stand: Stand;
let receiver: Receiver;
let endpoint: Endpoint;
let stranger: Person;

beforeAll(async () => {
  stand = await standUp();
  receiver = await Receiver.start();
  endpoint = await stand.gate.newEndpoint({
    url: receiver.url,
    reviews_as: { roles: ["approver", "peer"] },
  });
  receiver.trust(endpoint.secret);
  stranger = await stand.gate.newPerson([], [...REQUESTER_SCOPES, ...APPROVER_SCOPES]);
});

afterAll(async () => {
  await stand?.stop();
  await receiver?.close();
});

const newApprover = () => stand.gate.newPerson(["approver"], APPROVER_SCOPES);

/** What the receiver was told of the request, in the order of arrival. */
function toldOf(id: string): string[] {
  return receiver.received
    .filter(({ data }) => (data.access_request as ShownRequest | undefined)?.id === id)
    .map(({ type }) => type);
}

/** The answer without what names the request that it answers. */
function comparable({ status, body }: Answer) {
  const { instance: _instance, ...rest } = body as Record<string, unknown>;
  return { status, rest };
}

describe("who reviews", () => {
  it("is never the requester, whatever the rule and the roles say; a peer may", async () => {
    const { gate } = stand;
    const scopes = [...REQUESTER_SCOPES, ...APPROVER_SCOPES];
    const [ann, ben] = await Promise.all([
      gate.newPerson(["peer"], scopes),
      gate.newPerson(["peer"], scopes),
    ]);
    const { id } = await ask(gate, ann.token, PEERS);
    const refused = { status: 403, body: { code: "forbidden" } };
    expect(await review(gate, ann.token, id)).toMatchObject(refused);
    expect(await review(gate, ann.token, id, { outcome: "deny" })).toMatchObject(refused);
    const decision = { access_request_id: id, approver: ann.id, outcome: "approve" };
    expect(await sendDecision(gate, endpoint, decision)).toMatchObject(refused);
    expect(await read(gate, id)).toMatchObject({ state: "pending", reviews: [] });
    expect(await review(gate, ben.token, id)).toMatchObject({ status: 201, body: { state: "approved" } });
  });

  it("is whom the rule names, with the scope to review", async () => {
    const { gate, requester, approver } = stand;
    const { id } = await ask(gate, requester.token);
    expect(await review(gate, stranger.token, id)).toMatchObject({
      status: 403,
      body: { code: "forbidden" },
    });
    const unscoped = await gate.newPerson(["approver"], REQUESTER_SCOPES);
    expect(await review(gate, unscoped.token, id)).toMatchObject({
      status: 403,
      body: { code: "insufficient_scope", scope: "requests:review" },
    });
    expect(await review(gate, approver.token, id)).toMatchObject({
      status: 201,
      body: { state: "approved" },
    });
    expect(await review(gate, (await newApprover()).token, id)).toMatchObject({
      status: 409,
      body: { code: "conflict", state: "approved" },
    });
  });

  it("is as many different approvers as the rule wants", async () => {
    const { gate, requester, approver } = stand;
    const { id } = await ask(gate, requester.token, DOUBLE);
    expect(await review(gate, approver.token, id)).toMatchObject({ status: 201, body: { state: "pending" } });
    expect(await review(gate, approver.token, id)).toMatchObject({ status: 409, body: { code: "conflict" } });
    const decision = { access_request_id: id, approver: approver.id, outcome: "approve" };
    expect(await sendDecision(gate, endpoint, decision)).toMatchObject({ status: 409 });
    expect(await read(gate, id)).toMatchObject({ state: "pending", reviews: [{ approver: approver.id }] });
    const second = await newApprover();
    expect(await review(gate, second.token, id)).toMatchObject({ status: 201, body: { state: "approved" } });
  });
});

describe("what a review may say", () => {
  it("narrows what was asked for and never widens it", async () => {
    const { gate, requester, approver } = stand;
    const both = { scope: "orders:read orders:write", duration_seconds: 600 };
    const { id } = await ask(gate, requester.token, both);
    for (const wider of [{ duration_seconds: 601 }, { scope: "orders:read orders:delete" }]) {
      const refused = await review(gate, approver.token, id, wider);
      expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    }
    const narrower = { scope: "orders:read", duration_seconds: 60 };
    const { grant } = bodyOf<ShownRequest>(await review(gate, approver.token, id, narrower), 201);
    expect(grant).toMatchObject({ scope: "orders:read", state: "active" });
    expect(grant!.access_expiry - grant!.access_start).toBe(60);
  });

  it("comes before the deadline, or not at all", async () => {
    const { gate, requester, approver } = stand;
    // Deadlines are whole seconds: from the start of one, almost all of it is left.
    await sleep(1000 - (Date.now() % 1000));
    const [late, intime] = await Promise.all([
      ask(gate, requester.token, QUICK),
      ask(gate, requester.token, QUICK),
    ]);
    expect(await review(gate, approver.token, intime.id)).toMatchObject({ status: 201 });
    await sleep(late.review_deadline * 1000 - Date.now());
    const expired = { status: 409, body: { code: "conflict", state: "expired" } };
    expect(await review(gate, approver.token, late.id)).toMatchObject(expired);
    expect(
      await gate.call(`/v1/access-requests/${late.id}/cancel`, { method: "POST", ...requester }),
    ).toMatchObject(expired);
    expect(
      await gate.call(`/v1/access-requests/${late.id}/token`, { method: "POST", ...requester }),
    ).toMatchObject({
      status: 410,
      body: { code: "gone", state: "expired" },
    });
    await expect.poll(() => toldOf(late.id)).toEqual(["access_request.created", "access_request.expired"]);
    expect(toldOf(intime.id)).not.toContain("access_request.expired");
  });

  it("cannot ask for what the rule does not give", async () => {
    const { gate, requester } = stand;
    const refusals: [number, object][] = [
      [403, { resource: "unknown" }],
      [403, { scope: "orders:delete" }],
      [403, PEERS],
      [400, { duration_seconds: 3601 }],
      [400, { resource: "orders", scope: "" }],
    ];
    for (const [status, members] of refusals) {
      const json = { resource: "orders", scope: "orders:read", justification: "a test", ...members };
      const refused = await gate.call("/v1/access-requests", { token: requester.token, json });
      expect(refused.status, JSON.stringify(members)).toBe(status);
    }
    expect(await ask(gate, requester.token, { duration_seconds: 3600 })).toMatchObject({ state: "pending" });
  });

  it("gives no token before the grant starts, and none to anybody else", async () => {
    const { gate, requester, approver } = stand;
    const { id } = await ask(gate, requester.token, { starts_at: Math.floor(Date.now() / 1000) + 600 });
    const { grant } = bodyOf<ShownRequest>(await review(gate, approver.token, id), 201);
    expect(grant).toMatchObject({ state: "scheduled" });
    const collecting = (token: string) =>
      gate.call(`/v1/access-requests/${id}/token`, { method: "POST", token });
    expect(await collecting(requester.token)).toMatchObject({ status: 409, body: { state: "scheduled" } });
    expect((await collecting(stranger.token)).status).toBe(404);

    const denied = await ask(gate, requester.token);
    bodyOf(await review(gate, approver.token, denied.id, { outcome: "deny" }), 201);
    expect(
      await gate.call(`/v1/access-requests/${denied.id}/token`, { method: "POST", ...requester }),
    ).toMatchObject({
      status: 403,
      body: { code: "forbidden", state: "denied" },
    });
  });
});

describe("races", () => {
  it("of approvals, denials and a cancellation have one winner, and the losers are told which", async () => {
    const { gate, requester } = stand;
    const approvers = await Promise.all(Array.from({ length: 15 }, newApprover));
    const outcomes = new Set<string>();
    for (let round = 0; round < 8; round++) {
      const { id } = await ask(gate, requester.token);
      const cancelling = async () => {
        // A cancellation has the shorter way: it starts later and later, the last time too late.
        await sleep(round === 7 ? 500 : round * 3);
        return gate.call(`/v1/access-requests/${id}/cancel`, { method: "POST", ...requester });
      };
      const reviewing = ({ token }: Person, i: number) =>
        review(gate, token, id, { outcome: (i + round) % 2 ? "deny" : "approve" });
      const answers = await Promise.all([
        ...approvers.map(reviewing),
        ...Array.from({ length: 5 }, cancelling),
      ]);
      const final = await read(gate, id);
      outcomes.add(final.state);
      expect(["approved", "denied", "cancelled"]).toContain(final.state);
      for (const { status, body } of answers) {
        // Winner and loser see the same end: 2xx with it, or 409 that names it.
        expect([200, 201, 409]).toContain(status);
        expect(body).toMatchObject({ state: final.state });
      }
      const reviewsTaken = answers.filter(({ status }) => status === 201).length;
      expect(reviewsTaken).toBe(final.state === "cancelled" ? 0 : 1);
      expect(final.reviews).toHaveLength(reviewsTaken);
      expect(final.grant !== undefined).toBe(final.state === "approved");
      const ends = () => toldOf(id).filter((type) => /(approved|denied|cancelled)$/.test(type));
      await expect.poll(ends).toEqual([`access_request.${final.state}`]);
    }
    expect(outcomes.size).toBeGreaterThan(1);
  });
});

describe("what is not yours", () => {
  it("does not exist: another's access request and grant answer like one that is not there", async () => {
    const { gate, requester } = stand;
    const held = await hold(gate, stand);
    const missing = NO_ID.slice(4);
    const calls: [string, string, object][] = [
      ["/v1/access-requests/ID", "GET", {}],
      ["/v1/access-requests/ID/cancel", "POST", {}],
      ["/v1/access-requests/ID/token", "POST", {}],
      ["/v1/grants/GRT", "GET", {}],
      ["/v1/grants/GRT/revoke", "POST", { json: { reason: "x" } }],
    ];
    for (const [path, method, more] of calls) {
      const at = (id: string, token: string) => {
        const named = path.replace("ID", `req_${id}`).replace("GRT", `grt_${id}`);
        return gate.call(named, { method, token, ...more });
      };
      const anothers = await at(held.request.slice(4), stranger.token);
      expect(anothers.status, path).toBe(404);
      expect(comparable(anothers), path).toEqual(comparable(await at(missing, stranger.token)));
      expect([200, 409], path).toContain((await at(held.request.slice(4), requester.token)).status);
    }
    const listed = bodyOf<{ items: unknown[] }>(await gate.call("/v1/access-requests", stranger), 200);
    expect(listed.items).toEqual([]);
    expect(bodyOf<{ items: unknown[] }>(await gate.call("/v1/grants", stranger), 200).items).toEqual([]);
  });

  it("is shown to those who may review it, and listed for them only", async () => {
    const { gate, requester, approver } = stand;
    const { id } = await ask(gate, requester.token);
    expect(await read(gate, id, approver.token)).toMatchObject({ id, requester: requester.id });
    const reviewable = async (token: string) => {
      const answer = await gate.call("/v1/access-requests?reviewable=true&limit=200", { token });
      return bodyOf<{ items: ShownRequest[] }>(answer, 200).items.map((item) => item.id);
    };
    expect(await reviewable(approver.token)).toContain(id);
    expect(await reviewable(stranger.token)).toEqual([]);
    bodyOf(await review(gate, approver.token, id), 201);
    expect(await reviewable(approver.token)).not.toContain(id);
  });
});
