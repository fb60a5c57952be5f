import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  defaultExpiry,
  fileKey,
  hits,
  probeKeys,
  type Revocation,
  type TokenFacts,
} from "../../../src/revocation/rule.ts";
import { RuleIndex } from "../../../src/revocation/rule-index.ts";
import { matchSchema } from "../../../src/revocation/rule-schema.ts";

const facts: TokenFacts = {
  iss: "https://auth.example.com",
  sub: "demo|alice",
  subject: "demo|alice",
  iat: 1_000,
  kid: "k1",
  jti: "tok_1",
  grant: "grt_1",
  session: "ses_1",
  client_id: "cli_1",
  jkt: "thumb",
};

const rule = (match: Revocation["match"], rest: Partial<Revocation> = {}): Revocation => ({
  id: "rev_1",
  match,
  reason: "test",
  actor: "operator",
  created_at: 0,
  ...rest,
});

describe("hits", () => {
  it.each(["iss", "jti", "grant", "session", "sub", "client_id", "jkt", "kid"] as const)(
    "by %s, and not its neighbour",
    (member) => {
      const value = facts[member] as string;
      expect(hits(rule({ [member]: value }), facts, 0)).toBe(true);
      expect(hits(rule({ [member]: `${value}x` }), facts, 0)).toBe(false);
    },
  );

  it("needs every member of the match", () => {
    expect(hits(rule({ iss: facts.iss, jti: "tok_1" }), facts, 0)).toBe(true);
    expect(hits(rule({ iss: "https://other.example", jti: "tok_1" }), facts, 0)).toBe(false);
  });

  it("knows an identity provider's user by either name", () => {
    const external = { ...facts, sub: "alice", subject: "demo|alice" };
    expect(hits(rule({ sub: "demo|alice" }), external, 0)).toBe(true);
    expect(hits(rule({ sub: "alice" }), external, 0)).toBe(true);
    expect(hits(rule({ sub: "bob" }), external, 0)).toBe(false);
  });

  it("with issued_before spares what was issued at that moment or later", () => {
    expect(hits(rule({ sub: facts.sub }, { issued_before: 1_001 }), facts, 0)).toBe(true);
    expect(hits(rule({ sub: facts.sub }, { issued_before: 1_000 }), facts, 0)).toBe(false);
    expect(hits(rule({}, { issued_before: 1_001 }), facts, 0)).toBe(true);
  });

  it("ends at expires_at", () => {
    expect(hits(rule({ jti: "tok_1" }, { expires_at: 50 }), facts, 49)).toBe(true);
    expect(hits(rule({ jti: "tok_1" }, { expires_at: 50 }), facts, 50)).toBe(false);
  });
});

const value = fc.constantFrom("a", "b");
const matchOf = fc.record(
  {
    iss: value,
    jti: value,
    grant: value,
    session: value,
    sub: value,
    client_id: value,
    jkt: value,
    kid: value,
  },
  { requiredKeys: [] },
);
const anyRule = fc.record(
  {
    id: fc.uuid(),
    match: matchOf,
    issued_before: fc.integer({ min: 0, max: 4 }),
    expires_at: fc.integer({ min: 0, max: 4 }),
  },
  { requiredKeys: ["id", "match"] },
);
const anyFacts = fc.record(
  {
    iss: value,
    sub: value,
    subject: value,
    iat: fc.integer({ min: 0, max: 4 }),
    kid: value,
    jti: value,
    grant: value,
    session: value,
    client_id: value,
    jkt: value,
  },
  { requiredKeys: ["iss", "sub", "subject", "iat", "kid"] },
);

