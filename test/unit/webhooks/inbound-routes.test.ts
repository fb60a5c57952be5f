import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok, type Result } from "../../../src/protocol/result.ts";
import type { SignedReview } from "../../../src/webhooks/decision.ts";
import { EndpointSecrets } from "../../../src/webhooks/endpoint-secret.ts";
import { type InboundDeps, inboundRoutes } from "../../../src/webhooks/inbound-routes.ts";
import { shownSecret } from "../../../src/webhooks/signature.ts";
import { SlackSecretBox } from "../../../src/webhooks/slack-settings.ts";
import { endpointRecord, memoryRegistry } from "./memory-ports.ts";

const NOW = 1_800_000_000;
const secrets = new EndpointSecrets({ PORTCULLIS_SECRET: "dGVzdC1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3RzLTAx" });
const REQUEST_ID = "req_00000000000000000000000001";
const DATA = { access_request_id: REQUEST_ID, approver: "demo|bob", outcome: "approve" };

let reviews: SignedReview[] = [];
let reviewAnswer: Result<{ id: string; state: string }>;
beforeEach(() => {
  reviews = [];
  reviewAnswer = ok({ id: REQUEST_ID, state: "approved" });
});

async function endpointWith(id: string, members: Parameters<typeof endpointRecord>[0]) {
  const sealed = [await secrets.create(id), await secrets.create(id)];
  const shown = (await secrets.open(id, sealed)).map(shownSecret);
  return { record: endpointRecord({ id, secrets_sealed: sealed, ...members }), shown };
}
const any = await endpointWith("whe_any", { reviews_as: { roles: ["approver"] } });
const bobOnly = await endpointWith("whe_bob", { reviews_as: { roles: ["lead"], subjects: ["demo|bob"] } });
const silent = await endpointWith("whe_silent", {});
const disabled = await endpointWith("whe_off", { reviews_as: { roles: ["approver"] }, enabled: false });
const { port: registry } = memoryRegistry(any.record, bobOnly.record, silent.record, disabled.record);

const rest = {
  secrets,
  slack: new SlackSecretBox({ PORTCULLIS_SECRET: "dGVzdC1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3RzLTAx" }),
  clock: () => NOW * 1000,
  log: () => {},
  local: false,
  reviewInChat: async () => ok({ id: REQUEST_ID, state: "approved" }),
};
const app = inboundRoutes({
  ...rest,
  registry,
  access: {
    review: async (review) => {
      reviews.push(review);
      return reviewAnswer;
    },
  },
});

type Call = { secret: string; id?: string; at?: number; body?: string; headers?: Record<string, string> };

