import { createLocalJWKSet, jwtVerify } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { ASSERTION_TYPE, AssertionSigner, MIN_LEFT_SECONDS } from "../../../src/edge/assertion.ts";
import { ASSERTION_TTL_SECONDS } from "../../../src/tokens/key-ring.ts";
import type { VerifiedToken } from "../../../src/tokens/verify.ts";
import { EdgeWorld, ISSUER, policyOf } from "../../support/edge-world.ts";
import { newKey } from "../../support/token-factory.ts";

const ORIGIN = "https://orders.internal";

let world: EdgeWorld;
let signer: AssertionSigner;
const behind: Promise<unknown>[] = [];

beforeEach(async () => {
  world = await EdgeWorld.create(policyOf([{ path: "/any", access: {} }]));
  await world.replica.refresh();
  signer = new AssertionSigner({ issuer: ISSUER, clock: world.clock, key: world.assertionKey });
  behind.length = 0;
});

function token(changes: Partial<VerifiedToken> = {}): VerifiedToken {
  const now = world.nowMs / 1000;
  return {
    facts: {
      iss: ISSUER,
      sub: "demo|alice",
      subject: "demo|alice",
      iat: now,
      kid: "own-1",
      jti: "tok_1",
      client_id: "cli_1",
      grant: "grt_1",
    },
    own: true,
    audience: [ORIGIN],
    scopes: ["a", "b"],
    roles: ["dev"],
    resources: [],
    expiresAt: now + 3600,
    key: world.keys.own.publicKey,
    ...changes,
  };
}

const prepare = () => signer.prepare(world.replica.peek(), (work) => behind.push(work));
const recall = (of: VerifiedToken, audience = ORIGIN) => signer.recall(of, audience, world.replica.peek());
async function sign(of: VerifiedToken, audience = ORIGIN): Promise<string> {
  const signed = await signer.sign(of, audience, world.replica.peek());
  if (!signed.ok) throw new Error(signed.error.detail);
  return signed.value;
}
const claimsOf = (jwt: string) =>
  JSON.parse(Buffer.from(jwt.split(".")[1] as string, "base64url").toString());

describe("the assertion for an origin", () => {
  it("is verified by any JOSE library with our JWKS", async () => {
    const jwks = createLocalJWKSet({ keys: [world.keys.own.jwk, world.keys.assertion.jwk] });
    const { payload, protectedHeader } = await jwtVerify(await sign(token()), jwks, {
      issuer: ISSUER,
      audience: ORIGIN,
      typ: ASSERTION_TYPE,
      currentDate: new Date(world.nowMs),
    });
    const now = world.nowMs / 1000;
    expect(protectedHeader).toEqual({ alg: "ES256", typ: ASSERTION_TYPE, kid: "assertion-1" });
    expect(payload).toEqual({
      iss: ISSUER,
      aud: ORIGIN,
      sub: "demo|alice",
      client_id: "cli_1",
      scope: "a b",
      roles: ["dev"],
      grant: "grt_1",
      token_id: "tok_1",
      iat: now,
      exp: now + ASSERTION_TTL_SECONDS,
    });
  });

  it("is no access token of ours, whoever sends it", async () => {
    const jwt = await sign(token());
    expect((await world.call("/any", { token: jwt })).status).toBe(401);
    expect((await world.call("/any", { token: await world.token() })).status).toBe(200);
  });

  it("never outlives the token, its grant's window or two minutes", async () => {
    const now = world.nowMs / 1000;
    expect(claimsOf(await sign(token({ expiresAt: now + 10 }))).exp).toBe(now + 10);
    expect(claimsOf(await sign(token({ accessExpiry: now + 5 }))).exp).toBe(now + 5);
    expect(claimsOf(await sign(token({ own: false, expiresAt: now + 5 }))).exp).toBe(now + 35);
  });

  it("is sent again while enough of it is left, one for each origin", async () => {
    const of = token();
    expect(recall(of)).toBeUndefined();
    const jwt = await sign(of);
    world.nowMs += (ASSERTION_TTL_SECONDS - MIN_LEFT_SECONDS) * 1000 - 1;
    expect(recall(of)).toBe(jwt);
    expect(recall(of, "https://other.internal")).toBeUndefined();
    expect(recall(token())).toBeUndefined();
    world.nowMs += 1;
    expect(recall(of)).toBeUndefined();
  });

  it("is sent to the end where the token ends with it", async () => {
    const of = token({ expiresAt: world.nowMs / 1000 + 20 });
    const jwt = await sign(of);
    world.nowMs += 19_999;
    expect(recall(of)).toBe(jwt);
    world.nowMs += 1;
    expect(recall(of)).toBeUndefined();
  });
});

describe("the assertion key", () => {
  it("is fetched once and renewed behind a request", async () => {
    await prepare();
    await sign(token());
    expect(prepare()).toBeUndefined();
    expect(world.keyFetches).toBe(1);
    world.nowMs += 60_001;
    expect(prepare()).toBeUndefined();
    expect(prepare()).toBeUndefined();
    expect(behind).toHaveLength(1);
    await Promise.all(behind);
    expect(world.keyFetches).toBe(2);
  });

  it("signs nothing more, and its assertions are not sent, once the view no longer has it", async () => {
    const of = token();
    await sign(of);
    world.nowMs += 5001;
    expect(recall(of)).toBeDefined();
    world.append({ keys: new Map() });
    await world.replica.refresh();
    expect(recall(of)).toBeUndefined();
    expect(prepare()).toBeInstanceOf(Promise);
  });

  it("may be newer than the view for a moment", async () => {
    world.append({ keys: new Map() });
    await world.replica.refresh();
    const of = token();
    const jwt = await sign(of);
    world.nowMs += 5000;
    expect(recall(of)).toBe(jwt);
    world.nowMs += 1;
    expect(recall(of)).toBeUndefined();
  });

  it("is waited for where it is held for longer than ten minutes: by then it may be replaced and forgotten", async () => {
    await prepare();
    world.nowMs += 600_000;
    expect(prepare()).toBeUndefined();
    await Promise.all(behind);
    world.nowMs += 600_001;
    const fetches = world.keyFetches;
    expect(prepare()).toBeInstanceOf(Promise);
    expect(world.keyFetches).toBe(fetches + 1);
    // While the key ring does not answer, the next request of this minute goes on with what is held.
    expect(prepare()).toBeUndefined();
  });

  it.each(["EdDSA", "RS256"] as const)("may be of %s", async (alg) => {
    const key = await newKey(alg, "assertion-2");
    const other = new AssertionSigner({
      issuer: ISSUER,
      clock: world.clock,
      key: async () => ({ ok: true, value: { kid: key.kid, alg, key: key.privateKey } }),
    });
    const signed = await other.sign(token(), ORIGIN, undefined);
    const jwks = createLocalJWKSet({ keys: [key.jwk] });
    const { protectedHeader } = await jwtVerify(signed.ok ? signed.value : "", jwks, {
      currentDate: new Date(world.nowMs),
    });
    expect(protectedHeader.alg).toBe(alg);
  });

  it("is answered for with a problem where it cannot be had", async () => {
    world.assertionKeyDown = true;
    await prepare();
    expect(await signer.sign(token(), ORIGIN, undefined)).toMatchObject({
      ok: false,
      error: { code: "unavailable" },
    });
    world.assertionKeyDown = false;
    expect(await signer.sign(token(), ORIGIN, undefined)).toMatchObject({ ok: true });
  });
});
