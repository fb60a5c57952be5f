import { beforeEach, describe, expect, it } from "vitest";
import { authorize } from "../../../src/edge/authorize.ts";
import { AUDIENCE, EdgeWorld, HOST, policyOf } from "../../support/edge-world.ts";
import { newKey, signToken, type TestKey } from "../../support/token-factory.ts";

const IDP = "https://idp.example.net";
const ROUTES = [
  { path: "/orders", methods: ["GET", "POST"], access: { scopes: ["orders:read"] } },
  { path: "/orders/:id", methods: ["DELETE"], access: { scopes: ["orders:read"], roles: ["admin"] } },
  { path: "/projects/:id", access: { resource: "projects/:id" } },
  { path: "/users/@me", access: { scopes: ["profile"] } },
  { path: "/users/:id", access: { scopes: ["orders:read"] } },
  { path: "/any", access: {} },
  { path: "/public/**", access: "public" },
  { path: "/two", origin: "other", access: {} },
];
const ORIGINS = {
  orders: { url: "http://origin.internal:9000", audience: AUDIENCE },
  other: { url: "http://other.internal", audience: "https://other.internal" },
};

let world: EdgeWorld;
let idp: TestKey;

beforeEach(async () => {
  idp = await newKey("ES256", "idp-1");
  const issuer = {
    id: "demo",
    issuer: IDP,
    jwks: { keys: [idp.jwk] },
    algorithms: ["ES256"],
    audience: "portcullis",
    claims: { scopes: "scope" },
  };
  world = await EdgeWorld.create(policyOf(ROUTES, { origins: ORIGINS, issuers: [issuer] }));
});

async function decide(method: string, path: string, token?: string) {
  const headers = new Headers(token === undefined ? {} : { authorization: `Bearer ${token}` });
  const decision = await authorize({ method, url: HOST + path, headers }, world.deps);
  return decision.outcome === "allow" ? decision.route.id : decision.reason;
}

const idpToken = (changes: Record<string, unknown> = {}) => {
  const now = world.nowMs / 1000;
  const claims = {
    iss: IDP,
    sub: "alice",
    aud: "portcullis",
    iat: now,
    exp: now + 300,
    scope: "orders:read",
    ...changes,
  };
  return signToken(idp, { alg: "ES256", typ: "at+jwt", kid: "idp-1" }, claims);
};

