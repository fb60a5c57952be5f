import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyExport } from "../../src/protocol/audit-verifier.ts";
import { verifierKey } from "../../src/protocol/signed-note.ts";
import { ask, hold, review, revokeGrant } from "../support/access.ts";
import { auditEvents, auditText, auditVerdict, exportedLines } from "../support/audit.ts";
import { exportOf, newLogKey, nodeSha256, someEntries } from "../support/audit-log.ts";
import { MUTATIONS } from "../support/audit-mutations.ts";
import { bodyOf, Deployment } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { freeIssuer, startRuntime } from "../support/runtime.ts";
import { type Stand, standUp } from "../support/stand.ts";
import { seededRandom } from "../support/token-factory.ts";

const KILLS = Number(process.env.KILLS ?? 50);
const SEED = Number(process.env.KILL_SEED ?? Math.floor(Math.random() * 2 ** 31));
const CALLS_A_ROUND = 8;
/** Calls and the kill fall anywhere in this time. */
const LIFE_MS = 700;

describe("the audit log of a deployment", () => {
  let stand: Stand;
  let receiver: Receiver;

  beforeAll(async () => {
    stand = await standUp((policy) => ({ ...policy, audit: { checkpoint_seconds: 1 } }));
    receiver = await Receiver.start();
  });

  afterAll(async () => {
    await stand?.stop();
    await receiver?.close();
  });

  it("has who did what, why and by which call, from the ask to the revocation", async () => {
    const { gate, requester, approver } = stand;
    const { id } = await ask(gate, requester.token, { justification: "ticket 4711" });
    bodyOf(await review(gate, approver.token, id, { comment: "go on" }), 201);
    const held = await hold(gate, stand);
    const { grant } = held;
    const receipt = await revokeGrant(gate, grant);
    const of = (source: string) => auditEvents(gate, { source });
    await expect
      .poll(async () => (await of(`access_request/${held.request}`)).at(-1)?.type)
      .toBe("grant.revoked");
    const told = (await of(`access_request/${id}`)).map(({ type, actor, reason, call }) => [
      type,
      actor?.subject,
      reason,
      call,
    ]);
    expect(told).toEqual([
      ["access_request.created", requester.id, "ticket 4711", "POST /v1/access-requests"],
      ["access_request.reviewed", approver.id, "go on", "POST /v1/access-requests/:id/reviews"],
      ["access_request.approved", approver.id, undefined, "POST /v1/access-requests/:id/reviews"],
      ["grant.activated", "time", undefined, undefined],
    ]);
    const revoked = (await of(`access_request/${held.request}`)).at(-1)!;
    expect(revoked).toMatchObject({
      type: "grant.revoked",
      actor: { subject: "operator", client_id: "operator" },
      about: requester.id,
      reason: "a test",
      call: "POST /v1/grants/:id/revoke",
      request_id: expect.stringMatching(/^dec_/),
      data: { access_request: held.request, grant },
    });
    // The rule that the log made of it is of the same call, though another object sent it there.
    await expect
      .poll(() => auditEvents(gate, { request_id: revoked.request_id!, type: "revocation.created" }))
      .toMatchObject([{ source: "log", actor: { subject: "operator" }, data: { revocation: receipt.id } }]);
    for (const record of await auditEvents(gate)) expect(record.from ?? {}).not.toHaveProperty("address");
  });

  it("has policies, clients, endpoints, keys, revocations, proposals and imports", async () => {
    const { gate } = stand;
    const client = await gate.newClient({ scopes: ["orders:read"] });
    const change = (path: string, json: object, method = "PATCH") => gate.asOperator(path, { method, json });
    bodyOf(await change(`/v1/clients/${client.id}`, { disabled: true }), 200);
    bodyOf(await change(`/v1/clients/${client.id}`, { disabled: false }), 200);
    bodyOf(await gate.asOperator(`/v1/clients/${client.id}/rotate-secret`, { method: "POST" }), 200);
    bodyOf(await gate.asOperator(`/v1/clients/${client.id}`, { method: "DELETE" }), 200);
    const endpoint = await gate.newEndpoint({ url: receiver.url, events: ["grant.*"] });
    bodyOf(await change(`/v1/webhook-endpoints/${endpoint.id}`, { events: ["session.*"] }), 200);
    bodyOf(
      await gate.asOperator(`/v1/webhook-endpoints/${endpoint.id}/rotate-secret`, { method: "POST" }),
      200,
    );
    const rule = await gate.revoke({ sub: "corp|mallory" });
    bodyOf(await gate.asOperator(`/v1/revocations/${rule.id}?reason=found`, { method: "DELETE" }), 200);
    const line = JSON.stringify({ jti: "tok_x", reason: "leaked" });
    await gate.postText("/v1/revocations/import", line, { authorization: `Bearer ${gate.operator}` });
    bodyOf(await gate.asOperator("/v1/keys/rotate", { json: {} }), 200);
    const expected = [
      "client.created",
      "client.disabled",
      "client.enabled",
      "client.secret_rotated",
      "client.deleted",
      "webhook_endpoint.created",
      "webhook_endpoint.updated",
      "webhook_endpoint.secret_rotated",
      "revocation.lifted",
      "denied_tokens.added",
      "policy.put",
      "policy.activated",
      "key.created",
      "key.rotation_requested",
    ];
    const types = async () => new Set((await auditEvents(gate)).map(({ type }) => type));
    await expect
      .poll(async () => {
        const there = await types();
        return expected.filter((type) => !there.has(type));
      })
      .toEqual([]);
    const of = async (type: string) => (await auditEvents(gate, { type })).at(-1)!;
    expect(await of("revocation.lifted")).toMatchObject({ about: "corp|mallory", reason: "found" });
    expect(await of("denied_tokens.added")).toMatchObject({
      data: { tokens: 1 },
      actor: { subject: "operator" },
    });
    expect(await of("client.deleted")).toMatchObject({ about: client.id, call: "DELETE /v1/clients/:id" });
    const text = (await exportedLines(gate)).join("\n");
    for (const secret of [client.secret, endpoint.secret, gate.operator, receiver.url]) {
      expect(text).not.toContain(secret);
    }
  });

  it("has refused calls of those who are known, and none of the others", async () => {
    const { gate, requester } = stand;
    const before = (await auditEvents(gate, { type: "call.refused" })).length;
    const refused = await gate.call("/v1/keys/rotate", { token: requester.token, json: {} });
    expect(refused.status).toBe(403);
    expect((await gate.call("/v1/keys/rotate", { json: {} })).status).toBe(401);
    const foreign = await gate.newPerson([], ["audit:read"]);
    await gate.revoke({ client_id: foreign.id });
    await gate.call("/readyz");
    expect((await gate.call("/v1/audit/events", { token: foreign.token })).status).toBe(401);
    const [unscoped, dead, ...more] = (await auditEvents(gate, { type: "call.refused" })).slice(before);
    expect(unscoped).toMatchObject({
      actor: { subject: requester.id, client_id: requester.id },
      call: "POST /v1/keys/rotate",
      request_id: refused.headers.get("x-request-id"),
      data: { status: 403 },
    });
    expect(dead).toMatchObject({ actor: { subject: foreign.id }, data: { status: 401 } });
    expect(more).toEqual([]);
  });

  it("is read by those who may, and anchored where they ask for it", async () => {
    const { gate, runtime, requester, approver } = stand;
    const endpoint = await gate.newEndpoint({ url: receiver.url, events: ["audit.checkpoint"] });
    receiver.trust(endpoint.secret);
    await hold(gate, { requester, approver });
    const sizeOf = (note: string) => Number(note.split("\n")[1]);
    await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBeGreaterThan(0);
    const { checkpoint, size } = receiver.received.at(-1)!.data as { checkpoint: string; size: number };
    expect(sizeOf(checkpoint)).toBe(size);
    expect(runtime.logs.join("\n")).not.toContain("audit.refusal_unrecorded");
    const now = await auditText(gate, "/v1/audit/checkpoint");
    expect(sizeOf(now)).toBeGreaterThanOrEqual(size);
    expect(await auditVerdict(gate, [checkpoint, now])).toMatchObject({ intact: true });
    const proof = bodyOf<{ seq: number; checkpoint: string }>(
      await gate.asOperator("/v1/audit/proof?seq=3"),
      200,
    );
    expect(proof.seq).toBe(3);
    bodyOf(await gate.asOperator(`/v1/audit/proof?from=${size}`), 200);
    bodyOf(await gate.asOperator("/v1/audit/proof?seq=1&from=2"), 400);
    bodyOf(await gate.asOperator("/v1/audit/proof"), 400);
    bodyOf(await gate.asOperator("/v1/audit/tile/0/x001/000"), 404);
    for (const path of ["events", "checkpoint", "key", "proof?seq=0", "tile/0/000.p/1", "export"]) {
      expect((await gate.call(`/v1/audit/${path}`, { token: requester.token })).status).toBe(403);
    }
    const subject = { subject: requester.id, reason: "the right to be forgotten" };
    expect((await gate.call("/v1/audit/erasures", { token: requester.token, json: subject })).status).toBe(
      403,
    );
    bodyOf(await gate.asOperator("/v1/audit/erasures", { json: subject }), 200);
    expect(await auditEvents(gate, { about: requester.id })).toEqual([]);
    expect(await auditVerdict(gate, [checkpoint])).toMatchObject({ intact: true });
  });
});

