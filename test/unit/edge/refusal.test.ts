import { describe, expect, it } from "vitest";
import { type RefuseReason, refusal } from "../../../src/edge/decision.ts";
import { logRefusal, REFUSE_REASONS, refusalResponse, tell } from "../../../src/edge/refusal.ts";
import type { LogFields } from "../../../src/platform/log.ts";
import { policySchema } from "../../../src/policy/document.ts";
import type { VerifiedToken } from "../../../src/tokens/claims.ts";
import { policyOf } from "../../support/edge-world.ts";

const ISSUER = "https://auth.example.com";
const route = policySchema.parse(
  policyOf([{ path: "/projects/:id", access: { scopes: ["a", "b"], resource: "projects/:id" } }]),
).routes[0]!;

const answer = (reason: RefuseReason, more = {}) => refusalResponse(refusal(reason, more), ISSUER, "dec_1");

describe("what a refused client is told", () => {
  it.each(REFUSE_REASONS)("is a problem that names the decision, never cached: %s", async (reason) => {
    const response = answer(reason, { route });
    const body = (await response.json()) as Record<string, unknown>;
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-request-id")).toBe("dec_1");
    expect(body).toMatchObject({ status: response.status, decision_id: "dec_1", code: expect.any(String) });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.headers.has("retry-after")).toBe(response.status === 503);
    const credentials = body.code === "invalid_request" && reason !== "request_body";
    const challenged = [401, 403].includes(response.status) || credentials;
    expect(response.headers.has("www-authenticate")).toBe(challenged);
  });

  it("has a status for each group of reasons", () => {
    const statusOf = (...reasons: RefuseReason[]) => new Set(reasons.map((reason) => answer(reason).status));
    const starting = (prefix: string) => REFUSE_REASONS.filter((reason) => reason.startsWith(prefix));
    expect(statusOf(...starting("target_"))).toEqual(new Set([400]));
    expect(statusOf("credential_several", "credential_in_query")).toEqual(new Set([400]));
    expect(
      statusOf("credential_missing", "credential_scheme", "credential_malformed", "credential_too_long"),
    ).toEqual(new Set([401]));
    expect(statusOf(...starting("token_").filter((r) => r !== "token_issuer_keys_unavailable"))).toEqual(
      new Set([401]),
    );
    expect(statusOf("scope_missing", "role_missing", "resource_not_granted")).toEqual(new Set([403]));
    expect(statusOf("request_body")).toEqual(new Set([400]));
    expect(statusOf("no_route")).toEqual(new Set([404]));
    expect(statusOf("method_not_allowed")).toEqual(new Set([405]));
    expect(statusOf("internal")).toEqual(new Set([500]));
    expect(statusOf("origin_unreachable")).toEqual(new Set([502]));
    expect(statusOf("stale", "no_view", "token_issuer_keys_unavailable", "assertion_unavailable")).toEqual(
      new Set([503]),
    );
    expect(statusOf("origin_timeout")).toEqual(new Set([504]));
  });

  it("is the same for every fault of a token", async () => {
    const faults = REFUSE_REASONS.filter(
      (r) => r.startsWith("token_") && r !== "token_issuer_keys_unavailable",
    );
    expect(faults.length).toBeGreaterThan(10);
    const texts = faults.map(async (reason) => {
      const response = answer(reason, { route, jti: "tok_1" });
      return `${await response.text()} ${response.headers.get("www-authenticate")}`;
    });
    expect(new Set(await Promise.all(texts)).size).toBe(1);
  });

  it("has no error code in the challenge where no bearer token was sent (RFC 6750 §3.1)", () => {
    expect(answer("credential_missing").headers.get("www-authenticate")).toBe(`Bearer realm="${ISSUER}"`);
    expect(answer("token_expired").headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect(answer("credential_several").headers.get("www-authenticate")).toContain('error="invalid_request"');
  });

  it("says on a 403 what to ask for, and where", async () => {
    const wanted = { resource: "projects/42", scopes: ["a", "b"] };
    const response = answer("resource_not_granted", { route, ask: wanted });
    expect(response.headers.get("link")).toBe(
      `<${ISSUER}/v1/access-requests>; rel="urn:portcullis:rel:access-request"`,
    );
    expect(response.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
    expect(response.headers.get("www-authenticate")).toContain('scope="a b"');
    expect(await response.json()).toMatchObject({
      scope: "a b",
      ask: {
        resource: "projects/42",
        scope: "a b",
        authorization_details: [
          { type: "portcullis_resource", identifier: "projects/42", actions: ["a", "b"] },
        ],
        request_url: `${ISSUER}/v1/access-requests`,
      },
    });
    const without = answer("scope_missing", { route });
    expect(without.headers.get("link")).toBeNull();
    expect(await without.json()).not.toHaveProperty("ask");
  });

  it("lists the methods on a 405", () => {
    expect(answer("method_not_allowed", { allow: ["GET", "POST"] }).headers.get("allow")).toBe("GET, POST");
  });

  it("names the metadata of the resource where the caller asks for it (RFC 9728 §5.1)", () => {
    const { challenge } = tell(
      refusal("credential_missing"),
      ISSUER,
      "dec_1",
      `${ISSUER}/.well-known/oauth-protected-resource`,
    );
    expect(challenge).toContain(`resource_metadata="${ISSUER}/.well-known/oauth-protected-resource"`);
  });
});

describe("the line in the log", () => {
  it("has the reason, the route, the knowledge and the token's id", () => {
    const lines: [string, string, LogFields | undefined][] = [];
    const token = { facts: { jti: "tok_1" } } as VerifiedToken;
    const why = refusal("token_revoked", { route, token, seq: 7, replicaAgeMs: 250 });
    logRefusal((...line) => lines.push(line as never), why, "dec_1");
    logRefusal((...line) => lines.push(line as never), refusal("stale"), "dec_1");
    expect(lines[0]).toEqual([
      "info",
      "gate.refused",
      {
        decision_id: "dec_1",
        reason: "token_revoked",
        status: 401,
        route: "route-0",
        seq: 7,
        replica_age_ms: 250,
        jti: "tok_1",
      },
    ]);
    expect(lines[1]?.[0]).toBe("warn");
  });
});
