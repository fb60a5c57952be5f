import { Hono } from "hono";
import type { Clock } from "../platform/clock.ts";
import type { HttpEnv } from "../platform/http.ts";
import type { Result } from "../protocol/result.ts";
import type { OverdueRotation } from "../tokens/key-view.ts";

export type HealthDeps = {
  clock: Clock;
  /** Reads the log now: which policy version is in force, and how far the log is. */
  replica(): Promise<Result<{ seq: number; policyVersion: number }>>;
  /** How old the replica of the isolate that answers is, as it is; undefined where it has none yet. */
  replicaAgeMs(): number | undefined;
  /** Whether what counts requests answers. */
  monitor(): Promise<Result<unknown>>;
  keyring: { ready(): Promise<Result<{ overdue: OverdueRotation[] }>> };
};

/** What is `optional` is told, and keeps nobody from being ready. */
export type Check = { name: string; ready: boolean; detail: string; optional?: true };

/**
 * `/healthz`: the Worker answers. `/readyz`: 200 where it can decide requests, else 503 and what is missing.
 * Both are open to all and tell no more than that.
 */
export function healthRoutes(deps: HealthDeps) {
  return new Hono<HttpEnv>()
    .get("/healthz", (c) => c.json({ status: "ok" }, 200, { "cache-control": "no-store" }))
    .get("/readyz", async (c) => {
      const replica = checkAge(deps);
      const found = await Promise.all([checkReplica(deps), checkKeys(deps), checkMonitor(deps)]);
      const checks = [replica, ...found.flat()];
      const ready = checks.every((check) => check.ready || check.optional);
      return c.json({ ready, checks }, ready ? 200 : 503, { "cache-control": "no-store" });
    });
}

/** Before it is renewed by asking the log. */
function checkAge({ replicaAgeMs }: HealthDeps): Check {
  const ageMs = replicaAgeMs();
  const detail = ageMs === undefined ? "none in this isolate before" : `${ageMs} ms old in this isolate`;
  return { name: "replica", ready: true, detail };
}

/** No request depends on it. */
async function checkMonitor({ monitor }: HealthDeps): Promise<Check[]> {
  const read = await monitor();
  const detail = read.ok ? "requests are counted" : read.error.detail;
  return [{ name: "monitor", ready: read.ok, optional: true, detail }];
}

async function checkReplica(deps: HealthDeps): Promise<Check[]> {
  const asked = deps.clock();
  const replica = await deps.replica();
  if (!replica.ok) return [{ name: "log", ready: false, detail: replica.error.detail }];
  const { seq, policyVersion } = replica.value;
  return [
    { name: "log", ready: true, detail: `read up to ${seq} in ${deps.clock() - asked} ms` },
    policyVersion > 0
      ? { name: "policy", ready: true, detail: `version ${policyVersion}` }
      : { name: "policy", ready: false, detail: "none yet, so every request is refused: PUT /v1/policy" },
  ];
}

async function checkKeys(deps: HealthDeps): Promise<Check[]> {
  const keys = await deps.keyring.ready();
  if (!keys.ok) return [{ name: "keys", ready: false, detail: keys.error.detail }];
  const overdue = keys.value.overdue.map(({ purpose, due_at, issuing_stops_at }) => {
    const detail = `the ${purpose} key should have been replaced at ${rfc3339(due_at)}; issuing stops at ${rfc3339(issuing_stops_at)}`;
    return { name: "key_rotation", ready: false, detail };
  });
  return [{ name: "keys", ready: true, detail: "signing keys are published" }, ...overdue];
}

function rfc3339(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
