import { describe, expect, it } from "vitest";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok, type Result } from "../../../src/protocol/result.ts";
import type { LiveCount, OwnMatch } from "../../../src/revocation/live-token.ts";
import type { Receipt } from "../../../src/revocation/receipt.ts";
import { presentLogged, presentProposal, type RevocationRecord } from "../../../src/revocation/record.ts";
import { type RevokeDeps, revoke, revokeSchema } from "../../../src/revocation/revoke.ts";
import { MAX_TOKEN_LIFE_SECONDS, type Revocation } from "../../../src/revocation/rule.ts";

const ISSUER = "https://auth.example.com";
const NOW = 1_000_000;
const LIMIT = 1_000;
const unavailable = err(problem("unavailable", "down"));

type Over = { tokens?: number; live?: Result<LiveCount>; limit?: Result<number>; keys?: Result<never> };

/** A log, an index of live tokens, a policy and signing keys as the route sees them. */
function scene(over: Over = {}) {
  const would_cut = { tokens: over.tokens ?? 0, grants: 0, subjects: 0, clients: 0 };
  const appended: Revocation[] = [];
  const proposed: Revocation[] = [];
  const counted: { match: OwnMatch; issuedBefore: number | undefined }[] = [];
  let flushes = 0;
  const records = new Map<string, RevocationRecord>();
  const receipt = (id: string, seq: number): Receipt => ({
    id,
    seq,
    accepted_at: NOW,
    effective_by: { strict: NOW, bounded: NOW + 2, eventual: NOW + 60 },
  });
  const deps: RevokeDeps = {
    log: {
      append: async ({ rule }) => {
        appended.push(rule);
        records.set(rule.id, presentLogged({ rule, seq: appended.length }, NOW));
        return ok(receipt(rule.id, appended.length));
      },
      propose: async (rule, cut, exact) => {
        proposed.push(rule);
        const record = presentProposal({ rule, would_cut: cut, exact, expires_at: NOW + 3_600 }, NOW);
        records.set(rule.id, record);
        return ok(record);
      },
      revocation: async (id) => {
        const record = records.get(id);
        return record ? ok(record) : err(problem("not_found", "none"));
      },
      revocationReceipt: async (id) => ok(receipt(id, records.get(id)?.seq ?? 0)),
    },
    ownKeys: async () =>
      over.keys ??
      ok([
        { kid: "signing", state: "current" },
        { kid: "coming", state: "next" },
        { kid: "replaced", state: "previous" },
      ]),
    live: {
      flush: async () => {
        flushes++;
        return ok(null);
      },
      among: async () => ok([]),
      count: async (match, issuedBefore) => {
        counted.push({ match, issuedBefore });
        return over.live ?? ok({ would_cut, exact: true, sample: [] });
      },
    },
    issuer: ISSUER,
    confirmAbove: async () => over.limit ?? ok(LIMIT),
    ids: async () => ok({ id: "rev_1", fresh: true }),
    clock: () => NOW * 1000,
  };
  const send = (body: object, id = { id: "rev_1", fresh: true }) =>
    revoke(revokeSchema.parse({ reason: "a test", ...body }), id, "demo|olivia", NOW, deps);
  return { send, appended, proposed, counted, records, flushes: () => flushes };
}

const SUBJECT = { match: { sub: "demo|alice" } };

