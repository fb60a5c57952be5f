import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ask,
  collect,
  hold,
  ORDERS,
  read,
  review,
  revokeGrant,
  type ShownRequest,
} from "../support/access.ts";
import { bodyOf, Deployment, type Endpoint, type Person } from "../support/deployment.ts";
import { type Harness, OBJECT_BINDINGS, startHarness } from "../support/harness.ts";
import { Receiver } from "../support/receiver.ts";
import { RecordingOrigin } from "../support/recording-origin.ts";
import { freeIssuer, OPERATOR_SECRET, SECRET, startRuntime } from "../support/runtime.ts";
import { APPROVER_SCOPES, REQUESTER_SCOPES, testPolicy } from "../support/test-policy.ts";

const STRICT = "/orders/1001";

/** Something that runs the gate, and that can take its memory away. */
type Host = {
  issuer: string;
  /** What webhooks are told of. */
  subscribed: string[];
  forget(): Promise<void>;
  /** The types of the events of an access request. */
  eventsOf(id: string): Promise<string[]>;
  stop(): Promise<void>;
};

let origin: RecordingOrigin;
let receiver: Receiver;
let harness: Harness;
const secrets: string[] = [];
const towns: Record<string, Town> = {};

beforeAll(async () => {
  [origin, receiver, harness] = await Promise.all([
    RecordingOrigin.start(),
    Receiver.start(),
    startHarness(),
  ]);
  // The first thing that ever happens to a deployment may be its cron.
  expect(await harness.worker.scheduled({ cron: "* * * * *" })).toMatchObject({ outcome: "ok" });
  towns.eviction = await settle(evicting());
  towns.restart = await settle(await restarting());
});

afterAll(async () => {
  for (const { host } of Object.values(towns)) await host.stop();
  await origin?.close();
  await receiver?.close();
});

/** Every object is evicted. No webhook may be on its way here meanwhile: none is sent, events are read from storage. */
function evicting(): Host {
  const { issuer, worker, evictAll, stop } = harness;
  const eventsOf = async (id: string) => {
    const sql = await worker.getDurableObjectStorage("ACCESS_REQUEST", { name: id });
    return (await sql.exec<{ type: string }>("SELECT type FROM events ORDER BY id")).map(({ type }) => type);
  };
  return { issuer, subscribed: ["grant.expired"], forget: evictAll, eventsOf, stop };
}

/** The whole of workerd is stopped and started again on its files. */
async function restarting(): Promise<Host> {
  const stateDir = await mkdtemp(join(tmpdir(), "portcullis-restart-"));
  const issuer = await freeIssuer();
  let runtime = await startRuntime({ stateDir, issuer });
  const forget = async () => {
    await runtime.stop();
    runtime = await startRuntime({ stateDir, issuer });
  };
  const stop = async () => {
    await runtime.stop();
    await rm(stateDir, { recursive: true });
  };
  const eventsOf = async (id: string) =>
    receiver.received
      .filter(({ data }) => (data.access_request as ShownRequest | undefined)?.id === id)
      .map(({ type }) => type);
  return { issuer, subscribed: ["*"], forget, eventsOf, stop };
}

type Town = { host: Host; gate: Deployment; requester: Person; approver: Person; endpoint: Endpoint };

async function settle(host: Host): Promise<Town> {
  const gate = await Deployment.at(host.issuer);
  await gate.putPolicy(testPolicy({ origin: origin.url, identityProvider: "http://127.0.0.1:9" }));
  const requester = await gate.newPerson(["developer"], REQUESTER_SCOPES);
  const approver = await gate.newPerson(["approver"], APPROVER_SCOPES);
  const endpoint = await gate.newEndpoint({ url: receiver.url, events: host.subscribed });
  secrets.push(endpoint.secret);
  receiver.trust(...secrets);
  return { host, gate, requester, approver, endpoint };
}

const LISTS = [
  "access-requests",
  "grants",
  "revocations",
  "clients",
  "webhook-endpoints",
  "policy/versions",
  "keys",
];

/** All that the gate can be asked for; what it has sent comes apart, since it may still be sending. */
async function observe({ gate, endpoint }: Town, tokens: string[]) {
  const get = async (path: string) => bodyOf<{ items?: unknown[] }>(await gate.asOperator(path), 200);
  const paths = [...LISTS.map((name) => `/v1/${name}`), "/v1/policy", "/.well-known/jwks.json"];
  const answers = await Promise.all(paths.map(get));
  const decisions: number[] = [];
  for (const token of tokens) {
    for (const path of [STRICT, "/orders"]) decisions.push((await gate.call(path, { token })).status);
  }
  const sent = await get(`/v1/webhook-endpoints/${endpoint.id}/deliveries`);
  return {
    answers,
    decisions,
    sent: sent.items!.filter((item) => JSON.stringify(item).includes('"delivered"')),
  };
}

