import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, read, type ShownRequest } from "../support/access.ts";
import { bodyOf, type Endpoint } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { type Message, sendDecision, signed } from "../support/signed-decision.ts";
import { type Stand, standUp } from "../support/stand.ts";

const DOUBLE = { resource: "double", scope: "double:read" };
const REFUSED = { status: 401, body: { code: "invalid_signature" } };
const APPROVED = { status: 200, body: { state: "approved" } };

let stand: Stand;
let receiver: Receiver;
/** Its holder may decide as an approver, in the names of Bob and Carol. */
let endpoint: Endpoint;

beforeAll(async () => {
  stand = await standUp();
  receiver = await Receiver.start();
  endpoint = await stand.gate.newEndpoint({
    url: receiver.url,
    reviews_as: { roles: ["approver"], subjects: ["bob", "carol"] },
  });
  receiver.trust(endpoint.secret);
});

afterAll(async () => {
  await stand?.stop();
  await receiver?.close();
});

async function decision(members: object = {}, asked: object = {}) {
  const { id } = await ask(stand.gate, stand.requester.token, asked);
  return { access_request_id: id, approver: "bob", outcome: "approve", ...members };
}

const nowSeconds = () => Math.floor(Date.now() / 1000);

describe("a signed decision", () => {
  it("counts once, however often the same message comes", async () => {
    const { gate } = stand;
    const data = await decision({}, DOUBLE);
    const at = nowSeconds();
    const answers = [];
    for (let round = 0; round < 5; round++) {
      const copies = Array.from({ length: 20 }, () =>
        sendDecision(gate, endpoint, data, { messageId: "msg_same", at }),
      );
      answers.push(...(await Promise.all(copies)));
    }
    expect(answers).toHaveLength(100);
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { state: "pending" } });
    expect(await read(gate, data.access_request_id)).toMatchObject({
      state: "pending",
      reviews: [{ approver: "bob", outcome: "approve", via: endpoint.id }],
    });
    // The rule wants two: the copies were not a second one, another person's decision is.
    expect(await sendDecision(gate, endpoint, { ...data, approver: "carol" })).toMatchObject(APPROVED);
    const { reviews } = await read(gate, data.access_request_id);
    expect(reviews.map(({ approver }) => approver)).toEqual(["bob", "carol"]);
    const told = () =>
      receiver.received.filter(
        (m) =>
          m.type === "access_request.approved" &&
          (m.data.access_request as ShownRequest).id === data.access_request_id,
      ).length;
    await expect.poll(told).toBe(1);
  });

  it("cannot be changed into another one under the same message id", async () => {
    const { gate } = stand;
    const data = await decision({}, DOUBLE);
    const messageId = "msg_reused";
    expect((await sendDecision(gate, endpoint, data, { messageId })).status).toBe(200);
    expect(await sendDecision(gate, endpoint, { ...data, outcome: "deny" }, { messageId })).toMatchObject({
      status: 409,
      body: { code: "conflict" },
    });
    expect(await read(gate, data.access_request_id)).toMatchObject({ state: "pending" });
  });

  it("is at most five minutes old, and not from the future", async () => {
    const { gate } = stand;
    const data = await decision();
    for (const at of [nowSeconds() - 302, nowSeconds() + 305, 0, nowSeconds() * 1000]) {
      expect(await sendDecision(gate, endpoint, data, { at }), String(at)).toMatchObject(REFUSED);
    }
    expect(await read(gate, data.access_request_id)).toMatchObject({ state: "pending", reviews: [] });
    expect(await sendDecision(gate, endpoint, data, { at: nowSeconds() - 290 })).toMatchObject(APPROVED);
    const early = await decision();
    expect(await sendDecision(gate, endpoint, early, { at: nowSeconds() + 290 })).toMatchObject(APPROVED);
  });

  it("is refused once a byte of it is not what was signed", async () => {
    const { gate } = stand;
    const data = await decision({ outcome: "deny" });
    const tampered: ((message: Message) => Message)[] = [
      (m) => ({ ...m, body: m.body.replace("deny", "approve") }),
      (m) => ({ ...m, body: `${m.body} ` }),
      (m) => withHeader(m, "webhook-id", "msg_other"),
      (m) => withHeader(m, "webhook-timestamp", String(nowSeconds() - 1)),
      (m) => withHeader(m, "webhook-signature", "v1,AAAA"),
      (m) => withHeader(m, "webhook-signature", ""),
      (m) => withHeader(m, "webhook-id", ""),
    ];
    for (const tamper of tampered) {
      expect(await sendDecision(gate, endpoint, data, { tamper }), String(tamper)).toMatchObject(REFUSED);
    }
    expect(await read(gate, data.access_request_id)).toMatchObject({ state: "pending", reviews: [] });
    // While a sender rotates its secret it signs with both: one that does not fit stands beside one that does.
    const none = `v1,${Buffer.alloc(32).toString("base64")}`;
    const tamper = (m: Message) =>
      withHeader(m, "webhook-signature", `${none} ${m.headers["webhook-signature"]}`);
    expect(await sendDecision(gate, endpoint, data, { tamper })).toMatchObject({
      status: 200,
      body: { state: "denied" },
    });
  });

  it("needs a secret of an endpoint that may review, and is enabled", async () => {
    const { gate } = stand;
    const data = await decision();
    const silent = await gate.newEndpoint({ url: receiver.url, events: ["grant.*"] });
    const wrong = { secret: `whsec_${Buffer.alloc(32, 7).toString("base64")}` };
    for (const signer of [silent, wrong])
      expect(await sendDecision(gate, signer, data)).toMatchObject(REFUSED);

    const path = `/v1/webhook-endpoints/${silent.id}`;
    const patch = (json: object) => gate.asOperator(path, { method: "PATCH", json });
    bodyOf(await patch({ reviews_as: { roles: ["approver"] } }), 200);
    bodyOf(await patch({ enabled: false }), 200);
    expect(await sendDecision(gate, silent, data)).toMatchObject(REFUSED);
    bodyOf(await patch({ enabled: true }), 200);
    expect(await sendDecision(gate, silent, data)).toMatchObject(APPROVED);
    bodyOf(await gate.asOperator(path, { method: "DELETE" }), 200);
    expect(await sendDecision(gate, silent, await decision())).toMatchObject(REFUSED);
  });

  it("may be signed with the secret before the last rotation, not with the one before that", async () => {
    const { gate } = stand;
    const { id, secret } = await gate.newEndpoint({ url: receiver.url, reviews_as: { roles: ["approver"] } });
    const rotate = async () => {
      const answer = await gate.asOperator(`/v1/webhook-endpoints/${id}/rotate-secret`, { method: "POST" });
      return bodyOf<Endpoint>(answer, 200);
    };
    const second = await rotate();
    expect(await sendDecision(gate, { secret }, await decision())).toMatchObject(APPROVED);
    expect(await sendDecision(gate, second, await decision())).toMatchObject(APPROVED);
    const third = await rotate();
    expect(await sendDecision(gate, { secret }, await decision())).toMatchObject(REFUSED);
    expect(await sendDecision(gate, second, await decision())).toMatchObject(APPROVED);
    expect(await sendDecision(gate, third, await decision())).toMatchObject(APPROVED);
  });

  it("speaks only in the names and with the roles that its endpoint has", async () => {
    const { gate } = stand;
    const forbidden = { status: 403, body: { code: "forbidden" } };
    expect(await sendDecision(gate, endpoint, await decision({ approver: "mallory" }))).toMatchObject(
      forbidden,
    );
    const roleless = await gate.newEndpoint({ url: receiver.url, reviews_as: { roles: ["auditor"] } });
    const data = await decision();
    expect(await sendDecision(gate, roleless, data)).toMatchObject(forbidden);
    expect(await sendDecision(gate, endpoint, data)).toMatchObject(APPROVED);
  });

  it("must be the one kind of message that is known, without duplicate members", async () => {
    const { gate } = stand;
    const data = await decision();
    const text = JSON.stringify({ type: "access_request.review", data });
    const bad = [
      text.replace("access_request.review", "access_request.approve"),
      text.replace('"outcome":"approve"', '"outcome":"deny","outcome":"approve"'),
      text.replace('"approve"', '"maybe"'),
      text.replace(data.access_request_id, "req_1"),
      "{}",
      "[]",
      "{",
    ];
    const send = (body: string) => {
      return gate.postText(
        "/v1/hooks/decisions",
        body,
        signed(endpoint.secret, "msg_form", nowSeconds(), body),
      );
    };
    for (const body of bad)
      expect(await send(body), body).toMatchObject({ status: 400, body: { code: "invalid_body" } });
    const unknown = text.replace(data.access_request_id, "req_00000000000000000000000000");
    expect(await send(unknown)).toMatchObject({ status: 404, body: { code: "not_found" } });
    expect(await send(text)).toMatchObject(APPROVED);
  });
});

function withHeader(message: Message, name: string, value: string): Message {
  return { ...message, headers: { ...message.headers, [name]: value } };
}
