import type { Origin } from "../policy/document.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { clientResponse } from "./headers.ts";
import type { Target } from "./target.ts";

export type OriginFetch = (request: Request) => Promise<Response>;
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
  request: Request,
  to: { url: string; timeoutMs: number; requestId: string; dress: (headers: Headers) => void },
  fetch: OriginFetch,
): Promise<Result<Response, OriginFault>> {
  const abort = new AbortController();
  // Node asks for `duplex` where a body is a stream; the Workers runtime does not know it.
  const init: RequestInit & { duplex: "half" } = {
    method: request.method,
    headers: request.headers,
    body: request.body,
    redirect: "manual",
    signal: abort.signal,
    duplex: "half",
  };
  const outgoing = new Request(to.url, init);
  to.dress(outgoing.headers);
  const timer = setTimeout(() => abort.abort(), to.timeoutMs);
  try {
    // An answer that cannot be passed on, such as an upgrade that nobody asked for, is a fault of the origin.
    return ok(clientResponse(await fetch(outgoing), to.requestId));
  } catch {
    return err(abort.signal.aborted ? "origin_timeout" : "origin_unreachable");
  } finally {
    clearTimeout(timer);
  }
}
