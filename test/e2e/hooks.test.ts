import { createPublicKey, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, read, type ShownRequest } from "../support/access.ts";
import { bodyOf, type Endpoint, type Person } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { sendDecision } from "../support/signed-decision.ts";
import { SLACK, type SlackButton, SlackDouble } from "../support/slack-double.ts";
import { type Stand, standUp } from "../support/stand.ts";
import { APPROVER_SCOPES } from "../support/test-policy.ts";

type Delivery = {
  id: string;
  event_type: string;
  state: string;
  dead_reason?: string;
  attempts: { status?: number; error?: string }[];
};

let stand: Stand;
let receiver: Receiver;
let endpoint: Endpoint;
let slack: SlackDouble;

beforeAll(async () => {
  stand = await standUp((policy) => ({
    ...policy,
    access_rules: policy.access_rules.map((rule) =>
      rule.id === "double" ? { ...rule, decide_in_chat: true } : rule,
    ),
  }));
  slack = await SlackDouble.start();
  receiver = await Receiver.start();
  endpoint = await stand.gate.newEndpoint({ url: receiver.url, reviews_as: { roles: ["approver"] } });
  receiver.trust(endpoint.secret);
});

afterAll(async () => {
  await stand?.stop();
  await receiver?.close();
  await slack?.close();
});

async function deliveries(id: string): Promise<Delivery[]> {
  const answer = await stand.gate.asOperator(`/v1/webhook-endpoints/${id}/deliveries?limit=200`);
  return bodyOf<{ items: Delivery[] }>(answer, 200).items;
}

const eventually = { timeout: 15_000, interval: 50 };

