import { describe, expect, it } from "vitest";
import { policySchema } from "../../../src/policy/document.ts";
import {
  entitlement,
  type RefreshAsk,
  type SessionTerms,
  sessionTerms,
} from "../../../src/tokens/entitlement.ts";
import type { Assertion } from "../../../src/tokens/session.ts";
import {
  assertionWith,
  NOW,
  openingWith,
  PROVIDER,
  SESSION_ISSUER,
  sessionPolicy,
  termsWith,
} from "../../support/session-world.ts";

const held = (
  terms: Partial<SessionTerms> = {},
  ask: RefreshAsk = {},
  assertion: Assertion = assertionWith(),
  at = NOW,
) => entitlement(openingWith(), assertion, termsWith(terms), ask, at);

describe("what a refresh may have", () => {
  it("is what the session was opened with, as long as nothing was taken away", () => {
    expect(held()).toEqual({
      ok: true,
      value: { scopes: ["profile", "orders:read", "orders:write"], roles: ["developer"] },
    });
  });

  it("is less once a role brings less, the person has another role, or the client lost a scope", () => {
    expect(held({ roles: { developer: { scopes: ["orders:read"] } } })).toMatchObject({
      value: { scopes: ["profile", "orders:read"] },
    });
    expect(held({}, {}, assertionWith({ roles: ["viewer"] }))).toMatchObject({
      value: { scopes: ["profile", "orders:read"], roles: ["viewer"] },
    });
    expect(held({ ceiling: ["profile"] })).toMatchObject({ value: { scopes: ["profile"] } });
    expect(held({ roles: {} }, {}, assertionWith({ scopes: [] }))).toMatchObject({ value: { scopes: [] } });
  });

  it("is never more than what it was opened with", () => {
    const more = held({
      ceiling: ["orders:read", "admin"],
      roles: { developer: { scopes: ["orders:read", "admin"] } },
    });
    expect(more).toMatchObject({ value: { scopes: ["orders:read"] } });
  });

  it("is narrowed by what is asked for, and more than there is is refused", () => {
    expect(held({}, { scopes: ["orders:read"] })).toMatchObject({ value: { scopes: ["orders:read"] } });
    expect(held({}, { scopes: ["admin"] })).toMatchObject({ error: { code: "insufficient_scope" } });
    expect(held({ roles: {} }, { scopes: ["orders:read"] })).toMatchObject({
      error: { code: "insufficient_scope" },
    });
  });

  it("is for the session's audience, which the policy must still have", () => {
    expect(held({}, { audience: "urn:origin" }).ok).toBe(true);
    expect(held({}, { audience: SESSION_ISSUER })).toMatchObject({ error: { code: "invalid_target" } });
    expect(held({ audiences: [SESSION_ISSUER] })).toMatchObject({ error: { code: "invalid_target" } });
  });

  it("is nothing once the identity provider is out of the policy, or another one has its name", () => {
    for (const issuers of [{}, { idp: "https://other.example.com" }, { other: PROVIDER }] as Record<
      string,
      string
    >[]) {
      expect(held({ issuers })).toMatchObject({ error: { code: "invalid_token" } });
    }
    expect(held({ issuers: { other: "https://o.example.com", idp: PROVIDER } }).ok).toBe(true);
  });

  it("needs a fresh word of the identity provider where the policy says after how long", () => {
    const sessions = sessionPolicy({ reassert_seconds: 600 });
    expect(held({ sessions }, {}, assertionWith(), NOW + 599).ok).toBe(true);
    expect(held({ sessions }, {}, assertionWith(), NOW + 600)).toMatchObject({
      error: { code: "invalid_token" },
    });
    expect(held({ sessions }, {}, assertionWith({ iat: NOW + 500 }), NOW + 600).ok).toBe(true);
  });
});

it("the terms are what the policy says, and none where it has no sessions", () => {
  const document = {
    issuers: [
      { id: "idp", issuer: PROVIDER, jwks_uri: `${PROVIDER}/jwks`, algorithms: ["ES256"], audience: "a" },
    ],
    origins: { demo: { url: "https://o.example.com", audience: "urn:origin" } },
    roles: { viewer: { scopes: ["orders:read"] } },
  };
  expect(sessionTerms(policySchema.parse(document), SESSION_ISSUER, [])).toBeUndefined();
  const policy = policySchema.parse({ ...document, sessions: {} });
  expect(sessionTerms(policy, SESSION_ISSUER, ["orders:read"])).toEqual({
    sessions: {
      idle_seconds: 28_800,
      absolute_seconds: 86_400,
      access_token_ttl_seconds: 300,
      reuse_window_seconds: 10,
    },
    roles: { viewer: { scopes: ["orders:read"] } },
    issuers: { idp: PROVIDER },
    audiences: [SESSION_ISSUER, "urn:origin"],
    ceiling: ["orders:read"],
  });
});
