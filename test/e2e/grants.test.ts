import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../src/local/http-call.ts";
import {
  ask,
  collect,
  hold,
  ORDERS,
  read,
  review,
  revokeGrant,
  type ShownRequest,
} from "../support/access.ts";
import { bodyOf, type Deployment, type Endpoint, type Person } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { type Stand, standUp } from "../support/stand.ts";
import { APPROVER_SCOPES, REQUESTER_SCOPES } from "../support/test-policy.ts";

const CONFLICT = { status: 409, body: { code: "conflict" } };
const OVERALL = { access_request: { id: "", state: "" } };
const EMERGENCY = { resource: "vault", scope: "vault:open", emergency: true };

let stand: Stand;
let receiver: Receiver;
let endpoint: Endpoint;
/** The policy as it was put, to change it. */
let policy: { access_rules: Record<string, unknown>[] };

beforeAll(async () => {
  stand = await standUp((document) => {
    const vault = {
      ...{
        id: "vault",
        resource: "vault",
        origin: "demo",
        scopes: ["vault:open"],
        max_duration_seconds: 600,
      },
      requesters: { roles: ["developer"] },
      stages: [{ roles: ["approver"] }, { roles: ["chief"] }],
      break_glass: { roles: ["on-call"], reviewers: { roles: ["chief"] } },
    };
    policy = { ...document, access_rules: [...document.access_rules, vault] };
    return policy;
  });
  receiver = await Receiver.start();
  endpoint = await stand.gate.newEndpoint({ url: receiver.url, events: ["grant.*", "access_request.*"] });
  receiver.trust(endpoint.secret);
});

afterAll(async () => {
  await stand?.stop();
  await receiver?.close();
});

const newPerson = (role: string) =>
  stand.gate.newPerson([role], [...new Set([...REQUESTER_SCOPES, ...APPROVER_SCOPES])]);
const passes = async (gate: Deployment, token: string) => (await gate.call("/orders", { token })).status;
const extend = (gate: Deployment, { token }: Person, grant: string, json: object): Promise<Answer> =>
  gate.call(`/v1/grants/${grant}/extend`, { token, json: { justification: "not done yet", ...json } });
const toldOf = (id: string) =>
  receiver.received
    .filter(({ data }) => (data as typeof OVERALL).access_request?.id === id)
    .map(({ type }) => type);

