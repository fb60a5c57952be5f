import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64url, canonicalBase64url, fromUtf8, sha256Hex, utf8 } from "../../../src/protocol/encoding.ts";

describe("canonicalBase64url", () => {
  it("reads back what base64url writes, as Node's Buffer does", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = base64url(bytes);
        expect(text).toBe(Buffer.from(bytes).toString("base64url"));
        expect(canonicalBase64url(text)).toEqual(new Uint8Array(bytes));
      }),
    );
  });

  it("has one spelling for each byte string: every other one that Buffer takes is refused", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_\-+/= \n]{0,12}$/), (text) => {
        const bytes = canonicalBase64url(text);
        expect(bytes !== undefined).toBe(Buffer.from(text, "base64url").toString("base64url") === text);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each(["QQ", "QUI", "QUJD"])("accepts %s", (text) => expect(canonicalBase64url(text)).toBeDefined());
  it.each(["QR", "QUJ", "QQ==", "Q", "QU JD", "QU\n", "QUI+", "é"])("refuses %j", (text) => {
    expect(canonicalBase64url(text)).toBeUndefined();
  });
});

describe("fromUtf8", () => {
  it("reads UTF-8 and refuses anything else", () => {
    expect(fromUtf8(utf8("käse"))).toBe("käse");
    expect(fromUtf8(new Uint8Array([0xc0, 0xaf]))).toBeUndefined();
  });
});

it("sha256Hex gives the digest of FIPS 180-2, appendix B.1", async () => {
  expect(await sha256Hex("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
