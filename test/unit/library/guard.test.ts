import { beforeEach, describe, expect, it } from "vitest";
import { createGuard, type GuardOptions } from "../../../src/library/guard.ts";
import { byIntrospection, type RevocationCheck } from "../../../src/library/revocation.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok, type Result } from "../../../src/protocol/result.ts";
import { newKey, ownClaims, ownHeader, signToken, type TestKey } from "../../support/token-factory.ts";

const ISSUER = "https://auth.example.com";
const IDP = "https://idp.example.net";
const AUDIENCE = "https://orders.internal";
const NOW_SECONDS = 1_800_000_000;

const [own, stranger, idp] = await Promise.all([
  newKey("ES256", "own-1"),
  newKey("ES256", "own-1"),
  newKey("RS256", "idp-1"),
]);

let revoked: Result<boolean>;
let asked: Parameters<RevocationCheck<unknown>>[0][];
let jwks: (url: string) => Response;
let fetches: string[];

beforeEach(() => {
  revoked = ok(false);
  asked = [];
  fetches = [];
  jwks = () => Response.json({ keys: [own.jwk] });
});

function guardOf(changes: Partial<GuardOptions<string>> = {}) {
  return createGuard<string>({
    issuer: ISSUER,
    audience: AUDIENCE,
    access: { scopes: ["orders:read"] },
    revoked: async (token, bindings) => {
      expect(bindings).toBe("bindings");
      asked.push(token);
      return revoked;
    },
    fetch: async (url) => {
      fetches.push(url);
      return jwks(url);
    },
    clock: () => NOW_SECONDS * 1000,
    ...changes,
  });
}

function tokenOf(changes: object = {}, header: object = {}, key: TestKey = own): Promise<string> {
  const claims = { ...ownClaims(ISSUER, AUDIENCE, NOW_SECONDS), ...changes };
  return signToken(key, { ...ownHeader(key), ...header }, claims);
}

async function send(
  guard: ReturnType<typeof guardOf>,
  token: string | undefined,
  more: { url?: string; params?: Record<string, string> } = {},
) {
  const { url = "https://app.example.com/x", params } = more;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const request = new Request(url, { headers });
  const guarded = await guard({ request, bindings: "bindings", ...(params ? { params } : {}) });
  if (guarded.ok) return { status: 200, auth: guarded.auth };
  const { status, headers: told } = guarded.response;
  const body = (await guarded.response.json()) as { code: string };
  return { status, code: body.code, challenge: told.get("www-authenticate"), body };
}