describe("a decision", () => {
  it("is there at once where all that it takes is in memory, and by a promise where it is not", async () => {
    const headers = new Headers({ authorization: `Bearer ${await world.token({ scope: "orders:read" })}` });
    const ask = { method: "GET", url: `${HOST}/orders`, headers };
    const first = authorize(ask, world.deps);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toMatchObject({ outcome: "allow" });
    expect(authorize(ask, world.deps)).toMatchObject({ outcome: "allow", reason: "token" });
    // A view that is too old has to be renewed first.
    world.nowMs += 60_000;
    expect(authorize(ask, world.deps)).toBeInstanceOf(Promise);
  });

  it("names the route, the token and what it was taken on", async () => {
    const token = await world.token();
    world.nowMs += 250;
    const decision = await authorize(
      {
        method: "GET",
        url: `${HOST}/orders?x=1`,
        headers: new Headers({ authorization: `Bearer ${token}` }),
      },
      world.deps,
    );
    expect(decision).toMatchObject({
      outcome: "allow",
      reason: "token",
      route: { id: "route-0" },
      origin: { audience: AUDIENCE },
      target: { path: "/orders", search: "?x=1" },
      token: { facts: { sub: "demo|alice" } },
      seq: 1,
      replicaAgeMs: 0,
    });
  });

  it("is a refusal without a route, a method, a credential", async () => {
    const token = await world.token();
    expect(await decide("GET", "/orders", token)).toBe("route-0");
    expect(await decide("GET", "/nothing", token)).toBe("no_route");
    expect(await decide("PUT", "/orders", token)).toBe("method_not_allowed");
    expect(await decide("GET", "/orders")).toBe("credential_missing");
    expect(await decide("GET", "/orders?access_token=x", token)).toBe("credential_in_query");
    expect(await decide("GET", "/orders", `${token}, ${token}`)).toBe("credential_several");
    expect(await decide("GET", "/orders/%2e%2e/x", token)).toBe("target_encoded_dot");
  });

  it("needs the audience of the route's origin", async () => {
    expect(await decide("GET", "/two", await world.token())).toBe("token_audience");
    expect(await decide("GET", "/two", await world.token({ aud: ["x", "https://other.internal"] }))).toBe(
      "route-7",
    );
    expect(await decide("GET", "/orders", await world.token({ aud: "https://auth.example.com" }))).toBe(
      "token_audience",
    );
  });

  it("needs the audience that the policy names for another issuer", async () => {
    expect(await decide("GET", "/orders", await idpToken())).toBe("route-0");
    expect(await decide("GET", "/orders", await idpToken({ aud: AUDIENCE }))).toBe("token_audience");
    expect(await decide("GET", "/orders", await idpToken({ scope: "" }))).toBe("scope_missing");
  });

  it("holds the same token to each route anew", async () => {
    const token = await world.token({
      roles: ["admin"],
      authorization_details: [{ type: "portcullis_resource", identifier: "projects/42" }],
    });
    expect(await decide("DELETE", "/orders/1", token)).toBe("route-1");
    expect(await decide("GET", "/projects/42", token)).toBe("route-2");
    expect(await decide("GET", "/projects/43", token)).toBe("resource_not_granted");
    expect(await decide("GET", "/users/@me", token)).toBe("scope_missing");
    expect(await decide("DELETE", "/orders/1", await world.token())).toBe("role_missing");
  });

  it("takes a path by its meaning, not by its spelling", async () => {
    const token = await world.token();
    expect(await decide("GET", "/users/bob", token)).toBe("route-4");
    expect(await decide("GET", "/users/@me", token)).toBe("scope_missing");
    expect(await decide("GET", "/users/%40me", token)).toBe("scope_missing");
  });

  it("lets a public route be called without a token or with a good one, not with a bad one", async () => {
    expect(await decide("GET", "/public/a")).toBe("route-6");
    expect(await decide("GET", "/public/a", await world.token())).toBe("route-6");
    expect(await decide("GET", "/public/a", "a.b.c")).toBe("token_malformed");
    expect(await decide("GET", "/public/a", await world.token({ exp: 1 }))).toBe("token_expired");
    expect(await decide("GET", "/public/a", await world.token({ aud: "elsewhere" }))).toBe("token_audience");
    expect(await decide("GET", "/public/a", await world.token({ iss: "https://evil.example" }))).toBe(
      "token_unknown_issuer",
    );
  });

  it("is taken again where the policy changed while the request waited", async () => {
    const token = await world.token();
    expect(await decide("GET", "/any", token)).toBe("route-5");
    world.nowMs += 5000;
    world.append({ policy: policyOf([{ path: "/any", access: { scopes: ["none"] } }]) });
    expect(await decide("GET", "/any", token)).toBe("scope_missing");
    world.nowMs += 5000;
    world.append({ policy: policyOf([]) });
    expect(await decide("GET", "/any", token)).toBe("no_route");
  });

  it("does not outlive the key, the issuer or its key in a verified token", async () => {
    const token = await world.token();
    const foreign = await idpToken();
    expect(await decide("GET", "/orders", token)).toBe("route-0");
    expect(await decide("GET", "/orders", foreign)).toBe("route-0");
    expect(world.tokens.size).toBe(2);
    world.nowMs += 5000;
    world.append({ keys: new Map(), policy: policyOf(ROUTES, { origins: ORIGINS }) });
    expect(await decide("GET", "/orders", token)).toBe("token_unknown_key");
    expect(await decide("GET", "/orders", foreign)).toBe("token_unknown_issuer");
  });

  it("does not outlive its key, though another one has taken its name", async () => {
    const token = await world.token();
    expect(await decide("GET", "/orders", token)).toBe("route-0");
    const other = await newKey("ES256", "own-1");
    const record = { kid: "own-1", purpose: "access_token" as const, alg: "ES256", key: other.publicKey };
    world.append({ keys: new Map([["own-1", record]]) });
    world.nowMs += 5000;
    expect(await decide("GET", "/orders", token)).toBe("token_signature");
    expect(await decide("GET", "/orders", await world.token({}, other))).toBe("route-0");
  });

  it("is taken again where the key was taken back while the request waited", async () => {
    const token = await world.token();
    expect(await decide("GET", "/orders", token)).toBe("route-0");
    world.nowMs += 5000;
    world.append({ keys: new Map() });
    expect(await decide("GET", "/orders", token)).toBe("token_unknown_key");
  });

  it("does not outlive a change of what the issuer is trusted for", async () => {
    const foreign = await idpToken();
    expect(await decide("GET", "/orders", foreign)).toBe("route-0");
    world.nowMs += 5000;
    const issuer = {
      id: "demo",
      issuer: IDP,
      jwks: { keys: [idp.jwk] },
      algorithms: ["ES256"],
      audience: "portcullis",
    };
    world.append({ policy: policyOf(ROUTES, { origins: ORIGINS, issuers: [issuer] }) });
    expect(await decide("GET", "/orders", foreign)).toBe("scope_missing");
    world.nowMs += 5000;
    world.append({
      policy: policyOf(ROUTES, { origins: ORIGINS, issuers: [{ ...issuer, algorithms: ["RS256"] }] }),
    });
    expect(await decide("GET", "/orders", foreign)).toBe("token_algorithm");
  });

  it("ends with the token's time, however often it was verified", async () => {
    const token = await world.token();
    expect(await decide("GET", "/orders", token)).toBe("route-0");
    world.nowMs += 299_999;
    expect(await decide("GET", "/orders", token)).toBe("route-0");
    world.nowMs += 1;
    expect(await decide("GET", "/orders", token)).toBe("token_expired");
  });

  it("falls for each kind of revocation, and only for what it names", async () => {
    const token = await world.token({ grant: "grt_1", sid: "ses_1" });
    const hitBy: [Record<string, string>, object?][] = [
      [{ jti: "tok_01jd0000000000000000000000" }],
      [{ grant: "grt_1" }],
      [{ session: "ses_1" }],
      [{ sub: "demo|alice" }],
      [{ client_id: "cli_demo" }],
      [{ kid: "own-1" }],
      [{ iss: "https://auth.example.com" }],
      [{}, { issued_before: world.nowMs / 1000 + 1 }],
    ];
    const missedBy: [Record<string, string>, object?][] = [
      [{ jti: "tok_other" }],
      [{ sub: "alice" }],
      [{ kid: "assertion-1" }],
      [{ sub: "demo|alice", client_id: "cli_other" }],
      [{}, { issued_before: world.nowMs / 1000 }],
      [{ sub: "demo|alice" }, { expires_at: world.nowMs / 1000 }],
    ];
    const afterRevoking = async ([match, more]: [Record<string, string>, object?]) => {
      world.append({ revocations: [] });
      world.revoke(match, more);
      world.nowMs += 2001;
      return decide(
        "GET",
        "/orders",
        await world.token({ grant: "grt_1", sid: "ses_1", iat: 1_800_000_000 }),
      );
    };
    expect(await decide("GET", "/orders", token)).toBe("route-0");
    for (const rule of missedBy) expect(await afterRevoking(rule), JSON.stringify(rule)).toBe("route-0");
    for (const rule of hitBy) expect(await afterRevoking(rule), JSON.stringify(rule)).toBe("token_revoked");
  });
});

