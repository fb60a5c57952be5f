import { describe, expect, it } from "vitest";
import { checkWebhookUrl } from "../../../src/webhooks/url-guard.ts";

const accepts = (text: string, local = false) => checkWebhookUrl(text, { local }).ok;

const PUBLIC = [
  "https://hooks.example.com/portcullis",
  "https://hooks.example.com",
  "https://hooks.example.com:443/a",
  "https://hooks.example.com:8443/a?key=b",
  "https://xn--bcher-kva.example.com/",
  "https://a.b.c.d.example.co.uk/%7Euser",
  "https://10.example.com/",
  "https://localhost.example.com/",
  "https://internal.example.com/",
  "https://test.example.com/",
  "https://127.0.0.1.example.com/",
];

const REFUSED: Record<string, string[]> = {
  "not a URL": ["", "hooks.example.com", "/relative", "//example.com/a", "https://", "https:///a"],
  scheme: [
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
  ],
  credentials: ["https://user@example.com/", "https://user:pass@example.com/", "https://:pass@example.com/"],
  fragment: ["https://example.com/#a", "https://example.com/a#"],
  port: [
    "https://example.com:80/",
    "https://example.com:22/",
    "https://example.com:8080/",
    "https://example.com:444/",
  ],
  "IPv4 in any notation": [
    "https://127.0.0.1/",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://8.8.8.8/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0/",
    "https://127.0.0.1./",
    "https://%31%32%37.0.0.1/",
  ],
  IPv6: [
    "https://[::1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[2001:db8::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
  ],
  "single label": ["https://intranet/", "https://metadata/", "https://a/", "https://localhost/"],
  "special names": [
    "https://api.localhost/",
    "https://printer.local/",
    "https://metadata.google.internal/computeMetadata/v1",
    "https://METADATA.GOOGLE.INTERNAL/",
    "https://metadata.goog/",
    "https://nas.home.arpa/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://abcdefghij.onion/",
    "https://a.invalid/",
    "https://a.test/",
    "https://a.example/",
    "https://kubernetes.default.svc/",
    "https://nas.lan/",
  ],
  "a trailing dot": ["https://example.com./", "https://localhost./", "https://printer.local./"],
  "host syntax": [
    "https://a_b.example.com/",
    "https://-a.example.com/",
    "https://a-.example.com/",
    "https://a..example.com/",
  ],
  "characters that parsers read differently": [
    "https://example.com\\@127.0.0.1/",
    "https:\\\\example.com/",
    "https://exa\tmple.com/",
    "https://example.com/\r\nHost: a",
    " https://example.com/",
    "https://ⓔxample.com/",
    "https://127。0。0。1/",
    "https://example.com/ü",
  ],
  "too long": [`https://example.com/${"a".repeat(500)}`],
};

describe("a deployment that faces the internet", () => {
  it.each(PUBLIC)("accepts %s", (text) => expect(accepts(text)).toBe(true));

  for (const [why, list] of Object.entries(REFUSED)) {
    it.each(list)(`refuses, ${why}: %j`, (text) => expect(accepts(text)).toBe(false));
  }

  it("refuses loopback over http, which only a local deployment may use", () => {
    expect(accepts("http://127.0.0.1:9000/")).toBe(false);
    expect(accepts("http://localhost:9000/")).toBe(false);
  });

  it("answers the URL in one spelling, and a problem that names the member", () => {
    expect(checkWebhookUrl("HTTPS://Hooks.Example.com:443/a/../b", { local: false })).toEqual({
      ok: true,
      value: "https://hooks.example.com/b",
    });
    expect(checkWebhookUrl("http://hooks.example.com/", { local: false })).toMatchObject({
      ok: false,
      error: {
        code: "invalid_body",
        detail: "url: must be https",
        extra: { faults: ["url: must be https"] },
      },
    });
  });
});

describe("a deployment on a loopback host", () => {
  it.each([
    "http://127.0.0.1:9000/hook",
    "http://localhost:9000/hook",
    "http://[::1]:9000/hook",
    "http://127.8.9.10/",
    "https://localhost:9443/",
    "http://0x7f.1:9000/",
    "https://hooks.example.com:9443/",
    ...PUBLIC,
  ])("accepts %s", (text) => expect(accepts(text, true)).toBe(true));

  it.each([
    "http://hooks.example.com/",
    "http://10.0.0.1/",
    "http://169.254.169.254/",
    "https://169.254.169.254/",
    "http://[fe80::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://user@localhost/",
    "http://localhost/#a",
    "ftp://localhost/",
    "http://api.localhost/",
    "https://printer.local/",
  ])("refuses %s", (text) => expect(accepts(text, true)).toBe(false));
});
