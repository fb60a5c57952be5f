import { decodeJwt } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { createDecider, type Decider } from "../../../src/edge/decider.ts";
import { refusal } from "../../../src/edge/decision.ts";
import { createForwardAuth, type ForwardAuth, isForwardAuthPath } from "../../../src/edge/forward-auth.ts";
import { AUDIENCE, EdgeWorld, ISSUER, policyOf } from "../../support/edge-world.ts";
import { proofOf, thumbprintOf } from "../../support/proof-factory.ts";
import { newKey } from "../../support/token-factory.ts";

const SECRET = "cHJveHktc2VjcmV0LW9ubHktZm9yLXRoZS10ZXN0cy0wMQ";
const PREVIOUS = "cHJldmlvdXMtcHJveHktc2VjcmV0LWZvci10aGUtdGVzdHM";
const POLICY = policyOf([
  {
    host: "api.example.com",
    path: "/orders/**",
    methods: ["GET", "POST"],
    access: { scopes: ["orders:read"] },
    identity_headers: ["subject", "scope", "grant"],
  },
  { host: "api.example.com", path: "/admin/**", access: { scopes: ["admin"] } },
  { path: "/public/**", access: "public", identity_headers: ["subject"] },
  {
    path: "/limited",
    access: { scopes: ["orders:read"] },
    limit: { limiter: "three_10s", by: "subject" },
  },
]);

type Fields = Record<string, string> | [string, string][];

let world: EdgeWorld;
let forwardAuth: ForwardAuth;
let token: string;

function forwardAuthOf(secrets: string[]): ForwardAuth {
  const decide = createDecider({
    ...world.deps,
    replica: world.replica,
    signer: world.signer,
    limits: world.limits,
  });
  return createForwardAuth({ ...world.deps, decide, secrets });
}

beforeEach(async () => {
  world = await EdgeWorld.create(POLICY);
  forwardAuth = forwardAuthOf([SECRET, PREVIOUS]);
  token = await world.token();
});

async function ask(path: string, fields: Fields, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(fields);
  if (!headers.has("x-portcullis-proxy-secret")) headers.set("x-portcullis-proxy-secret", SECRET);
  return forwardAuth(new Request(ISSUER + path, { ...init, headers }), "dec_1");
}

/** As Traefik writes them (`pkg/middlewares/auth/forward.go`, `writeHeader`). */
function traefik(uri: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    "x-forwarded-method": "GET",
    "x-forwarded-proto": "https",
    "x-forwarded-port": "443",
    "x-forwarded-host": "api.example.com",
    "x-forwarded-uri": uri,
    "x-forwarded-for": "192.0.2.1",
    "x-forwarded-server": "proxy-1",
    authorization: `Bearer ${token}`,
    ...more,
  };
}

function nginx(url: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    "x-original-method": "GET",
    "x-original-url": url,
    authorization: `Bearer ${token}`,
    ...more,
  };
}

/** As Envoy's filter sends it: the client's method, our prefix before its path, what `header_mutation` wrote. */
function envoy(uri: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    "content-length": "0",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "api.example.com",
    "x-forwarded-uri": uri,
    "x-envoy-internal": "true",
    authorization: `Bearer ${token}`,
    ...more,
  };
}

const without = (fields: Record<string, string>, name: string) =>
  Object.entries(fields).filter(([each]) => each !== name);

describe("where proxies ask", () => {
  it("is one path, and everything below another", () => {
    for (const path of ["/forward-auth", "/ext-authz/", "/ext-authz/orders/1"]) {
      expect(isForwardAuthPath(path), path).toBe(true);
    }
    for (const path of ["/forward-auth/", "/forward-authx", "/ext-authz", "/ext-authzx/", "/orders", "/"]) {
      expect(isForwardAuthPath(path), path).toBe(false);
    }
  });
});

