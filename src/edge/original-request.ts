import { err, ok, type Result } from "../protocol/result.ts";
import { MAX_URL_CHARS } from "./target.ts";

/** What a proxy says of the request that it asks about. The URL is as the client sent it, and not checked here. */
export type OriginalRequest = { method: string; url: string };

type Fields = Pick<Headers, "get">;

/** RFC 9110 §9.1, in the case that it was sent in. */
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/;

/** The headers that proxies name the original request with; a client's own must never pass for them. */
const FORWARDED = ["x-forwarded-method", "x-forwarded-uri"] as const;
const ORIGINAL = ["x-original-method", "x-original-url"] as const;

/** Whether the request is described as nginx is told to: it knows no refusal but 401 and 403. */
export function isFromNginx(headers: Fields): boolean {
  return ORIGINAL.some((name) => headers.get(name) !== null);
}

/**
 * The request that `/forward-auth` is asked about: `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri` (Caddy's
 * `forward_auth`, Traefik's ForwardAuth), or `X-Original-Method` and `X-Original-URL` (nginx). Refused where both
 * are there: one of them came from the client. A field that was sent twice is joined with ", ", which no method,
 * scheme, host or target may hold.
 */
export function readForwarded(headers: Fields): Result<OriginalRequest, string> {
  const forwarded = FORWARDED.some((name) => headers.get(name) !== null);
  if (!isFromNginx(headers)) return fromParts(headers, headers.get("x-forwarded-method"));
  if (forwarded) return err("Both X-Forwarded-* and X-Original-* name a request. Have the proxy remove one.");
  const method = headers.get("x-original-method");
  const url = headers.get("x-original-url");
  if (method === null || url === null) {
    return err("X-Original-Method and X-Original-URL are needed, each once.");
  }
  return fromMembers(method, url);
}

/**
 * The request that `/ext-authz/` is asked about by Envoy: its method is the call's own, the rest is in
 * `X-Forwarded-Proto`, `-Host` and `-Uri`. The path of the call holds the original one too, but runtimes and
 * networks may have normalised it, and Envoy forwards what was sent.
 */
export function readExtAuthz(method: string, headers: Fields): Result<OriginalRequest, string> {
  if (isFromNginx(headers)) return err("X-Original-* is not taken here. Have the proxy remove it.");
  return fromParts(headers, method);
}

function fromParts(headers: Fields, method: string | null): Result<OriginalRequest, string> {
  const scheme = headers.get("x-forwarded-proto");
  const host = headers.get("x-forwarded-host");
  const uri = headers.get("x-forwarded-uri");
  if (method === null || scheme === null || host === null || uri === null) {
    return err("X-Forwarded-Method, -Proto, -Host and -Uri are needed, each once.");
  }
  // What does not begin with a slash would become a part of the host.
  if (!uri.startsWith("/")) return err("X-Forwarded-Uri is not the path and query of a request.");
  if (/[/?#@\\]/.test(host)) return err("X-Forwarded-Host is not a host.");
  return fromMembers(method, `${scheme.toLowerCase()}://${host}${uri}`);
}

function fromMembers(method: string, url: string): Result<OriginalRequest, string> {
  if (!METHOD.test(method)) return err("The original method is not one method.");
  if (url.length > MAX_URL_CHARS) return err("The original URL is too long.");
  return ok({ method, url });
}
