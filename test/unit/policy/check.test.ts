import { beforeAll, describe, expect, it } from "vitest";
import { checkPolicy } from "../../../src/policy/check.ts";
import { loadConditions } from "../../../src/policy/condition.ts";
import { confirmAbove } from "../../../src/policy/confirm-above.ts";
import type { PolicyContext } from "../../../src/policy/cross-faults.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { keyPolicy } from "../../../src/policy/key-policy.ts";
import { isReservedPath } from "../../../src/policy/reserved-paths.ts";

beforeAll(loadConditions);

type Changed = Record<string, unknown>;
const DEPLOYED: PolicyContext = { issuer: "https://auth.example.com", local: false };
const LOCAL: PolicyContext = { issuer: "http://localhost:8787", local: true };

const issuer = (over: Changed = {}) => ({
  id: "corp",
  issuer: "https://login.example.com",
  jwks_uri: "https://login.example.com/jwks",
  algorithms: ["ES256"],
  audience: "portcullis",
  ...over,
});
const origin = (over: Changed = {}) => ({ url: "https://api.internal.example", audience: "api", ...over });
const route = (over: Changed = {}) => ({
  id: "orders",
  path: "/orders/:id",
  origin: "api",
  access: { scopes: ["orders:read"] },
  ...over,
});
const rule = (over: Changed = {}) => ({
  id: "orders",
  resource: "orders/*",
  origin: "api",
  scopes: ["orders:read"],
  requesters: { roles: ["developer"] },
  stages: [{ roles: ["approver"] }],
  max_duration_seconds: 3600,
  ...over,
});
const policy = (over: Changed = {}) => ({
  issuers: [issuer()],
  origins: { api: origin() },
  routes: [route()],
  access_rules: [rule()],
  roles: { developer: { scopes: ["requests:create"] } },
  ...over,
});
const JWK = { kty: "EC", kid: "1", crv: "P-256", x: "x", y: "y" };

function faultsOf(input: unknown, context: PolicyContext = DEPLOYED): string[] {
  const checked = checkPolicy(input, context);
  return checked.ok ? [] : (checked.error.extra?.faults as string[]);
}

describe("an acceptable policy", () => {
  it("is answered with its defaults", () => {
    const checked = checkPolicy(policy(), DEPLOYED);
    expect(checked).toMatchObject({
      ok: true,
      value: {
        issuers: [{ token_types: ["at+jwt"], claims: {} }],
        origins: { api: { timeout_ms: 15_000 } },
        routes: [{ consistency: { tier: "bounded", max_staleness_ms: 2_000 }, on_stale: "deny" }],
        access_rules: [
          {
            stages: [{ roles: ["approver"], subjects: [], count: 1 }],
            default_duration_seconds: 3600,
            access_token_ttl_seconds: 300,
          },
        ],
      },
    });
    expect(checked.ok && checkPolicy(checked.value, DEPLOYED)).toEqual(checked);
  });

  it("may be empty", () => expect(faultsOf({})).toEqual([]));

  it("says above how many live tokens a revocation needs a second person, a thousand where it does not", () => {
    expect(confirmAbove(policySchema.parse({}))).toBe(1_000);
    expect(confirmAbove(policySchema.parse({ revocations: { confirm_above: 1 } }))).toBe(1);
    expect(faultsOf({ revocations: { confirm_above: 1 } })).toEqual([]);
    // One token is always for one person to cut.
    expect(faultsOf({ revocations: { confirm_above: 0 } })).toHaveLength(1);
    expect(faultsOf({ revocations: {} })).toHaveLength(1);
  });

  it("has sessions only where it says so, with defaults that end a lost role within five minutes", () => {
    expect(policySchema.parse({})).not.toHaveProperty("sessions");
    expect(policySchema.parse({ sessions: {} }).sessions).toEqual({
      idle_seconds: 28_800,
      absolute_seconds: 86_400,
      access_token_ttl_seconds: 300,
      reuse_window_seconds: 10,
    });
    expect(
      faultsOf({ sessions: { idle_seconds: 60, absolute_seconds: 60, reuse_window_seconds: 0 } }),
    ).toEqual([]);
    expect(faultsOf({ sessions: { idle_seconds: 61, absolute_seconds: 60 } })).toEqual([
      "sessions.idle_seconds: must not be longer than absolute_seconds",
    ]);
    for (const over of [
      { access_token_ttl_seconds: 301 },
      { reuse_window_seconds: 61 },
      { absolute_seconds: 31 * 86_400 },
      { reassert_seconds: 0 },
      { surprise: 1 },
    ]) {
      expect(faultsOf({ sessions: over })).toHaveLength(1);
    }
  });

  it("keeps the default duration of a rule under its maximum", () => {
    const checked = checkPolicy(policy({ access_rules: [rule({ max_duration_seconds: 60 })] }), DEPLOYED);
    expect(checked).toMatchObject({ value: { access_rules: [{ default_duration_seconds: 60 }] } });
    const explicit = rule({ max_duration_seconds: 60, default_duration_seconds: 61 });
    expect(faultsOf(policy({ access_rules: [explicit] }))).toEqual([
      "access_rules.0.default_duration_seconds: must not be longer than max_duration_seconds",
    ]);
  });
});

