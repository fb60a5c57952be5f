import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, collect, type HeldGrant, hold, read, type ShownRequest } from "../support/access.ts";
import { bodyOf, type Endpoint } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { type Stand, standUp } from "../support/stand.ts";

/** Kills in the middle of changes of every kind, and in the middle of many of the same. */
const MIXED_KILLS = 20;
const BURST_KILLS = 6;
/** A delivery that was under way when its object died is tried again after this. */
const LEASE_SECONDS = 30;
/** What is as old as this has reached every isolate, a new one too. */
const BOUND_MS = 2_000;
const STRICT = "/orders/1001";
const BOUNDED = "/orders/1002";

let stand: Stand;
let receiver: Receiver;
let endpoint: Endpoint;

beforeAll(async () => {
  stand = await standUp();
  // From here on, no isolate may know less than the whole policy.
  await new Promise((resolve) => setTimeout(resolve, BOUND_MS));
  receiver = await Receiver.start();
  const events = ["access_request.approved", "grant.revoked"];
  endpoint = await stand.gate.newEndpoint({ url: receiver.url, events });
  receiver.trust(endpoint.secret);
});

afterAll(async () => {
  await stand?.stop();
  await receiver?.close();
});

/** What a change of one round is about: a token to revoke, a grant to end, a request to approve, a route to open. */
type Subjects = { revoked: HeldGrant; ended: HeldGrant; asked: string; route: string };

/** A change of authority: the call, and what must hold once it was acknowledged, whatever happened then. */
type Change = {
  path: string;
  init: RequestInit;
  holds(): Promise<void>;
  /** The KV key that must tell of it, and in how many revocations. */
  kv?: { key: string; revocations: number };
  /** What webhooks must tell of it. */
  event?: { type: string; request: string };
};

async function newSubjects(number: number): Promise<Subjects> {
  const { gate, requester } = stand;
  const [revoked, ended, { id }] = await Promise.all([
    hold(gate, stand),
    hold(gate, stand),
    ask(gate, requester.token),
  ]);
  return { revoked, ended, asked: id, route: `/round/${number}` };
}

async function changesOf({ revoked, ended, asked, route }: Subjects): Promise<Change[]> {
  const { gate, approver, requester } = stand;
  const jti = decodeJwt(revoked.token).jti!;
  const answer = await gate.asOperator("/v1/policy");
  const { document } = bodyOf<{ document: { routes: object[] } }>(answer, 200);
  const opened = { id: route.slice(1).replace("/", "-"), path: route, origin: "demo", access: "public" };
  return [
    {
      ...sending("/v1/revocations", gate.operator, { match: { jti }, reason: "a test" }),
      holds: () => isRefused(revoked.token),
      kv: { key: `deny:jti:${jti}`, revocations: 1 },
    },
    {
      ...sending(`/v1/grants/${ended.grant}/revoke`, gate.operator, { reason: "a test" }),
      holds: async () => {
        await isRefused(ended.token);
        expect((await read(gate, ended.request)).grant).toMatchObject({ state: "revoked" });
      },
      kv: { key: `deny:grant:${ended.grant}`, revocations: 1 },
      event: { type: "grant.revoked", request: ended.request },
    },
    {
      ...sending(`/v1/access-requests/${asked}/reviews`, approver.token, { outcome: "approve" }),
      holds: async () => {
        expect(await read(gate, asked)).toMatchObject({ state: "approved" });
        const token = await collect(gate, requester.token, asked);
        expect((await gate.call(BOUNDED, { token })).status).toBe(200);
      },
      event: { type: "access_request.approved", request: asked },
    },
    {
      ...sending("/v1/policy", gate.operator, { ...document, routes: [...document.routes, opened] }, "PUT", {
        "if-match": answer.headers.get("etag")!,
      }),
      // A new isolate may start with what its location heard up to the bound ago, never with less.
      holds: () => expect.poll(async () => (await gate.call(route)).status, { timeout: 5_000 }).toBe(200),
    },
  ];
}

function sending(
  path: string,
  token: string,
  json: object,
  method = "POST",
  more: Record<string, string> = {},
) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", ...more };
  return { path, init: { method, headers, body: JSON.stringify(json) } };
}

/** Sends all changes at once, and kills workerd the moment that this many are acknowledged. */
async function changeAndKill(changes: Change[], killAfter: number): Promise<Change[]> {
  const acknowledged: Change[] = [];
  let down: Promise<void> | undefined;
  const settled = changes.map(async (change) => {
    const answer = await fetch(`${stand.gate.issuer}${change.path}`, change.init).catch(() => undefined);
    if (!answer) return;
    expect([200, 201]).toContain(answer.status);
    acknowledged.push(change);
    if (acknowledged.length === killAfter) down = stand.runtime.kill();
    await answer.body?.cancel().catch(() => undefined);
  });
  await Promise.all(settled);
  await down;
  return acknowledged;
}

