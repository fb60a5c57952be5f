import { setTimeout as sleep } from "node:timers/promises";
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect, hold } from "../support/access.ts";
import { bodyOf, clientToken, type Receipt } from "../support/deployment.ts";
import { OPERATOR_SECRET } from "../support/runtime.ts";
import { type Stand, standUp } from "../support/stand.ts";

/** What a day is in production; a deployment on loopback may be in a hurry. */
const AHEAD_SECONDS = 2;
const STRICT = "/orders/1001";

let stand: Stand;

beforeAll(async () => {
  stand = await standUp((policy) => ({ ...policy, keys: { publish_ahead_seconds: AHEAD_SECONDS } }));
});

afterAll(() => stand?.stop());

type Key = { kid: string; purpose: string; state: string; signs_from?: number; published_at?: number };
type Rotation = { rotated: Key[]; scheduled: Key[] };

const operator = () => clientToken(stand.gate.issuer, { id: "operator", secret: OPERATOR_SECRET });
const kidOf = (token: string) => decodeProtectedHeader(token).kid as string;
const rotate = async (json: object, token: string) => stand.gate.call("/v1/keys/rotate", { token, json });
const keys = async () =>
  bodyOf<{ items: Key[] }>(await stand.gate.call("/v1/keys", { token: await operator() }), 200).items;

/** A resource server that is not ours: it keeps its JWK set a little less long than keys are published ahead. */
function resourceServer() {
  const jwks = createRemoteJWKSet(new URL(`${stand.gate.issuer}/.well-known/jwks.json`), {
    cacheMaxAge: (AHEAD_SECONDS - 0.5) * 1000,
    // Not even a key that it does not know makes it ask again.
    cooldownDuration: Number.POSITIVE_INFINITY,
  });
  return (token: string) => jwtVerify(token, jwks, { issuer: stand.gate.issuer, algorithms: ["ES256"] });
}

describe("a planned rotation", () => {
  it("fails no verifier that knows nothing but the JWK set, and no token of the key before", async () => {
    const verify = resourceServer();
    const held = await hold(stand.gate, stand);
    const before = await operator();
    await verify(before);
    const { scheduled } = bodyOf<Rotation>(await rotate({}, before), 200);
    expect(scheduled.map(({ purpose }) => purpose).sort()).toEqual(["access_token", "assertion"]);
    const next = scheduled.find(({ purpose }) => purpose === "access_token")!;

    const seen = new Set<string>();
    for (const end = Date.now() + 15_000; Date.now() < end && !seen.has(next.kid); await sleep(50)) {
      const token = await operator();
      seen.add(kidOf(token));
      await verify(token);
      expect((await stand.gate.call("/orders", { token: held.token })).status).toBe(200);
    }
    expect([...seen]).toEqual([kidOf(before), next.kid]);
    await verify(before);
    await verify(held.token);
    expect((await stand.gate.call(STRICT, { token: held.token })).status).toBe(200);
    const shown = await keys();
    expect(shown.find(({ kid }) => kid === kidOf(before))).toMatchObject({ state: "previous" });
    const now = shown.find(({ kid }) => kid === next.kid)!;
    expect(now.state).toBe("current");
    expect(now.signs_from! - now.published_at!).toBeGreaterThanOrEqual(AHEAD_SECONDS);
  });

  it("needs the scope, and a body that is understood", async () => {
    const { gate, requester } = stand;
    expect((await rotate({}, requester.token)).status).toBe(403);
    expect((await gate.call("/v1/keys", { token: requester.token })).status).toBe(403);
    const token = await operator();
    for (const json of [{ kid: "x" }, { compromised_kid: "" }, { reason: "belongs to nothing" }]) {
      expect(await rotate(json, token)).toMatchObject({ status: 400, body: { code: "invalid_body" } });
    }
    expect((await rotate({ compromised_kid: "none-of-ours" }, token)).status).toBe(404);
  });
});

