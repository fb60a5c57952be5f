import { beforeAll, describe, expect, it } from "vitest";
import type { TrustedIssuer } from "../../../src/policy/document.ts";
import type { VerifyContext } from "../../../src/tokens/verify.ts";
import { KEY_GROUPS } from "../../support/corpus/token-keys.ts";
import { newKey, signToken } from "../../support/token-factory.ts";
import {
  IDP,
  NOW,
  newScene,
  tokenMaker,
  trustedIssuer,
  type VerifierScene,
  verdict,
} from "../../support/token-scene.ts";

let scene: VerifierScene;
let make: ReturnType<typeof tokenMaker>;

beforeAll(async () => {
  scene = await newScene();
  make = tokenMaker(scene);
});

function contextWith(changes: Record<string, unknown>, nowSeconds = NOW): VerifyContext {
  const issuer = trustedIssuer(scene.keys.rsa, changes);
  return { ...scene.context, issuers: new Map([[issuer.issuer, issuer]]), nowSeconds };
}

async function verifyIdp(changes: Record<string, unknown>, mapping: Record<string, unknown> = {}, at = NOW) {
  return verdict(await make.mintIdp(make.idpHeader(), make.idpClaims(changes)), contextWith(mapping, at));
}

describe("a trusted issuer's tokens", () => {
  it("names the subject after the issuer, and maps roles and scopes as the policy says", async () => {
    const token = await verifyIdp({ groups: ["dev", "On call"], scope: "a b", client_id: "web", jti: "x-1" });
    expect(token).toMatchObject({
      facts: { iss: IDP, sub: "alice", subject: "demo|alice", kid: "idp-1", client_id: "web", jti: "x-1" },
      own: false,
      issuerId: "demo",
      scopes: ["a", "b"],
      roles: ["dev", "On call"],
      resources: [],
    });
  });

  it("tells how the person signed in, and of what is no sign-in nothing", async () => {
    const signInOf = async (claims: Record<string, unknown>) => {
      const token = await verifyIdp(claims);
      return typeof token === "string" ? token : token.signIn;
    };
    expect(await signInOf({ acr: "urn:mfa", auth_time: NOW - 60 })).toEqual({
      acr: "urn:mfa",
      auth_time: NOW - 60,
    });
    expect(await signInOf({ acr: "0" })).toEqual({ acr: "0" });
    for (const acr of [1, "", "a b", 'a"b', "x".repeat(129), ["mfa"], null]) {
      expect(await signInOf({ acr, auth_time: "yesterday" })).toBeUndefined();
    }
    for (const auth_time of [-1, 1e12, null, true]) {
      expect(await signInOf({ acr: "mfa", auth_time })).toEqual({ acr: "mfa" });
    }
  });

  it("takes nothing from claims that are not mapped", async () => {
    const token = await verifyIdp(
      {
        scope: "admin",
        roles: ["admin"],
        groups: ["admin"],
        grant: "grt_1",
        authorization_details: [{ type: "portcullis_resource", identifier: "projects/42" }],
      },
      { claims: {} },
    );
    expect(token).toMatchObject({ scopes: [], roles: [], resources: [] });
    expect(token).not.toHaveProperty("facts.grant");
  });

  it.each([
    [
      ["a", "b"],
      ["a", "b"],
    ],
    ["a b", ["a", "b"]],
    ["", []],
    [[], []],
    [undefined, []],
  ])("reads the list %j", async (scope, scopes) => {
    expect(await verifyIdp({ scope })).toMatchObject({ scopes });
  });

  it.each([
    [1],
    [{ admin: true }],
    [null],
    [true],
    [["a", 1]],
    [["a b"]],
    [["a", ["b"]]],
    ['a"b'],
    [Array.from({ length: 257 }, (_, i) => `s${i}`)],
  ])("refuses the scopes %j", async (scope) => {
    expect(await verifyIdp({ scope })).toBe("claims");
  });

  it("refuses roles with control characters, and takes any other text", async () => {
    expect(await verifyIdp({ groups: ["a\nb"] })).toBe("claims");
    expect(await verifyIdp({ groups: ["a\u2028b"] })).toBe("claims");
    expect(await verifyIdp({ groups: ["Gestión"] })).toMatchObject({ roles: ["Gestión"] });
  });

  it("does not find a claim in the prototype", async () => {
    expect(await verifyIdp({}, { claims: { roles: "constructor" } })).toMatchObject({ roles: [] });
  });

  it("tolerates 30 s at the end and 60 s at the start", async () => {
    expect(await verifyIdp({ exp: NOW - 29 })).toMatchObject({ own: false });
    expect(await verifyIdp({ exp: NOW - 30 })).toBe("expired");
    expect(await verifyIdp({ nbf: NOW + 60 })).toMatchObject({ own: false });
    expect(await verifyIdp({ nbf: NOW + 61 })).toBe("not_yet_valid");
    expect(await verifyIdp({ iat: NOW + 61 })).toBe("not_yet_valid");
  });

  it("compares the type without case and application/", async () => {
    for (const typ of ["JWT", "jwt", "application/jwt", "Application/JWT"]) {
      const token = await signToken(scene.keys.rsa, { ...make.idpHeader(), typ }, make.idpClaims());
      expect(await verdict(token, scene.context), typ).toMatchObject({ own: false });
    }
    for (const typ of ["at+jwt", "logout+jwt", "text/jwt", undefined]) {
      const token = await signToken(scene.keys.rsa, { ...make.idpHeader(), typ }, make.idpClaims());
      expect(await verdict(token, scene.context), typ).toBe("type");
    }
  });

  it.each(["ES256", "ES384", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"])(
    "verifies %s",
    async (alg) => {
      const key = await newKey(alg, "k");
      const ctx = contextWith({ algorithms: [alg], jwks: { keys: [key.jwk] } });
      const token = await signToken(key, { alg, typ: "JWT", kid: "k" }, make.idpClaims());
      expect(await verdict(token, ctx)).toMatchObject({ own: false });
      const other = contextWith({ algorithms: ["RS256"], jwks: { keys: [key.jwk] } });
      expect(await verdict(token, other)).toBe("algorithm");
    },
  );

  it("needs no kid where one key fits, and names the key by its thumbprint", async () => {
    const { kid: _kid, ...nameless } = scene.keys.rsa.jwk;
    const token = await signToken(scene.keys.rsa, { alg: "RS256", typ: "JWT" }, make.idpClaims());
    const single = await verdict(token, contextWith({ jwks: { keys: [nameless] } }));
    expect(single).toMatchObject({ facts: { kid: expect.stringMatching(/^[\w-]{43}$/) } });
    expect(await verdict(token, scene.context)).toMatchObject({ facts: { kid: "idp-1" } });
    const second = await newKey("RS256", "idp-2");
    expect(await verdict(token, contextWith({ jwks: { keys: [scene.keys.rsa.jwk, second.jwk] } }))).toBe(
      "unknown_key",
    );
  });

  it("leaves out keys that must not verify, and uses the sound one beside them", async () => {
    const weak = await newKey("RS256", "weak", 1024);
    const { d } = (await crypto.subtle.exportKey("jwk", scene.keys.rsa.privateKey)) as { d: string };
    const keys = [
      { kty: "oct", kid: "sym", k: "c2VjcmV0", alg: "HS256" },
      weak.jwk,
      { ...scene.keys.rsa.jwk, kid: "enc", use: "enc" },
      { ...scene.keys.rsa.jwk, kid: "ops", key_ops: ["sign"] },
      { ...scene.keys.rsa.jwk, kid: "private", d },
      { ...scene.keys.rsa.jwk, kid: "other-alg", alg: "PS256" },
      scene.keys.rsa.jwk,
    ];
    const ctx = contextWith({});
    const issuer = { ...trustedIssuer(scene.keys.rsa), jwks: { keys } } as unknown as TrustedIssuer;
    const withKeys = { ...ctx, issuers: new Map([[IDP, issuer]]) };
    expect(
      await verdict(await signToken(scene.keys.rsa, make.idpHeader(), make.idpClaims()), withKeys),
    ).toMatchObject({
      own: false,
    });
    for (const kid of ["sym", "enc", "ops", "private", "other-alg"]) {
      const token = await signToken(scene.keys.rsa, { ...make.idpHeader(), kid }, make.idpClaims());
      expect(await verdict(token, withKeys), kid).toBe("unknown_key");
    }
    const byWeak = await signToken(weak, { ...make.idpHeader(), kid: "weak" }, make.idpClaims());
    expect(await verdict(byWeak, withKeys)).toBe("unknown_key");
  });

  it("takes the algorithm from the policy where a key names none, never from the token alone", async () => {
    const { alg: _none, ...unnamed } = scene.keys.rsa.jwk;
    const context = contextWith({ jwks: { keys: [unnamed] } });
    const group = await KEY_GROUPS["algorithms: none, another one, a MAC with the public key"]!(scene);
    const theirs = group.hostile.filter(({ name }) => name.startsWith("HS") || name.includes("their key"));
    expect(theirs.length).toBeGreaterThan(50);
    for (const { name, token, reason } of theirs) expect(await verdict(token, context), name).toBe(reason);
    expect(await verdict(await make.mintIdp(), context)).toMatchObject({ own: false });
  });

  it("refuses a key whose point is not on its curve, and takes its neighbour", async () => {
    const sound = await newKey("ES256", "sound");
    const broken = { ...sound.jwk, kid: "broken", y: sound.jwk.x };
    const ctx = contextWith({ algorithms: ["ES256"], jwks: { keys: [broken, sound.jwk] } });
    const header = { alg: "ES256", typ: "JWT" };
    const claims = make.idpClaims();
    expect(await verdict(await signToken(sound, { ...header, kid: "broken" }, claims), ctx)).toBe(
      "unknown_key",
    );
    expect(await verdict(await signToken(sound, { ...header, kid: "sound" }, claims), ctx)).toMatchObject({
      own: false,
    });
  });

  it("does not verify with a key of another issuer", async () => {
    const other = await newKey("RS256", "idp-1");
    const a = trustedIssuer(scene.keys.rsa);
    const b = trustedIssuer(other, { id: "b", issuer: "https://b.example.net" });
    const both = {
      ...scene.context,
      issuers: new Map([
        [a.issuer, a],
        [b.issuer, b],
      ]),
    };
    const crossed = await signToken(other, make.idpHeader(), make.idpClaims());
    expect(await verdict(crossed, both)).toBe("signature");
    const straight = await signToken(other, make.idpHeader(), make.idpClaims({ iss: b.issuer }));
    expect(await verdict(straight, both)).toMatchObject({ issuerId: "b" });
  });
});
