import { describe, expect, it } from "vitest";
import { checkPolicy } from "../../../src/policy/check.ts";
import { MAX_CLAIMS_BYTES, MAX_TOKEN_BYTES } from "../../../src/policy/token-size.ts";
import { base64url, utf8 } from "../../../src/protocol/encoding.ts";
import { accessTokenClaims, type MintInput } from "../../../src/tokens/access-token.ts";

const ISSUER = "https://auth.example.com";
const NOW = 1_700_000_000;
const ID = "x".repeat(30);

const scopes = (bytes: number) => [
  ...Array.from({ length: Math.floor(bytes / 100) }, (_, i) => String(i).padStart(99, "s")),
  "x".repeat((bytes % 100) + 1),
];
const withRule = (bytes: number) => ({
  origins: { api: { url: "https://api.internal.example", audience: "urn:api" } },
  access_rules: [
    {
      id: "r",
      resource: "things/*",
      origin: "api",
      scopes: scopes(bytes),
      requesters: { roles: ["dev"] },
      stages: [{ roles: ["boss"] }],
      max_duration_seconds: 60,
    },
  ],
});
const withRole = (bytes: number) => ({ roles: { dev: { scopes: scopes(bytes) } } });
const check = (document: object) => checkPolicy(document, { issuer: ISSUER, local: false });

/** The most bytes of scopes with which a policy is accepted. */
function largest(document: (bytes: number) => object): number {
  let [good, bad] = [101, MAX_TOKEN_BYTES];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (check(document(middle)).ok) good = middle;
    else bad = middle;
  }
  return good;
}

/** A token of ours as long as its claims make it, with the longest header and signature. */
function tokenBytes(input: MintInput): number {
  const claims = accessTokenClaims(input, ISSUER, NOW);
  if (!claims.ok) throw new Error(claims.error.detail);
  const header = { alg: "RS256", typ: "at+jwt", kid: "x".repeat(43) };
  const parts = [JSON.stringify(header), JSON.stringify(claims.value)].map((part) => base64url(utf8(part)));
  return `${parts.join(".")}.${"x".repeat(342)}`.length;
}

const input = (over: Partial<MintInput>): MintInput => ({
  jti: ID,
  subject: "x".repeat(193),
  audience: "urn:api",
  clientId: ID,
  scopes: [],
  ttlSeconds: 300,
  ...over,
});

describe("a policy that leads to tokens over 4 KiB", () => {
  it.each([
    ["an access rule", withRule, "access_rules.0.scopes"],
    ["a role", withRole, "roles.dev.scopes"],
  ])("is refused for %s, by the first byte too many, and told by how many", (_what, document, at) => {
    const most = largest(document);
    expect(most).toBeGreaterThan(1_000);
    expect(check(document(most)).ok).toBe(true);
    const refused = check(document(most + 1));
    expect(refused).toMatchObject({ error: { code: "invalid_body" } });
    expect(JSON.stringify(refused)).toContain(`${at}: an access token with all of them`);
    expect(JSON.stringify(refused)).toContain("by 1 bytes");
  });

  it("is not refused where its longest token fits", () => {
    const grant = {
      id: ID,
      accessStart: NOW,
      accessExpiry: NOW + 60,
      resource: "x".repeat(256),
    };
    const ofRule = input({ scopes: scopes(largest(withRule)), grant, session: ID, act: { sub: ID } });
    expect(tokenBytes(ofRule)).toBeLessThanOrEqual(MAX_TOKEN_BYTES);
    const ofRole = input({
      scopes: scopes(largest(withRole)),
      roles: ["dev"],
      session: ID,
      act: { sub: ID },
    });
    expect(tokenBytes(ofRole)).toBeLessThanOrEqual(MAX_TOKEN_BYTES);
  });
});

describe("an access token", () => {
  it("is at most 1 KiB for an ordinary grant", () => {
    const grant = {
      id: "grt_01jd0000000000000000000000",
      accessStart: NOW,
      accessExpiry: NOW + 3600,
      resource: "projects/42",
    };
    const bytes = tokenBytes(
      input({
        subject: "corp|0f8fad5b-d9cb-469f-a165-70867728950e",
        audience: "https://orders.example.com",
        scopes: ["orders:read", "orders:write"],
        grant,
      }),
    );
    expect(bytes - (342 - 86)).toBeLessThanOrEqual(1_024);
  });

  it("is minted up to 4 KiB, and refused by the first byte more", () => {
    const claimsOf = (bytes: number) =>
      accessTokenClaims(input({ scopes: ["x".repeat(bytes)] }), ISSUER, NOW);
    const empty = claimsOf(0);
    const room = MAX_CLAIMS_BYTES - JSON.stringify(empty.ok && empty.value).length;
    expect(claimsOf(room).ok).toBe(true);
    expect(tokenBytes(input({ scopes: ["x".repeat(room)] }))).toBeLessThanOrEqual(MAX_TOKEN_BYTES);
    expect(claimsOf(room + 1)).toMatchObject({ error: { code: "body_too_large" } });
  });

  it("does not outlive what it was exchanged for, and says when its client authenticated", () => {
    const claims = accessTokenClaims(input({ endsBy: NOW + 40, issuedAt: NOW - 2 }), ISSUER, NOW);
    expect(claims).toMatchObject({ value: { iat: NOW - 2, nbf: NOW - 2, exp: NOW + 40 } });
    expect(accessTokenClaims(input({ endsBy: NOW }), ISSUER, NOW)).toMatchObject({ error: { code: "gone" } });
    const ahead = accessTokenClaims(input({ issuedAt: NOW + 5 }), ISSUER, NOW);
    expect(ahead).toMatchObject({ value: { iat: NOW, exp: NOW + 300 } });
  });
});
