import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import type { EndpointPatch, EndpointRecord, RegistryPort } from "../../../src/webhooks/endpoint.ts";
import { matchesEvent } from "../../../src/webhooks/event.ts";
import type { EndpointPort } from "../../../src/webhooks/publish.ts";

const NOT_FOUND = err(problem("not_found", "There is no such webhook endpoint."));

/** The registry's contract for endpoints, in memory. */
export function memoryRegistry(...records: EndpointRecord[]) {
  const kept = new Map(records.map((record) => [record.id, record]));
  const deleted = new Set<string>();
  const change = (id: string, changed: (record: EndpointRecord) => EndpointRecord, ifMatch?: number) => {
    const record = kept.get(id);
    if (!record) return NOT_FOUND;
    if (ifMatch !== undefined && ifMatch !== record.revision)
      return err(problem("precondition_failed", "other"));
    const next = { ...changed(record), revision: record.revision + 1 };
    kept.set(id, next);
    return ok(next);
  };
  const port: RegistryPort = {
    createEndpoint: async (record) => {
      if (deleted.has(record.id)) return err(problem("gone", "This endpoint was deleted."));
      if (!kept.has(record.id)) kept.set(record.id, record);
      return ok(kept.get(record.id)!);
    },
    endpoint: async (id) => (kept.has(id) ? ok(kept.get(id)!) : NOT_FOUND),
    listEndpoints: async ({ limit }) => ok({ items: [...kept.values()].reverse().slice(0, limit) }),
    updateEndpoint: async (id, patch, ifMatch) => change(id, (record) => applyPatch(record, patch), ifMatch),
    deleteEndpoint: async (id) => (kept.delete(id) && deleted.add(id) ? ok({ id }) : NOT_FOUND),
    rotateEndpointSecret: async (id, sealed) =>
      change(id, (record) => ({ ...record, secrets_sealed: [sealed, ...record.secrets_sealed].slice(0, 2) })),
    endpointsFor: async (type) =>
      ok([...kept.values()].filter((record) => record.enabled && matchesEvent(record.events, type))),
    streamIds: async () => ok([]),
    decisionEndpoints: async () =>
      ok([...kept.values()].filter((record) => record.enabled && record.reviews_as)),
  };
  return { port, kept };
}

function applyPatch(record: EndpointRecord, patch: EndpointPatch): EndpointRecord {
  const merged = Object.entries({ ...record, ...patch }).filter(([, value]) => value !== null);
  return Object.fromEntries(merged) as EndpointRecord;
}

/** Endpoint objects that write down what they are told. */
export function recordingEndpoints(answers: Partial<EndpointPort> = {}) {
  const calls: { id: string; method: string; args: unknown[] }[] = [];
  const endpoint = (id: string): EndpointPort => {
    const told =
      (method: string, value: unknown) =>
      async (...args: unknown[]) => {
        calls.push({ id, method, args });
        return (
          (await (answers as Record<string, (...args: unknown[]) => unknown>)[method]?.(...args)) ?? ok(value)
        );
      };
    return {
      enqueue: told("enqueue", { delivery_id: "dlv_1" }),
      configure: told("configure", { id }),
      remove: told("remove", null),
      deliveries: told("deliveries", { items: [] }),
      redeliver: told("redeliver", { id: "dlv_1" }),
      redeliverDead: told("redeliverDead", { redelivered: 0, remaining: 0 }),
      countDead: told("countDead", { redelivered: 0, remaining: 0 }),
      redeliverEach: told("redeliverEach", { redelivered: 0, remaining: 0 }),
    } as EndpointPort;
  };
  return { endpoint, calls };
}

export function endpointRecord(members: Partial<EndpointRecord> = {}): EndpointRecord {
  return {
    id: "whe_00000000000000000000000001",
    url: "https://hooks.example.com/",
    events: ["*"],
    secrets_sealed: ["v1.a.b"],
    enabled: true,
    created_at: 1_800_000_000,
    revision: 1,
    ...members,
  };
}
