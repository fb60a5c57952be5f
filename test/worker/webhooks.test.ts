import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newId } from "../../src/platform/ids.ts";
import { objectPort } from "../../src/platform/rpc.ts";
import type { Result } from "../../src/protocol/result.ts";
import {
  ATTEMPT_DELAYS_MS,
  KEEP_MS,
  LEASE_MS,
  MAX_IN_FLIGHT,
  MAX_REDELIVERED,
  MAX_WAITING,
} from "../../src/webhooks/delivery.ts";
import type { DeliveryView } from "../../src/webhooks/delivery-log.ts";
import { configOf, type EndpointConfig, type RegistryPort } from "../../src/webhooks/endpoint.ts";
import type { EndpointObject } from "../../src/webhooks/endpoint-object.ts";
import { EndpointSecrets } from "../../src/webhooks/endpoint-secret.ts";
import type { WebhookEvent } from "../../src/webhooks/event.ts";
import { shownSecret } from "../../src/webhooks/signature.ts";
import { expectValue } from "../support/remote.ts";

const DAY_MS = 86_400_000;
const secrets = new EndpointSecrets(env);
const registry = objectPort<RegistryPort>(env.REGISTRY, "main");

type Endpoint = {
  id: string;
  config: EndpointConfig;
  stub: DurableObjectStub<EndpointObject>;
  secret: string;
};
const made: Endpoint[] = [];

type Post = { url: string; headers: Record<string, string>; body: string; init: RequestInit };
type Answering = (post: Post, count: number) => Response | Promise<Response>;

let posts: Post[] = [];
let answering: Answering;
let nowMs: number;

beforeEach(() => {
  posts = [];
  answering = () => new Response(null, { status: 204 });
  nowMs = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => nowMs);
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const headers = Object.fromEntries(new Headers(init!.headers as HeadersInit));
    const post = { url: String(input), headers, body: String(init!.body), init: init as RequestInit };
    posts.push(post);
    return answering(post, posts.length);
  });
});
// The mocks stay: an alarm that is still armed must not reach the network. Nor shall it fire in another test.
afterEach(async () => {
  for (const { stub } of made.splice(0)) await stub.remove();
});

async function endpoint(members: Partial<EndpointConfig> = {}): Promise<Endpoint> {
  const id = newId("whe", nowMs);
  const sealed = await secrets.create(id);
  const [bytes] = await secrets.open(id, [sealed]);
  const config: EndpointConfig = {
    id,
    url: "https://hooks.example.com/in",
    secrets_sealed: [sealed],
    enabled: true,
    revision: 1,
    ...members,
  };
  const one = { id, config, stub: env.ENDPOINT.getByName(id), secret: shownSecret(bytes!) };
  made.push(one);
  return one;
}
function event(members: Partial<WebhookEvent> = {}): WebhookEvent {
  return {
    id: newId("evt", nowMs),
    type: "grant.revoked",
    timestamp: new Date(nowMs).toISOString(),
    data: { reason: "Zoë left" },
    ...members,
  };
}

/** Receivers wait in the object's own context: one object may not settle another's promise. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

async function value<T>(result: Promise<Result<T>> | Result<T>): Promise<T> {
  return expectValue(await result);
}

/** Deliveries of one moment have no order among themselves: each call is a millisecond later. */
async function enqueue({ stub, config }: Endpoint, sent = event()): Promise<string> {
  nowMs += 1;
  return (await value(stub.enqueue(config, sent))).delivery_id;
}

async function deliveries({ stub }: Endpoint): Promise<DeliveryView[]> {
  return (await value(stub.deliveries({ limit: 200 }))).items;
}

/** Waits for what the object does after its answer. */
async function settled(e: Endpoint, test: (items: DeliveryView[]) => boolean): Promise<DeliveryView[]> {
  return vi.waitFor(async () => {
    const items = await deliveries(e);
    if (!test(items)) throw new Error(JSON.stringify(items));
    return items;
  });
}
const attempted = (count: number) => (items: DeliveryView[]) => items[0]?.attempts.length === count;
const all = (state: DeliveryView["state"]) => (items: DeliveryView[]) =>
  items.every((item) => item.state === state);

