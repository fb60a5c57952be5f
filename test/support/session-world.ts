import { policySchema, type SessionPolicy } from "../../src/policy/document.ts";
import type { BrowserTerms } from "../../src/tokens/browser-session.ts";
import type { SessionTerms } from "../../src/tokens/entitlement.ts";
import type { Assertion, SessionOpening } from "../../src/tokens/session.ts";

export const SESSION_ISSUER = "https://auth.example.com";
export const PROVIDER = "https://idp.example.com";
export const NOW = 1_700_000_000;

export function sessionPolicy(over: object = {}): SessionPolicy {
  return policySchema.parse({ sessions: { idle_seconds: 3_600, absolute_seconds: 86_400, ...over } })
    .sessions!;
}

export function termsWith(over: Partial<SessionTerms> = {}): SessionTerms {
  return {
    sessions: sessionPolicy(),
    roles: { developer: { scopes: ["orders:read", "orders:write"] }, viewer: { scopes: ["orders:read"] } },
    issuers: { idp: PROVIDER },
    audiences: [SESSION_ISSUER, "urn:origin"],
    ceiling: ["orders:read", "orders:write", "profile"],
    ...over,
  };
}

export function browserTermsWith(over: Partial<BrowserTerms> = {}): BrowserTerms {
  const { ceiling, ...terms } = termsWith();
  return { ...terms, ceilings: { idp: ceiling }, ...over };
}

export function assertionWith(over: Partial<Assertion> & { iat?: number } = {}): Assertion {
  const { iat = NOW, ...rest } = over;
  const facts = {
    iss: PROVIDER,
    sub: "alice",
    subject: "idp|alice",
    iat,
    kid: "k",
    jti: "j-1",
    session: "s-1",
  };
  return { facts, issuer_id: "idp", roles: ["developer"], scopes: ["profile"], ...rest };
}

export function openingWith(over: Partial<SessionOpening> = {}): SessionOpening {
  return {
    id: "ses_01hf7yat00abcdefghjkmnpqrs",
    subject: "idp|alice",
    audience: "urn:origin",
    scopes: ["profile", "orders:read", "orders:write"],
    binding: { client_id: "cli_1" },
    kind: "refresh_token",
    assertion: assertionWith(),
    ...over,
  };
}
