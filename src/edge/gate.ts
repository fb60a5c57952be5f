import { type Limits, rateLimitFields } from "../limits/limits.ts";
import type { Clock } from "../platform/clock.ts";
import { faultText, type Logger } from "../platform/log.ts";
import type { Result } from "../protocol/result.ts";
import type { ReplicaReader } from "../replication/replica.ts";
import type { ProofChecker } from "../tokens/proof-checker.ts";
import type { RemoteKeys } from "../tokens/remote-keys.ts";
import type { AssertionSigner } from "./assertion.ts";
import { authorize } from "./authorize.ts";
import type { CountedUses } from "./counted-uses.ts";
import { type Allowance, type Refusal, refusal } from "./decision.ts";
import type { DeniedTokens } from "./denied-tokens.ts";
import { forward, type OriginFault } from "./forward.ts";
import type { Freshness, WaitUntil } from "./freshness.ts";
import { identityOf } from "./identity.ts";
import type { Observer } from "./observation.ts";
import { keepOpen, mayStayOpen, type Pipe } from "./open-connection.ts";
import { type OutgoingDeps, outgoing } from "./outgoing.ts";
import { refusalResponse } from "./refusal.ts";
import type { SessionTokens } from "./session-tokens.ts";
import { isNavigation, signInRedirect } from "./sign-in-redirect.ts";
import type { TokenCache } from "./token-cache.ts";
import { watch } from "./watch.ts";

/** What the gate works with. One set for each isolate: all of it remembers something from request to request. */
export type GateDeps = OutgoingDeps & {
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
  pipe: Pipe;
  observer: Required<Observer>;
  /** Keeps work going after the answer of the request in whose turn it is called. */
  waitUntil: WaitUntil;
};

/** `requestId` names the request and the decision on it (`dec_…`). */
export type Gate = (request: Request, requestId: string) => Promise<Response>;

/**
 * The gate before the origins: decides on a request, and forwards it where it is allowed. Anything
 * unexpected is a refusal; an origin is contacted only after an allowance. A warm request waits for its origin and for
 * nothing else.
 */
export function createGate(given: GateDeps): Gate {
  const { signer, replica, waitUntil, log } = given;
  const deps = { ...given, prepare: () => signer.prepare(replica.peek(), waitUntil) };
  return async function gate(request, requestId) {
    try {
      const deciding = authorize(request, deps);
      const decision = deciding instanceof Promise ? await deciding : deciding;
      if (decision.outcome === "refuse") return await refuse(request, requestId, decision, deps);
      const naming = identityOf(decision, deps);
      const identity = naming instanceof Promise ? await naming : naming;
      if (!identity.ok) {
        decision.use?.release();
        return await refuse(request, requestId, identity.error, deps);
      }
      decision.use?.spend();
      const making = outgoing(request, requestId, decision, identity.value, deps);
      const made = making instanceof Promise ? await making : making;
      if (!made.ok) return await refuse(request, requestId, made.error, deps);
      const sentAtMs = deps.clock();
      deps.observer.decided(decision, request, requestId, "proxy", sentAtMs, waitUntil);
      const answer = await forward(made.value);
      return await passOn(answer, request, requestId, decision, sentAtMs, deps);
    } catch (fault) {
      log("error", "gate.fault", { request_id: requestId, fault: faultText(fault) });
      return refuse(request, requestId, refusal("internal"), deps);
    }
  };
}

async function refuse(
  request: Request,
  requestId: string,
  why: Refusal,
  { issuer, clock, observer, waitUntil }: GateDeps,
): Promise<Response> {
  observer.decided(why, request, requestId, "proxy", clock(), waitUntil);
  const elsewhere = await signInRedirect(request, why, issuer);
  if (!elsewhere) return tellWhoAsked(why, request, requestId, issuer);
  elsewhere.headers.set("x-request-id", requestId);
  return elsewhere;
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

/** The origin's answer as the client gets it. */
function passOn(
  answer: Result<Response, OriginFault>,
  request: Request,
  requestId: string,
  allowance: Allowance,
  sentAtMs: number,
  deps: GateDeps,
): Response | Promise<Response> {
  const { route, token, dpopNonce, count } = allowance;
  const { clock, observer, waitUntil } = deps;
  const fault = answer.ok ? undefined : refusal(answer.error, { route });
  const answeredAtMs = clock();
  observer.answered(allowance, fault, request, requestId, answeredAtMs, answeredAtMs - sentAtMs, waitUntil);
  if (!answer.ok) return tellWhoAsked(fault!, request, requestId, deps.issuer);
  const response = answer.value;
  // To whoever proved possession here, a nonce of the origin's would be one of ours.
  if (token?.confirmation && route.authorization !== "pass") response.headers.delete("dpop-nonce");
  if (count) {
    for (const [name, value] of rateLimitFields(route.id, count)) response.headers.set(name, value);
  }
  if (route.server_timing) {
    const timing = `gate;dur=${allowance.tookMs ?? 0}, origin;dur=${answeredAtMs - sentAtMs}`;
    response.headers.append("server-timing", timing);
  }
  if (dpopNonce !== undefined) response.headers.set("dpop-nonce", dpopNonce);
  return mayStayOpen(response) ? keptOpen(response, requestId, allowance, deps) : response;
}

function keptOpen(response: Response, requestId: string, allowance: Allowance, deps: GateDeps): Response {
  return keepOpen(response, (cut) => watchOpen(allowance, cut, requestId, deps), deps.pipe);
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
