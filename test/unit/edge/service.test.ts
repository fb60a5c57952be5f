import { decodeJwt, decodeProtectedHeader } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { createDecider } from "../../../src/edge/decider.ts";
import { authorizeFor, isRevokedFor } from "../../../src/edge/service.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { EdgeWorld, ISSUER, policyOf } from "../../support/edge-world.ts";
import { filterOf } from "../../support/filter.ts";
import { thumbprintOf } from "../../support/proof-factory.ts";
import { newKey } from "../../support/token-factory.ts";

const IDP = "https://idp.example.net";
const POLICY = policyOf(
  [
    { path: "/orders/**", access: { scopes: ["orders:read"] }, identity_headers: ["subject"] },
    { path: "/public/**", access: "public" },
  ],
  {
    issuers: [
      { id: "idp", issuer: IDP, jwks_uri: `${IDP}/jwks`, algorithms: ["ES256"], audience: "x", claims: {} },
    ],
  },
);

let world: EdgeWorld;

beforeEach(async () => {
  world = await EdgeWorld.create(POLICY);
});

function deps() {
  const decide = createDecider({
    ...world.deps,
    replica: world.replica,
    signer: world.signer,
    limits: world.limits,
  });
  return { ...world.deps, decide, requestId: "dec_1" };
}

function authorize(path: string, headers: Record<string, string> = {}) {
  return authorizeFor({ method: "GET", url: `https://api.example.com${path}`, headers }, deps());
}

async function askOf(changes: Record<string, unknown> = {}) {
  const token = await world.token(changes);
  const { iss, sub, iat, ...claims } = decodeJwt(token);
  return { kid: decodeProtectedHeader(token).kid!, claims: { ...claims, iss: iss!, sub: sub!, iat: iat! } };
}

describe("authorize", () => {
  it("tells who is behind an allowed request, and on a public route that nobody is", async () => {
    const token = await world.token();
    const allowed = await authorize("/orders/1", { Authorization: `Bearer ${token}` });
    expect(allowed).toMatchObject({
      allowed: true,
      decisionId: "dec_1",
      route: "route-0",
      auth: { subject: "demo|alice", issuer: ISSUER },
      headers: { "x-portcullis-subject": "demo|alice", "x-portcullis-assertion": expect.any(String) },
    });
    const nobody = await authorize("/public/x");
    expect(nobody).toEqual({ allowed: true, decisionId: "dec_1", route: "route-1", headers: {} });
    expect(world.originCalls).toEqual([]);
  });

  it("answers a refusal whole, and one where deciding fails", async () => {
    const refused = await authorize("/orders/1");
    if (refused.allowed) throw new Error("it was allowed");
    const answer = new Response(refused.body, { status: refused.status, headers: refused.headers });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toContain("Bearer");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await answer.json()).toMatchObject({ code: "invalid_token", decision_id: "dec_1" });
    const broken = { ...deps(), decide: () => Promise.reject(new Error("broken")) };
    const ask = { method: "GET", url: "https://api.example.com/public/x", headers: {} };
    expect(await authorizeFor(ask, broken)).toMatchObject({ allowed: false, status: 500 });
    expect(await authorizeFor({ ...ask, headers: { "bad name": "x" } }, deps())).toMatchObject({
      allowed: false,
    });
  });
});

describe("isRevoked", () => {
  it("knows of every kind of revocation, and of no other token", async () => {
    const jkt = await thumbprintOf(await newKey("ES256", "sender"));
    const ask = await askOf({ grant: "grt_1", sid: "ses_1", cnf: { jkt } });
    const { claims, kid } = ask;
    const matches = [
      { iss: ISSUER, jti: claims.jti as string },
      { grant: "grt_1" },
      { session: "ses_1" },
      { sub: claims.sub },
      { client_id: (claims as { client_id?: string }).client_id! },
      { jkt },
      { kid },
    ];
    const other = {
      claims: { iss: ISSUER, sub: "bob", iat: claims.iat, jti: "tok_other" },
      kid: "other-key",
    };
    for (const match of matches) {
      world.append({ revocations: [] });
      expect(await isRevokedFor({ ...ask, consistency: "strict" }, deps())).toEqual({
        ok: true,
        value: false,
      });
      world.revoke(match);
      const name = JSON.stringify(match);
      expect(await isRevokedFor({ ...ask, consistency: "strict" }, deps()), name).toEqual({
        ok: true,
        value: true,
      });
      expect(await isRevokedFor({ ...other, consistency: "strict" }, deps()), name).toEqual({
        ok: true,
        value: false,
      });
    }
  });

  it("finds the subject of a trusted issuer's token by either name", async () => {
    const ask = { claims: { iss: IDP, sub: "alice", iat: world.nowMs / 1000 }, kid: "k" };
    for (const match of [{ sub: "idp|alice" }, { sub: "alice" }, { iss: IDP }]) {
      world.append({ revocations: [] });
      world.revoke(match);
      expect(await isRevokedFor({ ...ask, consistency: "strict" }, deps())).toEqual({
        ok: true,
        value: true,
      });
    }
  });

  it("asks exactly about a token that the filter of denied tokens suspects", async () => {
    const ask = { ...(await askOf({ jti: "tok_denied" })), consistency: "strict" as const };
    world.append({ filter: filterOf([{ jti: "tok_denied" }]) });
    world.confirm = async () => ok(0);
    expect(await isRevokedFor(ask, deps())).toEqual({ ok: true, value: false });
    // Another build: what was answered before no longer counts.
    world.append({ filter: filterOf([{ jti: "tok_denied" }], 0, 2) });
    world.confirm = async () => ok(world.nowMs / 1000 + 60);
    expect(await isRevokedFor(ask, deps())).toEqual({ ok: true, value: true });
    world.append({ filter: filterOf([{ jti: "tok_denied" }], 0, 3) });
    world.confirm = async () => err(problem("unavailable", "The denylist is down."));
    expect(await isRevokedFor(ask, deps())).toMatchObject({ ok: false });
    expect(world.confirmed).toContain("tok_denied");
  });

  it("is at most two seconds late, and at once where that is asked for", async () => {
    const ask = await askOf();
    expect(await isRevokedFor(ask, deps())).toEqual({ ok: true, value: false });
    world.revoke({ sub: ask.claims.sub });
    expect(await isRevokedFor(ask, deps())).toEqual({ ok: true, value: false });
    expect(await isRevokedFor({ ...ask, consistency: "strict" }, deps())).toEqual({ ok: true, value: true });
    world.append({ revocations: [] });
    world.nowMs += 2_001;
    expect(await isRevokedFor(ask, deps())).toEqual({ ok: true, value: false });
    world.revoke({ sub: ask.claims.sub });
    world.nowMs += 2_001;
    expect(await isRevokedFor(ask, deps())).toEqual({ ok: true, value: true });
  });

  it("says that it cannot tell, rather than no", async () => {
    const ask = await askOf();
    world.logDown = true;
    expect(await isRevokedFor(ask, deps())).toMatchObject({ ok: false, error: { code: "stale" } });
    world.logDown = false;
    world.nowMs += 5_000;
    expect(await isRevokedFor(ask, deps())).toEqual({ ok: true, value: false });
    world.logDown = true;
    world.nowMs += 60_000;
    for (const consistency of ["bounded", "strict"] as const) {
      expect(await isRevokedFor({ ...ask, consistency }, deps())).toMatchObject({ ok: false });
    }
  });
});
