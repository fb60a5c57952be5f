import { describe, expect, it } from "vitest";
import {
  endSession,
  judge,
  newerAssertion,
  openSession,
  type Presentation,
  presentSession,
  rotate,
  type Session,
  sessionFacts,
  sessionState,
} from "../../../src/tokens/session.ts";
import {
  assertionWith,
  NOW,
  openingWith,
  SESSION_ISSUER,
  sessionPolicy,
} from "../../support/session-world.ts";

const NOW_MS = NOW * 1000;
const policy = sessionPolicy();
const opened = openSession(openingWith(), policy, { credential: "c1", asked: "", sealed: "s1" }, NOW_MS);
const next = (n: number) => ({
  credential: `c${n}`,
  asked: "a",
  sealed: `s${n}`,
  assertion: opened.assertion,
});
const second = rotate(opened, 1, next(2), policy, NOW_MS)!;

const judged = (session: Session, over: Partial<Presentation> = {}, at = NOW) =>
  judge(
    session,
    { credential: "c1", binding: { client_id: "cli_1" }, asked: "a", arrivedAtMs: NOW_MS, ...over },
    policy,
    at,
  );

describe("a credential", () => {
  it("that is current rotates; for another client or key it changes nothing", () => {
    expect(judged(opened)).toBe("rotate");
    expect(judged(opened, { binding: { client_id: "cli_2" } })).toBe("foreign");
    expect(judged(opened, { binding: { client_id: "cli_2", jkt: "key" } })).toBe("foreign");
    const bound = { ...opened, binding: { client_id: "cli_1", jkt: "key" } };
    expect(judged(bound)).toBe("foreign");
    expect(judged(bound, { binding: { client_id: "cli_1", jkt: "key" } })).toBe("rotate");
    expect(judged(bound, { binding: { client_id: "cli_1", jkt: "other" } })).toBe("foreign");
    expect(judged(bound, { binding: { client_id: "cli_1", x5t: "key" } })).toBe("foreign");
  });

  it("of a session without a key may come with a proof, which binds what is answered (RFC 9449 §5)", () => {
    expect(judged(opened, { binding: { client_id: "cli_1", jkt: "key" } })).toBe("rotate");
    expect(judged(opened, { binding: { client_id: "cli_1", x5t: "key" } })).toBe("rotate");
  });

  it("needs both where the session is bound to a key and a certificate", () => {
    const both = { client_id: "cli_1", jkt: "key", x5t: "cert" };
    const bound = { ...opened, binding: both };
    expect(judged(bound, { binding: both })).toBe("rotate");
    expect(judged(bound, { binding: { client_id: "cli_1", jkt: "key" } })).toBe("foreign");
    expect(judged(bound, { binding: { client_id: "cli_1", x5t: "cert" } })).toBe("foreign");
  });

  it("that was spent last gets the same answer within the window, by when it came", () => {
    expect(judged(second)).toBe("repeat");
    expect(judged(second, { arrivedAtMs: NOW_MS + 9_999 })).toBe("repeat");
    expect(judged(second, { arrivedAtMs: NOW_MS + 10_000 })).toBe("reuse");
    // It came before the rotation and waited for its turn, however long that took.
    expect(judged(second, { arrivedAtMs: NOW_MS - 1 }, NOW + 60)).toBe("repeat");
  });

  it("that was spent last is for the same request only, and for the same client", () => {
    expect(judged(second, { asked: "b" })).toBe("other_request");
    expect(judged(second, { binding: { client_id: "cli_2" } })).toBe("reuse");
    expect(judged(second, { asked: "b", arrivedAtMs: NOW_MS + 10_000 })).toBe("reuse");
  });

  it("that was spent before that is reuse, also within the window", () => {
    const third = rotate(second, 2, next(3), policy, NOW_MS)!;
    expect(judged(third)).toBe("reuse");
    expect(judged(third, { credential: "c2" })).toBe("repeat");
    expect(judged(third, { credential: "c3" })).toBe("rotate");
  });

  it("of a window of zero is never repeated", () => {
    const none = sessionPolicy({ reuse_window_seconds: 0 });
    const presented = { credential: "c1", binding: { client_id: "cli_1" }, asked: "a", arrivedAtMs: NOW_MS };
    expect(judge(second, presented, none, NOW)).toBe("reuse");
    expect(judge(second, { ...presented, credential: "c2" }, none, NOW)).toBe("rotate");
  });
});

