import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { importApiShield } from "../../../src/importers/api-shield.ts";
import type { Imported } from "../../../src/importers/draft.ts";
import { importKong } from "../../../src/importers/kong.ts";
import { importOathkeeper } from "../../../src/importers/oathkeeper.ts";
import { importOauth2Proxy } from "../../../src/importers/oauth2-proxy.ts";
import { readSource } from "../../../src/importers/source.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { RouteTable } from "../../../src/policy/route-table.ts";
import type { Result } from "../../../src/protocol/result.ts";

function imported(result: Result<Imported, string[]>): Imported {
  if (!result.ok) throw new Error(result.error.join("\n"));
  return result.value;
}

/** What the imported policy does with requests: the access of the route that takes each, or none. */
function accessOf({ policy }: Imported, host: string, requests: readonly string[]): unknown[] {
  const table = new RouteTable(policySchema.parse(policy).routes);
  return requests.map((request) => {
    const [method = "", path = ""] = request.split(" ");
    const found = table.match(host, path, method);
    return found.kind === "match" ? found.route.access : found.kind;
  });
}

const notesOf = ({ notes }: Imported) => notes.map(({ at, what }) => `${at}: ${what}`);
const EMPTY = { scopes: [], roles: [] };
const SHUT = { scopes: [], roles: ["portcullis-left-out"] };
const PUBLIC_PEM = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({
  type: "spki",
  format: "pem",
});

describe("Oathkeeper", () => {
  const jwt = (config: object) => [
    {
      handler: "jwt",
      config: {
        jwks_urls: ["https://idp.example.com/jwks.json"],
        trusted_issuers: ["https://idp.example.com/"],
        target_audience: ["orders-api"],
        ...config,
      },
    },
  ];
  const rule = (id: string, url: string, more: object = {}) => ({
    id,
    match: { url, methods: ["GET"] },
    authenticators: jwt({}),
    authorizer: { handler: "allow" },
    mutators: [{ handler: "noop" }],
    upstream: { url: "https://orders.internal" },
    ...more,
  });

  it("carries addresses, methods, issuers, scopes and open rules", () => {
    const read = imported(
      importOathkeeper(
        [
          rule("orders", "https://api.example.com/orders/<.*>", {
            authenticators: jwt({ required_scope: ["orders:read"], allowed_algorithms: ["ES256"] }),
          }),
          rule("kinds", "https://api.example.com/<(cats|dogs)>/<[0-9]+>/name"),
          rule("health", "<https|http>://api.example.com/health", { authenticators: [{ handler: "noop" }] }),
        ],
        {},
      ),
    );
    expect(read.faults).toEqual([]);
    expect(read.policy.issuers).toMatchObject([
      { issuer: "https://idp.example.com/", algorithms: ["ES256"], audience: "orders-api" },
    ]);
    expect(read.policy.origins).toEqual({
      "orders.internal": { url: "https://orders.internal", audience: "https://orders.internal" },
    });
    const requests = [
      "GET /orders/1/lines",
      "POST /orders/1",
      "GET /cats/7/name",
      "GET /birds/7/name",
      "GET /health",
    ];
    expect(accessOf(read, "api.example.com", requests)).toEqual([
      { scopes: ["orders:read"], roles: [] },
      "method",
      EMPTY,
      "none",
      "public",
    ]);
    expect(accessOf(read, "other.example.com", ["GET /health"])).toEqual(["none"]);
    expect(notesOf(read).every((note) => note.includes("wider"))).toBe(true);
  });

  it.each([
    ["an authorizer that asks elsewhere", { authorizer: { handler: "remote_json" } }, "remote_json"],
    [
      "an authenticator without a counterpart",
      { authenticators: [{ handler: "cookie_session" }] },
      "cookie_session",
    ],
    ["no authenticator", { authenticators: [] }, "no authenticator"],
    ["no issuer that is trusted", { authenticators: jwt({ trusted_issuers: [] }) }, "names no issuer"],
    ["no audience", { authenticators: jwt({ target_audience: [] }) }, "names no audience"],
    [
      "a token in the address",
      { authenticators: jwt({ token_from: { query_parameter: "t" } }) },
      "in the address",
    ],
    [
      "an expression that takes slashes",
      { match: { url: "https://a.example.com/<.*>/y", methods: ["GET"] } },
      "takes slashes",
    ],
    [
      "an open route that would become wider",
      {
        match: { url: "https://a.example.com/<[0-9]+>", methods: ["GET"] },
        authenticators: [{ handler: "anonymous" }],
      },
      "open to everybody",
    ],
  ])("leaves out, and says why: %s", (_name, more, why) => {
    const read = imported(importOathkeeper([rule("one", "https://a.example.com/x", more)], {}));
    expect(read.faults).toEqual([]);
    expect(
      read.policy.routes?.every(({ access }) => access !== "public" && access.roles?.[0] === SHUT.roles[0]),
    ).toBe(true);
    expect(accessOf(read, "a.example.com", ["GET /x"])).toEqual([SHUT]);
    expect(notesOf(read).join("\n")).toContain(why);
    expect(notesOf(read).join("\n")).toContain("refused for everybody");
  });

  it("takes what rules leave to the configuration, and what the caller says", () => {
    const bare = rule("one", "https://a.example.com/x", {
      authenticators: [{ handler: "jwt" }],
      upstream: {},
    });
    const config = { authenticators: { jwt: { config: { jwks_urls: ["https://idp.example.com/k"] } } } };
    const options = { issuer: "https://idp.example.com", audience: "api", origin: "https://o.internal" };
    const read = imported(importOathkeeper([bare], options, config));
    expect(accessOf(read, "a.example.com", ["GET /x"])).toEqual([EMPTY]);
    expect(accessOf(imported(importOathkeeper([bare], {}, config)), "a.example.com", ["GET /x"])).toEqual([
      SHUT,
    ]);
  });

  it("names what is wrong with a file that is not one", () => {
    expect(importOathkeeper({ rules: [] }, {})).toMatchObject({
      ok: false,
      error: [expect.stringContaining("array")],
    });
    expect(importOathkeeper([{ id: "x" }], {})).toMatchObject({
      ok: false,
      error: [expect.stringContaining("0.match")],
    });
  });
});