/** Lets time pass up to the delivery's next attempt and wakes the object. */
async function nextAttempt(e: Endpoint): Promise<void> {
  const [item] = await deliveries(e);
  nowMs = Math.max(nowMs, Math.ceil(item!.next_attempt_at! * 1000));
  await runDurableObjectAlarm(e.stub);
}

describe("delivery", () => {
  it("is tried at once, signed so that the standardwebhooks package accepts it", async () => {
    const e = await endpoint();
    const sent = event();
    const id = await enqueue(e, sent);
    const [item] = await settled(e, all("delivered"));
    expect(item).toEqual({
      id,
      event_id: sent.id,
      event_type: "grant.revoked",
      state: "delivered",
      created_at: nowMs / 1000,
      finished_at: nowMs / 1000,
      attempts: [{ number: 1, at: nowMs / 1000, duration_seconds: 0, status: 204 }],
    });
    const [post] = posts;
    expect(post).toMatchObject({ url: "https://hooks.example.com/in", headers: { "webhook-id": sent.id } });
    expect(post!.init).toMatchObject({ method: "POST", redirect: "manual" });
    expect(new Webhook(e.secret).verify(post!.body, post!.headers)).toEqual(sent);
    expect(() => new Webhook(e.secret).verify(`${post!.body} `, post!.headers)).toThrow();
  });

  it("happens once for one event, however often it is handed over", async () => {
    const e = await endpoint();
    const sent = event();
    const ids = [await enqueue(e, sent), await enqueue(e, sent)];
    await settled(e, all("delivered"));
    ids.push(await enqueue(e, sent));
    expect(new Set(ids).size).toBe(1);
    expect(posts).toHaveLength(1);
    await enqueue(e, event());
    await settled(e, (items) => items.length === 2 && all("delivered")(items));
    expect(posts).toHaveLength(2);
  });

  it("is signed with both secrets while they rotate", async () => {
    const e = await endpoint();
    const newer = await secrets.create(e.id);
    const [bytes] = await secrets.open(e.id, [newer]);
    e.config = { ...e.config, secrets_sealed: [newer, ...e.config.secrets_sealed], revision: 2 };
    await enqueue(e);
    await settled(e, all("delivered"));
    const { body, headers } = posts[0]!;
    for (const secret of [e.secret, shownSecret(bytes!)]) {
      expect(() => new Webhook(secret).verify(body, headers)).not.toThrow();
    }
  });

  it("is retried with the same bytes and id, signed anew", async () => {
    const e = await endpoint();
    answering = (_post, count) => new Response(null, { status: count === 1 ? 500 : 200 });
    await enqueue(e);
    const [failed] = await settled(e, attempted(1));
    expect(failed).toMatchObject({
      state: "pending",
      next_attempt_at: (nowMs + ATTEMPT_DELAYS_MS[1]) / 1000,
      attempts: [{ number: 1, status: 500, error: "http_status" }],
    });
    await nextAttempt(e);
    expect((await deliveries(e))[0]).toMatchObject({
      state: "delivered",
      attempts: [{ number: 2 }, { number: 1 }],
    });
    const [first, second] = posts;
    expect(second!.body).toBe(first!.body);
    expect(second!.headers["webhook-id"]).toBe(first!.headers["webhook-id"]);
    expect(Number(second!.headers["webhook-timestamp"])).toBe(
      Number(first!.headers["webhook-timestamp"]) + 5,
    );
    expect(second!.headers["webhook-signature"]).not.toBe(first!.headers["webhook-signature"]);
  });

  it("is not tried before it is due", async () => {
    const e = await endpoint();
    answering = () => new Response(null, { status: 500 });
    await enqueue(e);
    await settled(e, attempted(1));
    nowMs += ATTEMPT_DELAYS_MS[1] - 1;
    await runDurableObjectAlarm(e.stub);
    expect(posts).toHaveLength(1);
    nowMs += 1;
    await runDurableObjectAlarm(e.stub);
    expect(posts).toHaveLength(2);
  });

  it("waits as long as Retry-After asks", async () => {
    const e = await endpoint();
    answering = () => new Response(null, { status: 503, headers: { "retry-after": "3600" } });
    await enqueue(e);
    const [item] = await settled(e, attempted(1));
    expect(item!.next_attempt_at).toBe(nowMs / 1000 + 3600);
  });

  it("fails on a redirect, which is not followed, and on a lost connection", async () => {
    const e = await endpoint();
    answering = (_post, count) => {
      if (count === 1)
        return new Response(null, { status: 302, headers: { location: "https://evil.example.com/" } });
      if (count === 2) throw new TypeError("Network connection lost.");
      return new Response(null, { status: 200 });
    };
    await enqueue(e);
    await settled(e, attempted(1));
    await nextAttempt(e);
    await nextAttempt(e);
    const [item] = await deliveries(e);
    expect(item!.attempts).toMatchObject([
      { status: 200 },
      { error: "connection" },
      { status: 302, error: "redirect" },
    ]);
    expect(posts.map(({ url }) => url)).toEqual(Array(3).fill("https://hooks.example.com/in"));
  });

  it("after the whole schedule is a dead letter, which can be sent again from the start", async () => {
    const e = await endpoint();
    answering = () => new Response(null, { status: 500 });
    const startMs = nowMs;
    const id = await enqueue(e);
    await settled(e, attempted(1));
    for (let n = 1; n < ATTEMPT_DELAYS_MS.length; n++) {
      expect((await deliveries(e))[0]!.state).toBe("pending");
      await nextAttempt(e);
    }
    const [dead] = await deliveries(e);
    expect(dead).toMatchObject({ state: "dead_letter", attempts: { length: ATTEMPT_DELAYS_MS.length } });
    expect(dead).not.toHaveProperty("next_attempt_at");
    expect(nowMs - startMs).toBeGreaterThan(3 * DAY_MS);
    nowMs += DAY_MS;
    await runDurableObjectAlarm(e.stub);
    expect(posts).toHaveLength(ATTEMPT_DELAYS_MS.length);

    answering = (_post, count) => new Response(null, { status: count < 14 ? 500 : 204 });
    expect(await value(e.stub.redeliver(id))).toMatchObject({ id, state: "pending" });
    await settled(e, (items) => items[0]!.attempts[0]!.number === 13);
    expect((await deliveries(e))[0]!.next_attempt_at).toBe((nowMs + ATTEMPT_DELAYS_MS[1]) / 1000);
    await nextAttempt(e);
    expect((await deliveries(e))[0]).toMatchObject({ state: "delivered" });
    expect(new Set(posts.map(({ body }) => body)).size).toBe(1);
  });

  it("that was delivered can be sent again; one that is not kept cannot", async () => {
    const e = await endpoint();
    const id = await enqueue(e);
    await settled(e, all("delivered"));
    await value(e.stub.redeliver(id));
    await settled(e, (items) => all("delivered")(items) && attempted(2)(items));
    expect(await e.stub.redeliver(`${id}0`)).toMatchObject({ ok: false, error: { code: "not_found" } });
    expect(posts).toHaveLength(2);
  });
});

