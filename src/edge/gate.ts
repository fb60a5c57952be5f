import { type Limits, rateLimitFields } from "../limits/limits.ts";
import type { Clock } from "../platform/clock.ts";
import { faultText, type Logger } from "../platform/log.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaReader } from "../replication/replica.ts";
import type { ProofChecker } from "../tokens/proof-checker.ts";
import type { RemoteKeys } from "../tokens/remote-keys.ts";
import type { AssertionSigner } from "./assertion.ts";
import { authorize } from "./authorize.ts";
import type { CountedUses } from "./counted-uses.ts";
import { stripCarriers } from "./credential.ts";
import { type Allowance, type Refusal, refusal } from "./decision.ts";
import type { DeniedTokens } from "./denied-tokens.ts";
import { bodyToForward, forward, type OriginFetch, originUrl } from "./forward.ts";
import type { Freshness, WaitUntil } from "./freshness.ts";
import { headersForOrigin, type Identity, type OwnHeaders, withClientBytes } from "./headers.ts";
import { identityOf } from "./identity.ts";
import type { Observer } from "./observation.ts";
import { keepOpen, type Pipe } from "./open-connection.ts";
import { refusalResponse } from "./refusal.ts";
import type { SessionTokens } from "./session-tokens.ts";
import { isNavigation, signInRedirect } from "./sign-in-redirect.ts";
import type { TokenCache } from "./token-cache.ts";
import { watch } from "./watch.ts";

/** What the gate works with. One set for each isolate: all of it remembers something from request to request. */
export type GateDeps = {
  issuer: string;
  clock: Clock;
  log: Logger;
  replica: Pick<ReplicaReader, "peek">;
  freshness: Freshness;
  denied: DeniedTokens;
  remoteKeys: RemoteKeys;
  proofs: ProofChecker;
  limits: Limits;
  tokens: TokenCache;
  sessions: SessionTokens;
  uses: CountedUses;
  signer: AssertionSigner;
  fetch: OriginFetch;
  /** Service bindings, for origins that are one. */
  services: ReadonlyMap<string, { fetch: OriginFetch }>;
  pipe: Pipe;
  observer: Required<Observer>;
};

/** `requestId` names the request and the decision on it (`dec_…`). */
export type Gate = (request: Request, requestId: string, waitUntil: WaitUntil) => Promise<Response>;

/**
 * The gate before the origins: decides on a request, and forwards it where it is allowed. Anything
 * unexpected is a refusal; an origin is contacted only after an allowance.
 */
export function createGate(deps: GateDeps): Gate {
  return async function gate(request, requestId, waitUntil) {
    const answer = await handle(request, requestId, waitUntil, deps);
    if (answer.ok) return answer.value;
    deps.observer.decided(answer.error, request, requestId, "proxy", deps.clock(), waitUntil);
    const elsewhere = await signInRedirect(request, answer.error, deps.issuer);
    if (elsewhere) {
      elsewhere.headers.set("x-request-id", requestId);
      return elsewhere;
    }
    return tellWhoAsked(answer.error, request, requestId, deps.issuer);
  };
}

/** The problem, or before a browser that loads a page, the same as a page. */
async function tellWhoAsked(
  why: Refusal,
  request: Request,
  requestId: string,
  issuer: string,
): Promise<Response> {
  const told = refusalResponse(why, issuer, requestId, request.url);
  if (!wantsPage(request)) return told;
  const { refusalPage } = await import("./refusal-page.ts");
  return refusalPage(told, why, issuer, requestId);
}

/** Programs get the problem, also those that would take a page as well. */
function wantsPage(request: Request): boolean {
  return isNavigation(request) && !/\bjson\b/i.test(request.headers.get("accept") ?? "");
}

