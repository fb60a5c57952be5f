import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AccessRequest } from "../../../src/access/access-request.ts";
import { accessEventRoutes } from "../../../src/access/event-routes.ts";
import type { AccessRequestPort } from "../../../src/access/ports.ts";
import { accessRequestRoutes } from "../../../src/access/routes.ts";
import { Waiters } from "../../../src/access/waiters.ts";
import type { HttpEnv } from "../../../src/platform/http.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";

const ID = "req_00000000000000000000000000";
const NOW_MS = 1_800_000_000_000;
const UNREACHABLE = err(problem("unavailable", "evicted"));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("waiters", () => {
  it("are told of the next change, once, or that the time is up", async () => {
    const waiters = new Waiters();
    const [changed, late] = [waiters.next(1_000), waiters.next(10)];
    await vi.advanceTimersByTimeAsync(10);
    expect(await late).toBe(false);
    waiters.wake();
    waiters.wake();
    expect(await changed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("are at most sixty-four; there is room again when they are done", async () => {
    const waiters = new Waiters();
    const waiting = Array.from({ length: 64 }, () => waiters.next(60_000));
    expect(await waiters.next(60_000)).toBe(false);
    waiters.wake();
    expect(await Promise.all(waiting)).toEqual(Array(64).fill(true));
    const again = waiters.next(60_000);
    waiters.wake();
    expect(await again).toBe(true);
  });
});

const request: AccessRequest = {
  id: ID,
  decided: "pending",
  requester: { subject: "ann", client_id: "cli_1", roles: [] },
  ask: { resource: "orders", scope: ["orders:read"], duration_seconds: 60, justification: "x" },
  rule_id: "orders",
  audience: "https://api.example.com",
  access_token_ttl_seconds: 60,
  warn_before_end_seconds: 300,
  stages: [{ roles: ["approver"], subjects: [], count: 1 }],
  stage: 0,
  stage_opened_at: NOW_MS / 1000,
  created_at: NOW_MS / 1000,
  review_deadline: NOW_MS / 1000 + 3_600,
  reviews: [],
  extensions: [],
};

/** The two rooms' routes over an object whose long calls answer this. */
function routes(waiting: Pick<AccessRequestPort, "decided" | "happened">) {
  const object = { read: async () => ok(request) } as AccessRequestPort;
  const deps = {
    accessRequest: () => object,
    waiting: () => waiting,
    clock: () => NOW_MS + Date.now(),
    directory: { list: async () => ok([]), admit: async () => ok(null) },
    listeners: async () => ok(1),
    policy: async () => UNREACHABLE,
    ids: async () => UNREACHABLE,
    binding: async () => UNREACHABLE,
    passkey: async () => UNREACHABLE,
  };
  vi.setSystemTime(0);
  return new Hono<HttpEnv>()
    .use((c, next) => {
      c.set("requestId", "r1");
      c.set("actor", { subject: "ann", clientId: "cli_1", scopes: ["requests:read"], roles: [] });
      return next();
    })
    .route("/", accessRequestRoutes(deps))
    .route("/", accessEventRoutes(deps));
}

describe("an object that goes away while somebody waits", () => {
  it("ends the wait: the request is answered as it was", async () => {
    const app = routes({ decided: async () => UNREACHABLE, happened: async () => UNREACHABLE });
    const answer = await app.request(`/v1/access-requests/${ID}`, { headers: { prefer: "wait=30" } });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ id: ID, state: "pending" });
  });

  it("ends the stream of events, which tells the client when to come back", async () => {
    const app = routes({ decided: async () => UNREACHABLE, happened: async () => UNREACHABLE });
    const answer = await app.request(`/v1/access-requests/${ID}/events`);
    expect(await answer.text()).toBe("retry: 3000\n\n");
  });
});

describe("a stream of events", () => {
  it("asks once in twenty seconds while nothing happens, and ends after two minutes", async () => {
    const waits: number[] = [];
    const happened = async (_after: string | null, timeoutMs: number) => {
      waits.push(timeoutMs);
      await new Promise((resolve) => setTimeout(resolve, timeoutMs));
      return ok({ request, events: [] });
    };
    const app = routes({ decided: async () => UNREACHABLE, happened });
    const reading = async () => (await app.request(`/v1/access-requests/${ID}/events`)).text();
    const text = reading();
    await vi.advanceTimersByTimeAsync(121_000);
    expect(await text).toBe(`retry: 3000\n\n${": waiting\n\n".repeat(6)}`);
    expect(waits).toEqual([0, ...Array(6).fill(20_000)]);
  });

  it("does not ask again and again where the object lets nobody wait any more", async () => {
    let asked = 0;
    const happened = async () => {
      asked++;
      return ok({ request, events: [] });
    };
    const app = routes({ decided: async () => UNREACHABLE, happened });
    const answer = await app.request(`/v1/access-requests/${ID}/events`);
    expect(await answer.text()).toContain("retry: 3000");
    expect(asked).toBe(2);
  });
});
