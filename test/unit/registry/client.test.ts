import { describe, expect, it } from "vitest";
import {
  type ClientRecord,
  checkHandOut,
  deletionRevocation,
  newClientSchema,
  presentClient,
  withSecret,
} from "../../../src/registry/client.ts";
import { hits, type TokenFacts } from "../../../src/revocation/rule.ts";

const client: ClientRecord = {
  id: "cli_1",
  name: "batch",
  auth_method: "client_secret",
  secret_hashes: ["h1"],
  grant_types: ["client_credentials"],
  scopes: ["orders:read"],
  roles: [],
  created_at: 1,
  created_by: "operator",
};

describe("newClientSchema", () => {
  it("fills in what is left out and takes each name once", () => {
    expect(newClientSchema.parse({ name: "batch" })).toEqual({
      name: "batch",
      auth_method: "client_secret",
      grant_types: ["client_credentials"],
      scopes: [],
      roles: [],
      introspects: [],
    });
    expect(newClientSchema.parse({ name: "b", scopes: ["a", "a"], roles: ["r", "r"] })).toMatchObject({
      scopes: ["a"],
      roles: ["r"],
    });
  });

  it.each<[string, object]>([
    ["an id of the caller's", { id: "cli_x" }],
    ["hashes of the caller's", { secret_hashes: ["x"] }],
    ["a public client", { auth_method: "none" }],
    ["another grant type", { grant_types: ["authorization_code"] }],
    ["no grant type", { grant_types: [] }],
    ["a scope with a space", { scopes: ["a b"] }],
    ["a role with a space", { roles: ["a b"] }],
    ["an empty name", { name: " " }],
    ["a name of two lines", { name: "a\nb" }],
    ["a name without end", { name: "a".repeat(129) }],
  ])("refuses %s", (_title, over) => {
    expect(newClientSchema.safeParse({ name: "batch", ...over }).success).toBe(false);
  });
});

describe("checkHandOut", () => {
  const actor = { scopes: ["clients:write", "orders:read"], roles: ["developer"] };
  const operator = { scopes: ["clients:write", "policy:write"], roles: [] };

  it("lets an actor pass on what is the actor's own", () => {
    expect(checkHandOut(actor, { scopes: ["orders:read"], roles: ["developer"] })).toMatchObject({
      ok: true,
    });
    expect(checkHandOut(actor, { scopes: [], roles: [] })).toMatchObject({ ok: true });
    expect(checkHandOut(operator, { scopes: ["policy:write"], roles: ["approver"] })).toMatchObject({
      ok: true,
    });
  });

  it("lets whoever writes the policy give the scopes of origins, which it decides on anyway", () => {
    expect(checkHandOut(operator, { scopes: ["orders:write"], roles: [] }).ok).toBe(true);
    expect(checkHandOut(actor, { scopes: ["orders:write"], roles: [] }).ok).toBe(false);
  });

  it("lets only whoever writes the policy say for which audience a client introspects", () => {
    const server = { scopes: [], roles: [], introspects: ["urn:origin"] };
    expect(checkHandOut(operator, server).ok).toBe(true);
    expect(checkHandOut(actor, server)).toMatchObject({
      error: { code: "forbidden", extra: { introspects: ["urn:origin"] } },
    });
    expect(checkHandOut(actor, { ...server, introspects: [] }).ok).toBe(true);
  });

  it("refuses every scope and role beyond that, and names them", () => {
    expect(checkHandOut(actor, { scopes: ["orders:read", "keys:rotate"], roles: [] })).toMatchObject({
      error: { code: "forbidden", extra: { scopes: ["keys:rotate"] } },
    });
    expect(checkHandOut(actor, { scopes: [], roles: ["developer", "approver"] })).toMatchObject({
      error: { code: "forbidden", extra: { roles: ["approver"] } },
    });
    expect(checkHandOut(operator, { scopes: ["keys:rotate"], roles: [] })).toMatchObject({ ok: false });
  });
});

describe("a secret", () => {
  it("stays valid for one rotation, beside the new one", () => {
    const once = withSecret(client, "h2");
    expect(once.secret_hashes).toEqual(["h2", "h1"]);
    expect(withSecret(once, "h3").secret_hashes).toEqual(["h3", "h2"]);
    expect(withSecret(once, "h2")).toBe(once);
  });

  it("is not shown, nor is its hash", () => {
    expect(presentClient(client)).not.toHaveProperty("secret_hashes");
    expect(presentClient(client)).toMatchObject({ id: "cli_1", name: "batch", created_by: "operator" });
  });
});

describe("the revocation of a deleted client", () => {
  const NOW = 1_000;
  const rule = deletionRevocation("rev_1", "cli_1", "operator", NOW);
  const token = (client_id: string, iat: number): TokenFacts => ({
    iss: "https://auth.example.com",
    sub: "corp|dev",
    subject: "corp|dev",
    iat,
    kid: "k",
    jti: "tok_1",
    client_id,
  });

  it("hits each of its tokens, also those of a grant that outlives it by a month", () => {
    for (const iat of [NOW - 3_599, NOW, NOW + 1, NOW + 30 * 86_400]) {
      expect(hits(rule, token("cli_1", iat), iat + 1)).toBe(true);
    }
  });

  it("hits nobody else's", () => {
    expect(hits(rule, token("cli_2", NOW - 1), NOW)).toBe(false);
  });
});