describe("the schema", () => {
  it.each<[string, unknown, string]>([
    ["no object", [], "(document): Invalid input: expected object, received array"],
    ["nothing", undefined, "(document): Invalid input: expected object, received undefined"],
    ["an unknown member", policy({ rules: [] }), "rules: is not a member of this object"],
    [
      "an unknown member in a union",
      policy({ routes: [route({ access: { scope: ["a"] } })] }),
      "routes.0.access.scope: is not a member of this object",
    ],
    [
      "a fault in a union",
      policy({ routes: [route({ access: { scopes: ["a b"] } })] }),
      "routes.0.access.scopes.0: must be one scope token (RFC 6749 §3.3)",
    ],
    [
      "a value of no branch of a union",
      policy({ routes: [route({ access: "open" })] }),
      'routes.0.access: expected "public" or object',
    ],
    [
      "a tier that does not exist",
      policy({ routes: [route({ consistency: { tier: "lazy" } })] }),
      "routes.0.consistency.tier: Invalid discriminator value. Expected 'strict' | 'bounded' | 'eventual'",
    ],
    [
      "a name",
      policy({ origins: { api: origin(), "no name": origin() } }),
      "origins.no name: the name must be 1–64 letters, digits, '-', '_' or '.'",
    ],
    [
      "a url",
      policy({ origins: { api: origin({ url: "ftp://a" }) } }),
      "origins.api.url: must be an http or https URL",
    ],
    [
      "a dropped name",
      JSON.parse('{"roles":{"__proto__":{"scopes":[]}}}'),
      "roles.__proto__: cannot be used as a name",
    ],
    [
      "neither keys nor their address",
      policy({ issuers: [issuer({ jwks_uri: undefined })] }),
      "issuers.0: give exactly one of jwks_uri, jwks and secret_ref",
    ],
    [
      "a private key",
      policy({ issuers: [issuer({ jwks_uri: undefined, jwks: { keys: [{ ...JWK, d: "d" }] } })] }),
      "issuers.0.jwks.keys.0: holds private members: give the public key only, and replace this one, it is now exposed",
    ],
    [
      "nobody who may ask",
      policy({ access_rules: [rule({ requesters: {} })] }),
      "access_rules.0.requesters: name at least one role or subject",
    ],
  ])("refuses %s", (_title, input, fault) => expect(faultsOf(input)).toEqual([fault]));

  const COOKIE = { from: "cookie", name: "__Host-token" };

  it.each<[Changed, string]>([
    [
      { credential: [COOKIE, { from: "authorization" }, COOKIE] },
      "routes.0.credential: names the same place twice",
    ],
    [
      { credential: [COOKIE], dpop: { mode: "required" } },
      "routes.0.dpop.mode: a token with a DPoP proof goes in Authorization; add it to credential",
    ],
    [
      { access: "public", dpop: { mode: "required" } },
      'routes.0.dpop.mode: a public route is called without a token; use "optional"',
    ],
    [
      { access: "public", mtls: "required" },
      'routes.0.mtls: a public route is called without a token; use "optional"',
    ],
  ])("refuses %j", (over, fault) => {
    const checked = checkPolicy(policy({ routes: [route(over)] }), DEPLOYED);
    expect(checked.ok ? [] : checked.error.extra?.faults).toEqual([fault]);
  });

  it.each<[Changed]>([
    [{ credential: [COOKIE, { from: "authorization" }, { from: "header", name: "x-access-token" }] }],
    [{ credential: [{ from: "authorization" }, COOKIE], dpop: { mode: "required", single_use: "exact" } }],
    [{ access: "public", dpop: { mode: "off" }, mtls: "off" }],
    [{ credential: [{ from: "header", name: "cf-access-jwt-assertion" }], mtls: "required" }],
  ])("accepts %j", (over) => {
    expect(checkPolicy(policy({ routes: [route(over)] }), DEPLOYED)).toMatchObject({ ok: true });
  });

  it.each<[Changed]>([
    [{ credential: [] }],
    [{ credential: [{ from: "query", name: "access_token" }] }],
    [{ credential: [{ from: "header", name: "authorization" }] }],
    [{ credential: [{ from: "header", name: "X-Access-Token" }] }],
    [{ credential: [{ from: "header", name: "x-portcullis-subject" }] }],
    [{ credential: [{ from: "cookie", name: "a b" }] }],
    [{ dpop: { mode: "required", nonces: true } }],
  ])("finds no such member or value in its schema: %j", (over) => {
    expect(checkPolicy(policy({ routes: [route(over)] }), DEPLOYED)).toMatchObject({ ok: false });
  });

  it("accepts inline public keys", () => {
    const inline = issuer({ jwks_uri: undefined, jwks: { keys: [JWK] } });
    expect(faultsOf(policy({ issuers: [inline] }))).toEqual([]);
  });

  it.each([
    "/",
    "/**",
    "/orders",
    "/orders/",
    "/orders/**",
    "/a/:b/*/c.d/~e",
    "/v1/items:batch",
    "/@me",
    "/caf%C3%A9",
    "/a%20b%3F%5B%7B%25",
    "/..x",
    "/a".repeat(32),
    `${"/a".repeat(32)}/**`,
  ])("accepts the path %s", (path) =>
    expect(faultsOf(policy({ routes: [route({ path })], access_rules: [] }))).toEqual([]),
  );

  it.each([
    "",
    "orders",
    "/a//b",
    "/**/a",
    "/a/**/",
    "/a**",
    "/a*",
    "/:",
    "/:A",
    "/:a-b",
    "/:id:cancel",
    "/a?x",
    "/a#x",
    "/a;b",
    "/a b",
    "/é",
    "/a\\b",
    "/.",
    "/a/../b",
    "/a%2",
    "/caf%c3%a9",
    "/%61dmin",
    "/%40me",
    "/a%2Fb",
    "/a%00",
    "/(a|b)",
    "/a".repeat(33),
  ])("refuses the path %s", (path) => {
    const faults = faultsOf(policy({ routes: [route({ path })] }));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^routes\.0\.path: (must be at most 32 segments|percent-encodes)/);
  });

  it.each(["a.test", "*.a.test", "localhost:8787", "10.0.0.1"])("accepts the host %s", (host) =>
    expect(faultsOf(policy({ routes: [route({ host })] }))).toEqual([]),
  );

  it.each(["A.test", "*", "a.*.test", "*a.test", "a..test", "a.test.", "a.test:", "http://a.test", "[::1]"])(
    "refuses the host %s",
    (host) => expect(faultsOf(policy({ routes: [route({ host })] }))).toHaveLength(1),
  );
});

