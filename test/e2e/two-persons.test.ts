import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { bodyOf, clientToken, Deployment, type Person, type Receipt } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { RecordingOrigin } from "../support/recording-origin.ts";
import { freeIssuer, type Runtime, startRuntime } from "../support/runtime.ts";

const LIMIT = 2;
const PATH = "/things";

let stateDir: string;
let runtime: Runtime;
let gate: Deployment;
let origin: RecordingOrigin;
let receiver: Receiver;
let olivia: Person;
let bob: Person;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-two-"));
  const issuer = await freeIssuer();
  origin = await RecordingOrigin.start();
  runtime = await startRuntime({ stateDir, issuer });
  gate = await Deployment.at(issuer);
  const route = { id: "things", path: PATH, origin: "o", access: { scopes: ["things:read"] } };
  await gate.putPolicy({
    origins: { o: { url: origin.url, audience: ORIGIN_AUDIENCE } },
    routes: [{ ...route, consistency: { tier: "strict" } }],
    revocations: { confirm_above: LIMIT },
  });
  receiver = await Receiver.start();
  receiver.trust((await gate.newEndpoint({ url: receiver.url, events: ["revocation.*"] })).secret);
  const scopes = ["revocations:read", "revocations:write"];
  olivia = await gate.newPerson([], scopes);
  bob = await gate.newPerson([], scopes);
});

afterAll(async () => {
  await runtime?.stop();
  for (const server of [origin, receiver]) await server?.close();
  await rm(stateDir, { recursive: true });
});

/** A client with so many live tokens for the origin. */
async function clientWith(count: number): Promise<{ match: { client_id: string }; tokens: string[] }> {
  const client = await gate.newClient({ scopes: ["things:read"] });
  const mint = () => clientToken(gate.issuer, client, ORIGIN_AUDIENCE);
  return { match: { client_id: client.id }, tokens: await Promise.all(Array.from({ length: count }, mint)) };
}

const post = (by: Person, path: string, json: object = {}, headers: Record<string, string> = {}) =>
  gate.call(path, { token: by.token, json, headers });
const use = async (token: string) => (await gate.call(PATH, { token })).status;
const cut = (tokens: number) => ({ tokens, grants: 0, subjects: tokens ? 1 : 0, clients: tokens ? 1 : 0 });
const told = (type: string, id: string) =>
  receiver.waitFor((m) => m.type === type && (m.data.revocation as { id: string }).id === id);

describe("a dry run", () => {
  it("counts and lists the tokens that were issued before it, and changes nothing", async () => {
    const { match, tokens } = await clientWith(3);
    const dry = await post(olivia, "/v1/revocations?dry_run=true", { match, reason: "a test" });
    expect(dry).toMatchObject({ status: 200, body: { dry_run: true, would_cut: cut(3), exact: true } });
    const { sample } = dry.body as { sample: { jti: string }[] };
    const issued = tokens.map((token) => decodeJwt(token));
    expect(sample.map(({ jti }) => jti).toSorted()).toEqual(issued.map(({ jti }) => jti!).toSorted());
    expect(sample[0]).toMatchObject({ sub: match.client_id, client_id: match.client_id });
    for (const token of tokens) expect(await use(token)).toBe(200);
    const list = bodyOf<{ items: unknown[] }>(
      await gate.call("/v1/revocations", { token: olivia.token }),
      200,
    );
    expect(JSON.stringify(list.items)).not.toContain(match.client_id);
    const other = { match: { iss: "https://idp.example.com" }, reason: "a test" };
    expect(await post(olivia, "/v1/revocations?dry_run=true", other)).toMatchObject({
      body: { would_cut: cut(0), sample: [] },
    });
  });

  it("needs the scope, and a query that is understood", async () => {
    const reader = await gate.newPerson([], ["revocations:read"]);
    const rule = { match: { sub: "x" }, reason: "a test" };
    expect((await post(reader, "/v1/revocations?dry_run=true", rule)).status).toBe(403);
    expect((await post(olivia, "/v1/revocations?dry_run=yes", rule)).status).toBe(400);
    expect((await post(olivia, "/v1/revocations?dryrun=true", rule)).status).toBe(400);
  });
});