/** Posts as an approval tool does: signed with the `standardwebhooks` package. */
async function post({ secret, id = "msg_1", at = NOW, body, headers }: Call) {
  const text = body ?? JSON.stringify({ type: "access_request.review", data: DATA });
  const response = await app.request("/v1/hooks/decisions", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(at),
      "webhook-signature": new Webhook(secret).sign(id, new Date(at * 1000), text),
      ...headers,
    },
    body: text,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const withData = (members: object) =>
  JSON.stringify({ type: "access_request.review", data: { ...DATA, ...members } });

describe("a signed decision", () => {
  it("is handed on with the roles of its endpoint and answers the request's state", async () => {
    expect(await post({ secret: any.shown[0]! })).toEqual({
      status: 200,
      body: { id: REQUEST_ID, state: "approved" },
    });
    expect(reviews).toEqual([
      {
        access_request_id: REQUEST_ID,
        review_id: expect.stringMatching(/^rvw_[0-9a-f]{32}$/),
        approver: { subject: "demo|bob", roles: ["approver"] },
        outcome: "approve",
        via: { endpoint_id: "whe_any" },
      },
    ]);
  });

  it("may comment and narrow", async () => {
    const body = withData({
      outcome: "deny",
      comment: "Not today.\nAsk again.",
      duration_seconds: 60,
      scope: "a:b c",
    });
    expect((await post({ secret: any.shown[0]!, body })).status).toBe(200);
    expect(reviews[0]).toMatchObject({
      outcome: "deny",
      comment: "Not today.\nAsk again.",
      duration_seconds: 60,
      scope: ["a:b", "c"],
    });
  });

  it("is taken with the secret before the last, too", async () => {
    expect((await post({ secret: any.shown[1]! })).status).toBe(200);
    expect((await post({ secret: bobOnly.shown[1]! })).status).toBe(200);
    expect(reviews.map(({ via }) => via.endpoint_id)).toEqual(["whe_any", "whe_bob"]);
  });

  it("the same webhook-id is the same review; another id or endpoint is another", async () => {
    for (const id of ["msg_1", "msg_1", "msg_2"]) await post({ secret: any.shown[0]!, id });
    await post({ secret: bobOnly.shown[0]!, id: "msg_1" });
    const ids = reviews.map((review) => review.review_id);
    expect(ids[0]).toBe(ids[1]);
    expect(new Set(ids).size).toBe(3);
  });

  it("answers the access request's own refusal", async () => {
    reviewAnswer = err(problem("conflict", "The access request is denied already."));
    expect(await post({ secret: any.shown[0]! })).toMatchObject({ status: 409, body: { code: "conflict" } });
  });
});

describe("whose name it may use", () => {
  it("an endpoint with listed subjects speaks for them alone", async () => {
    expect((await post({ secret: bobOnly.shown[0]! })).status).toBe(200);
    const carol = withData({ approver: "demo|carol" });
    expect(await post({ secret: bobOnly.shown[0]!, body: carol })).toMatchObject({ status: 403 });
    expect((await post({ secret: any.shown[0]!, body: carol })).status).toBe(200);
    expect(reviews.map(({ approver }) => approver)).toEqual([
      { subject: "demo|bob", roles: ["lead"] },
      { subject: "demo|carol", roles: ["approver"] },
    ]);
  });
});

describe("a decision that is not accepted changes nothing", () => {
  it.each([
    ["an endpoint that may not review", { secret: silent.shown[0]! }],
    ["a disabled endpoint", { secret: disabled.shown[0]! }],
    ["a secret of nobody", { secret: shownSecret(new Uint8Array(32).fill(9)) }],
    ["a message of six minutes ago", { secret: any.shown[0]!, at: NOW - 360 }],
    ["a message of the future", { secret: any.shown[0]!, at: NOW + 301 }],
    ["another id than the signed one", { secret: any.shown[0]!, headers: { "webhook-id": "msg_2" } }],
    [
      "another time than the signed one",
      { secret: any.shown[0]!, headers: { "webhook-timestamp": String(NOW + 1) } },
    ],
    ["no signature", { secret: any.shown[0]!, headers: { "webhook-signature": "" } }],
    ["a bearer token instead", { secret: silent.shown[0]!, headers: { authorization: "Bearer abc" } }],
  ])("%s: 401", async (_name, call) => {
    expect(await post(call)).toMatchObject({ status: 401, body: { code: "invalid_signature" } });
    expect(reviews).toEqual([]);
  });

  it.each([
    ["no JSON", "approve"],
    ["an array", "[]"],
    [
      "a doubled member",
      `{"type":"access_request.review","type":"access_request.review","data":${JSON.stringify(DATA)}}`,
    ],
    ["another type", JSON.stringify({ type: "access_request.approved", data: DATA })],
    [
      "an event of ours sent back",
      JSON.stringify({ id: "evt_1", type: "grant.revoked", timestamp: "x", data: {} }),
    ],
    ["an unknown member", withData({ roles: ["admin"] })],
    ["a member that names the review", withData({ review_id: "rvw_1" })],
    ["roles beside data", JSON.stringify({ type: "access_request.review", roles: ["admin"], data: DATA })],
    ["another outcome", withData({ outcome: "APPROVE" })],
    ["no approver", withData({ approver: "" })],
    ["another kind of id", withData({ access_request_id: "grt_00000000000000000000000001" })],
    ["a duration of nothing", withData({ duration_seconds: 0 })],
    ["a scope with two spaces", withData({ scope: "a  b" })],
    ["control characters", withData({ comment: "a\u001b[31m" })],
  ])("%s: 400", async (_name, body) => {
    expect(await post({ secret: any.shown[0]!, body })).toMatchObject({
      status: 400,
      body: { code: "invalid_body" },
    });
    expect(reviews).toEqual([]);
  });

  it("a body of 64 KiB is read, a longer one is not", async () => {
    const pad = (bytes: number) => withData({}).padEnd(bytes, " ");
    expect((await post({ secret: any.shown[0]!, body: pad(65_536) })).status).toBe(200);
    expect(await post({ secret: any.shown[0]!, body: pad(65_537) })).toMatchObject({ status: 413 });
    expect(reviews).toHaveLength(1);
  });

  it("a body that is not UTF-8: 400", async () => {
    const response = await app.request("/v1/hooks/decisions", {
      method: "POST",
      body: new Uint8Array([0x7b, 0xff]),
    });
    expect(response.status).toBe(400);
  });

  it("the registry does not answer: 503", async () => {
    const down = inboundRoutes({
      ...rest,
      registry: { ...registry, decisionEndpoints: async () => err(problem("unavailable", "no")) },
      access: { review: async () => ok({ id: "x", state: "approved" }) },
    });
    expect((await down.request("/v1/hooks/decisions", { method: "POST", body: "{}" })).status).toBe(503);
  });
});

describe("a click in Slack", () => {
  const signing_secret = "8f742231b10e8888abcd99yyyzzz85a5";
  const id = "whe_00000000000000000000000009";

  async function click(reviewInChat: InboundDeps["reviewInChat"]) {
    const approvers = { UBOB: { subject: "bob", roles: [] } };
    const slack = await rest.slack.seal(id, { signing_secret, approvers });
    const { port } = memoryRegistry(endpointRecord({ id, slack }));
    const inbound = inboundRoutes({
      ...rest,
      registry: port,
      access: { review: reviewInChat },
      reviewInChat,
    });
    const payload = {
      type: "block_actions",
      user: { id: "UBOB" },
      actions: [{ action_id: "review_approve", value: `${id} ${REQUEST_ID}` }],
    };
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    const digest = createHmac("sha256", signing_secret).update(`v0:${NOW}:${body}`).digest("hex");
    const headers = { "x-slack-request-timestamp": String(NOW), "x-slack-signature": `v0=${digest}` };
    const background: Promise<unknown>[] = [];
    const env = { requestId: "r1", waitUntil: (work: Promise<unknown>) => void background.push(work) };
    const answer = await inbound.request("/v1/hooks/slack", { method: "POST", headers, body }, env);
    return { answer, background };
  }

  it("is answered before Slack gives up, also where the review takes its time; it counts behind the answer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let finish = () => {};
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let counted = 0;
    const clicked = click(async () => {
      await slow;
      counted++;
      return ok({ id: REQUEST_ID, state: "approved" });
    });
    // A busy machine takes its time to verify the signature; turns of the loop would be no measure of that.
    const giveUpAt = performance.now() + 10_000;
    while (vi.getTimerCount() === 0 && performance.now() < giveUpAt) await new Promise(setImmediate);
    await vi.advanceTimersByTimeAsync(2_000);
    const { answer, background } = await clicked;
    vi.useRealTimers();
    expect([answer.status, counted]).toEqual([200, 0]);
    finish();
    await Promise.all(background);
    expect(counted).toBe(1);
  });

  it("gives the same review however often it comes", async () => {
    const given: SignedReview[] = [];
    const take = async (review: SignedReview) => {
      given.push(review);
      return ok({ id: REQUEST_ID, state: "approved" });
    };
    await click(take);
    await click(take);
    expect(given[0]).toMatchObject({
      approver: { subject: "bob" },
      outcome: "approve",
      via: { endpoint_id: id },
    });
    expect(given[1]).toEqual(given[0]);
  });
});