describe("the proxy's secret", () => {
  it("is the one in use or the one before it", async () => {
    for (const secret of [SECRET, PREVIOUS]) {
      const fields = traefik("/orders/1", { "x-portcullis-proxy-secret": secret });
      expect((await ask("/forward-auth", fields)).status, secret).toBe(200);
    }
  });

  it.each(["", `${SECRET}x`, SECRET.slice(1), SECRET.toLowerCase(), `${SECRET}, ${SECRET}`])(
    "is nothing else: %s",
    async (secret) => {
      const fields = traefik("/orders/1", { "x-portcullis-proxy-secret": secret });
      for (const path of ["/forward-auth", "/ext-authz/orders/1"]) {
        const answer = await ask(path, fields);
        expect(answer.status).toBe(403);
        expect(answer.headers.get("x-portcullis-assertion")).toBeNull();
        expect(await answer.json()).toMatchObject({ code: "forbidden" });
      }
      expect(JSON.stringify(world.lines)).not.toContain(SECRET.slice(1, -1));
      expect(world.refreshes).toBe(0);
    },
  );

  it("is needed, and without one in the configuration nobody is answered", async () => {
    const bare = new Request(`${ISSUER}/forward-auth`, { headers: traefik("/public/x") });
    expect((await forwardAuth(bare, "dec_1")).status).toBe(403);
    forwardAuth = forwardAuthOf([]);
    const off = await ask("/forward-auth", traefik("/public/x", { "x-portcullis-proxy-secret": "" }));
    expect(off.status).toBe(403);
    expect(JSON.stringify(await off.json())).toContain("PORTCULLIS_FORWARD_AUTH_SECRET is not set");
    expect((await ask("/forward-auth", traefik("/public/x"))).status).toBe(403);
  });
});

describe("an allowed request", () => {
  it("is answered with every identity header, and is not kept", async () => {
    token = await world.token({ grant: "grt_1" });
    for (const answer of [
      await ask("/forward-auth", traefik("/orders/1?a=1,2&b=%2F")),
      await ask("/forward-auth", nginx("https://api.example.com/orders/1?a=1,2")),
      await ask("/ext-authz/orders/1?a=1,2", envoy("/orders/1?a=1,2")),
    ]) {
      expect(answer.status).toBe(200);
      expect(await answer.text()).toBe("");
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        "cache-control": "no-store",
        "x-request-id": "dec_1",
        "x-portcullis-subject": "demo|alice",
        "x-portcullis-scope": "orders:read orders:write",
        "x-portcullis-grant": "grt_1",
      });
      expect(decodeJwt(answer.headers.get("x-portcullis-assertion")!)).toMatchObject({
        iss: ISSUER,
        aud: AUDIENCE,
        sub: "demo|alice",
      });
    }
    expect(world.originCalls).toEqual([]);
  });

  it("says nothing in the headers of a public route, so that each of them overwrites the client's", async () => {
    const answer = await ask("/forward-auth", without(traefik("/public/x"), "authorization"));
    expect(answer.status).toBe(200);
    for (const name of ["assertion", "subject", "scope", "grant"]) {
      expect(answer.headers.get(`x-portcullis-${name}`), name).toBe("");
    }
  });

  it("is not the same for another host, method or scope", async () => {
    const other = await ask("/forward-auth", traefik("/orders/1", { "x-forwarded-host": "b.example.com" }));
    expect(other.status).toBe(404);
    const method = await ask("/forward-auth", traefik("/orders/1", { "x-forwarded-method": "PATCH" }));
    expect(method.status).toBe(405);
    const scope = await ask("/forward-auth", traefik("/admin/1"));
    expect(scope.status).toBe(403);
    expect(scope.headers.get("www-authenticate")).toContain("insufficient_scope");
    // A forwarded method is not Envoy's way: the call's own is.
    const deleted = await ask("/ext-authz/orders/1", traefik("/orders/1"), { method: "DELETE" });
    expect(deleted.status).toBe(405);
  });

  it("is counted where its route has a limit", async () => {
    for (let n = 0; n < 3; n++) expect((await ask("/forward-auth", traefik("/limited"))).status).toBe(200);
    const over = await ask("/forward-auth", traefik("/limited"));
    expect(over.status).toBe(429);
    expect(Number(over.headers.get("retry-after"))).toBeGreaterThan(0);
    const toNginx = await ask("/forward-auth", nginx("https://api.example.com/limited"));
    expect([toNginx.status, toNginx.headers.get("x-portcullis-status")]).toEqual([403, "429"]);
  });

  it("ends with a revocation", async () => {
    expect((await ask("/forward-auth", traefik("/orders/1"))).status).toBe(200);
    world.revoke({ sub: "demo|alice" });
    world.nowMs += 2_001;
    const answer = await ask("/forward-auth", traefik("/orders/1"));
    expect(answer.status).toBe(401);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("www-authenticate")).toContain("invalid_token");
    expect(world.lastReason).toBe("token_revoked");
  });
});

