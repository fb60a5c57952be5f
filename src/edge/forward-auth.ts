import type { Clock } from "../platform/clock.ts";
import { faultText, type Logger } from "../platform/log.ts";
import { equalText } from "../protocol/equal-text.ts";
import { type Problem, problem, problemResponse, problemStatus } from "../protocol/problem.ts";
import type { Decided, Decider } from "./decider.ts";
import { type Decision, type Refusal, refusal } from "./decision.ts";
import type { WaitUntil } from "./freshness.ts";
import { type Fields, writeIdentity } from "./headers.ts";
import type { Observer } from "./observation.ts";
import { isFromNginx, readExtAuthz, readForwarded } from "./original-request.ts";
import { refusalResponse } from "./refusal.ts";

/** Answers a proxy that asks whether a request may pass. */
export type ForwardAuth = (request: Request, requestId: string) => Promise<Response>;

export type ForwardAuthDeps = {
  issuer: string;
  log: Logger;
  decide: Decider;
  observer: Required<Observer>;
  waitUntil: WaitUntil;
  clock: Clock;
  /** What proxies show, the one in use and the one before it; none where forward auth is off. */
  secrets: readonly string[];
};

/** In it a proxy shows that it is one: anybody can send the headers that name the original request. */
export const PROXY_SECRET_HEADER = "x-portcullis-proxy-secret";
/** For nginx, which relays only 401 and 403: the status that the refusal has. */
const STATUS_HEADER = "x-portcullis-status";
const FORWARD_AUTH_PATH = "/forward-auth";
const EXT_AUTHZ_PREFIX = "/ext-authz/";

/** Whether the path, on the issuer's origin, is where proxies ask. */
export function isForwardAuthPath(path: string): boolean {
  return path === FORWARD_AUTH_PATH || path.startsWith(EXT_AUTHZ_PREFIX);
}

/**
 * The answer to a proxy's call that is not where proxies ask. Envoy appends the client's path to ours, and a path
 * with dot segments may have led elsewhere, where any 200 would let the request through.
 */
export function strayProxyCall(requestId: string): Response {
  const header = "X-Portcullis-Proxy-Secret";
  const detail = `${header} is for ${FORWARD_AUTH_PATH} and ${EXT_AUTHZ_PREFIX} on the issuer's origin only.`;
  return problemResponse(problem("invalid_request", detail), requestId, { "x-request-id": requestId });
}

/**
 * The gate's decision for a proxy that forwards the request itself. 200 has the identity headers for the proxy
 * to copy; a refusal is what the gate would answer, for the proxy to relay. No answer may be kept.
 */
export function createForwardAuth(deps: ForwardAuthDeps): ForwardAuth {
  return async function forwardAuth(request, requestId) {
    const answer = await answerProxy(request, requestId, deps);
    return isFromNginx(request.headers) ? forNginx(answer) : answer;
  };
}

async function answerProxy(
  { url, method, headers }: Request,
  requestId: string,
  deps: ForwardAuthDeps,
): Promise<Response> {
  const { issuer, log, decide, observer, waitUntil, clock } = deps;
  const foreign = proxyProblem(headers.get(PROXY_SECRET_HEADER), deps.secrets);
  if (foreign) return refused(foreign, requestId, log);
  const isExtAuthz = url.startsWith(EXT_AUTHZ_PREFIX, issuer.length);
  const original = isExtAuthz ? readExtAuthz(method, headers) : readForwarded(headers);
  if (!original.ok) return refused(problem("invalid_request", original.error), requestId, log);
  const ask = { ...original.value, headers: ofClient(headers) };
  const observed = (decision: Decision) =>
    observer.decided(decision, ask, requestId, "forward_auth", clock(), waitUntil);
  const refusedAs = (why: Refusal) => {
    observed(why);
    return refusalResponse(why, issuer, requestId);
  };
  try {
    const decided = await decide(ask);
    if (!decided.ok) return refusedAs(decided.error);
    const answer = allowed(decided.value, requestId);
    observed(decided.value.allowance);
    return answer;
  } catch (fault) {
    log("error", "forward_auth.fault", { request_id: requestId, fault: faultText(fault) });
    return refusedAs(refusal("internal"));
  }
}

/** The client's headers: what Cloudflare tells of whoever calls is of the proxy. */
function ofClient(headers: Headers): Pick<Headers, "get"> {
  return { get: (name) => (name.toLowerCase() === "cf-connecting-ip" ? null : headers.get(name)) };
}

/** Why whoever calls is not taken for one of our proxies; undefined where it is one. */
function proxyProblem(shown: string | null, secrets: readonly string[]): Problem | undefined {
  if (secrets.length === 0) {
    return problem("forbidden", "Forward auth is off: PORTCULLIS_FORWARD_AUTH_SECRET is not set.");
  }
  if (shown !== null && secrets.map((secret) => equalText(shown, secret)).includes(true)) return undefined;
  return problem("forbidden", "X-Portcullis-Proxy-Secret is missing or wrong. It is for proxies only.");
}

function refused(why: Problem, requestId: string, log: Logger): Response {
  log("warn", "forward_auth.refused", { request_id: requestId, code: why.code, detail: why.detail });
  return problemResponse(why, requestId, { "x-request-id": requestId });
}

/** Each identity header, empty where there is nothing to say: some proxies leave the client's where ours is absent. */
function allowed({ allowance, identity }: Decided, requestId: string): Response {
  const { assertion = "", subject = "", scope = "", grant = "" } = identity;
  const headers: Fields = { "cache-control": "no-store", "x-request-id": requestId };
  if (allowance.dpopNonce !== undefined) headers["dpop-nonce"] = allowance.dpopNonce;
  writeIdentity({ assertion, subject, scope, grant }, headers);
  return new Response(null, { status: 200, headers });
}

/** nginx's `auth_request` knows 2xx, 401 and 403, and makes a 500 of anything else: its user gets 403. */
function forNginx(answer: Response): Response {
  if (answer.ok) return answer;
  const told = new Response(answer.body, {
    status: answer.status === 401 ? 401 : problemStatus("forbidden"),
    headers: answer.headers,
  });
  told.headers.set(STATUS_HEADER, String(answer.status));
  return told;
}