describe("the two-person rule", () => {
  it("lets one person cut as many tokens as the policy allows, and asks for a second above it", async () => {
    const enough = scene({ tokens: LIMIT });
    expect(await enough.send(SUBJECT)).toMatchObject({ value: { kind: "in_force", receipt: { seq: 1 } } });
    expect(enough.proposed).toEqual([]);
    // What was minted a moment ago counts as well.
    expect(enough.flushes()).toBe(1);

    const tooMany = scene({ tokens: LIMIT + 1 });
    expect(await tooMany.send(SUBJECT)).toMatchObject({
      value: {
        kind: "held_back",
        record: { state: "awaiting_confirmation", confirmation: { would_cut: { tokens: LIMIT + 1 } } },
      },
    });
    expect(tooMany.appended).toEqual([]);
  });

  it("is left out in an emergency, which is marked, and asks neither index nor policy then", async () => {
    const { send, appended, counted } = scene({ tokens: LIMIT + 1, limit: unavailable });
    expect(await send({ ...SUBJECT, emergency: true })).toMatchObject({ value: { kind: "in_force" } });
    expect(appended).toMatchObject([{ emergency: true }]);
    expect(counted).toEqual([]);
    expect(revokeSchema.safeParse({ ...SUBJECT, reason: "x", emergency: false }).success).toBe(false);
  });

  it("is not asked about one token", async () => {
    const { send, counted } = scene({ live: unavailable });
    expect(await send({ match: { jti: "tok_1" } })).toMatchObject({ value: { kind: "in_force" } });
    expect(counted).toEqual([]);
  });

  it("revokes nothing where it cannot be counted, and says how to go on", async () => {
    for (const over of [{ live: unavailable }, { limit: unavailable }]) {
      const { send, appended, proposed } = scene(over);
      const refused = await send(SUBJECT);
      expect(refused).toMatchObject({ error: { code: "unavailable" } });
      expect(refused.ok ? "" : refused.error.detail).toContain('"emergency": true');
      expect([...appended, ...proposed]).toEqual([]);
    }
  });

  it("counts our own tokens only: those of another issuer are none of ours", async () => {
    const { send, counted } = scene({ tokens: LIMIT + 1 });
    expect(await send({ match: { iss: "https://idp.example" } })).toMatchObject({
      value: { kind: "in_force" },
    });
    expect(counted).toEqual([]);
    expect(await send({ match: { jkt: "thumb" } })).toMatchObject({ value: { kind: "held_back" } });
    expect(counted.splice(0)).toMatchObject([{ match: { jkt: "thumb" } }]);
    expect(await send({ match: { iss: ISSUER, client_id: "cli_1" }, issued_before: 5 })).toMatchObject({
      value: { kind: "held_back" },
    });
    expect(counted).toEqual([{ match: { client_id: "cli_1" }, issuedBefore: 5 }]);
  });
});

describe("what is put into force", () => {
  it("ends by itself where it can, and counts from the confirmation where there is one", async () => {
    const alone = scene();
    await alone.send({ match: { grant: "grt_1" } });
    expect(alone.appended[0]!.expires_at).toBe(NOW + MAX_TOKEN_LIFE_SECONDS + 120);
    const held = scene({ tokens: LIMIT + 1 });
    await held.send({ match: { grant: "grt_1" } });
    expect(held.proposed[0]!.expires_at).toBe(NOW + 3_600 + MAX_TOKEN_LIFE_SECONDS + 120);
    await alone.send(SUBJECT);
    expect(alone.appended[1]).not.toHaveProperty("expires_at");
  });

  it("may end at a moment to come only", async () => {
    const { send, appended } = scene();
    expect(await send({ ...SUBJECT, expires_at: NOW })).toMatchObject({ error: { code: "invalid_body" } });
    expect(appended).toEqual([]);
    expect(await send({ ...SUBJECT, expires_at: NOW + 1 })).toMatchObject({ ok: true });
  });

  it("is never a rule that nobody could lift", async () => {
    const { send, appended } = scene();
    for (const body of [
      { match: { iss: ISSUER } },
      { match: { iss: ISSUER }, issued_before: NOW + 61 },
      { match: {}, issued_before: NOW + 61 },
    ]) {
      expect(await send(body)).toMatchObject({ error: { code: "invalid_body" } });
    }
    expect(appended).toEqual([]);
    for (const body of [
      { match: { iss: ISSUER }, issued_before: NOW + 60 },
      { match: {}, issued_before: NOW },
      { match: { iss: "https://idp.example" } },
      { match: { iss: ISSUER, sub: "demo|alice" } },
    ]) {
      expect(await send(body)).toMatchObject({ ok: true });
    }
    expect(revokeSchema.safeParse({ match: {}, reason: "x" }).success).toBe(false);
  });
});

describe("a rule for an address", () => {
  const expires_at = NOW + 600;

  it("is kept in the one spelling of the address, counts no token, and needs nobody else", async () => {
    const { send, appended, counted } = scene({ tokens: LIMIT + 1 });
    expect(await send({ match: { address: "2001:DB8:1:2::9" }, expires_at })).toMatchObject({ ok: true });
    expect(await send({ match: { address: "203.0.113.7" }, expires_at })).toMatchObject({ ok: true });
    expect(appended.map(({ match }) => match)).toEqual([
      { address: "2001:db8:1:2::/64" },
      { address: "203.0.113.7" },
    ]);
    expect(counted).toEqual([]);
  });

  it("stands alone, is an address, and has an end", async () => {
    const { send, appended } = scene();
    const address = "203.0.113.7";
    for (const body of [
      { match: { address } },
      { match: { address }, expires_at: NOW + MAX_TOKEN_LIFE_SECONDS + 1 },
      { match: { address, sub: "demo|alice" }, expires_at },
      { match: { address }, issued_before: NOW, expires_at },
      { match: { address }, expires_at, effect: { kind: "shrink_scope", scopes: ["a"] } },
      { match: { address: "203.0.113.700" }, expires_at },
      { match: { address: "fe:ed" }, expires_at },
    ]) {
      expect(await send(body), JSON.stringify(body)).toMatchObject({ error: { code: "invalid_body" } });
    }
    expect(appended).toEqual([]);
    expect(revokeSchema.safeParse({ match: { address: "203.0.113.0/24" }, reason: "x" }).success).toBe(false);
  });
});

