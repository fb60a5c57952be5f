import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { DetectorObject } from "../../src/remediation/detector-object.ts";
import type { MonitorObject } from "../../src/remediation/monitor-object.ts";
import type { Observation } from "../../src/remediation/observation.ts";
import type { WebhookEvent } from "../../src/webhooks/event.ts";
import { expectValue, remote } from "../support/remote.ts";

const eventually = { timeout: 15_000, interval: 20 };
const AT = Math.floor(Date.now() / 1000);
let count = 0;

function newShard() {
  const stub = env.DETECTOR.getByName(`shard-${count++}`);
  const object = remote<DetectorObject>(stub);
  const observe = (id: string, observations: Observation[]) =>
    object.observe({ id, isolate: "rpt_isolate", observations });
  return { stub, observe, published: (event: WebhookEvent) => object.published(event) };
}

const forged = (times: number, address = `203.0.113.${count}`): Observation[] => [
  {
    ...{ what: "refused", why: "tampered", count: times, at: AT },
    about: { iss: "https://auth.example.com", kid: "own-1", address },
  },
];

/** How many detections of a kind the monitor was told of. */
async function raised(kind = "token_tampered"): Promise<number> {
  const monitor = remote<MonitorObject>(env.MONITOR.getByName("main"));
  const { counters } = expectValue(await monitor.read());
  return counters[`portcullis_detections_total{kind="${kind}"}`] ?? 0;
}

const rowsOf = (shard: ReturnType<typeof newShard>, table: string) =>
  runInDurableObject(shard.stub, (_object, state) =>
    state.storage.sql.exec<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`).one(),
  ).then(({ n }) => n);

describe("a shard of detectors", () => {
  it("counts a report once, and raises what it reached once", async () => {
    const shard = newShard();
    const before = await raised();
    const six = forged(6);
    expectValue(await shard.observe("rpt_1", six));
    expectValue(await shard.observe("rpt_1", six));
    expect(await rowsOf(shard, "watched")).toBe(1);
    expect(await rowsOf(shard, "outbox")).toBe(0);
    expectValue(await shard.observe("rpt_2", six));
    expectValue(await shard.observe("rpt_3", six));
    await expect.poll(() => raised(), eventually).toBe(before + 1);
    await expect.poll(() => rowsOf(shard, "outbox"), eventually).toBe(0);
  });

  it("goes on counting after it was evicted", async () => {
    const shard = newShard();
    const before = await raised();
    const six = forged(6);
    await shard.observe("rpt_1", six);
    await evictDurableObject(shard.stub);
    await shard.observe("rpt_2", six);
    await expect.poll(() => raised(), eventually).toBe(before + 1);
    // It also knows then that it was raised.
    await evictDurableObject(shard.stub);
    await shard.observe("rpt_3", forged(50, six[0]!.about.address));
    expect(await rowsOf(shard, "outbox")).toBe(0);
    expect(await raised()).toBe(before + 1);
  });

  it("forgets windows and reports that are over with its alarm, and then sleeps", async () => {
    const shard = newShard();
    const old: Observation[] = [{ ...forged(1)[0]!, at: AT - 7_200 }];
    await shard.observe("rpt_old", old);
    expect(await rowsOf(shard, "watched")).toBe(1);
    await runInDurableObject(shard.stub, (_object, state) => {
      state.storage.sql.exec("UPDATE reports SET at_ms = 0");
    });
    await runDurableObjectAlarm(shard.stub);
    expect([await rowsOf(shard, "watched"), await rowsOf(shard, "reports")]).toEqual([0, 0]);
    expect(await runInDurableObject(shard.stub, (_object, state) => state.storage.getAlarm())).toBeNull();
  });

  it("makes detections of the control plane's events, the same for the same event", async () => {
    const shard = newShard();
    const before = await raised("key_rotation_overdue");
    const event: WebhookEvent = {
      ...{ id: "evt_1", type: "key.rotation_overdue", timestamp: new Date(AT * 1000).toISOString() },
      data: { kid: "k1", purpose: "access_token", due_at: AT - 1, issuing_stops_at: AT + 1 },
    };
    expectValue(await shard.published(event));
    expectValue(await shard.published(event));
    expectValue(await shard.published({ ...event, type: "grant.revoked" }));
    await expect.poll(() => rowsOf(shard, "outbox"), eventually).toBe(0);
    expect(await raised("key_rotation_overdue")).toBe(before + 1);
  });
});
