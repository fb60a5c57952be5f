import { cookieValue } from "../protocol/cookie.ts";
import { base64url, sha256Bytes, utf8 } from "../protocol/encoding.ts";

/** Every cookie of ours begins so: no other host and no subdomain can set one (RFC 6265bis §4.1.3.2). */
export const COOKIE_PREFIX = "__Host-portcullis-";
export const SESSION_COOKIE = `${COOKIE_PREFIX}session`;
/** Whoever asked for a hand-over has it; see `hand-over.ts`. */
export const HAND_OVER_COOKIE = `${COOKIE_PREFIX}hand-over`;

/**
 * A `Set-Cookie` value. `Lax`: the cookie comes with a link from elsewhere, and with nothing else from there. Without
 * `Domain` it is for this host alone.
 */
export function setCookie(name: string, value: string, maxAgeSeconds: number): string {
  return `${name}=${value}; Path=/; Max-Age=${Math.max(0, Math.floor(maxAgeSeconds))}; Secure; HttpOnly; SameSite=Lax`;
}

export function clearCookie(name: string): string {
  return setCookie(name, "", 0);
}

/** The value of one of our cookies; undefined where it is not there, empty, or there twice. */
export function readCookie(headers: Pick<Headers, "get">, name: string): string | undefined {
  const header = headers.get("cookie");
  const read = header === null ? undefined : cookieValue(header, name);
  return read?.ok && read.value ? read.value : undefined;
}

/**
 * What a page of the host sends with a request that changes something. Only who has the cookie can tell it, and it
 * does not tell the cookie; it lives and dies with it.
 */
export async function csrfTokenOf(cookie: string): Promise<string> {
  return base64url(await sha256Bytes(utf8(`portcullis csrf ${cookie}`)));
}
