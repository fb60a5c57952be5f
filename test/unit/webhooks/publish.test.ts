import { beforeEach, describe, expect, it } from "vitest";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import type { EventType, WebhookEvent } from "../../../src/webhooks/event.ts";
import { alertEndpoints, type EventDetector, publishEvent } from "../../../src/webhooks/publish.ts";
import { endpointRecord, memoryRegistry, recordingEndpoints } from "./memory-ports.ts";

const event: WebhookEvent & { type: EventType } = {
  id: "evt_1",
  type: "grant.revoked",
  timestamp: "2026-11-20T12:00:00.000Z",
  data: {},
};
/** What the detector was told of. */
let detected: string[] = [];
const detector: EventDetector = {
  published: async ({ type }) => {
    detected.push(type);
    return ok(null);
  },
};
beforeEach(() => {
  detected = [];
});
const registry = memoryRegistry(
  endpointRecord({ id: "whe_a", events: ["*"], reviews_as: { roles: ["approver"] } }),
  endpointRecord({ id: "whe_b", events: ["grant.*"] }),
  endpointRecord({ id: "whe_c", events: ["access_request.*"] }),
  endpointRecord({ id: "whe_d", events: ["*"], enabled: false }),
).port;

/** Nobody is told of anything: the registry has no streams. */
const stream = () => ({ offer: () => Promise.reject(new Error("no stream is there")) });

const statusList = { offer: async () => ok(null) };

it("hands the event to every enabled endpoint that subscribes, with its configuration and nothing more", async () => {
  const { endpoint, calls } = recordingEndpoints();
  await publishEvent(event, { registry, endpoint, stream, statusList, detector });
  expect(calls.map(({ id, method }) => [id, method])).toEqual([
    ["whe_a", "enqueue"],
    ["whe_b", "enqueue"],
  ]);
  expect(calls[0]!.args).toEqual([
    {
      id: "whe_a",
      url: "https://hooks.example.com/",
      secrets_sealed: ["v1.a.b"],
      enabled: true,
      revision: 1,
    },
    event,
  ]);
});

it("throws where an endpoint could not be reached, after all were tried", async () => {
  const unavailable = async () => err(problem("unavailable", "no"));
  const { endpoint, calls } = recordingEndpoints({ enqueue: unavailable });
  await expect(publishEvent(event, { registry, endpoint, stream, statusList, detector })).rejects.toThrow(
    "2 of 2 webhook endpoints",
  );
  expect(calls).toHaveLength(2);
});

describe("what is something to detect", () => {
  const reused = { ...event, type: "session.reuse_detected" as const };

  it("goes to the detector, whoever listens to it, and nothing else does", async () => {
    const { endpoint } = recordingEndpoints();
    await publishEvent(event, { registry, endpoint, stream, statusList, detector });
    expect(detected).toEqual([]);
    const nobody = { ...registry, endpointsFor: async () => ok([]) };
    await publishEvent(reused, { registry: nobody, endpoint, stream, statusList, detector });
    expect(detected).toEqual(["session.reuse_detected"]);
  });

  it("is tried again where the detector was not reached, and endpoints have it all the same", async () => {
    const { endpoint, calls } = recordingEndpoints();
    const down = { published: async () => err(problem("unavailable", "no")) };
    await expect(
      publishEvent(reused, { registry, endpoint, stream, statusList, detector: down }),
    ).rejects.toThrow("detector");
    expect(calls.map(({ id }) => id)).toEqual(["whe_a"]);
  });

  it("goes to the detector also where an endpoint could not be reached", async () => {
    const { endpoint } = recordingEndpoints({ enqueue: async () => err(problem("unavailable", "no")) });
    await expect(publishEvent(reused, { registry, endpoint, stream, statusList, detector })).rejects.toThrow(
      "1 of 1",
    );
    expect(detected).toEqual(["session.reuse_detected"]);
  });
});

