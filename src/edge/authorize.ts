import type { Limits } from "../limits/limits.ts";
import type { Origin, Route } from "../policy/document.ts";
import type { AssumedSubject } from "../protocol/decision-trace.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { ProofChecker } from "../tokens/proof-checker.ts";
import { type AdmissionDeps, admit, type Demand } from "./admission.ts";
import { askable } from "./askable.ts";
import { type Counting, countRequest } from "./counting.ts";
import { type CredentialRequest, hasTokenParameter, readCredential } from "./credential.ts";
import { type Allowance, type Decision, type Refusal, type RefuseReason, refusal } from "./decision.ts";
import { stalenessOf } from "./freshness.ts";
import { permissionFault, resourceOf, type Scrutiny } from "./permission.ts";
import { type CloudflareFacts, conditionFacts } from "./request-facts.ts";
import { checkSender, isDpop, type Proven, type SenderRequest } from "./sender.ts";
import { exchangeSession, type SessionTokens, type SessionUse } from "./session-tokens.ts";
import { readTarget, type Target } from "./target.ts";
import { countedGrant, holdUse, type Uses, type Using } from "./use-of-request.ts";
import { vouchedToken } from "./vouched.ts";
import { openBoundMs } from "./watch.ts";

/** A request; its headers carry a credential, a proof and an address, `cf` what Cloudflare tells; never the body. */
export type Ask = CredentialRequest &
  SenderRequest & {
    /** A subject that somebody vouches for, in place of a credential. */
    assumed?: AssumedSubject;
  };

/** Without `limits` no request is counted, without `uses` no use of a grant. */
export type AuthorizeDeps = AdmissionDeps & {
  proofs: ProofChecker;
  sessions: SessionTokens;
  limits?: Limits;
  uses?: Uses;
  /** Where whoever asks may know the policy: the route that was meant by what no route takes. */
  nearestRoute?: (routes: readonly Route[], target: Target) => Route | undefined;
};

/** One request, on whatever view it is decided on. */
type Matter = Counting &
  Using & { ask: Ask; target: Target; proven: Proven; session: SessionUse; deps: AuthorizeDeps };

/** What a grant would give. */
const CURED_BY_A_GRANT: ReadonlySet<RefuseReason> = new Set(["scope_missing", "resource_not_granted"]);

type RouteDemand = Demand & Required<Pick<Demand, "route" | "params">> & { origin: Origin };

/**
 * Decides on one request: target, route, credential, then {@link admit}. The route that is decided on is the
 * one that is forwarded to. Throws nothing that is expected; whoever calls it refuses where it does throw.
 */
export async function authorize(ask: Ask, deps: AuthorizeDeps): Promise<Decision> {
  const startedMs = deps.clock();
  const target = readTarget(ask.url);
  deps.trace?.note("target", target.ok);
  if (!target.ok) return refusal(`target_${target.error}`);
  if (hasTokenParameter(target.value.search)) {
    deps.trace?.note("credential", false);
    return refusal("credential_in_query");
  }
  const matter: Matter = { ask, target: target.value, proven: {}, session: {}, deps };
  const { proven } = matter;
  const demandOf = (view: ReplicaView) => routeDemand(view, matter);
  const admission = await admit(demandOf, deps, matter.session);
  if (!admission.ok) {
    matter.use?.release();
    return { ...admission.error, tookMs: deps.clock() - startedMs };
  }
  const { demand, token, view } = admission.value;
  // Only where it was refused a moment before: nothing counted is let through uncounted.
  if (token?.maxUses !== undefined && deps.uses && !matter.use)
    return refusal("uses_unavailable", { route: demand.route });
  if (demand.route.limit && !deps.limits) deps.trace?.skip("limit", "not_counted");
  // Members that are spread in, one by one, cost a warm request more than its look-up of revocations.
  const nowMs = deps.clock();
  const allowance: Allowance = {
    outcome: "allow",
    reason: ask.assumed ? "vouched" : token ? "token" : "public",
    route: demand.route,
    origin: demand.origin,
    target: target.value,
    params: demand.params,
    seq: view.seq,
    replicaAgeMs: nowMs - view.fetchedAtMs,
    tookMs: nowMs - startedMs,
  };
  if (token) {
    allowance.token = token;
    allowance.recheck = () => recheck(demandOf, matter);
  }
  if (matter.use) allowance.use = matter.use;
  if (proven.nextNonce !== undefined) allowance.dpopNonce = proven.nextNonce;
  if (matter.count !== undefined) allowance.count = matter.count;
  return allowance;
}

/** The same decision once more, on a view of at most half the bound: the other half is for acting on it. */
async function recheck(
  demandOf: (view: ReplicaView) => Result<RouteDemand, Refusal>,
  matter: Matter,
): Promise<Refusal | undefined> {
  const { prepare: _, ...deps } = matter.deps;
  // The proof was for the request that opened the connection, and so was the count; no other comes.
  matter.proven.settled = true;
  matter.counted = true;
  const halved = (view: ReplicaView) => {
    const demand = demandOf(view);
    if (!demand.ok) return demand;
    const { route, staleness } = demand.value;
    const boundMs = openBoundMs(route) / 2;
    return ok({ ...demand.value, staleness: { ...staleness, always: false, boundMs } });
  };
  const admission = await admit(halved, deps);
  return admission.ok ? undefined : admission.error;
}

