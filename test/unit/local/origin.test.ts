import { exportJWK, type GenerateKeyPairResult, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LoopbackServer, listen } from "../../../src/local/loopback-server.ts";
import { ORIGIN_AUDIENCE, startOrigin } from "../../../src/local/origin.ts";

let keys: GenerateKeyPairResult;
let gate: LoopbackServer;
let origin: LoopbackServer;

beforeAll(async () => {
  keys = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "ES256", use: "sig" };
  gate = await listen(0, (_req, res) => {
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify({ keys: [jwk] }));
  });
  origin = await startOrigin({ port: 0, issuer: gate.url });
});
afterAll(async () => {
  await origin.close();
  await gate.close();
});

function assertion(
  audience = ORIGIN_AUDIENCE,
  expiry = "1m",
  typ = "portcullis-assertion+jwt",
): Promise<string> {
  return new SignJWT({ scope: "orders:read" })
    .setProtectedHeader({ alg: "ES256", kid: "k1", typ })
    .setIssuer(gate.url)
    .setSubject("demo|alice")
    .setAudience(audience)
    .setExpirationTime(expiry)
    .sign(keys.privateKey);
}

describe("the demo origin", () => {
  it("answers with what it received: identity headers and the verified assertion", async () => {
    const headers = { "x-portcullis-assertion": await assertion(), "x-portcullis-subject": "demo|alice" };
    const answer = await fetch(`${origin.url}/orders/1001?x=1`, { headers });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      method: "GET",
      path: "/orders/1001",
      authorization_received: false,
      identity: { subject: "demo|alice" },
      assertion: { verified: true, claims: { sub: "demo|alice", aud: ORIGIN_AUDIENCE } },
      data: { id: "1001" },
    });
  });

  it.each([
    ["no assertion", undefined],
    ["one for another audience", () => assertion("urn:other")],
    ["an access token in its place", () => assertion(ORIGIN_AUDIENCE, "1m", "at+jwt")],
    ["one that is over", () => assertion(ORIGIN_AUDIENCE, "-1m")],
    ["one that was changed", async () => `${(await assertion()).slice(0, -8)}AAAAAAAA`],
  ])("refuses what does not come through the gate: %s", async (_name, make) => {
    const headers: Record<string, string> = make ? { "x-portcullis-assertion": await make() } : {};
    const answer = await fetch(`${origin.url}/orders`, { headers });
    expect(answer.status).toBe(401);
    expect(await answer.text()).not.toContain("winch");
  });

  it("says whether a token reached it", async () => {
    const headers = { "x-portcullis-assertion": await assertion(), authorization: "Bearer x" };
    expect(await (await fetch(`${origin.url}/projects/42`, { headers })).json()).toMatchObject({
      authorization_received: true,
      data: { id: "42" },
    });
  });

  it("is open under /public, and knows nothing at other paths", async () => {
    expect((await fetch(`${origin.url}/public/status`)).status).toBe(200);
    const headers = { "x-portcullis-assertion": await assertion() };
    expect((await fetch(`${origin.url}/orders/9999`, { headers })).status).toBe(404);
  });
});