describe("Kong", () => {
  const config = (more: object = {}, routeMore: object = {}, plugins: object[] = []) => ({
    _format_version: "3.0",
    services: [
      {
        name: "orders",
        url: "https://orders.internal",
        routes: [{ name: "orders", paths: ["/orders"], methods: ["GET"], strip_path: false, ...routeMore }],
        plugins: [{ name: "jwt", config: { claims_to_verify: ["exp"], ...more } }, ...plugins],
      },
    ],
    consumers: [
      {
        username: "idp",
        jwt_secrets: [{ key: "https://idp.example.com", algorithm: "RS256", rsa_public_key: PUBLIC_PEM }],
      },
    ],
  });

  it("carries services, prefixes, the plugin and the keys of consumers", () => {
    const read = imported(importKong(config({ cookie_names: ["__Host-t"] }), { audience: "api" }));
    expect(read.faults).toEqual([]);
    expect(read.policy.issuers).toMatchObject([
      {
        issuer: "https://idp.example.com",
        algorithms: ["RS256"],
        jwks: { keys: [{ kty: "RSA", e: "AQAB" }] },
      },
    ]);
    expect(
      accessOf(read, "any.example.com", ["GET /orders", "GET /orders/1", "GET /ordersx", "POST /orders"]),
    ).toEqual([EMPTY, EMPTY, "none", "method"]);
    expect(read.policy.routes?.[0]?.credential).toEqual([
      { from: "authorization" },
      { from: "cookie", name: "__Host-t" },
    ]);
  });

  it("without the plugin is open, and with one that forbids is left out", () => {
    const open = config();
    open.services[0]!.plugins = [];
    expect(accessOf(imported(importKong(open, { audience: "api" })), "h", ["GET /orders"])).toEqual([
      "public",
    ]);
    const acl = imported(
      importKong(config({}, {}, [{ name: "acl", config: { allow: ["a"] } }]), { audience: "api" }),
    );
    expect(accessOf(acl, "h", ["GET /orders/1"])).toEqual([SHUT]);
    expect(notesOf(acl).join()).toContain("acl");
    const off = config({}, {}, [{ name: "acl", enabled: false }]);
    expect(imported(importKong(off, { audience: "api" })).policy.routes).toHaveLength(1);
  });

  it.each([
    ["keys by another claim", { key_claim_name: "kid" }, {}, '"kid"'],
    ["a path that is an expression", {}, { paths: ["~/orders/\\d+$"] }, "regular expression"],
  ])("leaves out, and says why: %s", (_name, more, routeMore, why) => {
    const read = imported(importKong(config(more, routeMore), { audience: "api" }));
    expect(accessOf(read, "h", ["GET /orders/1"])).toEqual([SHUT]);
    expect(notesOf(read).join()).toContain(why);
  });

  it("lets nothing that is not carried over fall to a wider route", () => {
    const open = { name: "all", url: "https://all.internal", routes: [{ name: "all", paths: ["/"] }] };
    const guarded = config({ key_claim_name: "kid" }, { paths: ["/orders", "~/admin/\\d+$"] });
    const read = imported(
      importKong({ ...guarded, services: [open, ...guarded.services] }, { audience: "api" }),
    );
    expect(read.faults).toEqual([]);
    expect(accessOf(read, "h", ["GET /x", "GET /orders/1", "GET /admin/7"])).toEqual(["public", SHUT, SHUT]);
  });

  it("takes no secret into the policy, and no consumer whose name is not a URL", () => {
    const secret = config();
    secret.consumers[0]!.jwt_secrets = [
      { key: "https://idp.example.com", algorithm: "HS256", secret: "very-secret" } as never,
      { key: "a-name", algorithm: "HS256" } as never,
    ];
    const read = imported(importKong(secret, { audience: "api" }));
    expect(read.policy.issuers).toMatchObject([
      { secret_ref: "ISSUER_SECRET_IDP_EXAMPLE_COM", algorithms: ["HS256"] },
    ]);
    expect(JSON.stringify(read)).not.toContain("very-secret");
    expect(notesOf(read).join()).toContain("not a URL");
    expect(read.faults).toEqual([]);
    expect(imported(importKong(secret, {})).policy.issuers).toEqual([]);
  });
});

