import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEMO_SCOPES } from "../../src/local/demo-policy.ts";
import { startIdentityProvider } from "../../src/local/identity-provider.ts";
import { startOrigin } from "../../src/local/origin.ts";
import { signIn } from "../../src/local/sign-in.ts";
import { ask, collect, hold, read, review, revokeGrant, type ShownRequest } from "../support/access.ts";
import { bodyOf, type Client, Deployment, type Endpoint } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { RequestCount } from "../support/request-count.ts";
import { freeIssuer, type Runtime, startRuntime } from "../support/runtime.ts";
import { sendDecision } from "../support/signed-decision.ts";
import { testPolicy } from "../support/test-policy.ts";

const STRICT = "/orders/1001";
const BOUNDED = "/orders/1002";

let stateDir: string;
let runtime: Runtime;
let gate: Deployment;
let idp: Awaited<ReturnType<typeof startIdentityProvider>>;
let origin: Awaited<ReturnType<typeof startOrigin>>;
let atOrigin: RequestCount;
let receiver: Receiver;
let endpoint: Endpoint;
let people: { requester: { token: string }; approver: { token: string } };

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-story-"));
  const issuer = await freeIssuer();
  idp = await startIdentityProvider({ port: 0, keyFile: join(stateDir, "idp.jwk.json") });
  origin = await startOrigin({ port: 0, issuer });
  atOrigin = new RequestCount(origin.url);
  runtime = await startRuntime({ stateDir, issuer });
  gate = await Deployment.at(issuer);
  await gate.putPolicy(testPolicy({ origin: origin.url, identityProvider: idp.url }));
  receiver = await Receiver.start();
  endpoint = await gate.newEndpoint({
    url: receiver.url,
    reviews_as: { roles: ["approver"], subjects: ["demo|bob"] },
  });
  receiver.trust(endpoint.secret);
  people = { requester: await signedIn("alice"), approver: await signedIn("bob") };
});

afterAll(async () => {
  await runtime?.stop();
  atOrigin?.stop();
  for (const server of [origin, idp, receiver]) await server?.close();
  await rm(stateDir, { recursive: true });
});

/** Signs in at the identity provider and exchanges its token for one of the gate's. */
async function signedIn(user: "alice" | "bob", client?: Client): Promise<{ token: string }> {
  const through = client ?? (await gate.newExchangeClient(DEMO_SCOPES));
  const answer = await gate.exchange(through, await signIn({ idp: idp.url, user }));
  return { token: bodyOf<{ access_token: string }>(answer, 200).access_token };
}

async function use(token: string, path = BOUNDED): Promise<number> {
  return (await gate.call(path, { token })).status;
}

/** Calls until it is refused; answers when the last accepted request was sent and the first refused one came. */
async function untilRefused(token: string, withinMs: number) {
  let lastAcceptedMs = 0;
  for (const end = Date.now() + withinMs; Date.now() < end; await sleep(5)) {
    const sentMs = Date.now();
    const status = await use(token);
    if (status === 401) return { lastAcceptedMs, refusedMs: Date.now() };
    expect(status).toBe(200);
    lastAcceptedMs = sentMs;
  }
  throw new Error(`still accepted after ${withinMs} ms`);
}

