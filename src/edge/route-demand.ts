import type { ExactCount, Limits } from "../limits/limits.ts";
import type { Origin, Route } from "../policy/document.ts";
import type { AssumedSubject } from "../protocol/decision-trace.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { ProofChecker } from "../tokens/proof-checker.ts";
import { askable } from "./askable.ts";
import type { HeldUse } from "./counted-uses.ts";
import { type Counting, countRequest } from "./counting.ts";
import { type Credential, type CredentialRequest, readCredential } from "./credential.ts";
import { type Refusal, type RefuseReason, refusal } from "./decision.ts";
import type { AdmissionDeps, Demand, Demanding } from "./demand.ts";
import { type Staleness, stalenessOf } from "./freshness.ts";
import { permissionFault, resourceOf, type Scrutiny } from "./permission.ts";
import { type CloudflareFacts, conditionFacts } from "./request-facts.ts";
import { checkSender, isDpop, type Proven, type SenderRequest } from "./sender.ts";
import { exchangeSession, type SessionTokens, type SessionUse } from "./session-tokens.ts";
import type { Target } from "./target.ts";
import { countedGrant, holdUse, type Uses, type Using } from "./use-of-request.ts";
import { vouchedToken } from "./vouched.ts";

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

/** What a grant would give. */
const CURED_BY_A_GRANT: ReadonlySet<RefuseReason> = new Set(["scope_missing", "resource_not_granted"]);

/** One request, on whatever view it is decided on. */
export class Matter implements Counting, Using, Demanding<RouteDemand> {
  readonly ask: Ask;
  readonly target: Target;
  readonly deps: AuthorizeDeps;
  readonly proven: Proven = {};
  readonly session: SessionUse = {};
  counted?: true;
  count?: ExactCount;
  use?: HeldUse;

  constructor(ask: Ask, target: Target, deps: AuthorizeDeps) {
    this.ask = ask;
    this.target = target;
    this.deps = deps;
  }

  demandOf(view: ReplicaView): Result<RouteDemand, Refusal> {
    const { ask, target, deps } = this;
    const { origins, routes, document } = view.policy;
    const match = routes.match(target.host, target.routePath, ask.method);
    deps.trace?.note("route", match.kind === "match", {
      route: match.kind === "match" ? match.route.id : undefined,
    });
    if (match.kind === "none") {
      const nearest = deps.nearestRoute?.(document.routes, target);
      return err(refusal("no_route", nearest ? { nearest } : {}));
    }
    if (match.kind === "method") return err(refusal("method_not_allowed", { allow: match.allow }));
    const { route, params } = match;
    const origin = origins.get(route.origin);
    if (!origin) throw new Error(`route ${route.id}: the policy has no origin ${route.origin}`);
    const credential = readCredential(ask, route.credential);
    // A credential that cannot be read is not the same as none: it opens no public route.
    if (!credential.ok) {
      deps.trace?.note("credential", false);
      return err(refusal(`credential_${credential.error}`, { route }));
    }
    return ok(new RouteDemand(this, view, route, params, origin, credential.value));
  }
}

/** What the route that takes a request demands, by one view of the policy. */
export class RouteDemand implements Demand {
  readonly route: Route;
  readonly params: Record<string, string>;
  readonly origin: Origin;
  readonly headers: Pick<Headers, "get">;
  readonly credential: string | undefined;
  readonly vouched: VerifiedToken | undefined;
  readonly dpop: boolean;
  readonly tokenNeeded: boolean;
  readonly exchange: Demand["exchange"];
  readonly count: Demand["count"];
  staleness: Staleness;
  readonly matter: Matter;
  readonly #view: ReplicaView;
  readonly #sent: Credential | undefined;

