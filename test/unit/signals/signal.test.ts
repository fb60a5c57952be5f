import { describe, expect, it } from "vitest";
import { hits, type TokenFacts } from "../../../src/revocation/rule.ts";
import { endingOf, isSame, recordOf, ruleOf, type Signal } from "../../../src/signals/signal.ts";

const NOW = 1_800_000_000;
const ISSUER = { id: "corp", issuer: "https://idp.example.com" };
const OURS = "https://gate.example.com";

const signal = (members: Partial<Signal> = {}): Signal => ({
  actor: "transmitter:corp",
  via: "security_event_token",
  jti: "j-1",
  event: "session-revoked",
  action: "revoke_sessions",
  issued_at: NOW - 5,
  issuer: ISSUER,
  named: { sub: "alice" },
  ...members,
});
const rule = (members: Partial<Signal> = {}) => ruleOf(signal(members), "rev_1", NOW);

const provider = (facts: Partial<TokenFacts> = {}): TokenFacts => ({
  ...{ iss: ISSUER.issuer, sub: "alice", subject: "corp|alice", iat: NOW - 60, kid: "k" },
  ...facts,
});
const own = (facts: Partial<TokenFacts> = {}): TokenFacts =>
  provider({ iss: OURS, sub: "corp|alice", subject: "corp|alice", ...facts });

describe("the rule of a signal", () => {
  it("ends every token of the person, the provider's and ours, and of nobody else", () => {
    const made = rule()!;
    expect(hits(made, provider(), NOW)).toBe(true);
    expect(hits(made, own(), NOW)).toBe(true);
    expect(hits(made, provider({ sub: "bob", subject: "corp|bob" }), NOW)).toBe(false);
    expect(hits(made, provider({ iss: "https://x", subject: "x|alice" }), NOW)).toBe(false);
  });

  it("ends what was issued until now, by either clock, and lets who signs in again in", () => {
    expect(hits(rule()!, own({ iat: NOW }), NOW)).toBe(true);
    expect(hits(rule()!, own({ iat: NOW + 1 }), NOW)).toBe(false);
    const ahead = rule({ issued_at: NOW + 30.5 })!;
    expect(hits(ahead, provider({ iat: NOW + 31 }), NOW)).toBe(true);
    expect(hits(ahead, provider({ iat: NOW + 32 }), NOW)).toBe(false);
  });

  it("ends the one session that is named, and not the person's others", () => {
    const made = rule({ action: "revoke_session", named: { sub: "alice", session: "s-1" } })!;
    expect(made.match).toEqual({ iss: ISSUER.issuer, session: "s-1" });
    expect(hits(made, provider({ session: "s-1" }), NOW)).toBe(true);
    expect(hits(made, provider({ session: "s-2" }), NOW)).toBe(false);
    expect(hits(made, own({ session: "s-1" }), NOW)).toBe(false);
  });

  it("ends all of the person's where no session is named, or all are asked for", () => {
    expect(rule({ action: "revoke_session" })?.match).toEqual({ sub: "corp|alice" });
    const both = { sub: "alice", session: "s-1" };
    expect(rule({ named: both })?.match).toEqual({ sub: "corp|alice" });
    expect(rule({ named: { session: "s-1" } })?.match).toEqual({ iss: ISSUER.issuer, session: "s-1" });
  });

  it("bans a person whose account is gone: also what is issued later, without an end", () => {
    const made = rule({ action: "revoke_subject" })!;
    expect(hits(made, own({ iat: NOW + 1e6 }), NOW + 1e6)).toBe(true);
    expect(made).not.toHaveProperty("expires_at");
    expect(rule()).toHaveProperty("expires_at");
    // A session alone is nobody's account.
    const session = rule({ action: "revoke_subject", named: { session: "s-1" } })!;
    expect(session.match).toEqual({ iss: ISSUER.issuer, session: "s-1" });
    expect(session).toHaveProperty("issued_before");
  });

  it("asks for a new sign-in of the person, for as long as any token of theirs can live", () => {
    const made = rule({ action: "step_up" })!;
    expect(made).toMatchObject({
      match: { sub: "corp|alice" },
      effect: { kind: "step_up", signed_in_since: NOW },
    });
    expect(made.expires_at! - NOW).toBe(31 * 86_400);
    // A session alone says nothing of the person.
    const session = rule({ action: "step_up", named: { session: "s-1" } })!;
    expect(session).toMatchObject({ match: { session: "s-1" } });
    expect(session).not.toHaveProperty("effect");
  });

  it.each(["notify", "ignore", "restore_subject"] as const)("is none for %s", (action) => {
    expect(rule({ action })).toBeUndefined();
  });

  it("says who told it", () => {
    expect(rule()).toMatchObject({
      actor: "transmitter:corp",
      reason: "session-revoked from transmitter:corp.",
    });
  });
});

describe("the sessions that it ends", () => {
  it("are the person's, or those of the session there; none that begins later", () => {
    expect(endingOf(rule()!)).toMatchObject({ whose: { subject: "corp|alice" } });
    const session = rule({ action: "revoke_session", named: { session: "s-1" } })!;
    expect(endingOf(session)).toMatchObject({ whose: { provider_session: "s-1" } });
    const ban = endingOf(rule({ action: "revoke_subject" })!).rule;
    expect(hits(ban, provider({ iat: NOW }), NOW)).toBe(true);
    expect(hits(ban, provider({ iat: NOW + 1 }), NOW)).toBe(false);
  });
});

describe("the record of a signal", () => {
  it("has ids and no claims", () => {
    const record = recordOf(signal({ named: { sub: "alice", session: "s-1" }, kind: "HIGH" }), "sig_1", NOW);
    expect(record).toEqual({
      id: "sig_1",
      actor: "transmitter:corp",
      via: "security_event_token",
      jti: "j-1",
      event: "session-revoked",
      kind: "HIGH",
      action: "revoke_sessions",
      issued_at: NOW - 5,
      received_at: NOW,
      subject: "corp|alice",
      provider_session: "s-1",
    });
  });

  it("knows the same signal again, also where the policy was changed, and no other one under its jti", () => {
    const record = recordOf(signal(), "sig_1", NOW);
    expect(isSame(record, signal())).toBe(true);
    expect(isSame(record, signal({ action: "notify" }))).toBe(true);
    for (const other of [
      { event: "account-disabled" },
      { kind: "HIGH" },
      { issued_at: NOW },
      { named: { sub: "bob" } },
      { named: { sub: "alice", session: "s-1" } },
    ]) {
      expect(isSame(record, signal(other))).toBe(false);
    }
  });
});