describe("a grant", () => {
  it("gives token after token, each to be revoked alone or all with the grant", async () => {
    const { gate, requester } = stand;
    const held = await hold(gate, stand);
    const [second, third] = [
      await collect(gate, requester.token, held.request),
      await collect(gate, requester.token, held.request),
    ];
    expect(new Set([held.token, second, third]).size).toBe(3);
    const { jti } = JSON.parse(Buffer.from(second.split(".")[1]!, "base64url").toString()) as { jti: string };
    await gate.revoke({ iss: gate.issuer, jti });
    await gate.call("/readyz");
    expect([await passes(gate, held.token), await passes(gate, second), await passes(gate, third)]).toEqual([
      200, 401, 200,
    ]);
    await revokeGrant(gate, held.grant);
    await gate.call("/readyz");
    for (const token of [held.token, second, third]) expect(await passes(gate, token)).toBe(401);
  });

  it("is given back early by its owner, with a receipt, and told as that", async () => {
    const { gate, requester } = stand;
    const held = await hold(gate, stand);
    expect(await revokeGrant(gate, held.grant, requester.token)).toMatchObject({ seq: expect.any(Number) });
    await gate.call("/readyz");
    expect(await passes(gate, held.token)).toBe(401);
    await expect.poll(() => toldOf(held.request)).toContain("grant.returned");
    expect(toldOf(held.request)).not.toContain("grant.revoked");
  });

  it("is extended by a new review, without a gap and not beyond what the rule gives", async () => {
    const { gate, requester, approver } = stand;
    const held = await hold(gate, stand, { duration_seconds: 600 });
    const other = await newPerson("developer");
    expect(await extend(gate, other, held.grant, { duration_seconds: 60 })).toMatchObject({ status: 404 });
    expect(await extend(gate, requester, held.grant, { duration_seconds: 3001 })).toMatchObject({
      status: 400,
    });
    const asked = bodyOf<ShownRequest & { extensions: { id: string; state: string }[] }>(
      await extend(gate, requester, held.grant, { duration_seconds: 3000 }),
      201,
    );
    const { id, state } = asked.extensions[0]!;
    expect([asked.state, state]).toEqual(["approved", "pending"]);
    expect(await passes(gate, held.token)).toBe(200);
    const waiting = await gate.call("/v1/access-requests?reviewable=true", { token: approver.token });
    expect(bodyOf<{ items: ShownRequest[] }>(waiting, 200).items.map((item) => item.id)).toContain(
      held.request,
    );
    expect(await review(gate, approver.token, held.request)).toMatchObject(CONFLICT);
    expect(await review(gate, requester.token, held.request, { extension: id })).toMatchObject({
      status: 403,
    });
    const wait = { token: requester.token, headers: { prefer: "wait=20" } };
    const waited = gate.call(`/v1/access-requests/${held.request}`, wait);
    const begun = Date.now();
    const extended = bodyOf<ShownRequest>(
      await review(gate, approver.token, held.request, { extension: id }),
      201,
    );
    expect(bodyOf<ShownRequest>(await waited, 200).grant).toEqual(extended.grant);
    expect(Date.now() - begun).toBeLessThan(15_000);
    expect(extended.grant).toMatchObject({ state: "active", access_expiry: held.expiresAt + 3000 });
    expect(await extend(gate, requester, held.grant, { duration_seconds: 1 })).toMatchObject({ status: 400 });
    expect(await passes(gate, await collect(gate, requester.token, held.request))).toBe(200);
    await expect.poll(() => toldOf(held.request)).toContain("grant.extended");
    await revokeGrant(gate, held.grant, requester.token);
    expect(await extend(gate, requester, held.grant, { duration_seconds: 1 })).toMatchObject({ status: 410 });
  });
});

describe("stages", () => {
  it("are asked one after the other, and who waits for whom is listed", async () => {
    const { gate, requester, approver } = stand;
    const chief = await newPerson("chief");
    const { id } = await ask(gate, requester.token, { resource: "vault", scope: "vault:open" });
    const listed = async ({ token }: Person) => {
      const page = await gate.call("/v1/access-requests?reviewable=true", { token });
      return bodyOf<{ items: ShownRequest[] }>(page, 200).items.some((item) => item.id === id);
    };
    expect([await listed(approver), await listed(chief)]).toEqual([true, false]);
    expect(await review(gate, chief.token, id)).toMatchObject(CONFLICT);
    expect(await review(gate, approver.token, id)).toMatchObject({
      status: 201,
      body: { state: "pending", stage: 2 },
    });
    expect([await listed(approver), await listed(chief)]).toEqual([false, true]);
    expect(await review(gate, chief.token, id)).toMatchObject({ status: 201, body: { state: "approved" } });
  });

  it("are those of the time of asking, and an approver whom the policy drops is refused", async () => {
    const { gate, requester, approver } = stand;
    const first = await newPerson("approver");
    const { id } = await ask(gate, requester.token);
    const rules = policy.access_rules.map((rule) =>
      rule.id === "orders" ? { ...rule, stages: [{ subjects: [approver.id], count: 1 }] } : rule,
    );
    await gate.putPolicy({ ...policy, access_rules: rules });
    expect(await review(gate, first.token, id)).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect(await read(gate, id)).toMatchObject({ state: "pending", reviews: [] });
    await gate.putPolicy(policy);
    expect(await review(gate, first.token, id)).toMatchObject({ status: 201, body: { state: "approved" } });
  });
});