it("does not wait for an endpoint that was deleted meanwhile", async () => {
  const { endpoint } = recordingEndpoints({ enqueue: async () => err(problem("gone", "deleted")) });
  await expect(
    publishEvent(event, { registry, endpoint, stream, statusList, detector }),
  ).resolves.toBeUndefined();
});

it("throws where the registry does not answer", async () => {
  const { endpoint, calls } = recordingEndpoints();
  const down = { ...registry, endpointsFor: async () => err(problem("unavailable", "no")) };
  await expect(
    publishEvent(event, { registry: down, endpoint, stream, statusList, detector }),
  ).rejects.toThrow("grant.revoked");
  expect(calls).toEqual([]);
});

it("offers revocations to the streams of shared signals, and throws where one could not be reached", async () => {
  const { endpoint } = recordingEndpoints();
  const offered: string[] = [];
  const two = { ...registry, streamIds: async () => ok(["str_a", "str_b"]) };
  const streams = (missing?: string) => (id: string) => ({
    offer: async () => {
      offered.push(id);
      return id === missing ? err(problem("unavailable", "no")) : ok(null);
    },
  });
  await publishEvent(event, { registry: two, endpoint, statusList, detector, stream: streams() });
  expect(offered).toEqual([]);
  const created = { ...event, type: "revocation.created" } as const;
  await publishEvent(created, { registry: two, endpoint, statusList, detector, stream: streams() });
  expect(offered).toEqual(["str_a", "str_b"]);
  const cut = { registry: two, endpoint, statusList, detector, stream: streams("str_b") };
  await expect(publishEvent(created, cut)).rejects.toThrow("1 of 2 streams");
  const unknown = { ...registry, streamIds: async () => err(problem("unavailable", "no")) };
  await expect(
    publishEvent(created, { registry: unknown, endpoint, stream, statusList, detector }),
  ).rejects.toThrow("not known");
});

describe("an alert", () => {
  /** Deliveries of both endpoints, as they are at each look; the last one lasts. */
  function watched(looks: { attempts: number; state?: string }[]) {
    let waitedMs = 0;
    const enqueued: string[] = [];
    const endpoint = (id: string) => ({
      enqueue: async () => {
        enqueued.push(id);
        return ok({ delivery_id: `dlv_${id}` });
      },
      delivery: async () => {
        const { attempts, state = "pending" } = looks[Math.min(waitedMs / 50, looks.length - 1)]!;
        return ok({ state, attempts: Array.from({ length: attempts }, () => ({})) }) as never;
      },
    });
    const sleep = async (ms: number) => {
      waitedMs += ms;
    };
    return { ports: { registry, endpoint, sleep }, enqueued, waited: () => waitedMs };
  }

  it("is over when every endpoint has been sent to, whatever the receiver answered", async () => {
    const { ports, enqueued, waited } = watched([{ attempts: 0 }, { attempts: 0 }, { attempts: 1 }]);
    await alertEndpoints(event, ports);
    expect(enqueued).toEqual(["whe_a", "whe_b"]);
    expect(waited()).toBe(100);
  });

  it("does not wait for what is a dead letter at once", async () => {
    const { ports, waited } = watched([{ attempts: 0, state: "dead_letter" }]);
    await alertEndpoints(event, ports);
    expect(waited()).toBe(0);
  });

  it("waits five seconds for a receiver that does not answer, no longer", async () => {
    const { ports, waited } = watched([{ attempts: 0 }]);
    await alertEndpoints(event, ports);
    expect(waited()).toBe(5_000);
  });

  it("has failed where nobody listens, and where a queue was not reached", async () => {
    const { ports } = watched([{ attempts: 1 }]);
    const nobody = memoryRegistry(endpointRecord({ id: "whe_c", events: ["access_request.*"] })).port;
    await expect(alertEndpoints(event, { ...ports, registry: nobody })).rejects.toThrow(
      "no webhook endpoint",
    );
    const unreached = (id: string) => ({
      ...ports.endpoint(id),
      enqueue: async () => err(problem("unavailable", "no")),
    });
    await expect(alertEndpoints(event, { ...ports, endpoint: unreached })).rejects.toThrow("2 of 2");
  });
});
