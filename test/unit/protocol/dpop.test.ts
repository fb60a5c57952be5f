import { beforeAll, describe, expect, it } from "vitest";
import {
  comparableTarget,
  DPOP_ALGORITHMS,
  PROOF_MAX_AGE_SECONDS,
  PROOF_SKEW_SECONDS,
  verifyDpopProof,
} from "../../../src/protocol/dpop.ts";
import { base64url, canonicalBase64url, utf8 } from "../../../src/protocol/encoding.ts";
import { hashOf, type ProofOf, proofJwk, proofOf, thumbprintOf } from "../../support/proof-factory.ts";
import { newKey, segment, signSegments, signToken, type TestKey } from "../../support/token-factory.ts";

const NOW = 1_800_000_000;
const URL_ = "https://api.example.com/orders/7";
const TOKEN = "aaa.bbb.ccc";

let key: TestKey;
let other: TestKey;
let rsa: TestKey;

beforeAll(async () => {
  [key, other, rsa] = await Promise.all([
    newKey("ES256", "k"),
    newKey("ES256", "other"),
    newKey("RS256", "rsa"),
  ]);
});

type Over = Partial<ProofOf> & { with?: TestKey };
const make = ({ with: signer = key, ...over }: Over = {}) =>
  proofOf(signer, { url: URL_, nowSeconds: NOW, accessToken: TOKEN, ...over });

async function verify(header: string | null, demand: Partial<Parameters<typeof verifyDpopProof>[1]> = {}) {
  const result = await verifyDpopProof(header, {
    method: "GET",
    url: URL_,
    accessToken: TOKEN,
    nowSeconds: NOW,
    ...demand,
  });
  return result.ok ? result.value : result.error;
}

const verdict = async (over: Over, demand = {}) => {
  const result = await verify(await make(over), demand);
  return typeof result === "string" ? result : "good";
};

describe("a DPoP proof", () => {
  it("tells whose key it is from", async () => {
    expect(await verify(await make({ nonce: "n-1", claims: { jti: "j-1" } }))).toEqual({
      jkt: await thumbprintOf(key),
      jti: "j-1",
      iat: NOW,
      nonce: "n-1",
    });
  });

  it("is verified as RFC 9449 §4.1 shows one, with the thumbprint of §6.1", async () => {
    const header =
      "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
    const claims =
      "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ";
    const signature =
      "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    const result = await verifyDpopProof(`${header}.${claims}.${signature}`, {
      method: "POST",
      url: "https://server.example.com/token",
      nowSeconds: 1_562_262_616,
    });
    expect(result).toMatchObject({
      ok: true,
      value: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", jti: "-BwC3ESc6acc2lTc" },
    });
  });

  it.each(["ES256", "ES384", "EdDSA", "PS256", "RS256"])("may be signed with %s", async (alg) => {
    expect(DPOP_ALGORITHMS).toContain(alg);
    expect(await verdict({ with: await newKey(alg, "k") })).toBe("good");
  });

  it("may name its Ed25519 algorithm by its full name (RFC 9864)", async () => {
    const ed = await newKey("EdDSA", "k");
    expect(await verdict({ with: ed, header: { alg: "Ed25519" } })).toBe("good");
  });
});

describe("check 1: exactly one header", () => {
  it("refuses none and several", async () => {
    const proof = await make();
    expect(await verify(null)).toBe("missing");
    expect(await verify("")).toBe("missing");
    expect(await verify(`${proof}, ${await make()}`)).toBe("several");
    expect(await verify(`${proof},${proof}`)).toBe("several");
    expect(await verify(proof)).toHaveProperty("jkt");
  });
});

describe("checks 2 and 3: a well-formed JWT with all claims", () => {
  it("refuses what is not one compact JWS in its one spelling", async () => {
    const proof = await make();
    const [head, claims, signature] = proof.split(".") as [string, string, string];
    for (const wrong of [
      "x",
      `${head}.${claims}`,
      `${proof}.x`,
      `${proof}=`,
      ` ${proof}`,
      `DPoP ${proof}`,
      `${head}.${claims}.${signature}\n`,
      "a".repeat(5000),
    ]) {
      expect(await verify(wrong), wrong.slice(0, 40)).toBe("malformed");
    }
    const twice = `{"jti":"a","jti":"b","htm":"GET","htu":"${URL_}","iat":${NOW}}`;
    expect(await verify(await signSegments(key, head, segment(twice)))).toBe("malformed");
  });

  it.each<[Record<string, unknown>]>([
    [{ jti: undefined }],
    [{ jti: "" }],
    [{ jti: 7 }],
    [{ jti: "a b" }],
    [{ jti: "a\n" }],
    [{ jti: "x".repeat(129) }],
    [{ htm: undefined }],
    [{ htm: ["GET"] }],
    [{ htu: undefined }],
    [{ htu: `${URL_}${"x".repeat(8192)}` }],
    [{ iat: undefined }],
    [{ iat: String(NOW) }],
    [{ nonce: 1 }],
    [{ ath: [1] }],
  ])("refuses the claims %j", async (claims) => {
    expect(await verdict({ claims })).toMatch(/^(?:claims|malformed)$/);
  });

  it("takes a jti of any plain characters up to 128", async () => {
    expect(await verdict({ claims: { jti: "x".repeat(128) } })).toBe("good");
    expect(await verdict({ claims: { jti: "!~{}[]/+=" } })).toBe("good");
    expect(await verdict({ claims: { more: { of: "it" } } })).toBe("good");
  });
});