describe("the original request", () => {
  it.each(["x-forwarded-method", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri"])(
    "needs %s, once",
    async (name) => {
      const fields = traefik("/public/x");
      expect((await ask("/forward-auth", without(fields, name))).status).toBe(400);
      const twice: [string, string][] = [...Object.entries(fields), [name, fields[name]!]];
      expect((await ask("/forward-auth", twice)).status).toBe(400);
      expect((await ask("/forward-auth", fields)).status).toBe(200);
    },
  );

  it.each(["x-original-method", "x-original-url"])("of nginx needs %s, once", async (name) => {
    const fields = nginx("https://api.example.com/public/x");
    const twice: [string, string][] = [...Object.entries(fields), [name, fields[name]!]];
    for (const bad of [without(fields, name), twice]) {
      const answer = await ask("/forward-auth", bad);
      expect(answer.status).toBe(403);
      expect(answer.headers.get("x-portcullis-status")).toBe("400");
    }
    expect((await ask("/forward-auth", fields)).status).toBe(200);
  });

  it("is described in one way only", async () => {
    const both = { ...traefik("/public/x"), ...nginx("https://api.example.com/public/x") };
    for (const name of ["x-forwarded-method", "x-forwarded-uri"]) {
      const answer = await ask("/forward-auth", without(both, name));
      expect(answer.headers.get("x-portcullis-status")).toBe("400");
    }
    expect((await ask("/ext-authz/public/x", { ...envoy("/public/x"), ...both })).status).toBe(403);
    // What a proxy in front may have written is no description yet.
    const proto = nginx("https://api.example.com/public/x", { "x-forwarded-proto": "http" });
    expect((await ask("/forward-auth", proto)).status).toBe(200);
  });

  it.each([
    ["x-forwarded-method", ["", "GET POST", "GET\u00a0", "G".repeat(33), "GET,GET"]],
    ["x-forwarded-proto", ["", "ftp", "javascript", "https:", "http,https"]],
    [
      "x-forwarded-host",
      [
        "",
        "api.example.com/public",
        "api.example.com?",
        "api.example.com#",
        "user@api.example.com",
        "api.example.com\\x",
        "a b",
      ],
    ],
    [
      "x-forwarded-uri",
      [
        "",
        "public/x",
        "*",
        ".evil.example/public/x",
        "@evil.example/public/x",
        ":99/public/x",
        "http://b/public/x",
      ],
    ],
  ])("is refused with a hostile %s", async (name, values) => {
    for (const value of values) {
      expect((await ask("/forward-auth", traefik("/public/x", { [name]: value }))).status, value).toBe(400);
    }
    expect((await ask("/forward-auth", traefik("/public/x"))).status).toBe(200);
  });

  it("is the client's: what Cloudflare tells of the proxy's own connection is not", async () => {
    const asks: Parameters<Decider>[0][] = [];
    const decide: Decider = async (ask) => {
      asks.push(ask);
      return { ok: false, error: refusal("no_route") };
    };
    forwardAuth = createForwardAuth({ ...world.deps, decide, secrets: [SECRET] });
    await ask("/forward-auth", traefik("/orders/1?a=b", { "cf-connecting-ip": "192.0.2.9", cookie: "a=b" }));
    const [{ method, url, headers, ...rest }] = asks as [Parameters<Decider>[0]];
    expect({ method, url }).toEqual({ method: "GET", url: "https://api.example.com/orders/1?a=b" });
    expect(headers.get("CF-Connecting-IP")).toBeNull();
    expect(headers.get("cookie")).toBe("a=b");
    expect(rest).toEqual({});
  });

  it.each([
    "/orders/../public/x",
    "/public/./x",
    "/public/%2e%2e/orders",
    "//public/x",
    "/public/a%2fb",
    "/public\\x",
    "/public;x",
    "/public/%00",
    "/public/caf\u00e9",
    "/public/x#y",
    "/public/x y",
    `/public/${"x".repeat(9000)}`,
    "/public/x?access_token=abc",
  ])("is judged as it was sent: %s", async (uri) => {
    expect((await ask("/forward-auth", traefik(uri))).status).toBe(400);
    // What the path of Envoy's call became on its way does not count.
    expect((await ask("/ext-authz/public/x", envoy(uri))).status).toBe(400);
    const answer = await ask("/forward-auth", nginx(`https://api.example.com${uri}`));
    expect([answer.status, answer.headers.get("x-portcullis-status")]).toEqual([403, "400"]);
  });
});

describe("a token that is bound to its sender", () => {
  it("needs a proof for the original request, not for the proxy's call", async () => {
    const key = await newKey("ES256", "sender");
    token = await world.token({ cnf: { jkt: await thumbprintOf(key) } });
    const url = "https://api.example.com/orders/1";
    const nowSeconds = world.nowMs / 1000;
    const proven = async (method: string, htu: string) => {
      const dpop = await proofOf(key, { method, url: htu, nowSeconds, accessToken: token });
      return (await ask("/forward-auth", traefik("/orders/1", { authorization: `DPoP ${token}`, dpop })))
        .status;
    };
    expect(await proven("GET", url)).toBe(200);
    expect(await proven("POST", url)).toBe(401);
    expect(await proven("GET", `${ISSUER}/forward-auth`)).toBe(401);
    const asBearer = await ask("/forward-auth", traefik("/orders/1"));
    expect(asBearer.status).toBe(401);
  });

  it("is refused where it is bound to a certificate: the one of the call is the proxy's", async () => {
    token = await world.token({ cnf: { "x5t#S256": "A".repeat(43) } });
    expect((await ask("/forward-auth", traefik("/orders/1"))).status).toBe(401);
    expect(world.lastReason).toBe("sender_certificate");
  });
});

describe("a refusal for nginx", () => {
  it("is 401 or 403, with its own status beside it", async () => {
    const told = async (url: string, more = {}) => {
      const answer = await ask("/forward-auth", nginx(url, more));
      return [answer.status, answer.headers.get("x-portcullis-status")];
    };
    const host = "https://api.example.com";
    expect(await told(`${host}/orders/1`)).toEqual([200, null]);
    expect(await told(`${host}/orders/1`, { authorization: "Bearer x" })).toEqual([401, "401"]);
    expect(await told(`${host}/admin/1`)).toEqual([403, "403"]);
    expect(await told(`${host}/nowhere`)).toEqual([403, "404"]);
    expect(await told(`${host}/orders/1`, { "x-original-method": "PUT" })).toEqual([403, "405"]);
    expect(await told(`${host}/orders/1`, { "x-portcullis-proxy-secret": "x" })).toEqual([403, "403"]);
    world.logDown = true;
    world.nowMs += 60_000;
    expect(await told(`${host}/orders/1`)).toEqual([403, "503"]);
    // To others it stays what it is.
    expect((await ask("/forward-auth", traefik("/orders/1"))).status).toBe(503);
  });

  it("is one too where deciding fails unexpectedly", async () => {
    const broken = createForwardAuth({
      ...world.deps,
      decide: () => Promise.reject(new Error("broken")),
      secrets: [SECRET],
    });
    const headers = { ...nginx("https://api.example.com/public/x"), "x-portcullis-proxy-secret": SECRET };
    const answer = await broken(new Request(`${ISSUER}/forward-auth`, { headers }), "dec_1");
    expect([answer.status, answer.headers.get("x-portcullis-status")]).toEqual([403, "500"]);
    expect(JSON.stringify(await answer.json())).not.toContain("broken");
  });
});