describe("the rules across members", () => {
  it.each<[string, unknown, string]>([
    [
      "an issuer's id twice",
      { issuers: [issuer(), issuer({ issuer: "https://b.test" })] },
      'issuers.1.id: "corp" is already used by issuers.0',
    ],
    [
      "an issuer twice",
      { issuers: [issuer(), issuer({ id: "b" })] },
      'issuers.1.issuer: "https://login.example.com" is already used by issuers.0',
    ],
    [
      "a route's id twice",
      { routes: [route(), route({ path: "/b" })] },
      'routes.1.id: "orders" is already used by routes.0',
    ],
    [
      "a rule's id twice",
      { access_rules: [rule(), rule()] },
      'access_rules.1.id: "orders" is already used by access_rules.0',
    ],
    [
      "our own issuer",
      { issuers: [issuer({ issuer: "https://auth.example.com/" })] },
      "issuers.0.issuer: is this deployment itself; its own tokens are trusted already, leave it out",
    ],
    [
      "a route to nowhere",
      { routes: [route({ origin: "constructor" })] },
      'routes.0.origin: there is no origin "constructor"; add it to origins, or name one of them',
    ],
    [
      "a rule for nowhere",
      { access_rules: [rule({ origin: "web" })] },
      'access_rules.0.origin: there is no origin "web"; add it to origins, or name one of them',
    ],
    [
      "our own audience",
      { origins: { api: origin({ audience: DEPLOYED.issuer }) } },
      "origins.api.audience: is the audience of the control plane; an origin could use the tokens it receives there",
    ],
    [
      "ourselves as an origin",
      { origins: { api: origin({ url: "https://auth.example.com" }) } },
      "origins.api.url: is this deployment itself; requests would go round in a circle",
    ],
    [
      "too few approvers",
      { access_rules: [rule({ stages: [{ subjects: ["corp|a", "corp|a"], count: 2 }] })] },
      "access_rules.0.stages: needs more different people than it names, and each approval counts once; lower a count, or name more",
    ],
    [
      "an old state on a strict route",
      { routes: [route({ consistency: { tier: "strict" }, on_stale: { allow_for_seconds: 5 } })] },
      'routes.0.on_stale: a strict route cannot allow requests on an old revocation state; use "deny"',
    ],
    [
      "a parameter that the path does not have",
      { routes: [route({ access: { resource: "projects/:project" } })] },
      "routes.0.access.resource: :project is not a parameter of the path /orders/:id",
    ],
    [
      "a parameter twice",
      { routes: [route({ path: "/:id/:id" })] },
      "routes.0.path: uses the name of a parameter twice",
    ],
    [
      "two routes for one request",
      { routes: [route(), route({ id: "b", path: "/orders/*" })] },
      "routes.1.path: takes the same GET requests as routes.0; give one of them another path, host or other methods",
    ],
  ])("refuse %s", (_title, over, fault) => expect(faultsOf(policy(over as Changed))).toEqual([fault]));

  it.each<[string, Changed]>([
    ["two issuers", { issuers: [issuer(), issuer({ id: "b", issuer: "https://b.test" })] }],
    [
      "an issuer beside us on our host",
      { issuers: [issuer({ issuer: "https://auth.example.com/realms/corp" })] },
    ],
    [
      "an origin on another port of our host",
      { origins: { api: origin({ url: "https://auth.example.com:8443" }) } },
    ],
    [
      "enough approvers",
      { access_rules: [rule({ stages: [{ subjects: ["corp|a", "corp|b"], count: 2 }] })] },
    ],
    ["a role that brings approvers", { access_rules: [rule({ stages: [{ roles: ["a"], count: 3 }] })] }],
    ["an old state on a bounded route", { routes: [route({ on_stale: { allow_for_seconds: 5 } })] }],
    ["a strict route that denies", { routes: [route({ consistency: { tier: "strict" } })] }],
    ["a parameter of the path", { routes: [route({ access: { resource: "orders/:id/lines" } })] }],
    [
      "two methods of one path",
      { routes: [route({ methods: ["GET"] }), route({ id: "b", methods: ["PUT"] })] },
    ],
  ])("accept %s", (_title, over) => expect(faultsOf(policy(over))).toEqual([]));

  it.each<[string, PolicyContext, string[]]>([
    ["https://api.example", DEPLOYED, []],
    ["https://api.example:8443", DEPLOYED, []],
    ["https://api.example/", DEPLOYED, ["must be scheme, host"]],
    ["https://api.example/v1", DEPLOYED, ["must be scheme, host"]],
    ["https://api.example?x", DEPLOYED, ["must be scheme, host"]],
    ["https://API.example", DEPLOYED, ["must be scheme, host"]],
    ["https://u:p@api.example", DEPLOYED, ["must not hold credentials", "must be scheme, host"]],
    ["https://api.example#x", DEPLOYED, ["must not have a fragment", "must be scheme, host"]],
    ["http://api.example", DEPLOYED, ["must be https"]],
    ["http://localhost:9000", DEPLOYED, ["must be https"]],
    ["http://localhost:9000", LOCAL, []],
    ["http://127.0.0.1:9000", LOCAL, []],
    ["http://[::1]:9000", LOCAL, []],
    ["http://api.example", LOCAL, ["must be https; plain http is for loopback hosts only"]],
    ["http://localhost.evil.test", LOCAL, ["must be https"]],
    ["http://127.0.0.1:8787", LOCAL, ["is this deployment itself"]],
    ["https://auth.example.com", DEPLOYED, ["is this deployment itself"]],
  ])("the origin %s", (url, context, expected) => {
    const faults = faultsOf({ origins: { api: origin({ url }) } }, context);
    expect(faults).toEqual(expected.map((text) => expect.stringContaining(`origins.api.url: ${text}`)));
    expect(faults.join()).not.toContain("u:p");
  });

  it.each<[string, string, PolicyContext, number]>([
    ["api.example", "https://api.example", DEPLOYED, 1],
    ["*.example", "https://api.example", DEPLOYED, 1],
    ["api.example", "https://origin.api.example", DEPLOYED, 0],
    ["*.example", "https://a.api.example", DEPLOYED, 0],
    ["api.example", "https://api.example:8443", DEPLOYED, 0],
    ["localhost:8787", "http://localhost:8787", { ...LOCAL, issuer: "http://localhost:1" }, 0],
  ])("a route for the host %s and the origin %s", (host, url, context, count) => {
    const faults = faultsOf(
      policy({ origins: { api: origin({ url }) }, routes: [route({ host })] }),
      context,
    );
    expect(faults.filter((fault) => fault.includes("in a circle"))).toHaveLength(count);
  });

  it("an origin is a URL or a service binding that the deployment has, and not both", () => {
    const { url, ...rest } = origin();
    const context = { ...DEPLOYED, services: new Set(["ORDERS"]) };
    const faults = (api: object, given: PolicyContext = context) => faultsOf({ origins: { api } }, given);
    expect(faults({ ...rest, service: "ORDERS" })).toEqual([]);
    expect(faults({ ...rest, service: "ORDERS", message_signature: true })).toEqual([]);
    expect(faults({ ...rest, service: "OTHER" })).toEqual([
      expect.stringContaining("origins.api.service: this deployment has no service binding OTHER"),
    ]);
    expect(faults({ ...rest, service: "ORDERS" }, DEPLOYED)).toHaveLength(1);
    expect(faults({ ...rest, service: "not a name" })).toEqual([
      expect.stringContaining("origins.api.service: must be the name of a binding"),
    ]);
    const one = [expect.stringContaining("origins.api: give exactly one of url and service")];
    expect(faults(rest)).toEqual(one);
    expect(faults({ ...rest, url, service: "ORDERS" })).toEqual(one);
  });

  it.each<[string, PolicyContext, string | undefined]>([
    ["https://login.test/jwks?v=1", DEPLOYED, undefined],
    ["http://login.test/jwks", DEPLOYED, "must be https"],
    ["https://u:p@login.test/jwks", DEPLOYED, "must not hold credentials"],
    ["http://localhost:9001/jwks", LOCAL, undefined],
    ["http://localhost:9001/jwks", DEPLOYED, "must be https"],
    ["http://10.0.0.1/jwks", LOCAL, "must be https"],
  ])("the keys at %s", (jwks_uri, context, expected) => {
    const faults = faultsOf({ issuers: [issuer({ jwks_uri })] }, context);
    expect(faults).toEqual(expected ? [expect.stringContaining(`issuers.0.jwks_uri: ${expected}`)] : []);
  });

  it("an issuer is https, too, unless it is local", () => {
    const plain = { issuers: [issuer({ issuer: "http://localhost:9001" })] };
    expect(faultsOf(plain, LOCAL)).toEqual([]);
    expect(faultsOf(plain)).toEqual(["issuers.0.issuer: must be https"]);
  });
});