describe("the end", () => {
  it("comes by time without anybody doing anything, idle or absolute, on the second", () => {
    expect(sessionState(opened, NOW + 3_599)).toBe("active");
    expect(sessionState(opened, NOW + 3_600)).toBe("expired");
    expect(judged(opened, {}, NOW + 3_600)).toBe("over");
    const used = { ...opened, refreshed_at: NOW + 86_000, idle_end: NOW + 89_600 };
    expect(sessionState(used, NOW + 86_399)).toBe("active");
    expect(sessionState(used, NOW + 86_400)).toBe("expired");
  });

  it("that the policy moves closer counts at once, one that it moves away does not", () => {
    const short = sessionPolicy({ idle_seconds: 60, absolute_seconds: 120 });
    expect(sessionState(opened, NOW + 59, short)).toBe("active");
    expect(sessionState(opened, NOW + 60, short)).toBe("expired");
    const long = sessionPolicy({ idle_seconds: 80_000, absolute_seconds: 90_000 });
    expect(sessionState(opened, NOW + 3_600, long)).toBe("expired");
    expect(rotate(opened, 1, next(2), short, NOW_MS + 30_000)).toMatchObject({
      idle_end: NOW + 90,
      absolute_end: NOW + 120,
    });
  });

  it("is kept: the first one stands, and nothing that opens anything stays behind", () => {
    const ended = endSession(second, { how: "revoked", at: NOW, by: "operator", reason: "laptop stolen" });
    expect(endSession(ended, { how: "expired", at: NOW + 1, by: "time", reason: "late" })).toBe(ended);
    expect(JSON.stringify(ended)).not.toMatch(/"c[12]"|"s2"/);
    for (const credential of ["c1", "c2", ""]) expect(judged(ended, { credential })).toBe("over");
    expect(presentSession(ended, NOW)).toMatchObject({
      state: "revoked",
      ended: { by: "operator", reason: "laptop stolen" },
    });
    expect(presentSession(second, NOW)).toMatchObject({
      state: "active",
      scope: "profile orders:read orders:write",
    });
  });
});

describe("a rotation", () => {
  it("is committed on the generation that it was begun on, and on no other", () => {
    expect(second).toMatchObject({ generation: 2, current: "c2", last: { spent: "c1", sealed: "s2" } });
    expect(rotate(second, 1, next(3), policy, NOW_MS)).toBeUndefined();
    expect(rotate(second, 2, next(3), policy, NOW_MS)?.generation).toBe(3);
  });

  it("is not committed once the session has ended, by time or by hand", () => {
    const ended = endSession(second, { how: "revoked", at: NOW, by: "operator", reason: "r" });
    expect(rotate(ended, 2, next(3), policy, NOW_MS)).toBeUndefined();
    expect(rotate(second, 2, next(3), policy, NOW_MS + 3_600_000)).toBeUndefined();
    expect(rotate(second, 2, next(3), policy, NOW_MS + 3_599_000)).toBeDefined();
  });

  it("moves the idle end, never past the absolute one", () => {
    const late = rotate(
      { ...opened, idle_end: NOW + 86_400 },
      1,
      next(2),
      sessionPolicy({ idle_seconds: 86_400 }),
      NOW_MS + 80_000_000,
    );
    expect(late).toMatchObject({
      refreshed_at: NOW + 80_000,
      idle_end: NOW + 86_400,
      absolute_end: NOW + 86_400,
    });
  });
});

describe("a fresh word of the identity provider", () => {
  it("is taken of the same person, at the same provider, and not from before", () => {
    expect(newerAssertion(opened, assertionWith({ iat: NOW, roles: [] }))).toMatchObject({
      value: { roles: [] },
    });
    expect(newerAssertion(opened, assertionWith({ iat: NOW - 1 }))).toMatchObject({
      error: { code: "invalid_token" },
    });
    expect(newerAssertion(opened, assertionWith({ issuer_id: "other" }))).toMatchObject({ ok: false });
    const { facts } = assertionWith();
    const bob = assertionWith({ facts: { ...facts, sub: "bob", subject: "idp|bob" } });
    expect(newerAssertion(opened, bob)).toMatchObject({ ok: false });
  });

  it("and the session itself are what revocations are held against", () => {
    expect(sessionFacts({ ...opened, binding: { client_id: "cli_1", jkt: "key" } }, SESSION_ISSUER)).toEqual([
      {
        iss: SESSION_ISSUER,
        sub: "idp|alice",
        subject: "idp|alice",
        iat: NOW,
        kid: "",
        session: opened.id,
        client_id: "cli_1",
        jkt: "key",
      },
      opened.assertion.facts,
    ]);
  });
});