describe("the offline verifier", () => {
  it("finds each of ten thousand mutations of an export", async () => {
    const key = await newLogKey();
    const verifierHeld = await verifierKey(key);
    const whole = await exportOf(someEntries(60), key, 15);
    const random = seededRandom(SEED);
    const kinds = Object.values(MUTATIONS);
    const missed: string[] = [];
    for (let done = 0; done < 10_000; ) {
      const mutated = kinds[done % kinds.length]!(whole, random);
      if (!mutated || mutated.lines.join("\n") === whole.join("\n")) continue;
      done++;
      const verdict = await verifyExport(mutated.lines, { verifierKey: verifierHeld, sha256: nodeSha256 });
      if (verdict.intact) missed.push(`${SEED}: ${done}`);
    }
    expect(missed).toEqual([]);
  });

  it("reads a hundred thousand records in seconds", async () => {
    const key = await newLogKey();
    const lines = await exportOf(someEntries(100_000), key, 1_000);
    const before = process.cpuUsage();
    const options = { verifierKey: await verifierKey(key), sha256: nodeSha256 };
    expect(await verifyExport(lines, options)).toMatchObject({ intact: true, size: 100_000 });
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    console.log(`100,000 records verified in ${seconds.toFixed(1)} s of a processor`);
    expect(seconds).toBeLessThan(30);
  });
});