describe("paths of the control plane", () => {
  it.each([
    "/healthz",
    "/v1/policy",
    "/v1/:x",
    "/v1/**",
    "/oauth/*",
    "/oauth/**",
    "/console",
    "/console/**",
    "/.well-known/jwks.json",
    "/access/v1/evaluation",
    "/ext-authz/:a/b",
  ])("%s on the issuer's host never answers", (path) => {
    for (const [host, context] of [
      ["auth.example.com", DEPLOYED],
      ["localhost:8787", LOCAL],
      ["localhost", LOCAL],
    ] as const) {
      expect(faultsOf(policy({ routes: [route({ path, host })] }), context)).toEqual([
        expect.stringContaining("routes.0.path: is answered by the control plane"),
      ]);
    }
    for (const host of [undefined, "other.example.com", "*.example.com", "auth.example.com:8443"]) {
      expect(faultsOf(policy({ routes: [route({ path, host })] }))).toEqual([]);
    }
  });

  it.each([
    "/",
    "/**",
    "/:x/y",
    "/*/policy",
    "/v1",
    "/v2/**",
    "/healthz/",
    "/consoles",
    "/.well-known/**",
    "/.well-known/acme",
  ])("%s on the issuer's host is the policy's", (path) =>
    expect(faultsOf(policy({ routes: [route({ path, host: "auth.example.com" })] }))).toEqual([]),
  );

  it("are known by their bytes", () => {
    expect(
      ["/v1/", "/oauth/token", "/readyz", "/metrics", "/forward-auth", "/session", "/session/x"].map(
        isReservedPath,
      ),
    ).not.toContain(false);
    expect(
      ["/v1", "/V1/x", "/%761/x", "/readyz/", "/", "/oauth", "/sessions"].map(isReservedPath),
    ).not.toContain(true);
  });
});