/** Refused from the first call on: a cold isolate may ask for patience (503), never let it through. */
async function isRefused(token: string): Promise<void> {
  for (const path of [STRICT, BOUNDED]) {
    const seen: number[] = [];
    const call = async () => seen[seen.push((await stand.gate.call(path, { token })).status) - 1];
    await expect.poll(call, { timeout: 10_000 }).toBe(401);
    expect(seen.filter((status) => status !== 503 && status !== 401)).toEqual([]);
  }
}

async function areInKv(changes: Change[]): Promise<void> {
  for (const { kv } of changes) {
    if (!kv) continue;
    const listed = async () => ((await stand.runtime.kv(kv.key)) as unknown[] | null)?.length;
    await expect.poll(listed, { timeout: 15_000 }).toBe(kv.revocations);
  }
}

function hasArrived({ type, request }: { type: string; request: string }): boolean {
  return receiver.received.some(
    (m) => m.type === type && (m.data.access_request as ShownRequest).id === request,
  );
}

type Delivery = { id: string; event_type: string; state: string; next_attempt_at?: number };

async function pendingDeliveries(): Promise<Delivery[]> {
  const path = `/v1/webhook-endpoints/${endpoint.id}/deliveries?limit=200`;
  const all: Delivery[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined; ) {
    const answer = await stand.gate.asOperator(cursor ? `${path}&cursor=${cursor}` : path);
    const page = bodyOf<{ items: Delivery[]; next_cursor?: string }>(answer, 200);
    all.push(...page.items);
    cursor = page.next_cursor;
  }
  return all.filter(({ state }) => state === "pending");
}

async function newBurst(number: number): Promise<Change[]> {
  const { gate, requester, approver } = stand;
  const asked = await Promise.all(Array.from({ length: 6 }, () => ask(gate, requester.token)));
  const approvals = asked.map(
    ({ id }): Change => ({
      ...sending(`/v1/access-requests/${id}/reviews`, approver.token, { outcome: "approve" }),
      // It is only read: the webhook must leave without any other change of the request.
      holds: async () => expect(await read(gate, id)).toMatchObject({ state: "approved" }),
      event: { type: "access_request.approved", request: id },
    }),
  );
  // KV takes one write a second for a key: the second revocation under each waits for the alarm in any case.
  const tokens = Array.from({ length: 16 }, (_, i) => `tok_burst_${number}_${i}`);
  await Promise.all(tokens.map((jti) => gate.revoke({ jti })));
  const revocations = tokens.map(
    (jti): Change => ({
      ...sending("/v1/revocations", gate.operator, { match: { jti }, reason: "a test" }),
      holds: async () => {
        const page = await gate.asOperator("/v1/revocations?limit=200");
        const { items } = bodyOf<{ items: { match: { jti?: string } }[] }>(page, 200);
        expect(items.filter(({ match }) => match.jti === jti)).toHaveLength(2);
      },
      kv: { key: `deny:jti:${jti}`, revocations: 2 },
    }),
  );
  return [...approvals, ...revocations];
}

describe("kill -9 right after a 2xx", () => {
  const acknowledged: Change[] = [];

  it(`loses nothing that was acknowledged, in ${MIXED_KILLS} kills: it is there and in force`, async () => {
    for (let i = 0; i < MIXED_KILLS; i++) {
      const all = await changesOf(await newSubjects(i));
      // Each kind is sent first in turn, and each number of acknowledgements comes before the kill.
      const first = Math.floor(i / 4) % 4;
      const kept = await changeAndKill([...all.slice(first), ...all.slice(0, first)], 1 + (i % 4));
      for (const change of kept) await change.holds();
      acknowledged.push(...kept);
    }
    const counts = ["/v1/revocations", "/v1/grants", "/v1/access-requests", "/v1/policy"].map(
      (path) => acknowledged.filter((change) => change.path.startsWith(path)).length,
    );
    expect(Math.min(...counts), `acknowledged by kind: ${counts}`).toBeGreaterThanOrEqual(5);
  });

  it(`brings it to KV by itself, in ${BURST_KILLS} kills`, async () => {
    for (let i = 0; i < BURST_KILLS; i++) {
      const kept = await changeAndKill(await newBurst(i), 4 + 2 * i);
      // Nobody calls the Worker meanwhile: the alarm alone does it.
      await areInKv(kept);
      for (const change of kept) await change.holds();
      acknowledged.push(...kept);
    }
    await areInKv(acknowledged);
  });

  it("tells webhooks of it at least once", async () => {
    const events = acknowledged.flatMap(({ event }) => event ?? []);
    const missing = () => events.filter((event) => !hasArrived(event));
    // Those under way in the very moment of a kill wait for the end of their lease; they are there and due.
    const areQueued = async () => (await pendingDeliveries()).length >= missing().length;
    await expect.poll(areQueued, { timeout: 10_000 }).toBe(true);
    for (const { id, next_attempt_at } of await pendingDeliveries()) {
      expect(next_attempt_at).toBeLessThanOrEqual(Date.now() / 1000 + LEASE_SECONDS);
      bodyOf(await stand.gate.asOperator(`/v1/deliveries/${id}/redeliver`, { method: "POST" }), 202);
    }
    await expect.poll(missing, { timeout: 10_000 }).toEqual([]);
    expect(receiver.refused).toEqual([]);
  });
});
