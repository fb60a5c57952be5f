import type { Origin, Route } from "../policy/document.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { ProofChecker } from "../tokens/proof-checker.ts";
import { type AdmissionDeps, admit, type Demand, knowledge } from "./admission.ts";
import { type Askable, askable } from "./askable.ts";
import type { CountedUses } from "./counted-uses.ts";
import { type CredentialRequest, hasTokenParameter, readCredential } from "./credential.ts";
import { type Decision, type Refusal, refusal } from "./decision.ts";
import { stalenessOf } from "./freshness.ts";
import { permissionFault, resourceOf } from "./permission.ts";
import { checkSender, isDpop, type Proven, type SenderRequest } from "./sender.ts";
import { readTarget, type Target } from "./target.ts";
import { UseOfRequest } from "./use-of-request.ts";
import { openBoundMs } from "./watch.ts";

/** A request; of its headers only those that carry a credential or a proof decide, and never the body. */
export type Ask = CredentialRequest & SenderRequest;

export type AuthorizeDeps = AdmissionDeps & { proofs: ProofChecker; uses: Pick<CountedUses, "hold"> };

type RouteDemand = Demand & Required<Pick<Demand, "route">> & { origin: Origin };

/**
 * Decides on one request: target, route, credential, then {@link admit}. The route that is decided on is the
 * one that is forwarded to. Throws nothing that is expected; whoever calls it refuses where it does throw.
 */
export async function authorize(ask: Ask, deps: AuthorizeDeps): Promise<Decision> {
  const target = readTarget(ask.url);
  if (!target.ok) return refusal(`target_${target.error}`);
  if (hasTokenParameter(target.value.search)) return refusal("credential_in_query");
  const proven: Proven = {};
  const use = new UseOfRequest(deps);
  const demandOf = (view: ReplicaView) => routeDemand(view, target.value, ask, proven, use, deps);
  const admission = await admit(demandOf, deps);
  if (!admission.ok) {
    use.held?.release();
    return admission.error;
  }
  const { demand, token, view } = admission.value;
  // Only where it was refused a moment before: nothing counted is let through uncounted.
  if (token?.maxUses !== undefined && !use.held) return refusal("uses_unavailable", { route: demand.route });
  return {
    outcome: "allow",
    reason: token ? "token" : "public",
    route: demand.route,
    origin: demand.origin,
    target: target.value,
    ...(token ? { token, recheck: () => recheck(demandOf, proven, deps) } : {}),
    ...(use.held ? { use: use.held } : {}),
    ...(proven.nextNonce === undefined ? {} : { dpopNonce: proven.nextNonce }),
    ...knowledge(view, deps.clock),
  };
}

/** The same decision once more, on a view of at most half the bound: the other half is for acting on it. */
async function recheck(
  demandOf: (view: ReplicaView) => Result<RouteDemand, Refusal>,
  proven: Proven,
  { prepare: _, ...deps }: AdmissionDeps,
): Promise<Refusal | undefined> {
  // The proof was for the request that opened the connection, and no other comes.
  proven.settled = true;
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

function routeDemand(
  view: ReplicaView,
  target: Target,
  ask: Ask,
  proven: Proven,
  use: UseOfRequest,
  { proofs, clock }: AuthorizeDeps,
): Result<RouteDemand, Refusal> {
  const { document, routes } = view.policy;
  const match = routes.match(target.host, target.routePath, ask.method);
  if (match.kind === "none") return err(refusal("no_route"));
  if (match.kind === "method") return err(refusal("method_not_allowed", { allow: match.allow }));
  const { route, params } = match;
  const origin = Object.hasOwn(document.origins, route.origin) ? document.origins[route.origin] : undefined;
  if (!origin) throw new Error(`route ${route.id}: the policy has no origin ${route.origin}`);
  const read = readCredential(ask, route.credential);
  // A credential that cannot be read is not the same as none: it opens no public route.
  if (!read.ok) return err(refusal(`credential_${read.error}`, { route }));
  const credential = read.value;
  const askFor = (token: VerifiedToken) => {
    const nowSeconds = clock() / 1000;
    return askable(document, route, resourceFor(route, params), token, nowSeconds);
  };
  const denied = (token: VerifiedToken | undefined) => deniedBy(route, params, token, askFor);
  return ok({
    route,
    origin,
    ...(credential ? { credential: credential.token } : {}),
    dpop: isDpop(credential, route),
    tokenNeeded: route.access !== "public",
    staleness: stalenessOf(route),
    misdirected: (token) => (isAudience(token, view, origin) ? undefined : "token_audience"),
    unproven: (token) => checkSender(token, credential!, route, ask, proven, proofs),
    counted: (token) => use.counted(token, denied, askFor),
    denied,
  });
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
  askFor: (token: VerifiedToken) => Askable | undefined,
): Refusal | undefined {
  const { access } = route;
  if (access === "public") return undefined;
  const fault = token ? permissionFault(access, params, token) : "credential_missing";
  if (!fault) return undefined;
  // A role is not asked for.
  const ask = token && fault !== "role_missing" ? askFor(token) : undefined;
  return refusal(fault, ask ? { ask } : {});
}

function resourceFor({ access }: Route, params: Record<string, string>): string | undefined {
  if (access === "public" || access.resource === undefined) return undefined;
  return resourceOf(access.resource, params);
}
