import { SESSION_COOKIE } from "../browser/session-cookie.ts";
import type { CredentialSource } from "../policy/document.ts";
import {
  type CredentialFault as AuthorizationFault,
  readAuthorization,
  readToken,
} from "../protocol/bearer.ts";
import { cookieValue, hasCookie, withoutCookie } from "../protocol/cookie.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { isSameOrigin } from "../protocol/same-origin.ts";
import { type Fields, putCookies } from "./headers.ts";

/** Why the credential cannot be used; that there is none is no fault here. */
export type CredentialFault =
  | "in_query"
  | "not_taken"
  | "cross_site"
  | "csrf"
  | Exclude<AuthorizationFault, "missing">;

/**
 * An access token as it was sent. Outside of `Authorization` there is no scheme but that of a bearer. With `session`
 * the token is a session's cookie, for which the access token is yet to be got.
 */
export type Credential = { token: string; scheme: "bearer" | "dpop"; session?: SessionSource };

type SessionSource = Extract<CredentialSource, { from: "session" }>;

/** What a credential is read from. */
export type CredentialRequest = { method: string; url: string; headers: Pick<Headers, "get"> };

const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];

/**
 * The one access token of a request, from the places that the route takes one from; undefined where there is
 * none. Two of them are refused, equal or not, and so is a place that the route does not take: gate and
 * origin could each believe another one.
 */
export function readCredential(
  request: CredentialRequest,
  sources: readonly CredentialSource[],
): Result<Credential | undefined, CredentialFault> {
  const authorization = request.headers.get("authorization");
  // What nearly every route has; nothing else of the request is looked at.
  if (sources.length === 1 && sources[0]!.from === "authorization") return fromAuthorization(authorization);
  let found: Credential | undefined;
  if (authorization !== null && authorization !== "") {
    if (!sources.some(({ from }) => from === "authorization")) return err("not_taken");
    const read = fromAuthorization(authorization);
    if (!read.ok) return read;
    found = read.value;
  }
  for (const source of sources) {
    if (source.from === "authorization") continue;
    const read = source.from === "session" ? fromSession(source, request) : fromSource(source, request);
    if (!read.ok) return read;
    if (read.value && found) return err("several");
    found ??= read.value;
  }
  return ok(found);
}

/** A token in the query is refused, not read (RFC 9700 §4.3.2): it is in logs and histories by now. Bodies are not looked at. */
export function hasTokenParameter(search: string): boolean {
  // Names without an escape need no parsing, and most queries have none.
  if (!search.includes("%") && !search.includes("access_token")) return false;
  return new URLSearchParams(search).has("access_token");
}

/** Takes out of the headers for the origin what could have carried a token beside `Authorization`. */
export function stripCarriers(fields: Fields, sources: readonly CredentialSource[]): void {
  for (const source of sources) {
    if (source.from === "header") delete fields[source.name.toLowerCase()];
    if (source.from !== "cookie") continue;
    const { cookie } = fields;
    if (cookie === undefined || !hasCookie(cookie, source.name)) continue;
    putCookies(fields, withoutCookie(cookie, source.name));
  }
}

function fromAuthorization(value: string | null): Result<Credential | undefined, CredentialFault> {
  const read = readAuthorization(value);
  if (read.ok) return read;
  return read.error === "missing" ? ok(undefined) : err(read.error);
}

function fromSource(
  source: Exclude<CredentialSource, { from: "authorization" | "session" }>,
  request: CredentialRequest,
): Result<Credential | undefined, CredentialFault> {
  const header = request.headers.get(source.from === "cookie" ? "cookie" : source.name);
  const value = source.from === "cookie" && header !== null ? cookieValue(header, source.name) : ok(header);
  if (!value.ok) return value;
  const token = readToken(value.value);
  if (!token.ok) return token.error === "missing" ? ok(undefined) : err(token.error);
  // A browser adds cookies to whatever request any site has it make.
  if (source.from === "cookie" && isCrossSite(request)) return err("cross_site");
  return ok({ token: token.value, scheme: "bearer" });
}

/** What it is worth is asked later; a cookie that was made up is the same as one that is over. */
function fromSession(
  session: SessionSource,
  request: CredentialRequest,
): Result<Credential | undefined, CredentialFault> {
  const header = request.headers.get("cookie");
  const value = header === null ? ok(null) : cookieValue(header, SESSION_COOKIE);
  if (!value.ok) return value;
  if (value.value === null || value.value === "") return ok(undefined);
  if (changesState(request) && !isSameOrigin(request)) return err("cross_site");
  return ok({ token: value.value, scheme: "bearer", session });
}

/** A request that may change something, or that opens a WebSocket, which no origin policy guards. */
export function changesState({ method, headers }: CredentialRequest): boolean {
  return !SAFE_METHODS.includes(method) || headers.get("upgrade") !== null;
}

/**
 * Whether another site had the browser make a request that may change something, or that opens a WebSocket,
 * which no origin policy guards. `Sec-Fetch-Site` tells; without it `Origin` does, which every browser sends
 * with these. A request with neither is no browser's.
 */
function isCrossSite(request: CredentialRequest): boolean {
  if (!changesState(request)) return false;
  const { url, headers } = request;
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  const origin = headers.get("origin");
  return origin !== null && origin !== new URL(url).origin;
}
