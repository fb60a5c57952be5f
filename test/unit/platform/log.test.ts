import { describe, expect, it } from "vitest";
import { faultText, redact } from "../../../src/platform/log.ts";

const jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";

const sealed = `v1.${"i".repeat(16)}.${"c".repeat(200)}`;
const link = `https://auth.example.com/v1/links/${sealed}`;

describe("redact", () => {
  it("removes secrets by name and by shape, at every depth", () => {
    const text = JSON.stringify(
      redact({
        authorization: "Bearer abc",
        nested: {
          client_secret: "s3cr3t",
          list: [`seen ${jwt} here`, "Basic dXNlcjpwYXNz", "whsec_c2VjcmV0", "xoxb-17-abc", link],
        },
        subject_token: "opaque",
      }),
    );
    for (const secret of [
      "abc",
      "s3cr3t",
      jwt,
      "eyJ",
      "dXNlcjpwYXNz",
      "c2VjcmV0",
      "opaque",
      "17-abc",
      sealed,
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  it("keeps what is needed to find a fault", () => {
    const fields = { route: "orders", jti: "tok_01h", reason: "expired", status: 401, at: [1, true, null] };
    expect(redact(fields)).toEqual(fields);
  });

  it("leaves no control character that could begin a new log line", () => {
    expect(redact("a\nb\r\u0000c")).toBe("a b  c");
  });

  it("cuts very long text", () => {
    expect((redact("x".repeat(10_000)) as string).length).toBeLessThan(3_000);
  });
});

it("faultText names the fault without what it carries", () => {
  expect(faultText(new TypeError(`bad token ${jwt}`))).toBe("TypeError: bad token [token]");
});