function routeDemand(view: ReplicaView, matter: Matter): Result<RouteDemand, Refusal> {
  const { ask, target, proven, deps } = matter;
  const { trace, limits } = deps;
  const { origins, routes } = view.policy;
  const match = routes.match(target.host, target.routePath, ask.method);
  trace?.note("route", match.kind === "match", {
    route: match.kind === "match" ? match.route.id : undefined,
  });
  if (match.kind === "none") {
    const nearest = deps.nearestRoute?.(view.policy.document.routes, target);
    return err(refusal("no_route", nearest ? { nearest } : {}));
  }
  if (match.kind === "method") return err(refusal("method_not_allowed", { allow: match.allow }));
  const { route, params } = match;
  const origin = origins.get(route.origin);
  if (!origin) throw new Error(`route ${route.id}: the policy has no origin ${route.origin}`);
  const read = readCredential(ask, route.credential);
  // A credential that cannot be read is not the same as none: it opens no public route.
  if (!read.ok) {
    trace?.note("credential", false);
    return err(refusal(`credential_${read.error}`, { route }));
  }
  const credential = read.value;
  const denied = (token: VerifiedToken | undefined) => deniedBy(route, params, token, view, matter);
  const demand: RouteDemand = {
    route,
    headers: ask.headers,
    params,
    origin,
    dpop: isDpop(credential, route),
    tokenNeeded: route.access !== "public",
    staleness: stalenessOf(route),
    misdirected: (token) => (isAudience(token, view, origin) ? undefined : "token_audience"),
    unproven: (token) => checkSender(token, credential!, route, ask, proven, deps.proofs),
    denied,
  };
  if (credential && !credential.session) demand.credential = credential.token;
  if (credential?.session) {
    const { csrf } = credential.session;
    const what = { cookie: credential.token, host: target.host, audience: origin.audience, csrf };
    demand.exchange = () => exchangeSession(what, ask, matter.session, deps);
  }
  const { uses } = deps;
  if (uses) {
    demand.hold = (token) => {
      const grant = countedGrant(token, matter);
      // A token that is refused anyway takes no use.
      if (grant === undefined || denied(token)) return undefined;
      const anew = (why: Refusal) => withAsk(why, route, params, token, view, matter);
      return holdUse(grant, matter, uses, deps.waitUntil, anew);
    };
  }
  const { limit } = route;
  if (limit && limits && !matter.counted) {
    demand.count = (token) => countRequest(route.id, limit, token, ask.headers, matter, limits);
  }
  if (ask.assumed) demand.vouched = vouchedToken(ask.assumed, deps.issuer, deps.clock() / 1000);
  return ok(demand);
}

/** Our own tokens are for one origin; another issuer's are for the audience that the policy names for it. */
function isAudience(token: VerifiedToken, view: ReplicaView, origin: Origin): boolean {
  const wanted = token.own ? origin.audience : view.policy.issuers.get(token.facts.iss)?.audience;
  return wanted !== undefined && token.audience.includes(wanted);
}

function deniedBy(
  route: Route,
  params: Record<string, string>,
  token: VerifiedToken | undefined,
  view: ReplicaView,
  matter: Matter,
): Refusal | undefined {
  const { access } = route;
  if (access === "public") return undefined;
  const nowSeconds = matter.deps.clock() / 1000;
  const scrutiny = token && scrutinyOf(route, params, token, view, matter);
  const fault = token ? permissionFault(access, params, token, nowSeconds, scrutiny) : "credential_missing";
  if (!fault) return undefined;
  const why = refusal(fault);
  const resource = access.resource === undefined ? undefined : resourceOf(access.resource, params);
  if (resource !== undefined) why.resource = resource;
  return token && CURED_BY_A_GRANT.has(fault) ? withAsk(why, route, params, token, view, matter) : why;
}

/** With what whoever sent the token may ask for. */
function withAsk(
  why: Refusal,
  route: Route,
  params: Record<string, string>,
  token: VerifiedToken,
  view: ReplicaView,
  { deps }: Matter,
): Refusal {
  const ask = askable(view.policy.document, route, params, token, deps.clock() / 1000);
  return ask ? { ...why, ask } : why;
}

function scrutinyOf(
  { id, access }: Route,
  params: Record<string, string>,
  token: VerifiedToken,
  view: ReplicaView,
  { ask, target, deps: { clock, trace } }: Matter,
): Scrutiny | undefined {
  if (access === "public" || access.condition === undefined) return trace && { trace };
  const timeZone = access.time_zone ?? "UTC";
  const holds = () => {
    const condition = view.policy.conditions.get(id);
    const { method, headers, cf } = ask;
    const request = { method, target, params, timeZone, headers, cf: cf as CloudflareFacts };
    return condition?.(conditionFacts(request, token, clock() / 1000)) === true;
  };
  return { holds, trace };
}