describe("the two-person rule", () => {
  it("does not hold back what cuts no more than the policy says", async () => {
    const { match, tokens } = await clientWith(LIMIT);
    expect((await post(olivia, "/v1/revocations", { match, reason: "a test" })).status).toBe(201);
    for (const token of tokens) expect(await use(token)).toBe(401);
  });

  it("holds back what cuts more, until another person confirms it", async () => {
    const { match, tokens } = await clientWith(LIMIT + 1);
    const rule = { match, reason: "broken into" };
    const key = { "idempotency-key": "two-persons-1" };
    const asked = await post(olivia, "/v1/revocations", rule, key);
    expect(asked).toMatchObject({
      status: 202,
      body: { state: "awaiting_confirmation", would_cut: cut(LIMIT + 1), exact: true },
    });
    const { id, expires_at } = asked.body as { id: string; expires_at: number };
    expect(expires_at).toBeGreaterThan(Date.now() / 1000 + 3_500);
    expect(asked.headers.get("location")).toBe(`/v1/revocations/${id}`);
    expect((await post(olivia, "/v1/revocations", rule, key)).body).toEqual(asked.body);
    expect(await use(tokens[0]!)).toBe(200);
    expect((await told("revocation.confirmation_needed", id)).data).toMatchObject({
      revocation: { state: "awaiting_confirmation", confirmation: { would_cut: cut(LIMIT + 1) } },
    });
    const list = await gate.call("/v1/revocations?limit=1", { token: bob.token });
    expect(list.body).toMatchObject({ items: [{ id, state: "awaiting_confirmation" }] });

    const confirm = `/v1/revocations/${id}/confirm`;
    expect(await post(olivia, confirm)).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect(await use(tokens[0]!)).toBe(200);
    const confirmed = await post(bob, confirm, { comment: "seen it, too" });
    const receipt = bodyOf<Receipt>(confirmed, 200);
    expect(receipt).toMatchObject({ id, seq: expect.any(Number) });
    for (const token of tokens) expect(await use(token)).toBe(401);
    expect((await post(bob, confirm)).body).toEqual(receipt);
    expect(await post(olivia, "/v1/revocations", rule, key)).toMatchObject({ status: 201, body: receipt });
    expect((await told("revocation.created", id)).data).toMatchObject({ receipt, revocation: { match } });

    const lifted = await gate.call(`/v1/revocations/${id}?reason=all%20clear`, {
      method: "DELETE",
      token: bob.token,
    });
    expect(lifted.status).toBe(200);
    expect(await use(tokens[0]!)).toBe(200);
    expect((await told("revocation.lifted", id)).data).toMatchObject({ revocation: { state: "lifted" } });
    expect((await gate.call(`/v1/revocations/${id}`, { token: olivia.token })).body).toMatchObject({
      ...{ state: "lifted", receipt },
      history: [
        { event: "proposed", actor: olivia.id, reason: "broken into", at: expect.any(Number) },
        { event: "confirmed", actor: bob.id, reason: "seen it, too", at: expect.any(Number) },
        { event: "lifted", actor: bob.id, reason: "all clear", at: expect.any(Number) },
      ],
    });
  });

  it("lets a proposal be given up", async () => {
    const { match, tokens } = await clientWith(LIMIT + 1);
    const asked = await post(olivia, "/v1/revocations", { match, reason: "a mistake" });
    const { id } = bodyOf<{ id: string }>(asked, 202);
    const cancelled = await gate.call(`/v1/revocations/${id}`, { method: "DELETE", token: olivia.token });
    expect(cancelled).toMatchObject({ status: 200, body: { id, state: "cancelled" } });
    expect((await post(bob, `/v1/revocations/${id}/confirm`)).status).toBe(410);
    expect(await use(tokens[0]!)).toBe(200);
  });

  it("is left out in an emergency, loudly", async () => {
    const { match, tokens } = await clientWith(LIMIT + 1);
    const rule = { match, reason: "it is used right now", emergency: true };
    const { id } = bodyOf<Receipt>(await post(olivia, "/v1/revocations", rule), 201);
    for (const token of tokens) expect(await use(token)).toBe(401);
    expect((await told("revocation.emergency", id)).data).toMatchObject({
      revocation: { emergency: true, actor: olivia.id, match },
    });
    const line = runtime.logs.find((text) => text.includes("revocation.emergency"));
    expect(JSON.parse(line ?? "{}")).toMatchObject({ level: "warn", id, actor: olivia.id });
  });
});

describe("an import", () => {
  const send = async (by: Person, jtis: string[], query = "") => {
    const body = jtis.map((jti) => `${JSON.stringify({ jti, iss: gate.issuer })}\n`).join("");
    const headers = { authorization: `Bearer ${by.token}` };
    const answer = await fetch(`${gate.issuer}/v1/revocations/import${query}`, {
      method: "POST",
      headers,
      body,
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const stray = Array.from({ length: 2 * LIMIT + 1 }, (_, n) => `tok_${String(n).padStart(26, "0")}`);

  it("of more live tokens than one person may cut is counted and refused; as an emergency it is told to all", async () => {
    const { tokens } = await clientWith(LIMIT + 1);
    const jtis = tokens.map((token) => decodeJwt(token).jti!);
    expect(await send(olivia, [...jtis, ...jtis, ...stray], "?dry_run=true")).toMatchObject({
      status: 200,
      body: { dry_run: true, would_cut: { tokens: LIMIT + 1 }, exact: true, refused: 0 },
    });
    expect(await send(olivia, [...jtis, ...stray])).toMatchObject({
      status: 403,
      body: { code: "forbidden", accepted: 0, live_tokens: LIMIT + 1, confirm_above: LIMIT },
    });
    for (const token of tokens) expect(await use(token)).toBe(200);
    expect(await send(olivia, [...jtis, ...stray], "?emergency=true")).toMatchObject({
      status: 200,
      body: { accepted: jtis.length + stray.length },
    });
    for (const token of tokens) expect(await use(token)).toBe(401);
    const event = await receiver.waitFor(
      (m) => m.type === "revocation.emergency" && m.data.import !== undefined,
    );
    expect(event.data).toMatchObject({ import: { actor: olivia.id } });
  });

  it("of no more live tokens than that is taken in, however many others it names", async () => {
    const { tokens } = await clientWith(LIMIT);
    const jtis = tokens.map((token) => decodeJwt(token).jti!);
    expect(await send(olivia, [...jtis, ...stray])).toMatchObject({ status: 200, body: { accepted: LIMIT } });
    for (const token of tokens) expect(await use(token)).toBe(401);
  });
});