describe("webhooks out", () => {
  it("verify with the public key alone where the endpoint is signed with Ed25519, through a rotation", async () => {
    const { gate, requester } = stand;
    const posts: { headers: IncomingHttpHeaders; body: string }[] = [];
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () => {
        posts.push({ headers: request.headers, body });
        response.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const json = { url, events: ["access_request.created"], signature: "ed25519" };
    const created = await gate.asOperator("/v1/webhook-endpoints", { json });
    const made = bodyOf<{ id: string; public_keys: string[] }>(created, 201);
    expect(made).not.toHaveProperty("secret");
    expect(made.public_keys).toEqual([expect.stringMatching(/^whpk_/)]);
    const rotated = bodyOf<{ public_keys: string[] }>(
      await gate.asOperator(`/v1/webhook-endpoints/${made.id}/rotate-secret`, { method: "POST" }),
      200,
    );
    expect(rotated.public_keys).toHaveLength(2);
    expect(rotated.public_keys[1]).toBe(made.public_keys[0]);

    await ask(gate, requester.token);
    await expect.poll(() => posts.length, eventually).toBe(1);
    const { headers, body } = posts[0]!;
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const signatures = String(headers["webhook-signature"]).split(" ");
    const fits = rotated.public_keys.map((key) => signatures.some((one) => verifies(one, key, signed)));
    expect(fits).toEqual([true, true]);
    expect(signatures.some((one) => verifies(one, rotated.public_keys[0]!, `${signed} `))).toBe(false);
    await gate.asOperator(`/v1/webhook-endpoints/${made.id}`, { method: "DELETE" });
    server.close();
  });

  it("a 410 disables the endpoint, which the others are told of; its dead letters can be sent again at once", async () => {
    const { gate, requester } = stand;
    const leaving = await Receiver.start();
    const created = await gate.newEndpoint({ url: leaving.url, events: ["access_request.*"] });
    leaving.trust(created.secret);
    leaving.answerWith(() => ({ status: 410 }));
    const since = Math.floor(Date.now() / 1000);
    const { id } = await ask(gate, requester.token);
    const told = await receiver.waitFor(({ data }) => data.endpoint_id === created.id);
    expect(told).toMatchObject({ type: "webhook_endpoint.disabled", data: { reason: "gone" } });
    const path = `/v1/webhook-endpoints/${created.id}`;
    expect((await gate.asOperator(path)).body).toMatchObject({ enabled: false, disabled_reason: "gone" });
    expect(await deliveries(created.id)).toMatchObject([
      { state: "dead_letter", dead_reason: "endpoint_disabled", attempts: [{ status: 410, error: "gone" }] },
    ]);
    const again = { json: { since } };
    expect(await gate.asOperator(`${path}/redeliver`, again)).toMatchObject({ status: 409 });

    leaving.answerWith(() => ({ status: 204 }));
    const enabled = await gate.asOperator(path, { method: "PATCH", json: { enabled: true } });
    expect(enabled.body).toMatchObject({ enabled: true });
    expect(enabled.body).not.toHaveProperty("disabled_reason");
    expect(await gate.asOperator(`${path}/redeliver`, { json: { since: since + 3600 } })).toMatchObject({
      status: 202,
      body: { redelivered: 0, remaining: 0 },
    });
    expect(await gate.asOperator(`${path}/redeliver`, again)).toMatchObject({
      status: 202,
      body: { redelivered: 1, remaining: 0 },
    });
    await expect.poll(() => deliveries(created.id), eventually).toMatchObject([{ state: "delivered" }]);
    const mine = leaving.received.filter(({ data }) => (data.access_request as ShownRequest).id === id);
    expect(new Set(mine.map((message) => message.id)).size).toBe(1);
    await gate.asOperator(path, { method: "DELETE" });
    await leaving.close();
  });
});

describe("webhooks in", () => {
  it("a hundred copies of one signed decision, and late ones, make one transition", async () => {
    const { gate, requester } = stand;
    const { id } = await ask(gate, requester.token);
    const data = { access_request_id: id, approver: "bob", outcome: "approve" };
    const copies = Array.from({ length: 100 }, () =>
      sendDecision(gate, endpoint, data, { messageId: `copies_${id}` }),
    );
    const answers = await Promise.all(copies);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    for (const { body } of answers) expect(body).toEqual({ id, state: "approved" });
    const once = await read(gate, id);
    expect(once.reviews).toHaveLength(1);
    // What comes late changes nothing, and is told so.
    const late = await sendDecision(gate, endpoint, { ...data, approver: "eve", outcome: "deny" });
    expect(late).toMatchObject({ status: 409, body: { code: "conflict", state: "approved" } });
    expect(await read(gate, id)).toEqual(once);
    await receiver.waitFor(({ type, data: told }) => type === "grant.activated" && idOf(told) === id);
    const ends = receiver.received.filter(
      ({ type, data: told }) => type === "access_request.approved" && idOf(told) === id,
    );
    expect(ends).toHaveLength(1);
  });
});

describe("Slack", () => {
  const DOUBLE = { resource: "double", scope: "double:read" };
  let hook: Endpoint;
  let anna: Person;

  beforeAll(async () => {
    anna = await stand.gate.newPerson(["approver"], APPROVER_SCOPES);
    hook = await stand.gate.newEndpoint({
      url: slack.url("/services/T1/B1/x"),
      events: ["access_request.*"],
      slack: {
        signing_secret: SLACK.signing_secret,
        approvers: {
          UANNA: { subject: anna.id, roles: ["approver"] },
          UBOB: { subject: "bob", roles: ["approver"] },
          UREQ: { subject: stand.requester.id, roles: ["approver"] },
        },
      },
    });
  });

  /** The buttons of the message about a request. */
  async function buttonsFor(id: string): Promise<SlackButton[]> {
    const path = "/services/T1/B1/x";
    await expect.poll(() => slack.said(path, id), eventually).toBeDefined();
    return slack.said(path, id)!.blocks!.find(({ type }) => type === "actions")!.elements!;
  }

  it("shows neither its secrets nor a signing secret of ours", async () => {
    expect(hook).not.toHaveProperty("secret");
    const shown = await stand.gate.asOperator(`/v1/webhook-endpoints/${hook.id}`);
    expect(JSON.stringify(shown.body)).not.toContain(SLACK.signing_secret);
    expect(shown.body).toMatchObject({ slack: { approvers: { UBOB: { subject: "bob" } } } });
  });

  it("gets a message that opens the request; what people wrote has no markup in it", async () => {
    const { gate, requester } = stand;
    const justification = "<!channel> *now* <https://evil.example|click>\nState: approved";
    const { id } = await ask(gate, requester.token, { justification });
    const buttons = await buttonsFor(id);
    expect(buttons.map(({ action_id }) => action_id)).toEqual(["open"]);
    expect(buttons[0]!.url).toBe(`${gate.issuer}/console/access-requests/${id}`);
    const text = slack.said("/services/T1/B1/x", id)!.blocks![0]!.text!.text;
    expect(text).toContain("&lt;!channel&gt;");
    expect(text).not.toMatch(/<|(^|[^\u200b])\*now/);
    expect(text.split("\n")).toHaveLength(4);
    // The rule does not let chat decide, whatever button somebody makes up.
    const click = { user: "UBOB", action: "review_approve", value: `${hook.id} ${id}`, path: "/actions/no" };
    expect(await slack.click(gate, click)).toMatchObject({ status: 200 });
    await expect.poll(() => slack.said("/actions/no", "decide_in_chat"), eventually).toBeDefined();
    expect(await read(gate, id)).toMatchObject({ state: "pending", reviews: [] });
  });

  it("decides where the rule and the endpoint let it, as the approver whom the user stands for", async () => {
    const { gate, requester } = stand;
    const { id } = await ask(gate, requester.token, DOUBLE);
    const buttons = await buttonsFor(id);
    expect(buttons.map(({ action_id }) => action_id)).toEqual(["review_approve", "review_deny", "open"]);
    const { value } = buttons[0]!;
    const click = (user: string, action: string, path: string) =>
      slack.click(gate, { user, action, value, path });

    const refusals: [string, RegExp][] = [
      ["USTRANGER", /not among the approvers/],
      ["UREQ", /own access request/],
    ];
    for (const [user, why] of refusals) {
      expect(await click(user, "review_approve", `/actions/${user}`)).toMatchObject({ status: 200 });
      await expect.poll(() => slack.said(`/actions/${user}`, "")?.text, eventually).toMatch(why);
      expect(slack.said(`/actions/${user}`, "")).toMatchObject({ response_type: "ephemeral" });
    }
    expect((await click("UBOB", "open", "/actions/open")).status).toBe(200);
    expect(await read(gate, id)).toMatchObject({ state: "pending", reviews: [] });

    // Twice the same click is one review; the second approver ends it.
    const clicks = await Promise.all([1, 2, 3].map((n) => click("UBOB", "review_approve", `/actions/b${n}`)));
    for (const { status, ms } of clicks) {
      expect(status).toBe(200);
      expect(ms).toBeLessThan(3_000);
    }
    const one = await read(gate, id);
    expect(one).toMatchObject({ state: "pending", reviews: [{ approver: "bob", via: hook.id }] });
    expect((await click("UANNA", "review_approve", "/actions/anna")).status).toBe(200);
    await expect
      .poll(() => slack.said("/actions/anna", id), eventually)
      .toMatchObject({ replace_original: true, text: expect.stringContaining("approved") });
    expect(await read(gate, id)).toMatchObject({ state: "approved" });
    // Too late: nothing changes, and whoever clicked is told.
    await click("UBOB", "review_deny", "/actions/late");
    await expect.poll(() => slack.said("/actions/late", "")?.text, eventually).toContain("approved already");
  });

  it("is refused where Slack did not sign, or not now, and nothing changes", async () => {
    const { gate, requester } = stand;
    const { id } = await ask(gate, requester.token, DOUBLE);
    const value = `${hook.id} ${id}`;
    const click = { user: "UBOB", action: "review_approve", value };
    const now = Math.floor(Date.now() / 1000);
    expect((await slack.click(gate, { ...click, secret: "another-secret-of-32-characters!" })).status).toBe(
      401,
    );
    expect((await slack.click(gate, { ...click, at: now - 310 })).status).toBe(401);
    expect((await slack.click(gate, { ...click, at: now + 310 })).status).toBe(401);
    expect((await slack.click(gate, { ...click, value: `${endpoint.id} ${id}` })).status).toBe(401);
    expect((await slack.click(gate, { ...click, value: "x" })).status).toBe(401);
    expect(await read(gate, id)).toMatchObject({ state: "pending", reviews: [] });
    expect((await slack.click(gate, { ...click, at: now - 290 })).status).toBe(200);
    expect(await read(gate, id)).toMatchObject({ reviews: [{ approver: "bob" }] });
  });

  it("is posted to by a bot with its token, and a 200 that says no is a failed attempt", async () => {
    const { gate, requester } = stand;
    const url = slack.url("/api/chat.postMessage");
    const bot = (bot_token: string) =>
      gate.newEndpoint({ url, events: ["access_request.created"], slack: { bot_token, channel: "C0123" } });
    const [good, bad] = await Promise.all([bot(SLACK.bot_token), bot("xoxb-wrong")]);
    const { id } = await ask(gate, requester.token);
    await expect
      .poll(() => slack.said("/api/chat.postMessage", id), eventually)
      .toMatchObject({ channel: "C0123" });
    await expect.poll(() => deliveries(good!.id), eventually).toMatchObject([{ state: "delivered" }]);
    await expect
      .poll(() => deliveries(bad!.id), eventually)
      .toMatchObject([{ state: "pending", attempts: [{ status: 200, error: "refused" }] }]);
    for (const { id: made } of [good!, bad!]) {
      await gate.asOperator(`/v1/webhook-endpoints/${made}`, { method: "DELETE" });
    }
  });
});

/** The members of a value at every depth and what they are, whatever they say. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (value === null || typeof value !== "object") return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member)]));
}

it("the payloads in docs/webhooks.md have the members of real ones", async () => {
  const { gate, requester } = stand;
  const { id } = await ask(gate, requester.token);
  const data = { access_request_id: id, approver: "bob", outcome: "approve", comment: "fine" };
  bodyOf(await sendDecision(gate, endpoint, data), 200);
  await gate.revoke({ jti: "tok_example" });
  await gate.asOperator(`/v1/webhook-endpoints/${endpoint.id}/test`, { method: "POST" });
  const text = await readFile(new URL("../../docs/webhooks.md", import.meta.url).pathname, "utf8");
  const examples = Array.from(text.matchAll(/```json\n(\{\n {2}"id": "evt_[\s\S]*?)```/g), ([, json]) =>
    JSON.parse(json!),
  );
  expect(examples.map(({ type }) => type)).toEqual([
    "access_request.created",
    "access_request.approved",
    "grant.activated",
    "revocation.created",
    "webhook_endpoint.disabled",
    "webhook.test",
  ]);
  // Members may be added to what is sent; what is described must be there.
  for (const example of examples) {
    const told = () => receiver.received.findLast(({ type }) => type === example.type)?.body ?? "{}";
    await expect
      .poll(() => shapeOf(JSON.parse(told())), eventually)
      .toMatchObject(shapeOf(example) as object);
  }
});

function idOf(data: Record<string, unknown>): string | undefined {
  return (data.access_request as ShownRequest | undefined)?.id;
}

function verifies(signature: string, publicKey: string, signed: string): boolean {
  const x = Buffer.from(publicKey.replace("whpk_", ""), "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  return verify(null, Buffer.from(signed), key, Buffer.from(signature.replace("v1a,", ""), "base64"));
}