  constructor(
    matter: Matter,
    view: ReplicaView,
    route: Route,
    params: Record<string, string>,
    origin: Origin,
    sent: Credential | undefined,
  ) {
    const { ask, deps } = matter;
    this.route = route;
    this.params = params;
    this.origin = origin;
    this.headers = ask.headers;
    this.credential = sent?.session ? undefined : sent?.token;
    this.vouched = ask.assumed && vouchedToken(ask.assumed, deps.issuer, deps.clock() / 1000);
    this.dpop = isDpop(sent, route);
    this.tokenNeeded = route.access !== "public";
    this.exchange = sent?.session && exchangeOf(sent.token, sent.session, origin, matter);
    this.count = route.limit && countOf(route.id, route.limit, matter);
    this.staleness = stalenessOf(route);
    this.matter = matter;
    this.#view = view;
    this.#sent = sent;
  }

  /** Our own tokens are for one origin; another issuer's are for the audience that the policy names for it. */
  misdirected(token: VerifiedToken): RefuseReason | undefined {
    const wanted = token.own
      ? this.origin.audience
      : this.#view.policy.issuers.get(token.facts.iss)?.audience;
    return wanted !== undefined && token.audience.includes(wanted) ? undefined : "token_audience";
  }

  unproven(token: VerifiedToken): Refusal | undefined | Promise<Refusal | undefined> {
    const { ask, proven, deps } = this.matter;
    return checkSender(token, this.#sent!, this.route, ask, proven, deps.proofs);
  }

  hold(token: VerifiedToken): Promise<Refusal | undefined> | undefined {
    const matter = this.matter;
    const { uses, waitUntil } = matter.deps;
    const grant = uses && countedGrant(token, matter);
    // A token that is refused anyway takes no use.
    if (!uses || grant === undefined || this.denied(token)) return undefined;
    return holdUse(grant, matter, uses, waitUntil, (why) => this.#withAsk(why, token));
  }

  denied(token: VerifiedToken | undefined): Refusal | undefined {
    const { access } = this.route;
    if (access === "public") return undefined;
    const scrutiny = token && this.#scrutinyOf(token);
    const fault = token
      ? permissionFault(access, this.params, token, this.#nowSeconds(), scrutiny)
      : "credential_missing";
    if (!fault) return undefined;
    const why = refusal(fault);
    const resource = access.resource === undefined ? undefined : resourceOf(access.resource, this.params);
    if (resource !== undefined) why.resource = resource;
    return token && CURED_BY_A_GRANT.has(fault) ? this.#withAsk(why, token) : why;
  }

  /** With what whoever sent the token may ask for. */
  #withAsk(why: Refusal, token: VerifiedToken): Refusal {
    const { document } = this.#view.policy;
    const ask = askable(document, this.route, this.params, token, this.#nowSeconds());
    return ask ? { ...why, ask } : why;
  }

  #scrutinyOf(token: VerifiedToken): Scrutiny | undefined {
    const { id, access } = this.route;
    const { trace } = this.matter.deps;
    if (access === "public" || access.condition === undefined) return trace && { trace };
    const timeZone = access.time_zone ?? "UTC";
    return { holds: () => this.#conditionHolds(id, timeZone, token), trace };
  }

  #conditionHolds(routeId: string, timeZone: string, token: VerifiedToken): boolean {
    const { ask, target } = this.matter;
    const { method, headers, cf } = ask;
    const condition = this.#view.policy.conditions.get(routeId);
    const request = { method, target, params: this.params, timeZone, headers, cf: cf as CloudflareFacts };
    return condition?.(conditionFacts(request, token, this.#nowSeconds())) === true;
  }

  #nowSeconds(): number {
    return this.matter.deps.clock() / 1000;
  }
}

function exchangeOf(
  cookie: string,
  { csrf }: NonNullable<Credential["session"]>,
  { audience }: Origin,
  { ask, target, session, deps }: Matter,
): Demand["exchange"] {
  return () => exchangeSession({ cookie, host: target.host, audience, csrf }, ask, session, deps);
}

function countOf(routeId: string, limit: NonNullable<Route["limit"]>, matter: Matter): Demand["count"] {
  const { limits } = matter.deps;
  if (!limits || matter.counted) return undefined;
  return (token) => countRequest(routeId, limit, token, matter.ask.headers, matter, limits);
}