describe("oauth2-proxy", () => {
  const file = (more = "") => `
provider = "oidc"
oidc_issuer_url = "https://idp.example.com"
oidc_jwks_url = "https://idp.example.com/jwks"
client_id = "proxy"
client_secret = "very-secret"
upstreams = ["http://127.0.0.1:8080/", "http://127.0.0.1:8081/api/", "file:///srv"]
${more}`;
  const read = (more = "") => {
    const source = readSource(file(more), "oauth2-proxy.cfg");
    if (!source.ok) throw new Error(source.error);
    return imported(importOauth2Proxy(source.value, {}));
  };

  it("carries upstreams, sign-in, groups and what was open", () => {
    const found = read(`
email_domains = ["*"]
allowed_groups = ["staff"]
skip_jwt_bearer_tokens = true
skip_auth_routes = ["GET=^/health$", "^/static/", "POST=^/hook/[0-9]+$", "!=^/x"]`);
    expect(found.faults).toEqual([]);
    expect(found.policy.issuers?.[0]).toMatchObject({
      sign_in: { client_id: "proxy", client_secret_ref: "SIGN_IN_SECRET_OAUTH2_PROXY" },
      claims: { roles: "groups" },
    });
    const staff = { scopes: [], roles: ["staff"] };
    const requests = [
      "GET /",
      "GET /api/x",
      "GET /health",
      "POST /health",
      "GET /static/a.js",
      "POST /hook/1",
    ];
    expect(accessOf(found, "h", requests)).toEqual([staff, staff, "public", "method", "public", staff]);
    expect(found.policy.routes?.[0]?.credential).toEqual([{ from: "session" }, { from: "authorization" }]);
    expect(JSON.stringify(found)).not.toContain("very-secret");
    expect(notesOf(found).filter((note) => note.includes("is an expression"))).toHaveLength(2);
  });

  it("lets nobody in where mail addresses said who may", () => {
    const found = read(`email_domains = ["example.com"]`);
    expect(accessOf(found, "h", ["GET /"])).toEqual([{ scopes: [], roles: ["oauth2-proxy-user"] }]);
    expect(accessOf(read(`email_domains = ["*"]`), "h", ["GET /"])).toEqual([EMPTY]);
  });

  it("says what is missing where no provider is named, and where the file is no TOML", () => {
    expect(importOauth2Proxy({ provider: "github" }, {})).toMatchObject({
      ok: false,
      error: [expect.stringContaining("oidc_issuer_url")],
    });
    expect(readSource("a = ", "x.cfg")).toMatchObject({ ok: false, error: expect.stringContaining("x.cfg") });
  });
});

