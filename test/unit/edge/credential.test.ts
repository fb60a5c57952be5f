import { describe, expect, it } from "vitest";
import { hasTokenParameter, readCredential, stripCarriers } from "../../../src/edge/credential.ts";
import type { CredentialSource } from "../../../src/policy/document.ts";

const TOKEN = "aaa.bbb.ccc";
const OTHER = "ddd.eee.fff";
const AUTHORIZATION = { from: "authorization" } as const;
const COOKIE = { from: "cookie", name: "__Host-token" } as const;
const HEADER = { from: "header", name: "x-access-token" } as const;

type Sent = Record<string, string>;

/** Header values as a server may get them, also those that `Headers` would not take. */
function reading(sources: CredentialSource[], sent: Sent, method = "GET") {
  const headers = { get: (name: string) => sent[name] ?? null };
  const read = readCredential({ method, url: "https://api.example.com/orders", headers }, sources);
  return read.ok ? read.value : read.error;
}

const bearer = (token: string) => ({ scheme: "bearer", token });

describe("a credential in Authorization", () => {
  const read = (authorization: string) => reading([AUTHORIZATION], { authorization });

  it.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER ${TOKEN}`, `Bearer   ${TOKEN}`])(
    "is read from %j",
    (value) => {
      expect(read(value)).toEqual(bearer(TOKEN));
    },
  );

  it.each([`DPoP ${TOKEN}`, `dpop ${TOKEN}`])("has its scheme: %j", (value) => {
    expect(read(value)).toEqual({ scheme: "dpop", token: TOKEN });
  });

  it("is none where no header is", () => {
    expect(reading([AUTHORIZATION], {})).toBeUndefined();
    expect(read("")).toBeUndefined();
  });

  it.each([
    [`Basic ${TOKEN}`, "scheme"],
    [`Token ${TOKEN}`, "scheme"],
    [`JWT ${TOKEN}`, "scheme"],
    [TOKEN, "scheme"],
    [`Bearer${TOKEN}`, "scheme"],
    [`DPoP2 ${TOKEN}`, "scheme"],
    [`Bearer\t${TOKEN}`, "scheme"],
    [`Bearer=${TOKEN}`, "scheme"],
    [`Bearer\u00a0${TOKEN}`, "scheme"],
    [`Bearer ${TOKEN}, Bearer ${TOKEN}`, "several"],
    [`Bearer ${TOKEN}, DPoP ${TOKEN}`, "several"],
    [`DPoP ${TOKEN}, Bearer ${TOKEN}`, "several"],
    [`Bearer ${TOKEN},${TOKEN}`, "several"],
    [`Basic abc, Bearer ${TOKEN}`, "several"],
    [`Bearer ${TOKEN}, `, "several"],
    ["Bearer", "malformed"],
    ["DPoP", "malformed"],
    ["Bearer ", "malformed"],
    [`Bearer ${TOKEN} ${TOKEN}`, "malformed"],
    [`Bearer "${TOKEN}"`, "malformed"],
    [`Bearer ${TOKEN}\n`, "malformed"],
    [`Bearer ${TOKEN};x`, "malformed"],
    [`Bearer é${TOKEN}`, "malformed"],
    [`Bearer ${"a".repeat(8193)}`, "too_long"],
    [`Bearer ${" ".repeat(20)}${"a".repeat(8190)}`, "too_long"],
  ])("is refused: %j", (value, fault) => {
    expect(read(value)).toBe(fault);
  });

  it("is the only place that is looked at where the route says nothing else", () => {
    const looked: string[] = [];
    const get = (name: string) => {
      looked.push(name);
      return `Bearer ${TOKEN}`;
    };
    const request = { method: "POST", url: "https://api.example.com/", headers: { get } };
    expect(readCredential(request, [AUTHORIZATION])).toMatchObject({ ok: true });
    expect(looked).toEqual(["authorization"]);
    const cookie = `__Host-token=${TOKEN}; __Host-token=${OTHER}`;
    expect(reading([AUTHORIZATION], { cookie, "x-access-token": TOKEN })).toBeUndefined();
  });
});

describe("a token in the query", () => {
  it.each([
    "?access_token=x",
    "?access_token",
    "?a=1&access_token=x",
    "?access%5Ftoken=x",
    "?%61ccess_token=x",
    "?access_token=",
    "?a=%26&access_token=x",
  ])("is seen: %s", (search) => {
    expect(hasTokenParameter(search)).toBe(true);
  });

  it.each([
    "",
    "?",
    "?Access_Token=x",
    "?access_token_hint=x",
    "?q=access_token",
    "?q=access_token%3Dx",
    "?access-token=x",
    "?my_access_token=x",
  ])("is not seen: %s", (search) => {
    expect(hasTokenParameter(search)).toBe(false);
  });
});

describe("a credential in a cookie", () => {
  const read = (cookie: string) => reading([COOKIE], { cookie });

  it.each([
    `__Host-token=${TOKEN}`,
    `a=1; __Host-token=${TOKEN}; b=2`,
    `a=1;__Host-token=${TOKEN}`,
    `a;\t__Host-token=${TOKEN}\t; =x`,
    `my__Host-token=${OTHER}; __Host-token=${TOKEN}`,
    `__Host-token2=${OTHER}; __Host-token=${TOKEN}`,
  ])("is read from %j", (cookie) => {
    expect(read(cookie)).toEqual(bearer(TOKEN));
  });

  it.each(["", "a=1", "__Host-token2=x", "__Host-token=", "a=__Host-token", "x; y"])("is none in %j", (c) => {
    expect(read(c)).toBeUndefined();
  });

  it.each([
    [`__Host-token=${TOKEN}; __Host-token=${OTHER}`, "several"],
    [`__Host-token=${TOKEN}; __Host-token=${TOKEN}`, "several"],
    [`__Host-token=${TOKEN}; __Host-token=`, "several"],
    [`__Host-token=${TOKEN}; __Host-token`, "several"],
    [`__Host-token=${TOKEN}; __host-token=${OTHER}`, "several"],
    [`__HOST-token=${TOKEN}`, "several"],
    [`\u00a0__Host-token=${TOKEN}`, "several"],
    [`\u00c2\u00a0__Host-token=${TOKEN}`, "several"],
    [`__Host-token=${TOKEN}; __Host-token\u00a0=${OTHER}`, "several"],
    [`__Host-token =${TOKEN}`, "several"],
    [`\ufeff__Host-token=${TOKEN}`, "several"],
    [`__Host-token=${TOKEN}, __Host-token=${OTHER}`, "several"],
    [`__Host-token="${TOKEN}"`, "malformed"],
    [`__Host-token==${TOKEN}`, "malformed"],
    [`__Host-token=Bearer ${TOKEN}`, "malformed"],
    [`__Host-token=${TOKEN}%20`, "malformed"],
    [`__Host-token=${"a".repeat(8193)}`, "too_long"],
  ])("is refused: %j", (cookie, fault) => {
    expect(read(cookie)).toBe(fault);
  });

  it("is not taken from a request that another site had a browser make, where it can change something", () => {
    const cookie = `__Host-token=${TOKEN}`;
    const post = (more: Sent) => reading([COOKIE], { cookie, ...more }, "POST");
    expect(post({ "sec-fetch-site": "cross-site" })).toBe("cross_site");
    expect(post({ "sec-fetch-site": "same-site" })).toBe("cross_site");
    expect(post({ "sec-fetch-site": "same-origin" })).toEqual(bearer(TOKEN));
    expect(post({ "sec-fetch-site": "none" })).toEqual(bearer(TOKEN));
    expect(post({ origin: "https://evil.example" })).toBe("cross_site");
    expect(post({ origin: "null" })).toBe("cross_site");
    expect(post({ origin: "http://api.example.com" })).toBe("cross_site");
    expect(post({ origin: "https://api.example.com" })).toEqual(bearer(TOKEN));
    expect(post({})).toEqual(bearer(TOKEN));
    const get = (more: Sent) => reading([COOKIE], { cookie, ...more });
    expect(get({ "sec-fetch-site": "cross-site" })).toEqual(bearer(TOKEN));
    expect(get({ "sec-fetch-site": "cross-site", upgrade: "websocket" })).toBe("cross_site");
    expect(get({ origin: "https://evil.example", upgrade: "websocket" })).toBe("cross_site");
    expect(get({ origin: "https://api.example.com", upgrade: "websocket" })).toEqual(bearer(TOKEN));
  });

  it("is the browser's doing; one in a header is not, wherever the request comes from", () => {
    const cross = { "sec-fetch-site": "cross-site", origin: "https://app.example" };
    const both = [AUTHORIZATION, COOKIE];
    expect(reading(both, { authorization: `Bearer ${TOKEN}`, ...cross }, "POST")).toEqual(bearer(TOKEN));
    expect(reading([HEADER], { "x-access-token": TOKEN, ...cross }, "POST")).toEqual(bearer(TOKEN));
  });
});

describe("a credential in a named header", () => {
  it("is the whole value", () => {
    expect(reading([HEADER], { "x-access-token": TOKEN })).toEqual(bearer(TOKEN));
    expect(reading([HEADER], {})).toBeUndefined();
    expect(reading([HEADER], { "x-access-token": `Bearer ${TOKEN}` })).toBe("malformed");
    expect(reading([HEADER], { "x-access-token": `${TOKEN}, ${TOKEN}` })).toBe("several");
  });
});

describe("a route that takes it from several places", () => {
  const sources = [AUTHORIZATION, COOKIE, HEADER];
  const authorization = `Bearer ${TOKEN}`;
  const cookie = `__Host-token=${TOKEN}`;

  it("takes it from any one of them", () => {
    expect(reading(sources, { authorization })).toEqual(bearer(TOKEN));
    expect(reading(sources, { cookie })).toEqual(bearer(TOKEN));
    expect(reading(sources, { "x-access-token": TOKEN })).toEqual(bearer(TOKEN));
    expect(reading(sources, {})).toBeUndefined();
  });

  it.each<[Sent]>([
    [{ authorization, cookie }],
    [{ authorization, cookie: `__Host-token=${OTHER}` }],
    [{ authorization, "x-access-token": TOKEN }],
    [{ cookie, "x-access-token": OTHER }],
    [{ authorization, cookie, "x-access-token": TOKEN }],
  ])("refuses two, equal or not: %j", (sent) => {
    expect(reading(sources, sent)).toBe("several");
  });

  it("refuses one that cannot be read beside one that can", () => {
    expect(reading(sources, { authorization: "Basic YTpi", cookie })).toBe("scheme");
    expect(reading(sources, { authorization, cookie: `${cookie}; ${cookie}` })).toBe("several");
    expect(reading(sources, { cookie, "x-access-token": "a b" })).toBe("malformed");
  });

  it("refuses Authorization where it does not take one: the origin might believe it", () => {
    expect(reading([COOKIE], { authorization, cookie })).toBe("not_taken");
    expect(reading([HEADER], { authorization: "Basic YTpi", "x-access-token": TOKEN })).toBe("not_taken");
    expect(reading([HEADER], { authorization: "", "x-access-token": TOKEN })).toEqual(bearer(TOKEN));
  });
});

describe("what the origin gets", () => {
  it("has neither the cookie nor the header that can carry the token, in any spelling, and all the rest", () => {
    const headers: Record<string, string> = {
      cookie: `a=1; __Host-token=${TOKEN}; __HOST-TOKEN=x; b="2"`,
      "x-access-token": TOKEN,
      "x-other": "y",
    };
    stripCarriers(headers, [COOKIE, HEADER]);
    expect(headers).toEqual({ cookie: 'a=1; b="2"', "x-other": "y" });
    const only = { cookie: `__Host-token=${TOKEN}` };
    stripCarriers(only, [COOKIE]);
    expect(only).toEqual({});
    const none = { cookie: "a=1;b=2", "x-access-token": TOKEN };
    stripCarriers(none, [AUTHORIZATION, COOKIE]);
    expect(none).toEqual({ cookie: "a=1;b=2", "x-access-token": TOKEN });
  });
});
