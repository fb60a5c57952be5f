import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { sendOnce } from "../../../src/webhooks/sender.ts";
import { hmacSigner, shownSecret, signMessage } from "../../../src/webhooks/signature.ts";
import { Receiver } from "../../support/receiver.ts";

const SECRET = new Uint8Array(32).fill(5);
const BODY = JSON.stringify({ id: "evt_1", type: "grant.revoked", timestamp: "t", data: { who: "Zoë" } });
const clock = () => Date.now();

let receiver: Receiver;
beforeAll(async () => {
  receiver = await Receiver.start();
  receiver.trust(shownSecret(SECRET));
});
beforeEach(() => {
  receiver.received.length = 0;
  receiver.refused.length = 0;
});
afterAll(() => receiver.close());

async function send(url = receiver.url, secret = SECRET, timeoutMs?: number) {
  const signature = await signMessage(
    { id: "evt_1", body: BODY },
    [hmacSigner(secret)],
    Math.floor(Date.now() / 1000),
  );
  return sendOnce({ url, headers: signature, body: BODY }, clock, timeoutMs);
}

it("a receiver with the standardwebhooks package accepts what arrives, byte for byte", async () => {
  receiver.answerWith(() => ({ status: 202 }));
  expect(await send()).toEqual({ status: 202 });
  const message = await receiver.waitFor("grant.revoked");
  expect(message).toMatchObject({ id: "evt_1", body: BODY, data: { who: "Zoë" } });
  expect(message.headers).toMatchObject({
    "content-type": "application/json",
    "user-agent": "Portcullis-Webhooks/1",
  });
});

it("the receiver refuses what another secret signed", async () => {
  expect(await send(receiver.url, new Uint8Array(32).fill(6))).toEqual({ status: 401, error: "http_status" });
  expect(receiver.refused).toEqual(["WebhookVerificationError: No matching signature found"]);
  await expect(receiver.waitFor("grant.revoked", 20)).rejects.toThrow("No matching signature found");
});

it("a redirect is a failure and is not followed", async () => {
  receiver.answerWith((_message, count) =>
    count === 1 ? { status: 307, headers: { location: receiver.url } } : { status: 204 },
  );
  expect(await send()).toEqual({ status: 307, error: "redirect" });
  expect(receiver.received).toHaveLength(1);
});

it("takes Retry-After along", async () => {
  receiver.answerWith(() => ({ status: 429, headers: { "retry-after": "90" } }));
  expect(await send()).toEqual({ status: 429, error: "http_status", retryAfterMs: 90_000 });
});

it("gives up on a receiver that does not answer in time, and waits for one that does", async () => {
  receiver.answerWith(() => ({ status: 204, delayMs: 100 }));
  expect(await send(receiver.url, SECRET, 20)).toEqual({ error: "timeout" });
  expect(await send(receiver.url, SECRET, 5_000)).toEqual({ status: 204 });
});

/** A server whose answer never ends. */
async function startEndless() {
  const endless = createServer((_request, response) => {
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(65_536)));
      response.once("drain", more);
    };
    more();
  });
  await new Promise<void>((resolve) => endless.listen(0, "127.0.0.1", resolve));
  return { endless, port: (endless.address() as AddressInfo).port };
}

it("looks at the beginning of an answer only, where its text decides", async () => {
  const { endless, port } = await startEndless();
  const closed = new Promise((resolve) =>
    endless.once("connection", (socket) => socket.once("close", resolve)),
  );
  const looked: number[] = [];
  const accepts = (body: string) => looked.push(body.length) > 1;
  const message = { url: `http://127.0.0.1:${port}/`, headers: {}, body: BODY, accepts };
  expect(await sendOnce(message, clock)).toEqual({ status: 200, error: "refused" });
  await closed;
  expect(looked).toHaveLength(1);
  expect(looked[0]).toBeLessThan(1024 * 1024);
  endless.close();

  receiver.answerWith(() => ({ status: 200, body: '{"ok":true}' }));
  const signed = await signMessage(
    { id: "evt_1", body: BODY },
    [hmacSigner(SECRET)],
    Math.floor(Date.now() / 1000),
  );
  const told = {
    url: receiver.url,
    headers: signed,
    body: BODY,
    accepts: (body: string) => body === '{"ok":true}',
  };
  expect(await sendOnce(told, clock)).toEqual({ status: 200 });
});

it("does not read an answer that never ends", async () => {
  const { endless, port } = await startEndless();
  const closed = new Promise((resolve) =>
    endless.once("connection", (socket) => socket.once("close", resolve)),
  );
  expect(await send(`http://127.0.0.1:${port}/`)).toEqual({ status: 200 });
  await closed;
  endless.close();
});

it("a receiver that is not there is a failed connection", async () => {
  const gone = await Receiver.start();
  const { url } = gone;
  await gone.close();
  expect(await send(url)).toEqual({ error: "connection" });
});