describe("a guard", () => {
  it("takes a good token, and says who it is", async () => {
    const { auth } = await send(guardOf(), await tokenOf({ grant: "grt_1" }));
    expect(auth).toMatchObject({
      subject: "demo|alice",
      issuer: ISSUER,
      scopes: ["orders:read", "orders:write"],
      grant: "grt_1",
      expiresAt: expect.any(Number),
    });
    expect(fetches).toEqual([`${ISSUER}/.well-known/jwks.json`]);
    expect(asked).toMatchObject([{ kid: "own-1", claims: { iss: ISSUER, sub: "demo|alice" } }]);
  });

  it("fetches the keys once for many tokens", async () => {
    const guard = guardOf();
    for (let n = 0; n < 5; n++)
      expect((await send(guard, await tokenOf({ jti: `tok_${n}` }))).status).toBe(200);
    for (let n = 0; n < 5; n++) {
      expect((await send(guard, await tokenOf({}, { kid: `unknown-${n}` }))).status).toBe(401);
    }
    expect(fetches).toHaveLength(1);
  });

  it("refuses what is not good, before anybody is asked about revocations", async () => {
    const tokens = [
      undefined,
      "x",
      await tokenOf({}, {}, stranger),
      await tokenOf({}, { typ: "portcullis-assertion+jwt" }),
      await tokenOf({}, { typ: "JWT" }),
      await tokenOf({ aud: "https://other.internal" }),
      await tokenOf({ aud: ISSUER }),
      await tokenOf({ exp: NOW_SECONDS }),
      await tokenOf({ iss: "https://elsewhere.example" }),
      await tokenOf({ cnf: { jkt: "A".repeat(43) } }),
    ];
    const guard = guardOf();
    for (const [n, token] of tokens.entries()) {
      const refused = await send(guard, token);
      expect(refused, String(n)).toMatchObject({ status: 401, code: "invalid_token" });
      expect(refused.challenge).toContain(`realm="${ISSUER}"`);
    }
    const inQuery = await send(guard, undefined, {
      url: `https://app.example.com/?access_token=${tokens[2]}`,
    });
    expect(inQuery.status).toBe(400);
    // Here nobody counts.
    const counted = await send(guard, await tokenOf({ grant: "grt_1", max_uses: 1 }));
    expect(counted).toMatchObject({ status: 403, code: "forbidden" });
    expect(asked).toEqual([]);
    expect((await send(guard, await tokenOf())).status).toBe(200);
    expect((await send(guard, await tokenOf({ grant: "grt_1" }))).status).toBe(200);
  });

  it("asks for scopes, roles and the resource of the path", async () => {
    const all = await send(guardOf({ access: { scopes: ["orders:read", "orders:admin"] } }), await tokenOf());
    expect(all).toMatchObject({ status: 403, body: { scope: "orders:read orders:admin" } });
    const any = guardOf({ access: { any_scopes: ["orders:admin", "orders:write"] } });
    expect((await send(any, await tokenOf())).status).toBe(200);
    expect((await send(any, await tokenOf({ scope: "orders:read" }))).status).toBe(403);
    const young = guardOf({ access: { max_token_age_seconds: 60 } });
    expect((await send(young, await tokenOf({ iat: NOW_SECONDS - 60 }))).status).toBe(200);
    expect((await send(young, await tokenOf({ iat: NOW_SECONDS - 61 }))).status).toBe(401);
    const byRole = guardOf({ access: { roles: ["auditor", "owner"] } });
    expect((await send(byRole, await tokenOf())).status).toBe(403);
    expect((await send(byRole, await tokenOf({ roles: ["owner"] }))).status).toBe(200);
    const byResource = guardOf({ access: { resource: "projects/:id" } });
    const detail = { type: "portcullis_resource", identifier: "projects/42" };
    const token = await tokenOf({ authorization_details: [detail] });
    expect((await send(byResource, token, { params: { id: "42" } })).status).toBe(200);
    for (const params of [{ id: "43" }, {}, { id: "42/x" }]) {
      expect((await send(byResource, token, { params })).status).toBe(403);
    }
  });

  it("refuses what is revoked, and answers 503 where that cannot be told", async () => {
    const guard = guardOf();
    revoked = ok(true);
    expect((await send(guard, await tokenOf())).status).toBe(401);
    revoked = err(problem("stale", "x"));
    expect(await send(guard, await tokenOf())).toMatchObject({ status: 503, code: "stale" });
    const broken = guardOf({ revoked: () => Promise.reject(new Error("no such binding")) });
    expect(await send(broken, await tokenOf())).toMatchObject({ status: 503, code: "stale" });
    expect((await send(guardOf({ revoked: "unchecked" }), await tokenOf())).status).toBe(200);
  });

  it("refuses a token that ends while its revocation is asked about", async () => {
    let nowMs = NOW_SECONDS * 1000;
    const token = await tokenOf({ exp: NOW_SECONDS + 5 });
    const slow = (ms: number) =>
      guardOf({
        clock: () => nowMs,
        revoked: async () => {
          nowMs += ms;
          return ok(false);
        },
      });
    expect((await send(slow(4_000), token)).status).toBe(200);
    nowMs = NOW_SECONDS * 1000;
    expect((await send(slow(5_000), token)).status).toBe(401);
  });

  it("answers 503 where its issuer's keys cannot be had", async () => {
    jwks = () => new Response("down", { status: 500 });
    expect(await send(guardOf(), await tokenOf())).toMatchObject({
      status: 503,
      code: "issuer_keys_unavailable",
    });
  });

  it("takes the tokens of other issuers where it is told to", async () => {
    const claims = {
      iss: IDP,
      sub: "alice",
      aud: "app",
      iat: NOW_SECONDS,
      exp: NOW_SECONDS + 60,
      groups: ["staff"],
    };
    const token = await signToken(idp, { alg: "RS256", typ: "JWT", kid: "idp-1" }, claims);
    expect((await send(guardOf(), token)).status).toBe(401);
    const trusted = {
      id: "idp",
      issuer: IDP,
      jwks: { keys: [{ ...idp.jwk, kty: "RSA" as const }] },
      algorithms: ["RS256" as const],
      audience: "app",
      token_types: ["JWT"],
      claims: { roles: "groups" },
    };
    const guard = guardOf({ access: { roles: ["staff"] }, issuers: [trusted] });
    expect((await send(guard, token)).auth).toMatchObject({ subject: "idp|alice", roles: ["staff"] });
    // Its own token's audience is not that of another issuer's.
    expect((await send(guard, await tokenOf({ aud: "app", roles: ["staff"] }))).status).toBe(401);
  });

  it("is not made of options that leave something unchecked", () => {
    const wrong: object[] = [
      { issuer: "http://auth.example.com" },
      { issuer: "https://auth.example.com/" },
      { issuer: "auth.example.com" },
      { audience: "" },
      { revoked: undefined },
      { revoked: false },
      { acces: { scopes: ["a"] } },
      { access: { scope: ["a"] } },
      { access: { scopes: ["a b"] } },
      { access: { condition: "true" } },
      { access: "public" },
      { access: { resource: "a b" } },
      { credential: [{ from: "query", name: "token" }] },
      { issuers: [{ id: "x" }] },
    ];
    for (const change of wrong) expect(() => guardOf(change), JSON.stringify(change)).toThrow();
    expect(() => guardOf({ issuer: "http://127.0.0.1:8787" })).not.toThrow();
  });
});

