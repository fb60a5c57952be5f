import type { Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { Suspect } from "../revocation/rule.ts";
import { type VerifiedToken, windowFault } from "../tokens/claims.ts";
import type { TokenFault } from "../tokens/verify.ts";
import { addressOf, constrain, isBlocked } from "./constraints.ts";
import { type Refusal, refusal } from "./decision.ts";
import type { AdmissionDeps, Demand, Demanding } from "./demand.ts";
import { holdsKey, identify } from "./identify.ts";
import type { Trace } from "./trace.ts";

/** A key that is not known may have been made a moment ago; any other refusal may wait for the default bound. */
const KEY_RECHECK_MS = 0;
const REFUSAL_RECHECK_MS = 2_000;

/** What was admitted, on which view; the token as rules leave it. */
export type Admission<D> = {
  readonly demand: D;
  readonly view: ReplicaView;
  readonly token: VerifiedToken | undefined;
};

/** `recheckAfterMs`: a view that is younger than this may turn the refusal around. */
type Refused = { kind: "refused"; refusal: Refusal; recheckAfterMs?: number };
/** How one attempt ended; `changed`: another one is to begin on this view. */
type Outcome<D> =
  | { kind: "admitted"; admission: Admission<D> }
  | Refused
  | { kind: "changed"; view: ReplicaView };
export type Attempted<D> = Outcome<D> | Promise<Outcome<D>>;

/** Demands, and holds the credential against it: once, on one view. */
export function attempt<D extends Demand>(
  asks: Demanding<D>,
  view: ReplicaView,
  deps: AdmissionDeps,
): Attempted<D> {
  deps.trace?.beginRound();
  const demanded = asks.demandOf(view);
  if (!demanded.ok) return refused(demanded.error, REFUSAL_RECHECK_MS);
  return new Attempt(demanded.value, view, deps).begin();
}

/**
 * One attempt on one view, step by step. A step that has to wait hands a promise on and the next one is taken when it
 * is there; any other is followed by the next at once.
 */
class Attempt<D extends Demand> implements Admission<D> {
  readonly demand: D;
  view: ReplicaView;
  token: VerifiedToken | undefined;
  readonly #deps: AdmissionDeps;
  readonly #trace: Trace | undefined;
  /** What refusals name: not somebody that was only vouched for. */
  #named: VerifiedToken | undefined;

  constructor(demand: D, view: ReplicaView, deps: AdmissionDeps) {
    this.demand = demand;
    this.view = view;
    this.#deps = deps;
    this.#trace = deps.trace;
    this.token = demand.vouched;
    this.#named = undefined;
  }

  begin(): Attempted<D> {
    const { headers, exchange, credential } = this.demand;
    if (isBlocked(headers, this.view, this.#deps.clock, this.#trace)) {
      return this.#refuse(refusal("address_blocked"), REFUSAL_RECHECK_MS);
    }
    if (!exchange) return this.#identify(credential);
    const exchanging = exchange();
    return exchanging instanceof Promise
      ? exchanging.then((exchanged) => this.#exchanged(exchanged))
      : this.#exchanged(exchanging);
  }

  #exchanged(exchanged: Result<string, Refusal>): Attempted<D> {
    if (exchanged.ok) return this.#identify(exchanged.value);
    // A session that is over is no hindrance where none is needed.
    if (!this.demand.tokenNeeded && exchanged.error.reason === "session_over") {
      return this.#identify(this.demand.credential);
    }
    this.#trace?.note("credential", false);
    return this.#refuse(exchanged.error);
  }

  #identify(credential: string | undefined): Attempted<D> {
    if (this.token) return this.#refresh();
    if (credential === undefined) {
      if (!this.demand.tokenNeeded) return this.#refresh();
      this.#trace?.note("credential", false);
      return this.#refuse(refusal("credential_missing"), REFUSAL_RECHECK_MS);
    }
    const deps = this.#deps;
    const identifying = identify(credential, this.view, this.#nowSeconds(), deps, deps.waitUntil);
    return identifying instanceof Promise
      ? identifying.then((identified) => this.#identified(identified))
      : this.#identified(identifying);
  }

  #identified(identified: Result<VerifiedToken, TokenFault>): Attempted<D> {
    this.#trace?.note("token", identified.ok);
    if (!identified.ok) {
      const { reason, ...whose } = identified.error;
      return this.#refuse(refusal(`token_${reason}`, whose), RECHECKED[reason]);
    }
    const token = identified.value;
    this.token = token;
    this.#named = token;
    const misdirected = this.demand.misdirected(token);
    this.#trace?.note("audience", !misdirected);
    if (misdirected) return this.#refuse(refusal(misdirected), REFUSAL_RECHECK_MS);
    const proving = this.demand.unproven?.(token);
    return proving instanceof Promise
      ? proving.then((unproven) => this.#proven(token, unproven))
      : this.#proven(token, proving);
  }

  #proven(token: VerifiedToken, unproven: Refusal | undefined): Attempted<D> {
    this.#trace?.note("sender", !unproven);
    if (unproven) return this.#refuse(unproven, REFUSAL_RECHECK_MS);
    const preparing = this.#deps.prepare?.();
    return preparing ? preparing.then(() => this.#confirm(token)) : this.#confirm(token);
  }

  #confirm(token: VerifiedToken): Attempted<D> {
    const { denied } = this.#deps;
    if (denied.look(this.view, token.facts, this.#nowSeconds()) !== "unconfirmed") return this.#hold(token);
    return denied.settle(this.view, token.facts, this.#nowSeconds()).then((settled) => {
      if (settled) return this.#hold(token);
      this.#trace?.note("freshness", false);
      return this.#refuse(refusal("stale"));
    });
  }

  #hold(token: VerifiedToken): Attempted<D> {
    const holding = this.demand.hold?.(token);
    if (!holding) return this.#refresh();
    return holding.then((none) => (none ? this.#refuse(none) : this.#refresh()));
  }

  #refresh(): Attempted<D> {
    const { freshness, waitUntil } = this.#deps;
    const { staleness } = this.demand;
    const ready = freshness.ready(this.view, staleness, waitUntil);
    if (ready) return this.#refreshed(ready);
    const suspect = suspectOf(this.token, this.demand);
    return freshness.ensure(this.view, staleness, suspect, waitUntil).then((fresh) => {
      if (fresh.ok) return this.#refreshed(fresh.value);
      this.#trace?.note(fresh.error === "revoked" ? "revocation" : "freshness", false);
      return this.#refuse(refusal(fresh.error === "revoked" ? "token_revoked" : "stale"));
    });
  }

  #refreshed(view: ReplicaView): Attempted<D> {
    this.#trace?.note("freshness", true, { tier: this.demand.staleness.tier });
    const outcome = this.#lookAt(view);
    if (outcome.kind !== "admitted" || !this.demand.count) return outcome;
    // What is refused anyway counts against nobody; what was let through is looked at again after the wait.
    return this.demand
      .count(this.token)
      .then((over) => (over ? this.#refuse(over) : { kind: "changed", view }));
  }

  /** The last look at window, revocations and permission, on the view that is young enough: one synchronous step. */
  #lookAt(view: ReplicaView): Outcome<D> {
    const token = this.token;
    const demand = this.demand;
    const before = this.view;
    if (view.policy.version !== before.policy.version || (token && !holdsKey(token, view))) {
      return { kind: "changed", view };
    }
    const now = this.#nowSeconds();
    if (view !== before && isBlocked(demand.headers, view, this.#deps.clock, undefined)) {
      return this.#refuse(refusal("address_blocked"));
    }
    let good = token;
    if (token) {
      const ended = endOf(token, view, now, this.#trace);
      if (ended) return this.#refuse(ended);
      const listed = this.#deps.denied.look(view, token.facts, now);
      if (listed === "unconfirmed") return { kind: "changed", view };
      this.#trace?.note("revocation", listed !== "denied");
      if (listed === "denied") return this.#refuse(refusal("token_revoked"));
      const rules = demand.unconstrained ? undefined : view.revocations.constraints(token.facts, now);
      const left = rules && constrain(token, rules, now, this.#trace);
      if (left?.ok === false) return this.#refuse(left.error);
      if (left) good = left.value;
    }
    const forbidden = demand.denied(good);
    if (forbidden) {
      if (good) this.#named = good;
      return this.#refuse(forbidden);
    }
    this.view = view;
    this.token = good;
    return { kind: "admitted", admission: this };
  }

  #nowSeconds(): number {
    return this.#deps.clock() / 1000;
  }

  /** Tells what it was about. */
  #refuse(why: Refusal, recheckAfterMs?: number): Refused {
    const { route, params, dpop } = this.demand;
    const about: Partial<Refusal> = {};
    if (route) about.route = route;
    if (params) about.params = params;
    if (dpop) about.dpop = true;
    if (this.#named) about.token = this.#named;
    return refused({ ...why, ...about }, recheckAfterMs);
  }
}

/** What KV is asked about where the log cannot be: made only then. */
function suspectOf(token: VerifiedToken | undefined, { headers }: Demand): Suspect {
  const address = headers && addressOf(headers);
  return {
    ...(token ? { facts: token.facts } : {}),
    ...(address === undefined ? {} : { address }),
  };
}

/** Faults that a newer view may cure. */
const RECHECKED: { [reason in TokenFault["reason"]]?: number } = {
  unknown_key: KEY_RECHECK_MS,
  unknown_issuer: REFUSAL_RECHECK_MS,
};

function endOf(
  token: VerifiedToken,
  view: ReplicaView,
  nowSeconds: number,
  trace: Trace | undefined,
): Refusal | undefined {
  const late = windowFault(token, nowSeconds);
  trace?.note("window", !late);
  if (late) return refusal(`token_${late}`);
  if (!view.revocations.find(token.facts, nowSeconds)) return undefined;
  trace?.note("revocation", false);
  return refusal("token_revoked");
}

function refused(why: Refusal, recheckAfterMs?: number): Refused {
  return { kind: "refused", refusal: why, ...(recheckAfterMs === undefined ? {} : { recheckAfterMs }) };
}