describe("the answer", () => {
  it("names every fault at once, also across members of parts that are in order", () => {
    const input = policy({
      extra: 1,
      issuers: [issuer(), { id: "x" }, issuer({ id: "c" })],
      origins: { api: origin(), bad: { url: 5 } },
      routes: [
        route({ methods: ["BREW"] }),
        route({ id: "b", origin: "bad" }),
        route({ id: "b", origin: "gone" }),
      ],
    });
    expect(faultsOf(input).map((line) => line.slice(0, line.indexOf(":")))).toEqual([
      "issuers.1.issuer",
      "issuers.1.algorithms",
      "issuers.1.audience",
      "origins.bad.url",
      "origins.bad.audience",
      "routes.0.methods.0",
      "extra",
      "issuers.2.issuer",
      "routes.2.id",
      "routes.2.origin",
      "routes.2.path",
    ]);
  });

  it("counts what it does not list", () => {
    const routes = Array.from({ length: 150 }, (_, i) =>
      route({ id: `r${i}`, path: `/${i}`, origin: "gone" }),
    );
    const checked = checkPolicy(policy({ routes }), DEPLOYED);
    expect(checked).toMatchObject({ error: { code: "invalid_body" } });
    expect(checked.ok || checked.error.detail).toMatch(/^The policy has 150 faults\. routes\.0\.origin: /);
    expect(faultsOf(policy({ routes }))).toHaveLength(101);
    expect(faultsOf(policy({ routes })).at(-1)).toBe("(document): and 50 more");
  });
});