describe("break-glass", () => {
  it("is told before the token leaves, once, and reviewed before the next", async () => {
    const { gate } = stand;
    const [onCall, chief] = [await newPerson("on-call"), await newPerson("chief")];
    const taking = () => gate.call("/v1/access-requests", { ...onCall, json: { ...ORDERS, ...EMERGENCY } });
    // Nobody would hear of it.
    expect(await taking()).toMatchObject(CONFLICT);
    const path = `/v1/webhook-endpoints/${endpoint.id}`;
    bodyOf(await gate.asOperator(path, { method: "PATCH", json: { events: ["*"] } }), 200);
    // The first attempt fails and takes its time: the token waits for it, not for a success.
    receiver.answerWith(({ type }) =>
      type === "break_glass.opened" ? { status: 500, delayMs: 700 } : { status: 204 },
    );
    const began = Date.now();
    const opened = bodyOf<ShownRequest>(await taking(), 201);
    expect(opened).toMatchObject({
      state: "approved",
      decided_by: "break_glass",
      grant: { state: "active" },
    });
    const token = await collect(gate, onCall.token, opened.id);
    expect(Date.now() - began).toBeGreaterThanOrEqual(650);
    expect(receiver.received.filter(({ type }) => type === "break_glass.opened")).toHaveLength(1);
    expect(token.split(".")).toHaveLength(3);
    receiver.answerWith(() => ({ status: 204 }));

    expect(await taking()).toMatchObject({ ...CONFLICT, body: { access_request: opened.id } });
    expect(await review(gate, onCall.token, opened.id)).toMatchObject({ status: 403 });
    expect(await review(gate, stand.approver.token, opened.id)).toMatchObject({ status: 403 });
    bodyOf(await review(gate, chief.token, opened.id, { outcome: "deny", comment: "no incident" }), 201);
    expect(await read(gate, opened.id)).toMatchObject({
      grant: { state: "revoked" },
      break_glass: { alerted_at: expect.any(Number), review: { approver: chief.id, outcome: "deny" } },
    });
    await expect.poll(() => toldOf(opened.id)).toContain("break_glass.reviewed");
    expect((await taking()).status).toBe(201);
  });

  it("is for whom the rule names, and only there", async () => {
    const { gate, requester } = stand;
    const json = { ...ORDERS, ...EMERGENCY };
    expect((await gate.call("/v1/access-requests", { ...requester, json })).status).toBe(403);
    const onCall = await newPerson("on-call");
    const elsewhere = { ...ORDERS, emergency: true };
    expect((await gate.call("/v1/access-requests", { ...onCall, json: elsewhere })).status).toBe(403);
  });
});

describe("the check of a policy", () => {
  it("shows who could approve and which requests would have been decided otherwise", async () => {
    const { gate } = stand;
    const held = await hold(gate, stand);
    const rules = policy.access_rules.map((rule) =>
      rule.id === "orders" ? { ...rule, stages: [{ roles: ["chief"], count: 2 }] } : rule,
    );
    const people = [
      { subject: "corp|ann", roles: ["developer"] },
      { subject: "corp|bob", roles: ["approver"] },
      { subject: "corp|cat", roles: ["chief"] },
    ];
    const asks = [{ subject: "corp|ann", resource: "orders", scope: "orders:read" }];
    const json = { document: { ...policy, access_rules: rules }, people, asks, replay: 50 };
    const checked = bodyOf<Record<string, unknown>>(await gate.asOperator("/v1/policy/check", { json }), 200);
    expect(checked).toMatchObject({
      valid: true,
      changes: { access_rules: { changed: ["orders"] } },
      simulation: {
        asks: [
          {
            before: { outcome: "pending", reachable: true, stages: [{ may_approve: ["corp|bob"] }] },
            after: { outcome: "pending", reachable: false, stages: [{ may_approve: ["corp|cat"] }] },
          },
        ],
        decided_otherwise: expect.arrayContaining([
          expect.objectContaining({ id: held.request, was: "approved", would_be: "pending" }),
        ]),
      },
    });
    expect(checked.warnings).toEqual(
      expect.arrayContaining([expect.stringContaining("the role chief is not in roles")]),
    );
    const reader = await gate.newPerson([], ["policy:read"]);
    expect(await gate.call("/v1/policy/check", { ...reader, json })).toMatchObject({
      status: 403,
      body: { code: "insufficient_scope", scope: "requests:read_all" },
    });
    const { replay: _replay, ...without } = json;
    expect((await gate.call("/v1/policy/check", { ...reader, json: without })).status).toBe(200);
    expect((await gate.asOperator("/v1/policy/check", { json: { ...json, bypass: true } })).status).toBe(400);
  });
});