describe("API Shield", () => {
  const jwk = {
    kty: "EC",
    crv: "P-256",
    alg: "ES256",
    kid: "k1",
    x: "KN53JRwN3wCjm2o39bvZUX2VdrsHzS8pxOAGjm8m7EQ",
    y: "lnkkzIxaveggz-HFhcMWW15nxvOj0Z_uQsXbpK0GFcY",
  };
  const shield = (expression: string, more: object = {}) => ({
    configurations: {
      result: [
        {
          id: "c1",
          title: "idp",
          token_sources: ['http.request.headers["authorization"][0]'],
          credentials: { keys: [jwk] },
        },
      ],
    },
    rules: [
      {
        action: "block",
        enabled: true,
        expression,
        selector: { include: [{ host: ["api.example.com"] }], exclude: [{ operation_ids: ["o2"] }] },
        ...more,
      },
    ],
    operations: [
      { operation_id: "o1", method: "GET", host: "api.example.com", endpoint: "/orders/{var1}" },
      { operation_id: "o2", method: "GET", host: "api.example.com", endpoint: "/health" },
    ],
  });
  const options = { issuer: "https://idp.example.com", audience: "api", origin: "https://o.internal" };
  const requests = ["GET /orders/1", "GET /health", "GET /other"];

  it("carries operations, and guards those that a rule blocks", () => {
    const read = imported(importApiShield(shield('is_jwt_valid("c1")'), options));
    expect([read.faults, read.notes]).toEqual([[], []]);
    expect(accessOf(read, "api.example.com", requests)).toEqual([EMPTY, "public", "none"]);
    const optional = shield('(not is_jwt_present("c1") or is_jwt_valid("c1"))');
    expect(accessOf(imported(importApiShield(optional, options)), "api.example.com", requests)[0]).toBe(
      "public",
    );
  });

  it.each([
    ["another expression", 'is_jwt_valid("c1") or ip.src eq 10.0.0.1', options],
    ["a configuration that is not there", 'is_jwt_valid("c9")', options],
    ["no issuer", 'is_jwt_valid("c1")', { audience: "api" }],
    ["no audience", 'is_jwt_valid("c1")', { issuer: "https://idp.example.com" }],
  ])("leaves out what it guards, with %s", (_name, expression, given) => {
    const read = imported(importApiShield(shield(expression), given));
    expect(accessOf(read, "api.example.com", requests).slice(0, 2)).toEqual([SHUT, "public"]);
    expect(notesOf(read).join()).toContain("refused for everybody");
  });

  it("does not guard with a rule that is off or only logs, and says the latter", () => {
    const off = imported(importApiShield(shield('is_jwt_valid("c1")', { enabled: false }), options));
    expect(accessOf(off, "api.example.com", requests)[0]).toBe("public");
    const logs = imported(importApiShield(shield('is_jwt_valid("c1")', { action: "log" }), options));
    expect(notesOf(logs).join()).toContain("only logs");
  });
});
