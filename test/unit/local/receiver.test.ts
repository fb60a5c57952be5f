import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Receiver, startReceiver } from "../../../src/local/receiver.ts";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
let receiver: Receiver;

beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

async function post(secret: string, body: object, sentAt = new Date()): Promise<number> {
  const text = JSON.stringify(body);
  const headers = {
    "webhook-id": "evt_1",
    "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign("evt_1", sentAt, text),
  };
  return (await fetch(receiver.url, { method: "POST", headers, body: text })).status;
}

describe("the webhook receiver", () => {
  const event = { type: "access_request.created", data: { id: "req_1" } };

  it("takes a message that is signed with the trusted secret, before and after it is asked for", async () => {
    receiver.trust(SECRET);
    const early = receiver.arrived(({ type }) => type === event.type, 2_000);
    expect(await post(SECRET, event)).toBe(204);
    expect(await early).toMatchObject(event);
    expect(await receiver.arrived(({ type }) => type === event.type, 2_000)).toMatchObject(event);
    expect(receiver.refused()).toBe(0);
  });

  it.each([
    ["another secret", () => post(`whsec_${Buffer.alloc(32, 8).toString("base64")}`, event)],
    ["an old timestamp", () => post(SECRET, event, new Date(Date.now() - 600_000))],
  ])("refuses %s", async (_name, send) => {
    receiver.trust(SECRET);
    expect(await send()).toBe(401);
    expect(receiver.refused()).toBe(1);
    await expect(receiver.arrived(() => true, 50)).rejects.toThrow("within 50 ms");
  });

  it("refuses everything before a secret is trusted", async () => {
    expect(await post(SECRET, event)).toBe(401);
  });
});