describe("an issuer that shares a secret", () => {
  const shared = (over: Changed = {}) =>
    policy({
      issuers: [
        issuer({ jwks_uri: undefined, secret_ref: "ISSUER_SECRET_LEGACY", algorithms: ["HS256"], ...over }),
      ],
    });
  const context = { ...DEPLOYED, secretRefs: new Set(["ISSUER_SECRET_LEGACY"]) };

  it("is named by the deployment's secret, with HS256 alone", () => {
    expect(faultsOf(shared(), context)).toEqual([]);
  });

  it.each([
    [
      "a secret that the deployment lacks",
      { secret_ref: "ISSUER_SECRET_OTHER" },
      /^issuers\.0\.secret_ref: .*no secret/,
    ],
    [
      "another secret of the deployment",
      { secret_ref: "PORTCULLIS_SECRET" },
      /^issuers\.0\.secret_ref: must be ISSUER_SECRET_/,
    ],
    [
      "a secret in the clear",
      { secret_ref: "correct horse battery staple 0123456789" },
      /^issuers\.0\.secret_ref: must be/,
    ],
    ["public keys beside it", { jwks: { keys: [JWK] } }, /^issuers\.0: give exactly one/],
    [
      "their address beside it",
      { jwks_uri: "https://login.example.com/jwks" },
      /^issuers\.0: give exactly one/,
    ],
    ["an asymmetric algorithm", { algorithms: ["RS256"] }, /^issuers\.0\.algorithms: must be \["HS256"\]/],
    [
      "an asymmetric algorithm beside it",
      { algorithms: ["HS256", "RS256"] },
      /^issuers\.0\.algorithms: must be/,
    ],
    ["no secret", { secret_ref: undefined, jwks: { keys: [JWK] } }, /^issuers\.0\.algorithms: must be/],
    [
      "no secret, and algorithms mixed",
      { secret_ref: undefined, jwks: { keys: [JWK] }, algorithms: ["RS256", "HS256"] },
      /^issuers\.0\.algorithms: must be/,
    ],
  ])("is refused with %s", (_what, over, fault) => {
    const faults = faultsOf(shared(over), context);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });
});

describe("the life of our own keys", () => {
  const keys = (section: Changed, context?: PolicyContext) => faultsOf(policy({ keys: section }), context);

  it("is thirty days with a day's notice where nothing is said, and may be chosen", () => {
    expect(keyPolicy(policySchema.parse({}))).toEqual({
      algorithm: "ES256",
      rotation_seconds: 30 * 86_400,
      publish_ahead_seconds: 86_400,
      overdue_grace_seconds: 7 * 86_400,
    });
    for (const algorithm of ["ES256", "EdDSA", "RS256"]) expect(keys({ algorithm })).toEqual([]);
    expect(keys({ publish_ahead_seconds: 600, rotation_seconds: 1_200 })).toEqual([]);
  });

  it.each([
    [{ algorithm: "HS256" }, /^keys\.algorithm: /],
    [{ algorithm: "none" }, /^keys\.algorithm: /],
    [
      { publish_ahead_seconds: 600, rotation_seconds: 1_199 },
      /^keys\.rotation_seconds: must be at least twice/,
    ],
    [{ publish_ahead_seconds: 599 }, /^keys\.publish_ahead_seconds: must be at least 600/],
    [{ rotation_seconds: 0 }, /^keys\.rotation_seconds: /],
    [{ rotate: 1 }, /^keys\.rotate: /],
  ])("is refused as %j", (section, fault) => {
    expect(keys(section).join("\n")).toMatch(fault);
  });

  it("may be hurried in a local deployment only", () => {
    expect(keys({ publish_ahead_seconds: 1, rotation_seconds: 2 }, LOCAL).join()).not.toContain("keys.");
    expect(keys({ publish_ahead_seconds: 1, rotation_seconds: 2 }).join()).toContain("keys.publish_ahead");
  });
});