describe("a rule with an effect", () => {
  it("is kept as it was sent, and counted like any other", async () => {
    const effect = { kind: "step_up", signed_in_since: NOW } as const;
    const few = scene();
    expect(await few.send({ ...SUBJECT, effect })).toMatchObject({ ok: true, value: { kind: "in_force" } });
    expect(few.appended[0]).toMatchObject({ match: SUBJECT.match, effect });
    const many = scene({ tokens: LIMIT + 1 });
    expect(await many.send({ ...SUBJECT, effect })).toMatchObject({ value: { kind: "held_back" } });
    expect(many.proposed[0]).toMatchObject({ effect });
  });

  it("demands or takes something", () => {
    const parse = (effect: unknown) => revokeSchema.safeParse({ ...SUBJECT, reason: "x", effect }).success;
    expect(parse({ kind: "step_up", acr_values: ["mfa"] })).toBe(true);
    expect(parse({ kind: "shrink_scope", scopes: ["orders:read"] })).toBe(true);
    for (const effect of [
      { kind: "step_up" },
      { kind: "step_up", acr_values: [] },
      { kind: "shrink_scope", scopes: [] },
      { kind: "shrink_scope", scopes: ["a b"] },
      { kind: "deny" },
    ]) {
      expect(parse(effect), JSON.stringify(effect)).toBe(false);
    }
  });
});

describe("a ban of a key of ours", () => {
  it("is refused while it signs, or will, as nobody could sign on any more", async () => {
    const { send, appended } = scene();
    for (const match of [{ kid: "signing" }, { kid: "coming" }, { kid: "signing", iss: ISSUER }]) {
      const refused = await send({ match });
      expect(refused).toMatchObject({ error: { code: "invalid_body" } });
      expect(refused.ok ? "" : refused.error.detail).toContain("/v1/keys/rotate");
      expect(await send({ match, issued_before: NOW + 61 })).toMatchObject({ ok: false });
      expect(await send({ match, emergency: true })).toMatchObject({ ok: false });
    }
    expect(appended).toEqual([]);
  });

  it("is in force where it spares what is to come: another key, another claim, a moment", async () => {
    const { send } = scene();
    for (const body of [
      { match: { kid: "replaced" } },
      { match: { kid: "of-an-identity-provider" } },
      { match: { kid: "signing", sub: "demo|alice" } },
      { match: { kid: "signing", iss: "https://idp.example" } },
      { match: { kid: "signing" }, issued_before: NOW },
    ]) {
      expect(await send(body)).toMatchObject({ value: { kind: "in_force" } });
    }
  });

  it("is refused where it cannot be told whose the key is, but not with a moment", async () => {
    const { send } = scene({ keys: unavailable });
    expect(await send({ match: { kid: "any" } })).toMatchObject({ error: { code: "unavailable" } });
    expect(await send({ match: { kid: "any" }, issued_before: NOW })).toMatchObject({ ok: true });
  });
});

describe("the same Idempotency-Key again", () => {
  const again = { id: "rev_1", fresh: false };

  it("answers the first receipt", async () => {
    const { send, appended } = scene();
    const first = await send(SUBJECT);
    expect(await send(SUBJECT, again)).toEqual(first);
    expect(appended).toHaveLength(1);
  });

  it("answers what still waits, and says where it was given up", async () => {
    const { send, proposed, records } = scene({ tokens: LIMIT + 1 });
    const first = await send(SUBJECT);
    expect(await send(SUBJECT, again)).toEqual(first);
    expect(proposed).toHaveLength(1);
    records.set("rev_1", { ...records.get("rev_1")!, state: "cancelled" });
    expect(await send(SUBJECT, again)).toMatchObject({ error: { code: "gone" } });
  });

  it("goes on where the first call did not come as far as the log", async () => {
    const { send, appended } = scene();
    expect(await send(SUBJECT, again)).toMatchObject({ value: { kind: "in_force" } });
    expect(appended).toHaveLength(1);
  });
});
