import type { Origin } from "../policy/document.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Target } from "./target.ts";

export type OriginFetch = (url: string, init: RequestInit) => Promise<Response>;
export type OriginFault = "origin_unreachable" | "origin_timeout";

/** The address at the origin: the very path and query that were decided on, appended and not encoded again. */
export function originUrl(origin: Pick<Origin, "url">, target: Pick<Target, "path" | "search">): string {
  const base = origin.url.endsWith("/") ? origin.url.slice(0, -1) : origin.url;
  return base + target.path + target.search;
}

/**
 * Sends the request on, once: bodies are streamed, redirects go to the client. The time limit is for the
 * answer's headers; a body may take as long as it takes. What went wrong is told without the exception,
 * whose text may hold the address.
 */
export async function forward(
  url: string,
  request: Request,
  headers: Headers,
  timeoutMs: number,
  fetch: OriginFetch,
): Promise<Result<Response, OriginFault>> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeoutMs);
  // Node asks for `duplex` where a body is a stream; the Workers runtime does not know it.
  const init: RequestInit & { duplex: "half" } = {
    method: request.method,
    headers,
    body: request.body,
    redirect: "manual",
    signal: abort.signal,
    duplex: "half",
  };
  try {
    return ok(await fetch(url, init));
  } catch {
    return err(abort.signal.aborted ? "origin_timeout" : "origin_unreachable");
  } finally {
    clearTimeout(timer);
  }
}
