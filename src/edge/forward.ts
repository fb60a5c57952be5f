import type { Origin } from "../policy/document.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { clientResponse } from "./headers.ts";
import type { Target } from "./target.ts";

export type OriginFetch = (url: string, init: RequestInit) => Promise<Response>;
export type OriginFault = "origin_unreachable" | "origin_timeout";
/** Why a request that is allowed cannot be sent on: the platform's `fetch` takes no such body. */
export type ForwardFault = "request_body";

/** RFC 9110 §9.3.1: content has no meaning with these, and what has none can be read in two ways. */
const WITHOUT_BODY = ["GET", "HEAD"];

/**
 * The address at the origin: the very path and query that were decided on, appended and not encoded again. A
 * service is asked under the host that the client asked.
 */
export function originUrl(
  { url }: Pick<Origin, "url">,
  { scheme, host, path, search }: Omit<Target, "routePath">,
): string {
  if (url === undefined) return `${scheme}://${host}${path}${search}`;
  return (url.endsWith("/") ? url.slice(0, -1) : url) + path + search;
}

/** What is sent on of a request's body; nothing where it has none. */
export function bodyToForward({ method, body, headers }: Request): Result<Request["body"], ForwardFault> {
  if (body === null || !WITHOUT_BODY.includes(method)) return ok(body);
  // The runtime hands over a stream for a body that is said to have no bytes, too.
  return headers.get("content-length") === "0" ? ok(null) : err("request_body");
}

/** What `fetch` is told: a body is streamed, and a redirect is the client's. */
export function initOf(method: string, headers: HeadersInit, body: Request["body"]): RequestInit {
  // Node asks for `duplex` where a body is a stream; the Workers runtime does not know it.
  const init: RequestInit & { duplex: "half" } = {
    method,
    headers,
    body,
    redirect: "manual",
    duplex: "half",
  };
  return init;
}

/** A request as its origin gets it, and who takes it there. */
export type Outgoing = {
  url: string;
  init: RequestInit;
  service: { fetch: OriginFetch };
  timeoutMs: number;
  requestId: string;
};

/**
 * Sends the request on, once, whatever its method: a gate cannot know what the origin did before it failed.
 * Bodies are streamed, redirects go to the client. The time limit is for the answer's headers; a body may take
 * as long as it takes. What went wrong is told without the exception, whose text may hold the address.
 */
export async function forward({
  url,
  init,
  service,
  timeoutMs,
  requestId,
}: Outgoing): Promise<Result<Response, OriginFault>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    // The runtime gives up what is still under way when the client has its answer: no signal is needed for that.
    const answer = await new Promise<Response | undefined>((resolve, reject) => {
      // `resolve` itself: what a timer calls is kept until garbage is collected in full, and a closure keeps
      // with it all that it can see of the request.
      timer = setTimeout(resolve as () => void, timeoutMs);
      service.fetch(url, init).then(resolve, reject);
    });
    // An answer that cannot be passed on, such as an upgrade that nobody asked for, is a fault of the origin.
    return answer ? ok(clientResponse(answer, requestId)) : err("origin_timeout");
  } catch {
    return err("origin_unreachable");
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}
