import { beforeAll, describe, expect, it } from "vitest";
import { newKey, ownHeader, type Part, signToken } from "../../support/token-factory.ts";
import {
  AUDIENCE,
  ISSUER,
  NOW,
  newScene,
  tokenMaker,
  type VerifierScene,
  verdict,
} from "../../support/token-scene.ts";

let scene: VerifierScene;
let make: ReturnType<typeof tokenMaker>;

beforeAll(async () => {
  scene = await newScene();
  make = tokenMaker(scene);
});

async function verifyOwn(changes: Record<string, unknown>, header: Part = make.header(), at = NOW) {
  const token = await make.mint(header, make.claims(changes));
  return verdict(token, { ...scene.context, nowSeconds: at });
}

describe("our own tokens", () => {
  it("gives the claims of a token as minted", async () => {
    const token = await verifyOwn({
      aud: [AUDIENCE, "other"],
      roles: ["approver"],
      grant: "grt_1",
      sid: "ses_1",
      access_start: "2027-01-15T08:00:00.000Z",
      access_expiry: "2027-01-15T10:00:00+01:00",
      authorization_details: [
        { type: "portcullis_resource", identifier: "projects/42" },
        { type: "payment_initiation", amount: "1" },
      ],
    });
    expect(token).toEqual({
      facts: {
        iss: ISSUER,
        sub: "demo|alice",
        subject: "demo|alice",
        iat: NOW,
        kid: "own-1",
        jti: "tok_01jd0000000000000000000000",
        client_id: "cli_demo",
        grant: "grt_1",
        session: "ses_1",
      },
      own: true,
      audience: [AUDIENCE, "other"],
      scopes: ["orders:read", "orders:write"],
      roles: ["approver"],
      resources: ["projects/42"],
      expiresAt: NOW + 300,
      notBefore: NOW,
      accessStart: NOW,
      accessExpiry: NOW + 3600,
      key: scene.keys.own.publicKey,
    });
  });

  it.each(["EdDSA", "RS256"])("follows the algorithm of the key, once ours are %s", async (alg) => {
    const key = await newKey(alg, "own-2");
    const keys = new Map([
      ["own-2", { kid: "own-2", purpose: "access_token" as const, alg, key: key.publicKey }],
    ]);
    const token = await signToken(key, ownHeader(key), make.claims());
    expect(await verdict(token, { ...scene.context, keys })).toMatchObject({ own: true });
    const swapped = await make.mint(make.header({ kid: "own-2" }));
    expect(await verdict(swapped, { ...scene.context, keys })).toBe("algorithm");
  });

  it("never verifies with a key of another purpose", async () => {
    const byAssertionKey = await signToken(
      scene.keys.assertion,
      ownHeader(scene.keys.assertion),
      make.claims(),
    );
    expect(await verdict(byAssertionKey, scene.context)).toBe("unknown_key");
    expect(await verifyOwn({})).toMatchObject({ own: true });
  });

  it("ends on the second, without tolerance", async () => {
    expect(await verifyOwn({ exp: NOW + 1 })).toMatchObject({ own: true });
    expect(await verifyOwn({ exp: NOW + 0.25 })).toMatchObject({ own: true });
    expect(await verifyOwn({ exp: NOW })).toBe("expired");
    expect(await verifyOwn({ exp: NOW + 1 }, make.header(), NOW + 0.999)).toMatchObject({ own: true });
    expect(await verifyOwn({ exp: NOW + 1 }, make.header(), NOW + 1)).toBe("expired");
  });

  it("takes iat and nbf up to 60 s ahead", async () => {
    expect(await verifyOwn({ iat: NOW + 60 })).toMatchObject({ own: true });
    expect(await verifyOwn({ iat: NOW + 61 })).toBe("not_yet_valid");
    expect(await verifyOwn({ nbf: NOW + 60 })).toMatchObject({ own: true });
    expect(await verifyOwn({ nbf: NOW + 61 })).toBe("not_yet_valid");
  });

  it("holds only within [access_start, access_expiry)", async () => {
    const at = (seconds: number) => new Date(seconds * 1000).toISOString();
    expect(await verifyOwn({ access_start: at(NOW), access_expiry: at(NOW + 1) })).toMatchObject({
      own: true,
    });
    expect(await verifyOwn({ access_start: at(NOW + 1) })).toBe("not_yet_valid");
    expect(await verifyOwn({ access_expiry: at(NOW) })).toBe("expired");
  });

  it.each([
    "2027-01-15 08:00:00Z",
    "2027-01-15T08:00:00",
    "2027-01-15",
    "2027-02-30T08:00:00Z",
    "2027-01-15T24:00:00Z",
    "2027-01-15T08:60:00Z",
    "2027-01-15T08:00:60Z",
    "2027-01-15T08:00:00+24:00",
    "2027-01-15t08:00:00z",
    "20270115T080000Z",
    "+002027-01-15T08:00:00Z",
    "2027-01-15T08:00:00.Z",
    "1800000000",
    1_800_000_000,
    null,
  ])("refuses the moment %j, which is not RFC 3339", async (moment) => {
    expect(await verifyOwn({ access_start: moment })).toBe("claims");
  });

  it.each(["2027-01-15T08:00:00Z", "2027-01-15T08:00:00.000000001-00:00", "2027-01-15T05:30:00-02:30"])(
    "takes the moment %s",
    async (moment) => {
      expect(await verifyOwn({ access_start: moment }, make.header(), NOW + 1)).toMatchObject({ own: true });
    },
  );

  it("tells milliseconds from seconds", async () => {
    expect(await verifyOwn({ iat: NOW * 1000, exp: (NOW + 300) * 1000 })).toBe("claims");
    expect(await verifyOwn({ nbf: NOW * 1000 })).toBe("claims");
    expect(await verifyOwn({ nbf: 1e11 })).toBe("not_yet_valid");
  });

  it("accepts no token that lives longer than a revocation may be kept", async () => {
    const longest = 31 * 86_400;
    expect(await verifyOwn({ exp: NOW + longest })).toMatchObject({ own: true });
    expect(await verifyOwn({ exp: NOW + longest + 1 })).toBe("claims");
  });

  it("takes at+jwt with and without application/, and no other type", async () => {
    for (const typ of ["at+jwt", "application/at+jwt"]) {
      expect(await verifyOwn({}, { ...make.header(), typ })).toMatchObject({ own: true });
    }
    for (const typ of ["AT+JWT", "JWT", "portcullis-assertion+jwt", "at+jwt ", ""]) {
      expect(await verifyOwn({}, { ...make.header(), typ }), typ).toBe("type");
    }
  });

  it("refuses a sender-constrained token: no proof is checked", async () => {
    expect(await verifyOwn({ cnf: { jkt: "thumbprint" } })).toBe("claims");
    expect(await verifyOwn({ act: { sub: "svc" } })).toMatchObject({ own: true, act: { sub: "svc" } });
  });

  it("takes an act claim that says who acts, and no other", async () => {
    const act = { sub: "cli_1", act: { sub: "svc" } };
    expect(await verifyOwn({ act })).toMatchObject({ act });
    for (const bad of [null, "cli_1", {}, { sub: 1 }, { sub: "a", act: {} }]) {
      expect(await verifyOwn({ act: bad }), JSON.stringify(bad)).toBe("claims");
    }
  });
});
