import { describe, expect, it } from "vitest";
import { bearerChallenge, MAX_TOKEN_CHARS, readAuthorization } from "../../../src/protocol/bearer.ts";

describe("readAuthorization", () => {
  it.each(["Bearer abc.def.ghi", "bearer abc", "BEARER abc", "Bearer   abc"])("accepts %j", (value) => {
    expect(readAuthorization(value)).toMatchObject({
      ok: true,
      value: { scheme: "bearer", token: expect.stringMatching(/^abc/) },
    });
  });

  it.each([
    [null, "missing"],
    ["", "missing"],
    ["Bearer", "malformed"],
    ["Bearer ", "malformed"],
    ["Bearer a b", "malformed"],
    ["Bearer a\tb", "malformed"],
    ["Bearer\tabc", "scheme"],
    ["Bearer abc, Bearer def", "several"],
    ["Basic abc", "scheme"],
    ["Token abc", "scheme"],
    ["abc", "scheme"],
    [" Bearer abc", "scheme"],
    [`Bearer ${"a".repeat(MAX_TOKEN_CHARS + 1)}`, "too_long"],
  ])("refuses %j as %s", (value, fault) => {
    expect(readAuthorization(value)).toEqual({ ok: false, error: fault });
  });

  it("tells the scheme of a token with a proof apart", () => {
    for (const value of ["DPoP abc", "dpop abc", "DPOP  abc"]) {
      expect(readAuthorization(value)).toEqual({ ok: true, value: { scheme: "dpop", token: "abc" } });
    }
  });

  it("accepts a token of exactly the longest length", () => {
    expect(readAuthorization(`Bearer ${"a".repeat(MAX_TOKEN_CHARS)}`).ok).toBe(true);
  });
});

describe("bearerChallenge", () => {
  it("has no error code where no credential was sent", () => {
    expect(bearerChallenge("api")).toBe('Bearer realm="api"');
  });

  it("names how to sign in (RFC 9470 §3)", () => {
    const value = bearerChallenge("api", {
      error: "insufficient_user_authentication",
      acrValues: ["phr", "mfa"],
      maxAgeSeconds: 5,
    });
    expect(value).toBe(
      'Bearer realm="api", error="insufficient_user_authentication", acr_values="phr mfa", max_age="5"',
    );
  });

  it("names error and scope, and cannot be broken out of", () => {
    const value = bearerChallenge("api", {
      error: "insufficient_scope",
      scope: 'a", evil="1',
      description: "x\r\ny",
    });
    expect(value).toBe(
      'Bearer realm="api", error="insufficient_scope", error_description="x  y", scope="a , evil= 1"',
    );
  });
});