describe("signing in with a browser", () => {
  const context = { ...DEPLOYED, secretRefs: new Set(["SIGN_IN_SECRET_CORP", "ISSUER_SECRET_LEGACY"]) };
  const signIn = (sign_in: Changed = {}, more: Changed = {}) => {
    const client = { client_id: "gate", client_secret_ref: "SIGN_IN_SECRET_CORP", ...sign_in };
    const input = policy({ issuers: [issuer({ sign_in: client })], sessions: {}, ...more });
    // As JSON, in which nothing is undefined.
    return checkPolicy(JSON.parse(JSON.stringify(input)), context);
  };
  const faults = (checked: ReturnType<typeof checkPolicy>) =>
    checked.ok ? [] : (checked.error.extra?.faults as string[]);

  it("takes a client with its secret's name, or a public one", () => {
    const checked = signIn();
    expect(checked.ok && checked.value.issuers[0]?.sign_in).toEqual({
      client_id: "gate",
      client_secret_ref: "SIGN_IN_SECRET_CORP",
      client_auth: "client_secret_basic",
      scopes: ["openid"],
      session_scopes: [],
    });
    expect(faults(signIn({ client_secret_ref: undefined }))).toEqual([]);
  });

  it.each<[string, Changed, Changed, RegExp]>([
    [
      "another secret's name",
      { client_secret_ref: "PORTCULLIS_SECRET" },
      {},
      /client_secret_ref: must be SIGN_IN_SECRET_/,
    ],
    [
      "a secret itself",
      { client_secret_ref: "correct horse" },
      {},
      /client_secret_ref: must be SIGN_IN_SECRET_/,
    ],
    [
      "a name without a secret",
      { client_secret_ref: "SIGN_IN_SECRET_GONE" },
      {},
      /client_secret_ref: .*no secret/,
    ],
    ["scopes without openid", { scopes: ["profile"] }, {}, /sign_in\.scopes: must include openid/],
    ["no section sessions", {}, { sessions: undefined }, /sign_in: needs the section sessions/],
  ])("refuses %s", (_what, sign_in, more, told) => {
    expect(faults(signIn(sign_in, more))).toEqual([expect.stringMatching(told)]);
  });

  it("is nothing for an issuer with a shared secret", () => {
    const shared = issuer({
      jwks_uri: undefined,
      secret_ref: "ISSUER_SECRET_LEGACY",
      algorithms: ["HS256"],
      sign_in: { client_id: "gate" },
    });
    expect(faults(checkPolicy(policy({ issuers: [shared], sessions: {} }), context))).toEqual([
      expect.stringMatching(/sign_in: an issuer with a shared secret signs nobody in/),
    ]);
  });

  it("may be what Cloudflare Access in front does, by an issuer of its own", () => {
    const team = (members: Changed, more: Changed = {}) => {
      const input = policy({
        issuers: [issuer({ cloudflare_access: {}, ...members })],
        sessions: {},
        ...more,
      });
      return faults(checkPolicy(JSON.parse(JSON.stringify(input)), context));
    };
    expect(team({})).toEqual([]);
    expect(team({ sign_in: { client_id: "gate" } })).toEqual([
      expect.stringMatching(/cloudflare_access: is for another issuer/),
    ]);
    expect(team({}, { sessions: undefined })).toEqual([
      expect.stringMatching(/cloudflare_access: needs the section sessions/),
    ]);
    const shared = { jwks_uri: undefined, secret_ref: "ISSUER_SECRET_LEGACY", algorithms: ["HS256"] };
    expect(team(shared)).toEqual([
      expect.stringMatching(/cloudflare_access: an issuer with a shared secret/),
    ]);
  });

  it("is a place of credentials of its own, named once", () => {
    const taken = (credential: unknown[]) =>
      faults(checkPolicy(policy({ routes: [route({ credential })] }), context));
    expect(taken([{ from: "session" }, { from: "authorization" }])).toEqual([]);
    expect(taken([{ from: "session", csrf: "token" }])).toEqual([]);
    expect(taken([{ from: "session" }, { from: "session", csrf: "token" }])).toEqual([
      expect.stringMatching(/credential: names the same place twice/),
    ]);
    expect(taken([{ from: "session", csrf: "none" }])).toHaveLength(1);
  });
});