async function handle(
  request: Request,
  requestId: string,
  waitUntil: WaitUntil,
  deps: GateDeps,
): Promise<Result<Response, Refusal>> {
  try {
    const prepare = () => deps.signer.prepare(deps.replica.peek(), waitUntil);
    const decision = await authorize(request, { ...deps, waitUntil, prepare });
    if (decision.outcome === "refuse") return err(decision);
    const naming = identityOf(decision, deps);
    const identity = naming instanceof Promise ? await naming : naming;
    if (!identity.ok) {
      decision.use?.release();
      return identity;
    }
    decision.use?.spend();
    return await send(request, requestId, waitUntil, decision, identity.value, deps);
  } catch (fault) {
    deps.log("error", "gate.fault", { request_id: requestId, fault: faultText(fault) });
    return err(refusal("internal"));
  }
}

async function send(
  request: Request,
  requestId: string,
  waitUntil: WaitUntil,
  allowance: Allowance,
  identity: Identity,
  deps: GateDeps,
): Promise<Result<Response, Refusal>> {
  const { clock, observer } = deps;
  const { route, origin, target, token, dpopNonce, count } = allowance;
  const own: OwnHeaders = {
    requestId,
    scheme: target.scheme,
    host: target.host,
    passAuthorization: route.authorization === "pass",
    ...identity,
  };
  const headers = headersForOrigin(request.headers, own);
  const stripped = !own.passAuthorization;
  if (stripped) stripCarriers(headers, route.credential);
  if (stripped && token?.confirmation) delete headers.dpop;
  const url = originUrl(origin, target);
  if (origin.message_signature) {
    const asked = { method: request.method, url, assertion: identity.assertion };
    const signed = await deps.signer.signRequest(asked, deps.replica.peek());
    if (!signed.ok) return err(refusal("assertion_unavailable", { route }));
    // A client's own signature is over what it sent, which is not what the origin gets.
    headers["signature-input"] = signed.value.input;
    headers.signature = signed.value.signature;
  }
  const service = origin.service === undefined ? deps : deps.services.get(origin.service);
  if (!service) return err(refusal("origin_unreachable", { route }));
  const body = bodyToForward(request);
  if (!body.ok) return err(refusal(body.error, { route }));
  const fields = withClientBytes(headers, request.headers);
  const to = { url, timeoutMs: origin.timeout_ms, requestId, headers: fields, body: body.value };
  const sentAtMs = clock();
  observer.decided(allowance, request, requestId, "proxy", sentAtMs, waitUntil);
  const answer = await forward(request, to, (at, init) => service.fetch(at, init));
  const fault = answer.ok ? undefined : refusal(answer.error, { route });
  const answeredAtMs = clock();
  observer.answered(allowance, fault, request, requestId, answeredAtMs, answeredAtMs - sentAtMs, waitUntil);
  if (!answer.ok) return ok(await tellWhoAsked(fault!, request, requestId, deps.issuer));
  // To whoever proved possession here, a nonce of the origin's would be one of ours.
  if (stripped && token?.confirmation) answer.value.headers.delete("dpop-nonce");
  if (count) {
    for (const [name, value] of rateLimitFields(route.id, count)) answer.value.headers.set(name, value);
  }
  if (route.server_timing) {
    const timing = `gate;dur=${allowance.tookMs ?? 0}, origin;dur=${answeredAtMs - sentAtMs}`;
    answer.value.headers.append("server-timing", timing);
  }
  if (dpopNonce !== undefined) answer.value.headers.set("dpop-nonce", dpopNonce);
  return ok(keepOpen(answer.value, (cut) => watchOpen(allowance, cut, requestId, deps), deps.pipe));
}

function watchOpen(
  allowance: Allowance,
  cut: (why: Refusal) => void,
  requestId: string,
  { clock, log }: GateDeps,
): () => void {
  const openedAtMs = clock();
  const told = (why: Refusal) => {
    const open_ms = clock() - openedAtMs;
    const { jti } = allowance.token?.facts ?? {};
    log("info", "gate.cut", {
      request_id: requestId,
      route: allowance.route.id,
      reason: why.reason,
      open_ms,
      jti,
    });
    cut(why);
  };
  return watch(allowance, told, clock);
}
