import { afterAll, beforeAll, expect, it } from "vitest";
import { ask } from "../support/access.ts";
import { DeadReceiver, type Failing } from "../support/dead-receivers.ts";
import { bodyOf, type Endpoint } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { type Stand, standUp } from "../support/stand.ts";

type Delivery = {
  state: string;
  next_attempt_at?: number;
  attempts: { at: number; status?: number; error?: string; duration_seconds: number }[];
};

/** How the first attempt at each ends; undefined for those that take the event after all. */
const FAILURES: Record<Failing, string | undefined> = {
  status_500: "http_status",
  gone_410: "gone",
  too_many_429: "http_status",
  redirect_307: "redirect",
  hang: "timeout",
  drip: undefined,
  drip_status: "timeout",
  huge: undefined,
  reset: "connection",
};
const EVENTS = 15;

let stand: Stand;
let healthy: Receiver;
const dead = new Map<Failing, DeadReceiver>();
const endpoints = new Map<Failing, Endpoint>();

beforeAll(async () => {
  stand = await standUp();
  healthy = await Receiver.start();
  const events = ["access_request.created"];
  const good = await stand.gate.newEndpoint({ url: healthy.url, events });
  healthy.trust(good.secret);
  for (const failing of Object.keys(FAILURES) as Failing[]) {
    dead.set(failing, await DeadReceiver.start(failing, healthy.url));
  }
});

afterAll(async () => {
  await stand?.stop();
  await healthy?.close();
  for (const receiver of dead.values()) await receiver.close();
});

/** How long the healthy receiver waited for each of some events, in milliseconds, slowest first. */
async function delays(): Promise<number[]> {
  const asked: { id: string; atMs: number }[] = [];
  for (let n = 0; n < EVENTS; n++) {
    const atMs = Date.now();
    asked.push({ id: (await ask(stand.gate, stand.requester.token)).id, atMs });
  }
  const all = asked.map(async ({ id, atMs }) => {
    const told = await healthy.waitFor(
      ({ data }) => (data.access_request as { id: string }).id === id,
      60_000,
    );
    return told.receivedAtMs - atMs;
  });
  return (await Promise.all(all)).sort((a, b) => b - a);
}

async function firstDelivery(failing: Failing): Promise<Delivery> {
  const path = `/v1/webhook-endpoints/${endpoints.get(failing)!.id}/deliveries?limit=200`;
  const { items } = bodyOf<{ items: Delivery[] }>(await stand.gate.asOperator(path), 200);
  return items.at(-1)!;
}

it("receivers that fail in every way do not hold up the one that does not", async () => {
  const { gate } = stand;
  // As many endpoints, all of them well: what is compared is what failing costs the others, not their number.
  const well = await Receiver.start();
  const others = await Promise.all(
    Object.keys(FAILURES).map(() => gate.newEndpoint({ url: well.url, events: ["access_request.created"] })),
  );
  well.trust(...others.map(({ secret }) => secret));
  const normal = await delays();
  for (const { id } of others) await gate.asOperator(`/v1/webhook-endpoints/${id}`, { method: "DELETE" });
  await well.close();
  for (const [failing, { url }] of dead) {
    endpoints.set(failing, await gate.newEndpoint({ url, events: ["access_request.created"] }));
  }
  const beside = await delays();
  console.log(
    `slowest of ${EVENTS}: among healthy ones ${normal[0]} ms, beside dead receivers ${beside[0]} ms`,
  );
  expect(beside[0]! - normal[0]!).toBeLessThan(1_000);

  for (const [failing, error] of Object.entries(FAILURES) as [Failing, string | undefined][]) {
    await expect
      .poll(async () => (await firstDelivery(failing)).attempts.length, { timeout: 60_000, interval: 500 })
      .toBeGreaterThan(0);
    const { state, attempts, next_attempt_at } = await firstDelivery(failing);
    const first = attempts.at(-1)!;
    expect(first.error, failing).toBe(error);
    expect(first.duration_seconds, failing).toBeLessThan(error === "timeout" ? 20 : 10);
    if (error === "timeout") expect(first.duration_seconds).toBeGreaterThanOrEqual(14.9);
    if (error === undefined) expect(state, failing).toBe("delivered");
    // `Retry-After: 120` is longer than any of the first waits.
    if (failing === "too_many_429") expect(next_attempt_at! - first.at).toBeGreaterThanOrEqual(120);
    expect(dead.get(failing)!.posts, failing).toBeGreaterThan(0);
  }
  // A redirect was not followed: the healthy one got its own posts only.
  expect(healthy.received).toHaveLength(2 * EVENTS);
  expect(healthy.refused).toEqual([]);
  // What the kernel's buffers hold is sent whether it is wanted or not; the rest of the 100 MB stays.
  expect(dead.get("huge")!.bytesSent / EVENTS).toBeLessThan(20 * 1024 * 1024);
  // 410 ended it: nothing more was sent to it than was under way.
  expect(dead.get("gone_410")!.posts).toBeLessThanOrEqual(4);
  expect(
    (await gate.asOperator(`/v1/webhook-endpoints/${endpoints.get("gone_410")!.id}`)).body,
  ).toMatchObject({
    enabled: false,
    disabled_reason: "gone",
  });
});