describe("RuleIndex", () => {
  it("finds exactly what a scan over all rules finds, through any adds and removes", () => {
    fc.assert(
      fc.property(
        fc.array(anyRule, { maxLength: 30 }),
        fc.array(fc.nat(29)),
        anyFacts,
        fc.integer({ min: 0, max: 4 }),
        (rules, gone, token, now) => {
          const index = new RuleIndex();
          const full = rules.map((r) => rule(r.match, r));
          for (const r of full) index.add(r);
          const removed = new Set(gone.map((i) => full[i]?.id));
          for (const id of removed) if (id) index.remove(id);
          const expected = full.filter((r) => !removed.has(r.id) && hits(r, token, now));
          const found = index.find(token, now);
          expect(found === undefined).toBe(expected.length === 0);
          if (found) expect(expected.map((r) => r.id)).toContain(found.id);
          expect(index.size).toBe(full.length - [...removed].filter(Boolean).length);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("files each rule under a key that its tokens are probed with", () => {
    fc.assert(
      fc.property(anyRule, anyFacts, (r, token) => {
        if (hits(rule(r.match, r), token, 0)) expect(probeKeys(token)).toContain(fileKey(r.match));
      }),
      { numRuns: 2_000 },
    );
  });

  it("makes another index without some rules and without those that are over; itself it stays whole", () => {
    const index = new RuleIndex();
    index.add(rule({ jti: "a" }, { id: "1", expires_at: 10 }));
    index.add(rule({ jti: "a" }, { id: "2", expires_at: 11 }));
    index.add(rule({ sub: "b" }, { id: "3" }));
    const rest = index.without(new Set(["3"]), 10);
    expect([index.size, rest.size]).toEqual([3, 1]);
    expect(rest.find({ ...facts, jti: "a" }, 10)?.id).toBe("2");
    expect(rest.find({ ...facts, sub: "b", subject: "b" }, 10)).toBeUndefined();
    expect(index.find({ ...facts, sub: "b", subject: "b" }, 10)?.id).toBe("3");
  });
});

describe("a rule with an effect, or for an address", () => {
  it("is found apart from those that refuse, and every one that hits is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyRule, fc.boolean()), { maxLength: 30 }),
        fc.array(fc.nat(29)),
        anyFacts,
        fc.integer({ min: 0, max: 4 }),
        (rules, gone, token, now) => {
          const index = new RuleIndex();
          const effect = { kind: "shrink_scope", scopes: ["a"] } as const;
          const full = rules.map(([r, constrains], i) =>
            rule(r.match, {
              ...r,
              id: String(i),
              ...(constrains ? { effect: { ...effect, scopes: ["a"] } } : {}),
            }),
          );
          for (const each of full) index.add(each);
          const removed = new Set(gone.map(String));
          for (const id of removed) index.remove(id);
          const hit = full.filter((r) => !removed.has(r.id) && hits(r, token, now));
          const constraining = hit.filter((r) => r.effect).map((r) => r.id);
          expect(
            index
              .constraints(token, now)
              ?.map(({ id }) => id)
              .toSorted() ?? [],
          ).toEqual(constraining.toSorted());
          expect(index.find(token, now) === undefined).toBe(hit.every((r) => r.effect));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("for an address hits no token, and no other address, until its end", () => {
    const index = new RuleIndex();
    expect(index.blocksAddresses).toBe(false);
    index.add(rule({ address: "203.0.113.7" }, { id: "1", expires_at: 10 }));
    index.add(rule({ address: "203.0.113.7" }, { id: "2", expires_at: 20 }));
    expect([index.blocksAddresses, index.size]).toEqual([true, 2]);
    expect(index.find(facts, 0)).toBeUndefined();
    expect(index.constraints(facts, 0)).toBeUndefined();
    expect(hits(rule({ address: "203.0.113.7" }), facts, 0)).toBe(false);
    expect(index.blocks("203.0.113.7", 9)?.id).toBe("1");
    expect(index.blocks("203.0.113.7", 19)?.id).toBe("2");
    expect(index.blocks("203.0.113.7", 20)).toBeUndefined();
    expect(index.blocks("203.0.113.8", 0)).toBeUndefined();
    index.remove("1");
    index.remove("2");
    expect([index.blocksAddresses, index.size]).toEqual([false, 0]);
    expect(fileKey({ address: "203.0.113.7" })).toBe("address:203.0.113.7");
  });
});

describe("defaultExpiry", () => {
  it("is finite for what names a token and for what looks back; a ban stays", () => {
    expect(defaultExpiry({ jti: "x" }, undefined, 0)).toBe(31 * 86_400 + 120);
    expect(defaultExpiry({ sub: "x" }, 100, 0)).toBe(100 + 31 * 86_400 + 120);
    expect(defaultExpiry({ sub: "x" }, undefined, 0)).toBeUndefined();
    expect(defaultExpiry({ kid: "x" }, undefined, 0)).toBeUndefined();
  });
});

it("a match refuses what no token holds, which would be acknowledged and hit nothing", () => {
  for (const value of ["", " tok_1", "tok_1\n", "tok\u0000", "zoë", "a\u200bb", "\ud800", "x".repeat(513)]) {
    expect(matchSchema.safeParse({ jti: value }).success, JSON.stringify(value)).toBe(false);
    expect(matchSchema.safeParse({ sub: value }).success, JSON.stringify(value)).toBe(false);
  }
  for (const value of ["tok_1", "auth0|a b@x.org:1/2?", "{a}-1", "https://idp.example/", "x".repeat(512)]) {
    expect(matchSchema.safeParse({ iss: value, sub: value }).success, value).toBe(true);
  }
});

it("a match refuses claims it does not know", () => {
  expect(matchSchema.safeParse({ jti: "x" }).success).toBe(true);
  expect(matchSchema.safeParse({ jti: "x", email: "y" }).success).toBe(false);
  expect(matchSchema.safeParse({ jti: "" }).success).toBe(false);
});