describe("a ban of our own signing key", () => {
  it("is refused where it would lock everybody out, and the answer names the way", async () => {
    const token = await operator();
    const ban = (more: object) =>
      stand.gate.call("/v1/revocations", {
        token,
        json: { match: { kid: kidOf(token) }, reason: "a test", ...more },
      });
    const refused = await ban({});
    expect(refused).toMatchObject({ status: 400, body: { code: "invalid_body" } });
    expect(JSON.stringify(refused.body)).toContain("/v1/keys/rotate");
    expect((await stand.gate.call("/v1/keys", { token: await operator() })).status).toBe(200);
    // With a moment it spares what is yet to be issued.
    expect((await ban({ issued_before: decodeJwt(token).iat! - 3_600 })).status).toBe(201);
  });
});

describe("a compromised signing key", () => {
  it("is replaced in one step: what it signed is denied within the bound, others sign on at once", async () => {
    const { gate, requester, runtime, origin } = stand;
    const held = await hold(gate, stand);
    const kid = kidOf(held.token);
    expect((await gate.call("/orders", { token: held.token })).status).toBe(200);
    const headers = { "idempotency-key": "leak" };
    const call = async (token: string) =>
      gate.call("/v1/keys/rotate", { token, headers, json: { compromised_kid: kid, reason: "a test" } });
    const receipt = bodyOf<Receipt & { kid: string; compromised_kid: string }>(
      await call(await operator()),
      201,
    );
    expect(receipt.compromised_kid).toBe(kid);

    // What was acknowledged stands, whatever happens to the machine now.
    await runtime.kill();
    expect((await gate.call(STRICT, { token: held.token })).status).toBe(401);
    let status = 200;
    while (status === 200) {
      const sentAt = Date.now() / 1000;
      ({ status } = await gate.call("/orders", { token: held.token }));
      if (status === 200) expect(sentAt).toBeLessThan(receipt.effective_by.bounded);
    }
    expect(status).toBe(401);

    const token = await operator();
    expect(kidOf(token)).toBe(receipt.kid);
    const again = await clientToken(gate.issuer, requester);
    const anew = await collect(gate, again, held.request);
    expect((await gate.call(STRICT, { token: anew })).status).toBe(200);
    expect((await gate.call("/orders", { token: anew })).status).toBe(200);
    await resourceServer()(anew);

    // Assertions are signed with another key, which was not touched.
    const assertion = origin.received
      .at(-1)!
      .headers.find(([name]) => /^x-portcullis-assertion$/i.test(name))!;
    const jwks = createRemoteJWKSet(new URL(`${gate.issuer}/.well-known/jwks.json`));
    expect(kidOf(assertion[1])).not.toBe(receipt.kid);
    await jwtVerify(assertion[1], jwks);

    expect(bodyOf<Receipt>(await call(token), 201)).toEqual(receipt);
    const byKey = (await keys()).filter((key) => key.kid === kid || key.kid === receipt.kid);
    expect(byKey.map(({ state }) => state)).toEqual(["compromised", "current"]);
    const shown = await gate.call(`/v1/revocations/${receipt.id}`, { token });
    expect(shown).toMatchObject({
      status: 200,
      body: { state: "in_force", match: { kid }, emergency: true },
    });
    const { keys: published } = bodyOf<{ keys: Key[] }>(await gate.call("/.well-known/jwks.json"), 200);
    expect(published.map((key) => key.kid)).not.toContain(kid);
  });

  it("may be the one that signs assertions: the origin gets the next request's with another", async () => {
    const { gate, requester, approver, origin } = stand;
    const people = { requester, approver };
    for (const person of [requester, approver]) person.token = await clientToken(gate.issuer, person);
    const held = await hold(gate, people);
    const assertionKid = async () => {
      await gate.call("/orders", { token: held.token });
      const [, value] = origin.received
        .at(-1)!
        .headers.find(([name]) => name.toLowerCase() === "x-portcullis-assertion")!;
      return kidOf(value);
    };
    const kid = await assertionKid();
    const answer = await rotate({ compromised_kid: kid }, await operator());
    const receipt = bodyOf<Receipt & { kid: string }>(answer, 201);
    await expect.poll(assertionKid, { timeout: 15_000 }).toBe(receipt.kid);
    expect((await gate.call("/orders", { token: held.token })).status).toBe(200);
  });
});
