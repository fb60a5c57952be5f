import { describe, expect, it } from "vitest";
import {
  banRevocation,
  type ClientRecord,
  checkHandOut,
  checkKeys,
  onlyNarrows,
  patchedClient,
  presentClient,
  withSecret,
} from "../../../src/registry/client.ts";
import { clientPatchSchema, newClientSchema } from "../../../src/registry/client-schema.ts";
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
  revision: 1,
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

describe("a client whose tokens are bound", () => {
  const bound = { dpop_bound_access_tokens: true, tls_client_certificate_bound_access_tokens: true };

  it("is registered and shown as such, and can be changed", () => {
    expect(newClientSchema.parse({ name: "b", ...bound })).toMatchObject(bound);
    const patch = clientPatchSchema.parse({ dpop_bound_access_tokens: false });
    const patched = patchedClient({ ...client, ...bound }, patch);
    expect(patched).toMatchObject({ ...bound, dpop_bound_access_tokens: false });
    expect(presentClient(patched)).toMatchObject({ ...bound, dpop_bound_access_tokens: false });
    // What ends the need for a proof is not a narrowing.
    expect(onlyNarrows(client, patch)).toBe(false);
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

describe("the ban of a deleted or disabled client", () => {
  const NOW = 1_000;
  const rule = banRevocation("rev_1", "cli_1", "client deleted", "operator", NOW);
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

describe("keys", () => {
  const jwks = { keys: [{ kty: "EC" as const, crv: "P-256", x: "x", y: "y" }] };
  const jwks_uri = "https://client.example.com/jwks";
  const check = (over: object, local = false) =>
    checkKeys({ auth_method: "private_key_jwt", ...over }, local).ok;

  it("are one set or one address for private_key_jwt, and nothing for a secret", () => {
    expect([check({ jwks }), check({ jwks_uri })]).toEqual([true, true]);
    expect([check({}), check({ jwks, jwks_uri })]).toEqual([false, false]);
    expect(check({ auth_method: "client_secret" })).toBe(true);
    expect(check({ auth_method: "client_secret", jwks })).toBe(false);
  });

  it("are at a public address, or on a loopback host where the deployment is on one", () => {
    const loopback = "http://127.0.0.1:9/jwks";
    expect([check({ jwks_uri: loopback }, true), check({ jwks_uri: loopback })]).toEqual([true, false]);
    for (const uri of ["http://client.example.com", "https://10.0.0.1/", "https://db.internal/", "x"]) {
      expect(check({ jwks_uri: uri }), uri).toBe(false);
    }
  });

  it("are public", () => {
    const schema = (keys: object[]) =>
      newClientSchema.safeParse({ name: "k", auth_method: "private_key_jwt", jwks: { keys } }).success;
    expect(schema(jwks.keys)).toBe(true);
    expect(schema([{ ...jwks.keys[0], d: "secret" }])).toBe(false);
    expect(schema([{ kty: "oct", k: "secret" }])).toBe(false);
    expect(schema([])).toBe(false);
  });
});

describe("a patch", () => {
  const patch = (members: object) => clientPatchSchema.parse(members);

  it("replaces what it names, takes away what is null, and leaves the rest", () => {
    const changed = patchedClient(client, patch({ scopes: ["a"], jwks_uri: "https://c.example.com" }));
    expect(changed).toEqual({ ...client, scopes: ["a"], jwks_uri: "https://c.example.com", revision: 2 });
    expect(patchedClient(changed, patch({ jwks_uri: null }))).toEqual({
      ...client,
      scopes: ["a"],
      revision: 3,
    });
  });

  it.each([
    ["an id", { id: "cli_2" }],
    ["hashes", { secret_hashes: [] }],
    ["a revision", { revision: 9 }],
    ["its maker", { created_by: "x" }],
    ["no grant type", { grant_types: [] }],
    ["null for a name", { name: null }],
  ])("does not take %s", (_what, members) => {
    expect(clientPatchSchema.safeParse(members).success).toBe(false);
  });

  it.each([
    [{ name: "other" }, true],
    [{ disabled: true }, true],
    [{ scopes: [] }, true],
    [{ roles: [], grant_types: ["client_credentials"] }, true],
    [{ disabled: false }, false],
    [{ scopes: ["orders:read", "orders:write"] }, false],
    [{ roles: ["approver"] }, false],
    [{ grant_types: ["client_credentials", "urn:openid:params:grant-type:ciba"] }, false],
    [{ jwks: { keys: [{ kty: "EC" }] } }, false],
    [{ jwks_uri: "https://c.example.com" }, false],
    [{ auth_method: "client_secret_post" }, false],
  ])("%j only narrows: %s", (members, narrows) => {
    expect(onlyNarrows(client, patch(members))).toBe(narrows);
  });
});