describe("several deliveries of one endpoint", () => {
  it("a few are under way at once; slow ones do not stop the others", async () => {
    const e = await endpoint();
    let slow = true;
    answering = async (_post, count) => {
      while (slow && count < MAX_IN_FLIGHT) await pause();
      return new Response(null, { status: 200 });
    };
    for (let n = 0; n < 10; n++) await enqueue(e);
    const done = (items: DeliveryView[]) => items.filter((item) => item.state === "delivered").length;
    await settled(e, (items) => done(items) === 10 - (MAX_IN_FLIGHT - 1));
    slow = false;
    await settled(e, (items) => done(items) === 10);
    expect(posts).toHaveLength(10);
  });

  it("no more than the few are under way at once", async () => {
    const e = await endpoint();
    let underWay = 0;
    let most = 0;
    answering = async () => {
      most = Math.max(most, ++underWay);
      await pause();
      underWay--;
      return new Response(null, { status: 200 });
    };
    await Promise.all(Array.from({ length: 12 }, () => enqueue(e)));
    await settled(e, (items) => items.length === 12 && all("delivered")(items));
    expect(most).toBe(MAX_IN_FLIGHT);
  });
});

describe("a queue that is full", () => {
  /** Puts waiting deliveries into the queue, as a receiver that does not answer for days leaves them. */
  async function fill({ stub }: Endpoint, count: number): Promise<void> {
    await runInDurableObject(stub, (_instance, state) => {
      state.storage.sql.exec(
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
         INSERT INTO delivery (id, event_id, event_type, body, state, created_at_ms, next_at_ms)
         SELECT 'dlv_00old' || i, 'evt_old' || i, 'grant.revoked', '{}', 'pending', ?, ? FROM n`,
        count,
        nowMs,
        nowMs + DAY_MS,
      );
    });
  }
  const latest = async (e: Endpoint) =>
    (await value(e.stub.deliveries({ limit: 200 }))).items.filter((d) => !d.id.startsWith("dlv_00old"));

  it("takes one more below its limit; above it an event is a dead letter, which can be sent when there is room", async () => {
    const e = await endpoint();
    answering = () => new Response(null, { status: 500 });
    await fill(e, MAX_WAITING - 1);
    await enqueue(e);
    await vi.waitFor(async () => expect((await latest(e))[0]!.attempts).toHaveLength(1));
    const late = await enqueue(e);
    const full = { id: late, state: "dead_letter", dead_reason: "queue_full", attempts: [] };
    expect((await latest(e))[0]).toMatchObject(full);
    expect(await value(e.stub.redeliverDead(0))).toEqual({ redelivered: 0, remaining: 1 });
    await runInDurableObject(e.stub, (_instance, state) => {
      state.storage.sql.exec("DELETE FROM delivery WHERE id LIKE 'dlv_00old%'");
    });
    answering = () => new Response(null, { status: 200 });
    expect(await value(e.stub.redeliverDead(0))).toEqual({ redelivered: 1, remaining: 0 });
    await vi.waitFor(async () => expect((await latest(e))[0]!.state).toBe("delivered"));
    expect((await latest(e))[0]).not.toHaveProperty("dead_reason");
  });

  it("sends dead letters again from the moment that is named, a bounded number a call", async () => {
    const e = await endpoint();
    await fill(e, MAX_REDELIVERED + 2);
    await value(e.stub.configure({ ...e.config, revision: 1 }));
    await value(e.stub.configure({ ...e.config, enabled: false, revision: 2 }));
    expect(await e.stub.redeliverDead(0)).toMatchObject({ ok: false, error: { code: "conflict" } });
    await value(e.stub.configure({ ...e.config, revision: 3 }));
    expect(await value(e.stub.redeliverDead(nowMs + 1))).toEqual({ redelivered: 0, remaining: 0 });
    const counted = await value(e.stub.countDead(nowMs));
    const first = await value(e.stub.redeliverDead(nowMs));
    expect(counted).toEqual(first);
    expect(first).toEqual({ redelivered: MAX_REDELIVERED, remaining: 2 });
    expect(await value(e.stub.redeliverDead(nowMs))).toMatchObject({ redelivered: 2, remaining: 0 });
    expect(await value(e.stub.countDead(nowMs))).toEqual({ redelivered: 0, remaining: 0 });
  });

  it("sends chosen ones again, each once, and leaves alone what waits or is not its own", async () => {
    const e = await endpoint();
    const [dead, delivered, waiting] = [await enqueue(e), await enqueue(e), await enqueue(e)];
    await vi.waitFor(async () =>
      expect((await latest(e)).map(({ state }) => state)).toEqual(["delivered", "delivered", "delivered"]),
    );
    await runInDurableObject(e.stub, (_instance, { storage }) => {
      const become =
        "UPDATE delivery SET state = ?, dead_reason = ?, next_at_ms = ?, finished_at_ms = ? WHERE id = ?";
      storage.sql.exec(become, "dead_letter", "queue_full", null, nowMs, dead);
      storage.sql.exec(become, "pending", null, nowMs + 3_600_000, null, waiting);
    });
    const states = async () =>
      Object.fromEntries((await latest(e)).map(({ id, state, attempts }) => [id, [state, attempts.length]]));
    const ids = [dead, dead, delivered, waiting, "dlv_of_another"];
    expect(await value(e.stub.redeliverEach(ids))).toEqual({ redelivered: 2, remaining: 0 });
    await vi.waitFor(async () =>
      expect(await states()).toEqual({
        [dead]: ["delivered", 2],
        [delivered]: ["delivered", 2],
        [waiting]: ["pending", 1],
      }),
    );
    const only = async (state: "pending" | "delivered" | "dead_letter") =>
      (await value(e.stub.deliveries({ limit: 200, state }))).items.map(({ id }) => id).sort();
    expect(await only("pending")).toEqual([waiting]);
    expect(await only("delivered")).toEqual([dead, delivered].sort());
    expect(await only("dead_letter")).toEqual([]);
    await value(e.stub.configure({ ...e.config, enabled: false, revision: 9 }));
    expect(await e.stub.redeliverEach([dead])).toMatchObject({ ok: false, error: { code: "conflict" } });
    expect(await e.stub.countDead(0)).toMatchObject({ ok: false, error: { code: "conflict" } });
  });
});

describe("what is committed survives", () => {
  it("the queue and the log are there after an eviction, and the alarm goes on", async () => {
    const e = await endpoint();
    answering = () => new Response(null, { status: 500 });
    await enqueue(e);
    await settled(e, attempted(1));
    const before = await deliveries(e);
    await evictDurableObject(e.stub);
    expect(await deliveries(e)).toEqual(before);
    answering = () => new Response(null, { status: 200 });
    await nextAttempt(e);
    expect((await deliveries(e))[0]!.state).toBe("delivered");
  });

  it("a delivery whose object died under way is tried again when its lease is over", async () => {
    const e = await endpoint();
    const sent = event();
    // What a crash between the claim and the answer leaves: a leased row and no attempt.
    await enqueue({ ...e, config: { ...e.config, url: "https://hooks.example.com/never" } }, sent);
    await settled(e, all("delivered"));
    await runInDurableObject(e.stub, (_instance, state) =>
      state.storage.sql.exec(
        "UPDATE delivery SET state = 'pending', finished_at_ms = NULL, next_at_ms = ?",
        nowMs + LEASE_MS,
      ),
    );
    await e.stub.sweep();
    expect(posts).toHaveLength(1);
    nowMs += LEASE_MS + 1;
    await e.stub.sweep();
    await settled(e, all("delivered"));
    expect(posts).toHaveLength(2);
  });

  it("tells the metrics what it keeps and what failed", async () => {
    const e = await endpoint();
    await enqueue(e, event());
    await settled(e, all("delivered"));
    await runInDurableObject(e.stub, (_instance, state) =>
      state.storage.sql.exec("UPDATE attempt SET status = 500"),
    );
    const swept = (await e.stub.sweep()) as { value: { gauges: Record<string, number> } };
    const series = (state: string) => `portcullis_deliveries{endpoint="${e.config.id}",state="${state}"}`;
    expect(swept.value.gauges).toEqual({
      [series("pending")]: 0,
      [series("delivered")]: 1,
      [series("dead_letter")]: 0,
      [`portcullis_delivery_failed_attempts{endpoint="${e.config.id}"}`]: 1,
    });
  });

  it("neither secret nor body of a message can be read from storage in plain, nor from the log", async () => {
    const e = await endpoint();
    const lines: string[] = [];
    for (const level of ["log", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation((line) => void lines.push(String(line)));
    }
    answering = () => new Response(null, { status: 500 });
    await enqueue(e);
    await settled(e, attempted(1));
    const stored = await runInDurableObject(e.stub, (_instance, state) =>
      JSON.stringify(state.storage.sql.exec("SELECT * FROM endpoint").toArray()),
    );
    const plain = e.secret.slice("whsec_".length);
    expect(stored).not.toContain(plain);
    expect(lines.join("\n")).toContain("webhook.attempt_failed");
    for (const hidden of [plain, "Zoë", "hooks.example.com", ...e.config.secrets_sealed]) {
      expect(lines.join("\n")).not.toContain(hidden);
    }
  });

  it("finished deliveries are kept for thirty days, waiting ones as long as they wait", async () => {
    const e = await endpoint();
    await enqueue(e);
    await settled(e, all("delivered"));
    nowMs += KEEP_MS - 1;
    await runDurableObjectAlarm(e.stub);
    expect(await deliveries(e)).toHaveLength(1);
    answering = () => new Response(null, { status: 500 });
    const waiting = await enqueue(e);
    await settled(e, attempted(1));
    nowMs += 1;
    await runDurableObjectAlarm(e.stub);
    expect((await deliveries(e)).map(({ id }) => id)).toEqual([waiting]);
    const attempts = await runInDurableObject(e.stub, (_instance, state) =>
      state.storage.sql.exec("SELECT DISTINCT delivery_id FROM attempt").toArray(),
    );
    expect(attempts).toEqual([{ delivery_id: waiting }]);
  });
});

describe("pages of deliveries", () => {
  it("go from the newest to the oldest, each delivery once", async () => {
    const e = await endpoint();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.unshift(await enqueue(e));
    await settled(e, all("delivered"));
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await value(e.stub.deliveries(cursor === undefined ? { limit: 2 } : { limit: 2, cursor }));
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.next_cursor;
    } while (cursor !== undefined);
    expect(seen).toEqual(ids);
  });
});

describe("a change of the endpoint", () => {
  it("holds for deliveries that wait; an older revision changes nothing", async () => {
    const e = await endpoint();
    answering = (_post, count) => new Response(null, { status: count === 1 ? 500 : 200 });
    await enqueue(e);
    await settled(e, attempted(1));
    await value(e.stub.configure({ ...e.config, url: "https://new.example.com/", revision: 3 }));
    await value(e.stub.configure({ ...e.config, url: "https://old.example.com/", revision: 2 }));
    await nextAttempt(e);
    expect(posts.map(({ url }) => url)).toEqual(["https://hooks.example.com/in", "https://new.example.com/"]);
  });

  it("to disabled turns what waits into dead letters, and new events too; enabled, they can be sent again", async () => {
    const e = await endpoint();
    answering = (_post, count) => new Response(null, { status: count === 1 ? 500 : 200 });
    const waiting = await enqueue(e);
    await settled(e, attempted(1));
    await value(e.stub.configure({ ...e.config, enabled: false, revision: 2 }));
    const late = await enqueue(e);
    expect((await deliveries(e)).map(({ id, state }) => [id, state])).toEqual([
      [late, "dead_letter"],
      [waiting, "dead_letter"],
    ]);
    expect(await e.stub.redeliver(waiting)).toMatchObject({ ok: false, error: { code: "conflict" } });
    nowMs += DAY_MS;
    await runDurableObjectAlarm(e.stub);
    expect(posts).toHaveLength(1);
    await value(e.stub.configure({ ...e.config, enabled: true, revision: 3 }));
    await value(e.stub.redeliver(waiting));
    await settled(e, (items) => items[1]!.state === "delivered" && items[0]!.state === "dead_letter");
  });

  it("its removal forgets the deliveries and refuses late events for good", async () => {
    const e = await endpoint();
    answering = () => new Response(null, { status: 500 });
    const id = await enqueue(e);
    await settled(e, attempted(1));
    await value(e.stub.remove());
    await value(e.stub.remove());
    expect(await deliveries(e)).toEqual([]);
    expect(await e.stub.enqueue({ ...e.config, revision: 9 }, event())).toMatchObject({
      ok: false,
      error: { code: "gone" },
    });
    expect(await e.stub.configure({ ...e.config, revision: 9 })).toMatchObject({
      ok: false,
      error: { code: "gone" },
    });
    expect(await e.stub.redeliver(id)).toMatchObject({ ok: false, error: { code: "not_found" } });
    const tables = await runInDurableObject(e.stub, (_instance, state) =>
      ["endpoint", "delivery", "attempt"].map((table) =>
        state.storage.sql.exec(`SELECT * FROM ${table}`).toArray(),
      ),
    );
    expect(tables).toEqual([[], [], []]);
  });
});

describe("what cannot be sent is a failed attempt, not a lost event", () => {
  it("an address that this deployment does not allow is never contacted", async () => {
    const e = await endpoint({ url: "https://169.254.169.254/" });
    await enqueue(e);
    expect((await settled(e, attempted(1)))[0]).toMatchObject({
      state: "pending",
      attempts: [{ error: "url_refused" }],
    });
    expect(posts).toEqual([]);
  });

  it("a secret sealed for another endpoint signs nothing", async () => {
    const other = await endpoint();
    const e = await endpoint({ secrets_sealed: other.config.secrets_sealed });
    await enqueue(e);
    expect((await settled(e, attempted(1)))[0]).toMatchObject({ attempts: [{ error: "secret_unreadable" }] });
    expect(posts).toEqual([]);
  });
});

describe("410 Gone", () => {
  async function registered() {
    const e = await endpoint();
    const { id, url, secrets_sealed } = e.config;
    const record = {
      id,
      url,
      secrets_sealed,
      events: ["*" as const],
      enabled: true,
      created_at: 1,
      revision: 1,
    };
    e.config = configOf(await value(registry.createEndpoint(record)));
    return e;
  }

  it("disables the endpoint, here and in the registry, until an operator enables it", async () => {
    const e = await registered();
    answering = () => new Response(null, { status: 500 });
    const waiting = await enqueue(e);
    await settled(e, attempted(1));
    answering = () => new Response(null, { status: 410 });
    const refused = await enqueue(e);
    const items = await settled(e, all("dead_letter"));
    expect(items.map(({ id }) => id)).toEqual([refused, waiting]);
    expect(items[0]!.attempts).toMatchObject([{ status: 410, error: "gone" }]);
    await vi.waitFor(async () => expect((await value(registry.endpoint(e.id))).enabled).toBe(false));
    await enqueue(e);
    expect(posts).toHaveLength(2);

    answering = () => new Response(null, { status: 200 });
    e.config = configOf(await value(registry.updateEndpoint(e.id, { enabled: true })));
    await value(e.stub.configure(e.config));
    await enqueue(e);
    await settled(e, (all) => all[0]!.state === "delivered");
    expect((await value(registry.endpoint(e.id))).enabled).toBe(true);
  });

  it("of an address that was changed meanwhile is an ordinary failure", async () => {
    const e = await registered();
    let slow = true;
    answering = async (_post, count) => {
      while (slow) await pause();
      return new Response(null, { status: count === 1 ? 410 : 200 });
    };
    await enqueue(e);
    await vi.waitFor(() => expect(posts).toHaveLength(1));
    await value(e.stub.configure({ ...e.config, url: "https://new.example.com/", revision: 2 }));
    slow = false;
    expect((await settled(e, attempted(1)))[0]).toMatchObject({ state: "pending" });
    await nextAttempt(e);
    expect((await deliveries(e))[0]!.state).toBe("delivered");
    expect((await value(registry.endpoint(e.id))).enabled).toBe(true);
  });
});
