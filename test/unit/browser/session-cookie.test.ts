import { expect, it } from "vitest";
import { challengeOf, is256Bits } from "../../../src/browser/hand-over.ts";
import { Sealed } from "../../../src/browser/sealed.ts";
import {
  clearCookie,
  csrfTokenOf,
  readCookie,
  SESSION_COOKIE,
  setCookie,
} from "../../../src/browser/session-cookie.ts";
import { clearLeftSignIns, signInCookie } from "../../../src/browser/sign-in.ts";
import { SecretBox } from "../../../src/platform/secret-box.ts";
import { SECRET } from "../../support/runtime.ts";

const NOW = 1_800_000_000;
const read = (cookie: string) => readCookie(new Headers({ cookie }), SESSION_COOKIE);

it("a cookie is for its host alone, for https, for no script, and comes with links from elsewhere only", () => {
  expect(setCookie(SESSION_COOKIE, "v", 60.9)).toBe(
    "__Host-portcullis-session=v; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
  );
  expect(setCookie(SESSION_COOKIE, "v", -5)).toContain("Max-Age=0;");
  expect(clearCookie(SESSION_COOKIE)).toMatch(/^__Host-portcullis-session=; .*Max-Age=0; Secure/);
});

it("is read where it is there once, in its own spelling", () => {
  expect(read(`a=1; ${SESSION_COOKIE}=v; b=2`)).toBe("v");
  for (const cookie of [
    "a=1",
    `${SESSION_COOKIE}=`,
    `${SESSION_COOKIE}=v; ${SESSION_COOKIE}=w`,
    `${SESSION_COOKIE.toLowerCase()}=v`,
    `x${SESSION_COOKIE}=v`,
  ]) {
    expect(read(cookie)).toBeUndefined();
  }
  expect(readCookie(new Headers(), SESSION_COOKIE)).toBeUndefined();
});

it("a session's token for its pages is its cookie's own, and does not tell it", async () => {
  const token = await csrfTokenOf("psc_cookie");
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(await csrfTokenOf("psc_cookie")).toBe(token);
  expect(await csrfTokenOf("psc_cookie2")).not.toBe(token);
});

it("a challenge is the hash of its verifier, as in PKCE", async () => {
  // RFC 7636, appendix B.
  expect(await challengeOf("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")).toBe(
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  );
  expect(["a".repeat(43), "a".repeat(42), "a".repeat(44), `${"a".repeat(42)}+`, ""].map(is256Bits)).toEqual([
    true,
    ...[false, false, false, false],
  ]);
});

it("sign-ins that were left are cleared once there are eight, and no other cookie is", () => {
  const cookies = Array.from({ length: 8 }, (_, i) => `${signInCookie(`state-number-${i}-and-more`)}${i}=v`);
  expect(clearLeftSignIns([...cookies.slice(1), `${SESSION_COOKIE}=v`].join("; "))).toEqual([]);
  expect(clearLeftSignIns(null)).toEqual([]);
  const cleared = clearLeftSignIns([...cookies, `${SESSION_COOKIE}=v`, "a=1"].join("; "));
  expect(cleared).toHaveLength(8);
  expect(cleared.join()).not.toContain(SESSION_COOKIE);
});

it("what is sealed opens here, for its context, until it is over", async () => {
  const box = new SecretBox({ PORTCULLIS_SECRET: SECRET }, "sign-in");
  const sealed = new Sealed<{ expires_at: number; x: string }>(box);
  const value = { x: "y", expires_at: NOW + 10 };
  const text = await sealed.seal(value, "state");
  expect(await sealed.open(text, "state", NOW + 9)).toEqual(value);
  expect(await sealed.open(text, "state", NOW + 10)).toBeUndefined();
  expect(await sealed.open(text, "other", NOW)).toBeUndefined();
  expect(await sealed.open(`${text}A`, "state", NOW)).toBeUndefined();
  const other = new Sealed(new SecretBox({ PORTCULLIS_SECRET: SECRET }, "session-hand-over"));
  expect(await other.open(text, "state", NOW)).toBeUndefined();
});