describe("access and limits of a route", () => {
  const limiters = new Set(["burst_10s"]);
  const faults = (access: unknown, more: Changed = {}) =>
    faultsOf(policy({ routes: [route({ access, ...more })] }), { ...DEPLOYED, limiters });
  const limited = (limit: unknown, access: unknown = {}) => faults(access, { limit });
  const exact = { requests: 5, period_seconds: 60 };

  it.each([
    [{ any_scopes: ["a", "b"] }],
    [{ max_token_age_seconds: 60 }],
    [{ step_up: { acr_values: ["urn:mace:incommon:iap:silver", "phr"] } }],
    [{ step_up: { max_age_seconds: 300 } }],
    [{ condition: "cf.country in ['DE', 'AT'] && time.hour < 18" }],
    [{ condition: "request.params.id == token.subject", time_zone: "Europe/Berlin" }],
  ])("may be %j", (access) => expect(faults(access)).toEqual([]));

  it.each([
    [{ any_scopes: [] }, "any_scopes"],
    [{ any_scopes: ["a b"] }, "any_scopes.0"],
    [{ max_token_age_seconds: 0 }, "max_token_age_seconds"],
    [{ step_up: {} }, "step_up"],
    [{ step_up: { acr_values: [] } }, "step_up.acr_values"],
    [{ step_up: { acr_values: ["a b"] } }, "step_up.acr_values.0"],
    [{ step_up: { acr_values: ['a"b'] } }, "step_up.acr_values.0"],
    [{ step_up: { acr_values: ["a"], max_age: 300 } }, "step_up.max_age"],
    [{ condition: "token.sub ==" }, "condition"],
    [{ condition: "env.SECRET == 'x'" }, "condition"],
    [{ condition: "requester.subject == 'x'" }, "condition"],
    [{ condition: "x".repeat(1_001) }, "condition"],
    [{ condition: "true", time_zone: "+02:00" }, "time_zone"],
  ])("may not be %j", (access, member) => {
    const [first, ...others] = faults(access);
    expect(first).toMatch(new RegExp(`^routes\\.0\\.access\\.${member.replace(/\./g, "\\.")}: `));
    expect(others).toEqual([]);
  });

  it.each([
    [{ by: "token", exact }, {}],
    [{ by: "subject", limiter: "burst_10s" }, {}],
    [{ by: "client", exact }, {}],
    [{ by: "ip", exact }, "public"],
  ])("limits by %j a route that is %j", (limit, access) => expect(limited(limit, access)).toEqual([]));

  it.each<[unknown, unknown, string]>([
    [{ by: "token", exact }, "public", "limit.by: a public route"],
    [
      { by: "ip", limiter: "other_10s" },
      {},
      "limit.limiter: this deployment has no limiter other_10s; it has burst_10s",
    ],
    [{ by: "ip", limiter: "burst" }, {}, "limit.limiter: must be the name"],
    [{ by: "ip", limiter: "burst_30s" }, {}, "limit.limiter: must be the name"],
    [{ by: "ip" }, {}, "limit: give exactly one"],
    [{ by: "ip", limiter: "burst_10s", exact }, {}, "limit: give exactly one"],
    [{ by: "country", exact }, {}, "limit.by: "],
    [{ by: "ip", exact: { requests: 0, period_seconds: 60 } }, {}, "limit.exact.requests: "],
    [{ by: "ip", exact: { requests: 1.5, period_seconds: 60 } }, {}, "limit.exact.requests: "],
    [{ by: "ip", exact: { requests: 1, period_seconds: 3_601 } }, {}, "limit.exact.period_seconds: "],
  ])("does not limit by %j a route that is %j", (limit, access, why) => {
    expect(limited(limit, access)).toEqual([expect.stringContaining(`routes.0.${why}`)]);
  });

  it("has no limiter that the deployment does not have", () => {
    const input = policy({ routes: [route({ limit: { by: "ip", limiter: "burst_10s" } })] });
    expect(faultsOf(input, DEPLOYED)).toEqual([expect.stringContaining("it has none")]);
  });
});
