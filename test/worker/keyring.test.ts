import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { describe, expect, it } from "vitest";
import type { LogObject } from "../../src/replication/log-object.ts";
import type { MintInput } from "../../src/tokens/access-token.ts";
import type { KeyringObject } from "../../src/tokens/keyring-object.ts";
import { expectValue, remote } from "../support/remote.ts";

let count = 0;
const newKeyring = () => {
  const stub = env.KEYRING.getByName(`keyring-${count++}`);
  return Object.assign(remote<KeyringObject>(stub), { stub });
};

const input: MintInput = {
  jti: "tok_1",
  subject: "demo|alice",
  audience: "urn:origin",
  clientId: "cli_1",
  scopes: ["orders:read"],
  ttlSeconds: 300,
};

describe("the key ring", () => {
  it("makes its key on first use, once, however many ask at the same time", async () => {
    const keyring = newKeyring();
    expect(expectValue(await keyring.keys())).toEqual([]);
    const minted = await Promise.all(
      Array.from({ length: 20 }, (_, i) => keyring.mint({ ...input, jti: `tok_${i}` })),
    );
    const kids = new Set(minted.map((result) => decodeProtectedHeader(expectValue(result).accessToken).kid));
    expect(kids.size).toBe(1);
    expect(expectValue(await keyring.keys())).toHaveLength(1);
  });

  it("signs RFC 9068 access tokens that its JWKS verifies, and keeps signing with the key after eviction", async () => {
    const keyring = newKeyring();
    const before = expectValue(await keyring.mint(input)).accessToken;
    await evictDurableObject(keyring.stub);
    const after = expectValue(await keyring.mint(input)).accessToken;
    const jwks = createLocalJWKSet(expectValue(await keyring.jwks()));
    for (const token of [before, after]) {
      const { payload, protectedHeader } = await jwtVerify(token, jwks, {
        issuer: env.ISSUER,
        audience: "urn:origin",
        typ: "at+jwt",
        algorithms: ["ES256"],
      });
      expect(payload).toMatchObject({
        sub: "demo|alice",
        client_id: "cli_1",
        scope: "orders:read",
        jti: "tok_1",
      });
      expect(protectedHeader.kid).toBe(decodeProtectedHeader(before).kid);
    }
  });

  it("has told the log of a key before it signs with it", async () => {
    const keyring = newKeyring();
    const { kid } = decodeProtectedHeader(expectValue(await keyring.mint(input)).accessToken);
    const snapshot = expectValue(await remote<LogObject>(env.LOG.getByName("main")).snapshot());
    expect(snapshot.keys).toContainEqual(expect.objectContaining({ kid, purpose: "access_token" }));
  });

  it("stores private keys wrapped: nothing in its storage or in KV is a private JWK", async () => {
    const keyring = newKeyring();
    await keyring.mint(input);
    await keyring.assertionKey();
    const rows = await runInDurableObject(keyring.stub, (_instance, state) =>
      JSON.stringify(state.storage.sql.exec("SELECT * FROM signing_keys").toArray()),
    );
    expect(rows).toContain("v1.");
    expect(rows).not.toMatch(/"d\\*":/);
    expect((await env.KV.get("snapshot")) ?? "").not.toMatch(/"d":/);
  });

  it("has another key for assertions", async () => {
    const keyring = newKeyring();
    const { kid } = decodeProtectedHeader(expectValue(await keyring.mint(input)).accessToken);
    expect(expectValue(await keyring.assertionKey()).kid).not.toBe(kid);
    expect(expectValue(await keyring.jwks()).keys).toHaveLength(2);
  });

  it("mints within a grant's window only, and never past its end", async () => {
    const keyring = newKeyring();
    const now = Math.floor(Date.now() / 1000);
    const grant = (from: number, to: number) => ({
      id: "grt_1",
      accessStart: now + from,
      accessExpiry: now + to,
      resource: "orders",
    });
    const inside = expectValue(await keyring.mint({ ...input, grant: grant(-10, 30) }));
    expect(inside.expiresAt).toBe(now + 30);
    expect(await keyring.mint({ ...input, grant: grant(10, 30) })).toMatchObject({
      error: { code: "conflict" },
    });
    expect(await keyring.mint({ ...input, grant: grant(-10, 0) })).toMatchObject({ error: { code: "gone" } });
  });

  it("keeps an ordinary grant's token under 1 KiB", async () => {
    const now = Math.floor(Date.now() / 1000);
    const grant = {
      id: "grt_01hf7yat00abcdefghjkmnpqrs",
      accessStart: now,
      accessExpiry: now + 600,
      resource: "projects/42",
    };
    const minted = expectValue(
      await newKeyring().mint({ ...input, jti: "tok_01hf7yat00abcdefghjkmnpqrs", grant }),
    );
    expect(minted.accessToken.length).toBeLessThan(1024);
  });
});