describe.each(["eviction", "restart"])("the %s of every object", (kind) => {
  it("changes nothing that can be seen: requests, grants, revocations, clients, endpoints, policy, keys", async () => {
    const town = towns[kind]!;
    const { gate, requester } = town;
    const [live, ended, banned] = [await hold(gate, town), await hold(gate, town), await hold(gate, town)];
    await revokeGrant(gate, ended.grant);
    const ban = await gate.revoke({ grant: banned.grant });
    const lifted = await gate.revoke({ grant: live.grant });
    bodyOf(await gate.asOperator(`/v1/revocations/${lifted.id}`, { method: "DELETE" }), 200);
    const headers = { "idempotency-key": "before" };
    const create = () => gate.call("/v1/access-requests", { token: requester.token, json: ORDERS, headers });
    const { id } = bodyOf<ShownRequest>(await create(), 201);
    const tokens = [live.token, ended.token, banned.token];

    const before = await observe(town, tokens);
    expect(before.decisions).toEqual([200, 200, 401, 401, 401, 401]);
    await town.host.forget();
    const after = await observe(town, tokens);
    expect(after.answers).toEqual(before.answers);
    expect(after.decisions).toEqual(before.decisions);
    expect(after.sent).toEqual(expect.arrayContaining(before.sent));

    expect(bodyOf<ShownRequest>(await create(), 201).id).toBe(id);
    expect(await revokeGrant(gate, ended.grant)).toMatchObject({ seq: expect.any(Number) });
    bodyOf(await gate.asOperator(`/v1/revocations/${ban.id}`, { method: "DELETE" }), 200);
    expect((await gate.call(STRICT, { token: banned.token })).status).toBe(200);
  });

  it("can come between any two steps of the story", async () => {
    const { gate, host, requester, approver } = towns[kind]!;
    const { id } = await ask(gate, requester.token);
    await host.forget();
    const { grant } = bodyOf<ShownRequest>(await review(gate, approver.token, id), 201);
    await host.forget();
    const token = await collect(gate, requester.token, id);
    await host.forget();
    expect((await gate.call(STRICT, { token })).status).toBe(200);
    await revokeGrant(gate, grant!.id);
    await host.forget();
    // The strict route asks the log, which the isolate then remembers for the other one.
    expect((await gate.call(STRICT, { token })).status).toBe(401);
    expect((await gate.call("/orders", { token })).status).toBe(401);
    expect(await read(gate, id)).toMatchObject({ grant: { state: "revoked" } });
  });

  it("does not stop the clock: a deadline that passes meanwhile is told", async () => {
    const { gate, host, requester } = towns[kind]!;
    const { id } = await ask(gate, requester.token, { resource: "quick", scope: "quick:read" });
    await host.forget();
    const told = async () => (await host.eventsOf(id)).includes("access_request.expired");
    await expect.poll(told, { timeout: 10_000 }).toBe(true);
    expect(await read(gate, id)).toMatchObject({ state: "expired" });
  });
});

describe("what is stored", () => {
  /** Every row of every table of every object, by binding and table. */
  async function dump(): Promise<Record<string, unknown[]>> {
    const { worker } = harness;
    const all: Record<string, unknown[]> = {};
    for (const name of OBJECT_BINDINGS) {
      for (const id of await worker.listDurableObjectIds(name)) {
        const sql = await worker.getDurableObjectStorage(name, { id });
        const tables = await sql.exec<{ name: string }>(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 1) <> '_' AND name <> 'sqlite_sequence'",
        );
        for (const table of tables) {
          const key = `${name}.${table.name}`;
          all[key] = [...(all[key] ?? []), ...(await sql.exec(`SELECT * FROM ${table.name}`))];
        }
      }
    }
    return all;
  }

  it("holds no secret and no token in clear, neither in objects nor in KV", async () => {
    const town = towns.eviction!;
    const { gate, requester, endpoint } = town;
    const held = await hold(gate, town);
    await gate.revoke({ grant: held.grant });
    const stored = await dump();
    expect(JSON.stringify(stored["REGISTRY.clients"])).toContain(requester.id);
    expect(JSON.stringify(stored["ACCESS_REQUEST.access_tokens"])).toContain(decodeJwt(held.token).jti);
    const kv = (await harness.worker.getEnv()).KV;
    await expect.poll(() => kv.get(`deny:grant:${held.grant}`)).not.toBeNull();
    const { keys } = await kv.list();
    const values = await Promise.all(keys.map(({ name }) => kv.get(name)));
    const everything = JSON.stringify([stored, keys, values]);
    for (const secret of [
      SECRET,
      OPERATOR_SECRET,
      requester.secret,
      endpoint.secret,
      held.token,
      requester.token,
    ]) {
      expect(everything).not.toContain(secret);
      expect(everything).not.toContain(secret.replace(/^whsec_/, ""));
    }
    // A private key would have a member d.
    expect(everything).not.toMatch(/\\*"d\\*":/);
    expect(everything).toContain(held.grant);
  });

  /** What the cron may not change where nothing is overdue; its canary leaves traces in the other objects. */
  const untouched = (rows: Record<string, unknown[]>) =>
    Object.entries(rows).filter(([table]) => /^(ACCESS_REQUEST|REGISTRY|ENDPOINT)\./.test(table));

  it("is told to everybody in the end: nothing waits in an outbox, and the cron finds nothing to do", async () => {
    const town = towns.eviction!;
    await revokeGrant(town.gate, (await hold(town.gate, town)).grant);
    const waiting = async () => {
      const rows = await dump();
      return Object.entries(rows).flatMap(([table, all]) => (table.endsWith(".outbox") ? all : []));
    };
    // To read every table of every object takes seconds where the machine is busy.
    await expect.poll(waiting, { timeout: 30_000 }).toEqual([]);
    const before = untouched(await dump());
    expect(before.length).toBeGreaterThan(0);
    expect(await harness.worker.scheduled({ cron: "* * * * *" })).toMatchObject({ outcome: "ok" });
    expect(untouched(await dump())).toEqual(before);
  });
});