describe("a token of an issuer with keys at an address", () => {
  const issuer = {
    id: "demo",
    issuer: IDP,
    jwks_uri: `${IDP}/jwks`,
    algorithms: ["ES256"],
    audience: "portcullis",
    claims: { scopes: "scope" },
  };

  beforeEach(async () => {
    world = await EdgeWorld.create(policyOf(ROUTES, { origins: ORIGINS, issuers: [issuer] }));
    world.jwks = () => Response.json({ keys: [idp.jwk] });
  });

  it("falls when the issuer takes the key out, though it was verified before", async () => {
    const token = await idpToken({ exp: world.nowMs / 1000 + 3600 });
    expect(await decide("GET", "/orders", token)).toBe("route-0");
    world.jwks = () => Response.json({ keys: [] });
    world.nowMs += 600_000;
    expect(await decide("GET", "/orders", token)).toBe("route-0");
    world.nowMs += 1;
    await decide("GET", "/orders", token);
    await Promise.all(world.background);
    expect(await decide("GET", "/orders", token)).toBe("token_unknown_key");
  });

  it("is read anew when its claims are mapped in another way", async () => {
    const token = await idpToken();
    expect(await decide("GET", "/orders", token)).toBe("route-0");
    world.append({
      policy: policyOf(ROUTES, { origins: ORIGINS, issuers: [{ ...issuer, claims: { scopes: "scp" } }] }),
    });
    world.nowMs += 5000;
    expect(await decide("GET", "/orders", token)).toBe("scope_missing");
  });
});
