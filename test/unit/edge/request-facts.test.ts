import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { conditionFacts } from "../../../src/edge/request-facts.ts";
import type { Facts } from "../../../src/policy/condition.ts";
import { compileCondition, loadConditions } from "../../../src/policy/condition.ts";
import type { VerifiedToken } from "../../../src/tokens/claims.ts";

beforeAll(loadConditions);

const NOW = Date.UTC(2026, 10, 22, 21, 5, 30) / 1000;
const TARGET = {
  scheme: "https" as const,
  host: "api.example.com",
  path: "/projects/42",
  search: "?a=b",
  routePath: "/projects/42",
};
const token = (over: Partial<VerifiedToken> = {}, facts: object = {}) =>
  ({
    facts: { iss: "https://idp", sub: "ann", subject: "idp|ann", iat: NOW - 60, kid: "k", ...facts },
    own: false,
    audience: ["a"],
    scopes: ["x"],
    roles: ["dev"],
    resources: ["projects/42"],
    expiresAt: NOW + 60,
    key: {} as CryptoKey,
    ...over,
  }) as VerifiedToken;
const facts = (of: VerifiedToken, cf?: object, address?: string, timeZone = "UTC") =>
  conditionFacts(
    {
      method: "GET",
      target: TARGET,
      params: { id: "42" },
      timeZone,
      headers: new Headers(address ? { "cf-connecting-ip": address } : {}),
      cf: cf as never,
    },
    of,
    NOW + 0.7,
  );
const CF = {
  country: "DE",
  continent: "EU",
  asn: 64_500,
  tlsVersion: "TLSv1.3",
  httpProtocol: "HTTP/2",
  botManagement: { score: 88, verifiedBot: false },
};
const whole = facts(
  token(
    { signIn: { acr: "mfa", auth_time: NOW - 90 }, act: { sub: "svc" } },
    { client_id: "app", grant: "grt_1", session: "ses_1" },
  ),
  CF,
  "203.0.113.9",
) as Record<string, Facts>;

describe("the facts of a request", () => {
  it("are what the token, the request, the clock and Cloudflare say", () => {
    expect(whole).toEqual({
      token: {
        subject: "idp|ann",
        issuer: "https://idp",
        client_id: "app",
        grant: "grt_1",
        session: "ses_1",
        scopes: ["x"],
        roles: ["dev"],
        resources: ["projects/42"],
        actor: "svc",
        acr: "mfa",
        auth_time: NOW - 90,
        issued_at: NOW - 60,
        expires_at: NOW + 60,
        age_seconds: 60,
      },
      request: {
        method: "GET",
        scheme: "https",
        host: "api.example.com",
        path: "/projects/42",
        params: { id: "42" },
        ip: "203.0.113.9",
      },
      time: { epoch_seconds: NOW, hour: 21, minute: 5, weekday: 7, date: "2026-11-22", zone: "UTC" },
      cf: {
        country: "DE",
        continent: "EU",
        asn: 64_500,
        bot_score: 88,
        verified_bot: false,
        tls_version: "TLSv1.3",
        http_protocol: "HTTP/2",
      },
    });
  });

  it("are on the clock of the route's zone", () => {
    expect(facts(token(), {}, undefined, "Asia/Tokyo").time).toMatchObject({
      hour: 6,
      weekday: 1,
      date: "2026-11-23",
    });
  });

  it("are those of docs/policy.md, each by its name", () => {
    const page = readFileSync(new URL("../../../docs/policy.md", import.meta.url).pathname, "utf8");
    for (const [name, members] of Object.entries(whole)) {
      const [, told = ""] = new RegExp(`^\\| \`${name}\` \\| (.+) \\|$`, "m").exec(page) ?? [];
      const names = [...told.matchAll(/`([a-z_]+)`/g)].map(([, each]) => each);
      expect(names).toEqual(Object.keys(members));
    }
  });

  it.each([
    ["cf.country == 'DE'"],
    ["cf.country != 'DE'"],
    ["!(cf.country == 'DE')"],
    ["!(cf.country in ['DE'])"],
    ["cf.bot_score < 100 || cf.bot_score >= 100"],
    ["!cf.verified_bot"],
    ["token.acr != 'x'"],
    ["request.ip != '1.1.1.1'"],
  ])("that are not known make %s fail", (source) => {
    const holds = (given: Facts) => {
      const compiled = compileCondition(source, ["token", "request", "time", "cf"]);
      return compiled.ok && compiled.value(given);
    };
    for (const cf of [undefined, {}, { country: null, asn: "1", botManagement: null }, { country: "" }]) {
      expect(holds(facts(token(), cf))).toBe(false);
    }
    const known = [CF, { ...CF, country: "FR" }].map((cf) =>
      holds(facts(token({ signIn: { acr: "mfa" } }), cf, "203.0.113.9")),
    );
    expect(known).toContain(true);
  });
});
