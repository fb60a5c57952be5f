import { describe, expect, it } from "vitest";
import { diffPolicies } from "../../../src/policy/diff.ts";
import { policySchema } from "../../../src/policy/document.ts";

const route = (id: string, over: object = {}) => ({
  id,
  path: `/${id}`,
  origin: "o",
  access: "public",
  ...over,
});
const rule = (id: string, over: object = {}) => ({
  id,
  resource: id,
  origin: "o",
  scopes: ["a"],
  requesters: { roles: ["r"] },
  stages: [{ roles: ["r"] }],
  max_duration_seconds: 60,
  ...over,
});
const origin = (url: string) => ({ url, audience: "o" });
const same = { added: [], removed: [], changed: [] };
const diff = (before: object, after: object) =>
  diffPolicies(policySchema.parse(before), policySchema.parse(after));

describe("diffPolicies", () => {
  it("finds nothing where nothing differs but the order of writing", () => {
    const jwk = { kty: "EC", kid: "1", crv: "P-256", x: "x", y: "y" };
    const issuer = { id: "i", issuer: "https://i.test", algorithms: ["ES256"], audience: "a" };
    const before = {
      issuers: [{ ...issuer, jwks: { keys: [jwk] } }],
      routes: [route("a"), route("b")],
      origins: { o: { url: "https://o.test", audience: "o" } },
    };
    const after = {
      issuers: [{ jwks: { keys: [Object.fromEntries(Object.entries(jwk).toReversed())] }, ...issuer }],
      routes: [route("b"), route("a")],
      origins: { o: { audience: "o", url: "https://o.test", timeout_ms: 15_000 } },
    };
    expect(diff(before, after)).toEqual({
      issuers: same,
      origins: same,
      routes: same,
      access_rules: { ...same, reordered: false },
      roles: same,
      token_endpoint: same,
      delegation: same,
      revocations: same,
      sessions: same,
      detections: same,
      remediation: same,
    });
  });

  it("names what was added, removed and changed in each part", () => {
    const issuer = {
      id: "i",
      issuer: "https://i.test",
      jwks_uri: "https://i.test/k",
      algorithms: ["ES256"],
      audience: "a",
    };
    const before = {
      issuers: [issuer],
      origins: { o: origin("https://o.test"), p: origin("https://p.test") },
      routes: [route("a"), route("b")],
      access_rules: [rule("a"), rule("b")],
      roles: { r: { scopes: ["x"] } },
      revocations: { confirm_above: 10 },
      sessions: { idle_seconds: 60 },
      detections: { token_tampered: { threshold: 3 } },
    };
    const after = {
      issuers: [{ ...issuer, algorithms: ["RS256"] }],
      origins: { o: origin("https://o2.test"), q: origin("https://q.test") },
      routes: [route("a", { methods: ["GET"] }), route("c")],
      access_rules: [rule("a", { stages: [{ roles: ["r"], count: 2 }] }), rule("b")],
      roles: { r: { scopes: ["x", "y"] } },
      token_endpoint: { dpop_nonce: true },
      delegation: [{ id: "d", actors: { subjects: ["svc"] }, for: { roles: ["r"] }, scopes: ["x"] }],
      revocations: { confirm_above: 1_000_000 },
      sessions: { idle_seconds: 120, reassert_seconds: 60 },
      detections: { token_tampered: { threshold: 4 } },
      remediation: { rules: [{ id: "x", when: "token_overused", actions: [{ kind: "count" }] }] },
    };
    expect(diff(before, after)).toEqual({
      issuers: { added: [], removed: [], changed: ["i"] },
      origins: { added: ["q"], removed: ["p"], changed: ["o"] },
      routes: { added: ["c"], removed: ["b"], changed: ["a"] },
      access_rules: { added: [], removed: [], changed: ["a"], reordered: false },
      roles: { added: [], removed: [], changed: ["r"] },
      token_endpoint: { added: ["dpop_nonce"], removed: [], changed: [] },
      delegation: { added: ["d"], removed: [], changed: [] },
      sessions: { added: ["reassert_seconds"], removed: [], changed: ["idle_seconds"] },
      detections: { added: [], removed: [], changed: ["token_tampered"] },
      revocations: { added: [], removed: [], changed: ["confirm_above"] },
      remediation: { added: ["x"], removed: [], changed: [] },
    });
  });

  it("tells that the order of access rules changed, which changes who approves", () => {
    const of = (...ids: string[]) => ({ access_rules: ids.map((id) => rule(id)) });
    expect(diff(of("a", "b"), of("b", "a")).access_rules).toEqual({ ...same, reordered: true });
    expect(diff(of("a", "b", "c"), of("x", "a", "c")).access_rules).toMatchObject({ reordered: false });
  });
});
