import { afterAll, beforeAll, expect, it } from "vitest";
import type { Detection, DetectionKind } from "../../src/protocol/detection.ts";
import { ask, hold } from "../support/access.ts";
import { DeadReceiver } from "../support/dead-receivers.ts";
import { bodyOf } from "../support/deployment.ts";
import { type PeopleStand, standUpWithPeople } from "../support/people-stand.ts";
import { Receiver } from "../support/receiver.ts";

/** Isolates tell after a second, and the machine may be busy. */
const TOLD_WITHIN_MS = 30_000;

let stand: PeopleStand;
let receiver: Receiver;

beforeAll(async () => {
  stand = await standUpWithPeople((policy) => ({
    ...policy,
    detections: { token_used_after_expiry: { grace_seconds: 0 }, token_overused: { threshold: 301 } },
    // What is only to be noticed is let go on.
    remediation: { rules: [] },
  }));
  receiver = await Receiver.start();
  const { gate } = stand;
  const endpoint = await gate.newEndpoint({ url: receiver.url, events: ["detection.raised"] });
  receiver.trust(endpoint.secret);
});

afterAll(async () => {
  await stand?.stop();
  await receiver?.close();
});

const detections = () =>
  new Map(
    receiver.received.map(({ data }) => [data.detection as Detection]).map(([each]) => [each!.id, each!]),
  );

async function detected(kind: DetectionKind): Promise<Detection> {
  const { data } = await receiver.waitFor(
    ({ data: { detection } }) => (detection as Detection).kind === kind,
    TOLD_WITHIN_MS,
  );
  return data.detection as Detection;
}

async function send(token: string, times: number, address: (n: number) => string, status: number) {
  for (let n = 0; n < times; n++) {
    const headers = { authorization: `Bearer ${token}`, "cf-connecting-ip": address(n) };
    const answer = await fetch(`${stand.gate.issuer}/orders/1`, { headers });
    await answer.body?.cancel();
    expect(answer.status).toBe(status);
  }
}

/** Members of a token that nobody has verified here. */
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()) as { jti: string; sub: string };

it("detects forged, expired, revoked, over-used and scattered tokens from what the gate sees, and nothing else", async () => {
  const { gate, requester } = stand;
  const alone = () => "192.0.2.1";
  // What is signed with another key under our own kid.
  const [head, , signature] = requester.token.split(".") as [string, string, string];
  const forged = Buffer.from(JSON.stringify({ ...claimsOf(requester.token), sub: "root" })).toString(
    "base64url",
  );
  await send(`${head}.${forged}.${signature}`, 12, () => "192.0.2.66", 401);
  const tampered = await detected("token_tampered");
  expect(tampered.about).toMatchObject({ iss: gate.issuer, address: "192.0.2.66" });
  expect(tampered.about).not.toHaveProperty("sub");
  expect(tampered.about).not.toHaveProperty("jti");

  const now = Math.floor(Date.now() / 1000);
  const old = await stand.people.token("eve", { iat: now - 900, exp: now - 300 });
  await send(old, 12, alone, 401);
  expect((await detected("token_used_after_expiry")).about).toMatchObject({
    ...{ iss: stand.people.issuer, sub: "eve", jti: claimsOf(old).jti, route: "orders-read" },
  });

  const held = await hold(gate, stand);
  await send(held.token, 1, alone, 200);
  const { jti } = claimsOf(held.token);
  await gate.revoke({ jti });
  await gate.call("/readyz");
  await expect
    .poll(async () => (await gate.call("/orders/1", { token: held.token })).status, { timeout: 10_000 })
    .toBe(401);
  await send(held.token, 25, alone, 401);
  expect((await detected("token_used_after_revocation")).about).toMatchObject({ jti, grant: held.grant });

  const busy = await hold(gate, stand);
  await Promise.all(Array.from({ length: 8 }, () => send(busy.token, 60, alone, 200)));
  expect((await detected("token_overused")).about).toMatchObject({ jti: claimsOf(busy.token).jti });

  const shared = await hold(gate, stand);
  await send(shared.token, 35, (n) => `198.51.100.${n}`, 200);
  const scattered = await detected("token_many_addresses");
  expect(scattered).toMatchObject({ count: 30, about: { jti: claimsOf(shared.token).jti } });

  expect([...detections().values()].map(({ kind }) => kind).sort()).toEqual([
    "token_many_addresses",
    "token_overused",
    "token_tampered",
    "token_used_after_expiry",
    "token_used_after_revocation",
  ]);
  const listed = async () => {
    const { items } = bodyOf<{ items: Detection[] }>(await gate.asOperator("/v1/detections"), 200);
    return items.map(({ id }) => id).sort();
  };
  await expect.poll(listed, { timeout: TOLD_WITHIN_MS }).toEqual([...detections().keys()].sort());
  const metrics = await fetch(`${gate.issuer}/metrics`, {
    headers: { authorization: `Bearer ${gate.operator}` },
  });
  expect(await metrics.text()).toContain('portcullis_detections_total{kind="token_tampered"} 1');
});

it("detects what the control plane knows: a compromised key, a receiver that is gone", async () => {
  const { gate } = stand;
  const keys = await gate.asOperator("/v1/keys");
  const { items } = keys.body as { items: { kid: string; purpose: string; state: string }[] };
  const { kid } = items.find(({ purpose, state }) => purpose === "assertion" && state === "current")!;
  const rotated = await gate.asOperator("/v1/keys/rotate", {
    json: { compromised_kid: kid, reason: "it was in a log" },
  });
  expect(rotated.status).toBeLessThan(300);
  const found = await detected("key_compromised");
  expect(found).toMatchObject({ about: { iss: gate.issuer, kid }, facts: { purpose: "assertion" } });
  const gone = await DeadReceiver.start("gone_410", receiver.url);
  const { id } = await gate.newEndpoint({ url: gone.url, events: ["access_request.created"] });
  await ask(gate, stand.requester.token);
  expect((await detected("webhook_endpoint_dead")).about).toEqual({ endpoint: id });
  await gone.close();
});
