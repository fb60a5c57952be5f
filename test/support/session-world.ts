import { policySchema, type SessionPolicy } from "../../src/policy/document.ts";
import { ok } from "../../src/protocol/result.ts";
import type { Revocation } from "../../src/revocation/rule.ts";
import type { MintInput } from "../../src/tokens/access-token.ts";
import type { BrowserTerms } from "../../src/tokens/browser-session.ts";
import type { SessionTerms } from "../../src/tokens/entitlement.ts";
import { type Assertion, endSession, type Session, type SessionOpening } from "../../src/tokens/session.ts";
import type { SessionFlowDeps } from "../../src/tokens/session-flow.ts";

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

/** One stored session as a flow sees it: in memory, with what the flow did to it, in order. */
export class SessionWorld {
  session: Session | undefined;
  nowMs = NOW * 1000;
  /** What revocation the session's tokens are under. */
  rule: Revocation | null = null;
  readonly steps: string[] = [];
  readonly minted: MintInput[] = [];
  #made = 0;

  later(seconds: number): void {
    this.nowMs += seconds * 1000;
  }

  deps(over: Partial<SessionFlowDeps> = {}): SessionFlowDeps {
    return {
      issuer: SESSION_ISSUER,
      clock: () => this.nowMs,
      read: () => this.session,
      write: (next) => {
        this.steps.push("write");
        this.session = structuredClone(next);
      },
      end: async (of, end) => {
        this.steps.push("end");
        this.session = endSession(of, end);
      },
      mint: async (input) => {
        this.steps.push("mint");
        this.minted.push(input);
        const { jti, ttlSeconds: expiresInSeconds } = input;
        const accessToken = `access-${this.minted.length}`;
        return ok({ accessToken, jti, expiresAt: this.nowMs / 1000 + expiresInSeconds, expiresInSeconds });
      },
      hit: async () => {
        this.steps.push("hit");
        return ok(this.rule);
      },
      newCredential: async (kind) => `${kind}-${++this.#made}`,
      seal: async (answer, of) => `${of}:${answer}`,
      open: async (sealed, of) => (sealed.startsWith(`${of}:`) ? sealed.slice(of.length + 1) : undefined),
      ...over,
    };
  }
}