describe(`${KILLS} times kill -9 while authority changes`, () => {
  it("leaves no acknowledged change without its record, no gap and nothing twice", {
    timeout: 300_000,
  }, async () => {
    const random = seededRandom(SEED);
    console.log(`KILL_SEED=${SEED}`);
    const stateDir = await mkdtemp(join(tmpdir(), "portcullis-audit-"));
    const issuer = await freeIssuer();
    const runtime = await startRuntime({ stateDir, issuer });
    try {
      const gate = await Deployment.at(issuer);
      const made: { type: string; about: string }[] = [];
      const anchors: string[] = [];
      let unanswered = 0;
      for (let round = 0; round < KILLS; round++) {
        // A new workerd is cold: what is tried is a change, not a start.
        await gate.asOperator("/v1/clients");
        const calls = Array.from({ length: CALLS_A_ROUND }, async (_, i) => {
          await sleep(random() * LIFE_MS);
          const done = await (i % 2 ? newClient(gate) : ban(gate, `corp|${round}.${i}`)).catch(
            () => undefined,
          );
          if (done) made.push(done);
          else unanswered++;
        });
        await sleep(LIFE_MS * (0.3 + 0.7 * random()));
        await runtime.kill();
        await Promise.all(calls);
        if (round % 10 === 0) anchors.push(await auditText(gate, "/v1/audit/checkpoint"));
      }
      // Both happened, or nothing was tried.
      expect(made.length).toBeGreaterThan(KILLS);
      expect(unanswered).toBeGreaterThan(0);
      const missing = async () => {
        const there = new Set((await auditEvents(gate)).map(({ type, about }) => `${type} ${about}`));
        return made.filter(({ type, about }) => !there.has(`${type} ${about}`));
      };
      await expect.poll(missing, { timeout: 60_000, interval: 1_000 }).toEqual([]);
      // Every object's entries are numbered without a gap: the verifier looks at that as well.
      expect(await auditVerdict(gate, anchors)).toMatchObject({ intact: true });
      const ids = (await auditEvents(gate)).map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      const created = (await auditEvents(gate, { type: "client.created" })).map(({ about }) => about);
      expect(new Set(created).size).toBe(created.length);
      console.log(`${made.length} acknowledged, ${unanswered} cut off, ${ids.length} records`);
    } finally {
      await runtime.stop();
      await rm(stateDir, { recursive: true });
    }
  });
});

async function newClient(gate: Deployment): Promise<{ type: string; about: string }> {
  return { type: "client.created", about: (await gate.newClient({ scopes: ["orders:read"] })).id };
}

async function ban(gate: Deployment, sub: string): Promise<{ type: string; about: string }> {
  await gate.revoke({ sub });
  return { type: "revocation.created", about: sub };
}