describe("introspection", () => {
  const claims = { iss: ISSUER, sub: "alice", iat: NOW_SECONDS };
  let nowMs: number;
  let calls: { url: string; authorization: string | null; body: string }[];
  let answer: () => Response;

  beforeEach(() => {
    nowMs = 0;
    calls = [];
    answer = () => Response.json({ active: true });
  });

  const check = () =>
    byIntrospection({
      issuer: ISSUER,
      clientId: "cli_1",
      clientSecret: "a:b c",
      clock: () => nowMs,
      fetch: (async (url: string, init: RequestInit) => {
        const { headers, body } = new Request(url, init);
        calls.push({
          url,
          authorization: headers.get("authorization"),
          body: await new Response(body).text(),
        });
        return answer();
      }) as typeof fetch,
    });

  it("is asked for each token, and its yes is good for two seconds", async () => {
    const asks = check();
    const ask = (token: string) => asks({ token, claims, kid: "own-1" }, undefined);
    expect(await ask("one")).toEqual(ok(false));
    nowMs = 1_999;
    expect(await ask("one")).toEqual(ok(false));
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ url: `${ISSUER}/oauth/introspect`, body: "token=one" });
    expect(atob(calls[0]!.authorization!.slice(6))).toBe("cli_1:a%3Ab%20c");
    answer = () => Response.json({ active: false });
    expect(await ask("two")).toEqual(ok(true));
    nowMs = 2_000;
    expect(await ask("one")).toEqual(ok(true));
    // A no is not remembered: it says nothing of a lifted revocation.
    answer = () => Response.json({ active: true });
    expect(await ask("one")).toEqual(ok(false));
  });

  it("that says nothing clear is no answer", async () => {
    const asks = check();
    for (const unclear of [
      () => new Response("", { status: 401 }),
      () => new Response("", { status: 503 }),
      () => Response.json({}),
      () => Response.json({ active: "true" }),
      () => new Response("<html>"),
      () => Response.error(),
    ]) {
      answer = unclear;
      expect(await asks({ token: "one", claims, kid: "own-1" }, undefined)).toMatchObject({ ok: false });
    }
    const foreign = { token: "one", claims: { ...claims, iss: IDP }, kid: "own-1" };
    const before = calls.length;
    expect(await asks(foreign, undefined)).toMatchObject({ ok: false });
    expect(calls).toHaveLength(before);
  });
});