describe("check 4: the type", () => {
  it.each(["at+jwt", "JWT", "dpop", "DPOP+JWT", "application/dpop+jwt"])("refuses %s", async (typ) => {
    expect(await verdict({ header: { typ } })).toBe("type");
  });

  it("refuses none", async () => {
    expect(await verdict({ header: { typ: undefined } })).toBe("type");
  });
});

describe("check 5: an asymmetric algorithm", () => {
  it.each(["none", "HS256", "HS512", "RS1", "RS384", "ES512", "ES256K", "es256", ""])(
    "refuses %j",
    async (alg) => {
      expect(await verdict({ header: { alg } })).toBe("algorithm");
    },
  );

  it("refuses one that the key is not for", async () => {
    expect(await verdict({ header: { alg: "ES384" } })).toBe("key");
    expect(await verdict({ header: { alg: "RS256" } })).toBe("key");
    expect(await verdict({ with: rsa, header: { alg: "ES256" } })).toBe("key");
    expect(await verdict({ with: rsa, header: { alg: "PS256" } })).toBe("signature");
  });
});

describe("check 7: a public key", () => {
  it.each(["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"])(
    "refuses one with the member %s",
    async (m) => {
      expect(await verdict({ header: { jwk: { ...proofJwk(key), [m]: "AQAB" } } })).toBe("key");
    },
  );

  it.each<[string, () => unknown]>([
    ["none", () => undefined],
    ["null", () => null],
    ["a list", () => [proofJwk(key)]],
    ["text", () => JSON.stringify(proofJwk(key))],
    ["a symmetric key", () => ({ kty: "oct", k: "AAAA" })],
    ["another curve", () => ({ ...proofJwk(key), crv: "P-384" })],
    ["no curve", () => ({ ...proofJwk(key), crv: undefined })],
    ["a point off its curve", () => ({ ...proofJwk(key), y: proofJwk(other).y })],
    ["half a point", () => ({ ...proofJwk(key), y: undefined })],
    ["numbers", () => ({ ...proofJwk(key), x: 7 })],
    ["padding", () => ({ ...proofJwk(key), x: `${proofJwk(key).x}=` })],
    ["a coordinate with a leading zero byte", () => ({ ...proofJwk(key), x: longer(proofJwk(key).x!) })],
    ["spare bits", () => ({ ...proofJwk(key), x: otherSpelling(proofJwk(key).x!) })],
  ])("refuses %s", async (_name, jwk) => {
    expect(await verdict({ header: { jwk: jwk() } })).toBe("key");
  });

  it("refuses an RSA key that is small, huge, or spelled another way; takes one as it is", async () => {
    const large = (await newKey("RS256", "large", 3072)) as TestKey;
    expect(await verdict({ with: large })).toBe("good");
    const small = await newKey("RS256", "small", 1024);
    expect(await verdict({ with: small })).toBe("key");
    const n = proofJwk(rsa).n!;
    expect(await verdict({ with: rsa, header: { jwk: { ...proofJwk(rsa), n: longer(n) } } })).toBe("key");
    expect(await verdict({ with: rsa, header: { jwk: { ...proofJwk(rsa), e: "AAEAAQ" } } })).toBe("key");
    expect(
      await verdict({
        with: rsa,
        header: { jwk: { ...proofJwk(rsa), n: base64url(new Uint8Array(600).fill(9)) } },
      }),
    ).toBe("key");
  });

  it("takes members that do not matter, which change nothing about the thumbprint", async () => {
    const jwk = { ...proofJwk(key), kid: "mine", use: "sig", alg: "ES256" };
    expect(await verify(await make({ header: { jwk } }))).toMatchObject({ jkt: await thumbprintOf(key) });
  });

  it.each(["jku", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty"])(
    "refuses the header %s",
    async (name) => {
      expect(await verdict({ header: { [name]: "x" } })).toBe("malformed");
    },
  );
});

describe("check 6: the signature", () => {
  it("refuses one of another key, one over other claims, and none", async () => {
    const claims = { jti: "j", htm: "GET", htu: URL_, iat: NOW, ath: await hashOf(TOKEN) };
    const head = { typ: "dpop+jwt", alg: "ES256", jwk: proofJwk(key) };
    expect(await verify(await signToken(key, head, claims))).toHaveProperty("jti", "j");
    expect(await verify(await signToken(other, head, claims))).toBe("signature");
    const [h, , s] = (await signToken(key, head, claims)).split(".");
    const moved = base64url(utf8(JSON.stringify({ ...claims, jti: "k" })));
    expect(await verify(`${h}.${moved}.${s}`)).toBe("signature");
    expect(await verify(`${h}.${moved}.`)).toBe("signature");
    expect(await verify(`${h}.${moved}.${base64url(new Uint8Array(64))}`)).toBe("signature");
  });
});

describe("check 8: the method", () => {
  it.each(["POST", "get", "Get", "GET ", "*", ""])("refuses a proof for %j", async (htm) => {
    expect(await verdict({ claims: { htm } })).toBe("method");
  });

  it("takes one for the method that it came with", async () => {
    expect(await verdict({ claims: { htm: "DELETE" } }, { method: "DELETE" })).toBe("good");
  });
});

describe("check 9: the address", () => {
  it.each([
    "https://api.example.com/orders/7",
    "HTTPS://API.example.com/orders/7",
    "https://api.example.com:443/orders/7",
    "https://api.example.com/x/../orders/7",
    "https://api.example.com/orders/%37",
    "https://api.example.com/orders/7?other=query",
    "https://api.example.com/orders/7#fragment",
  ])("is the same: %s", async (htu) => {
    expect(await verdict({ claims: { htu } })).toBe("good");
    expect(await verdict({}, { url: `${URL_}?page=2` })).toBe("good");
  });

  it.each([
    "http://api.example.com/orders/7",
    "https://api.example.com:8443/orders/7",
    "https://other.example.com/orders/7",
    "https://api.example.com.evil.example/orders/7",
    "https://api.example.com/orders/8",
    "https://api.example.com/orders/7/",
    "https://api.example.com/Orders/7",
    "https://api.example.com//orders/7",
    "https://api.example.com/orders%2F7",
    "https://api.example.com",
    "https://user@api.example.com/orders/7",
    "https://api.example.com@evil.example/orders/7",
    "https:/api.example.com/orders/7",
    "https://api.example.com\\orders\\7",
    "https://api.example.com/orders/7\n",
    " https://api.example.com/orders/7",
    "https://api.example.com/or\tders/7",
    "//api.example.com/orders/7",
    "/orders/7",
    "orders/7",
    "",
  ])("is another: %j", async (htu) => {
    expect(await verdict({ claims: { htu } })).toBe("target");
  });

  it("compares escapes by RFC 3986 §6.2.2", () => {
    expect(comparableTarget("https://a.test/%7euser/%3aid")).toBe("https://a.test/~user/%3Aid");
    expect(comparableTarget("https://a.test")).toBe("https://a.test/");
  });
});

describe("check 11: the time", () => {
  it("takes a proof from a minute ago to fifteen seconds ahead", async () => {
    expect([PROOF_MAX_AGE_SECONDS, PROOF_SKEW_SECONDS]).toEqual([60, 15]);
    expect(await verdict({ claims: { iat: NOW - 60 } })).toBe("good");
    expect(await verdict({ claims: { iat: NOW + 15 } })).toBe("good");
    expect(await verdict({ claims: { iat: NOW - 60.5 } })).toBe("time");
    expect(await verdict({ claims: { iat: NOW - 61 } })).toBe("time");
    expect(await verdict({ claims: { iat: NOW + 16 } })).toBe("time");
    expect(await verdict({ claims: { iat: NOW * 1000 } })).toBe("time");
    expect(await verdict({ claims: { iat: 0 } })).toBe("time");
  });
});

describe("check 12: the access token", () => {
  it("is the one whose hash the proof holds", async () => {
    expect(await verdict({})).toBe("good");
    expect(await verdict({ accessToken: `${TOKEN}x` })).toBe("token");
    expect(await verdict({ claims: { ath: undefined } })).toBe("token");
    expect(await verdict({ claims: { ath: "" } })).toBe("token");
    expect(await verdict({ claims: { ath: `${await hashOf(TOKEN)}=` } })).toBe("token");
  });

  it("is none at the token endpoint, where a hash would be of something else", async () => {
    const demand = { method: "GET", url: URL_, nowSeconds: NOW };
    const verifyWithout = async (proof: Promise<string>) => (await verifyDpopProof(await proof, demand)).ok;
    expect(await verifyWithout(proofOf(key, { url: URL_, nowSeconds: NOW }))).toBe(true);
    expect(await verifyWithout(make())).toBe(false);
  });
});

/** The same number with a zero byte before it. */
function longer(text: string): string {
  const bytes = canonicalBase64url(text)!;
  return base64url(new Uint8Array([0, ...bytes]));
}

/** The same bytes with spare bits set, which lenient decoders drop. */
function otherSpelling(text: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)!) + 1];
}
