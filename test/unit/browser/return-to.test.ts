import { describe, expect, it } from "vitest";
import { isSessionHost, readReturnTo } from "../../../src/browser/return-to.ts";
import { policySchema } from "../../../src/policy/document.ts";

const ISSUER = "https://auth.example.com";
const LOCAL = "http://localhost:8787";
const route = (id: string, host: string | undefined, from = "session") => ({
  id,
  ...(host === undefined ? {} : { host }),
  path: "/**",
  origin: "api",
  access: {},
  credential: [from === "header" ? { from, name: "x-token" } : { from }],
});
const policy = policySchema.parse({
  routes: [
    route("app", "app.example.com"),
    route("any", "*.apps.example.com"),
    route("port", "port.example.com:8443"),
    route("api", "api.example.com", "authorization"),
    route("open", undefined),
    route("local", "127.0.0.1"),
  ],
});
const read = (text: string) => readReturnTo(text, { issuer: ISSUER, local: false, policy })?.url;

describe("a place to go on to", () => {
  it.each([
    ["/", `${ISSUER}/`],
    ["/session", `${ISSUER}/session`],
    ["/a/b?c=%2F#d", `${ISSUER}/a/b?c=%2F#d`],
    ["/https://evil.example", `${ISSUER}/https://evil.example`],
    [`${ISSUER}/x`, `${ISSUER}/x`],
    ["https://app.example.com/a?b", "https://app.example.com/a?b"],
    ["https://app.example.com:443/a", "https://app.example.com/a"],
    // A browser would take it for a path of ours: it is sent on in full.
    ["https:app.example.com", "https://app.example.com/"],
    ["https://one.apps.example.com/", "https://one.apps.example.com/"],
    ["https://port.example.com:8443/", "https://port.example.com:8443/"],
  ])("is %s", (text, url) => expect(read(text)).toBe(url));

  it.each([
    "",
    "x",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    " https://app.example.com/",
    "https://evil.example/",
    "https://app.example.com.evil.example/",
    "https://evil.example/app.example.com",
    "https://app.example.com@evil.example/",
    "https://user@app.example.com/",
    "https://app.example.com/#token",
    "http://app.example.com/",
    "https://app.example.com:8443/",
    "https://port.example.com/",
    "https://api.example.com/",
    "https://two.one.apps.example.com/",
    "https://apps.example.com/",
    "https://.apps.example.com/",
    "https://127.0.0.1:80/",
    "javascript:alert(1)",
    "data:text/html,x",
    "ftp://app.example.com/",
    `https://app.example.com/${"a".repeat(2_048)}`,
    "https://app.example.com/\u00e9",
  ])("is not %j", (text) => {
    expect(read(text)).toBeUndefined();
  });

  it("is plain http on any port of a named host, for a local deployment alone", () => {
    const local = { issuer: LOCAL, local: true, policy };
    expect(readReturnTo("http://127.0.0.1:8787/x", local)?.host).toBe("127.0.0.1:8787");
    expect(readReturnTo("https://127.0.0.1:8787/x", local)).toBeUndefined();
    expect(readReturnTo("http://127.0.0.2:8787/x", local)).toBeUndefined();
    expect(isSessionHost("127.0.0.1:8787", policy, false)).toBe(false);
  });
});