describe("the story", () => {
  it("refuses without a token and does not contact the origin; a public route is let through", async () => {
    const before = atOrigin.total;
    const refused = await gate.call("/orders");
    expect(refused.status).toBe(401);
    // RFC 6750 §3.1: no error code where no token was sent.
    expect(refused.headers.get("www-authenticate")).toBe(
      `Bearer realm="${gate.issuer}", resource_metadata="${gate.issuer}/.well-known/oauth-protected-resource?resource=${encodeURIComponent(`${gate.issuer}/orders`)}"`,
    );
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    expect(refused.headers.get("x-request-id")).toMatch(/^dec_/);
    expect((await gate.call("/orders", { token: "no.such.token" })).status).toBe(401);
    expect((await gate.call("/orders", { method: "DELETE" })).status).toBe(405);
    expect((await gate.call("/nowhere")).status).toBe(404);
    expect(atOrigin.total).toBe(before);
    expect((await gate.call("/public/status")).status).toBe(200);
    expect(atOrigin.total).toBe(before + 1);
  });

  it("carries a person from the ask over the approval to the origin, and ends with the revocation", async () => {
    const asked = await ask(gate, people.requester.token);
    expect(asked).toMatchObject({ state: "pending", requester: "demo|alice", scope: "orders:read" });
    const about = (type: string) =>
      receiver.waitFor(
        (m) => m.type === type && (m.data.access_request as { id?: string } | undefined)?.id === asked.id,
      );
    expect((await about("access_request.created")).data).toMatchObject({
      access_request: { state: "pending", justification: "a test" },
    });
    expect(
      await gate.call(`/v1/access-requests/${asked.id}/token`, {
        method: "POST",
        token: people.requester.token,
      }),
    ).toMatchObject({ status: 409, body: { code: "conflict", state: "pending" } });

    const decision = { access_request_id: asked.id, approver: "demo|bob", outcome: "approve" };
    expect(await sendDecision(gate, endpoint, decision)).toMatchObject({
      status: 200,
      body: { state: "approved" },
    });
    const approved = await read(gate, asked.id, people.requester.token);
    expect(approved.reviews).toMatchObject([{ approver: "demo|bob", outcome: "approve", via: endpoint.id }]);
    expect((await about("access_request.approved")).data).toMatchObject({
      access_request: { state: "approved", grant: { id: approved.grant!.id } },
    });

    const token = await collect(gate, people.requester.token, asked.id);
    const grant = approved.grant!.id;
    expect(decodeJwt(token)).toMatchObject({
      iss: gate.issuer,
      sub: "demo|alice",
      grant,
      scope: "orders:read",
    });
    expect(await gate.call(BOUNDED, { token })).toMatchObject({
      status: 200,
      body: {
        identity: { subject: "demo|alice", scope: "orders:read", grant },
        assertion: { verified: true, claims: { iss: gate.issuer, sub: "demo|alice", grant } },
        authorization_received: false,
      },
    });
    const other = await hold(gate, people);
    expect(other.grant).not.toBe(grant);
    expect(await use(other.token)).toBe(200);

    const receipt = await revokeGrant(gate, grant);
    const end = await untilRefused(token, 5_000);
    const { bounded } = receipt.effective_by;
    expect(bounded - receipt.accepted_at).toBeCloseTo(2, 2);
    expect(end.lastAcceptedMs).toBeLessThanOrEqual(bounded * 1000);

    await expect
      .poll(() => runtime.kv(`deny:grant:${grant}`))
      .toMatchObject([{ id: receipt.id, match: { grant } }]);
    await about("grant.revoked");
    expect(
      await gate.call(`/v1/access-requests/${asked.id}/token`, {
        method: "POST",
        token: people.requester.token,
      }),
    ).toMatchObject({ status: 410, body: { code: "gone", state: "revoked" } });
    // The same person's other grant for the same resource stands.
    expect(await use(other.token, STRICT)).toBe(200);
    expect(await use(other.token)).toBe(200);
    expect(await collect(gate, people.requester.token, other.request)).toBeTruthy();
  });

  it("refuses on a strict route from the very receipt on", async () => {
    for (let i = 0; i < 5; i++) {
      const { grant, token } = await hold(gate, people);
      expect(await use(token, STRICT)).toBe(200);
      const receipt = await revokeGrant(gate, grant);
      expect(await use(token, STRICT)).toBe(401);
      expect(receipt.effective_by.strict).toBe(receipt.accepted_at);
    }
  });

  it("ends a grant of eight seconds by time alone", async () => {
    const held = await hold(gate, people, { duration_seconds: 8 });
    expect(decodeJwt(held.token).exp).toBe(held.expiresAt);
    expect(await use(held.token)).toBe(200);
    const end = await untilRefused(held.token, 12_000);
    expect(end.lastAcceptedMs).toBeLessThanOrEqual(held.expiresAt * 1000);
    expect(end.refusedMs).toBeGreaterThanOrEqual(held.expiresAt * 1000);
    expect((await read(gate, held.request)).grant).toMatchObject({ state: "expired" });
    await receiver.waitFor(({ type, data }) => {
      return (
        type === "grant.expired" && (data.access_request as ShownRequest | undefined)?.id === held.request
      );
    });
  });

  it("lets a token through again once its revocation is lifted", async () => {
    const { token } = await hold(gate, people);
    const { jti } = decodeJwt(token);
    const receipt = await gate.revoke({ jti: jti! });
    expect(await use(token, STRICT)).toBe(401);
    const location = `/v1/revocations/${receipt.id}`;
    await expect
      .poll(() => runtime.kv(`deny:jti:${jti}`), { timeout: 5_000 })
      .toMatchObject([{ id: receipt.id }]);
    const lifted = await gate.asOperator(location, { method: "DELETE" });
    expect(lifted).toMatchObject({ status: 200, body: { seq: expect.any(Number) } });
    expect(await use(token, STRICT)).toBe(200);
    await expect.poll(() => use(token), { timeout: 5_000 }).toBe(200);
    await expect.poll(() => runtime.kv(`deny:jti:${jti}`), { timeout: 5_000 }).toBeNull();
    expect(await gate.asOperator(location)).toMatchObject({ body: { lifted_by: "operator" } });
    expect(await gate.asOperator(location, { method: "DELETE" })).toMatchObject({ status: 410 });
  });

  it("refuses what a deleted client has or gets, also what is minted after the deletion", async () => {
    const [doomed, kept] = await Promise.all([
      gate.newExchangeClient(DEMO_SCOPES),
      gate.newExchangeClient(DEMO_SCOPES),
    ]);
    const [throughDoomed, throughKept] = await Promise.all([
      signedIn("alice", doomed),
      signedIn("alice", kept),
    ]);
    const asked = await ask(gate, throughDoomed.token);
    bodyOf(await review(gate, people.approver.token, asked.id), 201);
    const before = await collect(gate, throughDoomed.token, asked.id);
    expect(await use(before, STRICT)).toBe(200);

    bodyOf(await gate.asOperator(`/v1/clients/${doomed.id}`, { method: "DELETE" }), 200);

    expect(await use(before, STRICT)).toBe(401);
    expect(await gate.exchange(doomed, await signIn({ idp: idp.url, user: "alice" }))).toMatchObject({
      status: 401,
      body: { error: "invalid_client" },
    });
    // The request was made through the deleted client, so is its token, whoever collects it and however late.
    const after = await collect(gate, throughKept.token, asked.id);
    expect(decodeJwt(after)).toMatchObject({ client_id: doomed.id, sub: "demo|alice" });
    expect(await use(after, STRICT)).toBe(401);
    expect(await use(after)).toBe(401);
    await expect
      .poll(async () => (await gate.call("/v1/access-requests", { token: throughDoomed.token })).status, {
        timeout: 4_000,
      })
      .toBe(401);

    const own = await hold(gate, { ...people, requester: throughKept });
    expect(await use(own.token, STRICT)).toBe(200);
  });
});
