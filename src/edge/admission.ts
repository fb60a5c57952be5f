import type { Clock } from "../platform/clock.ts";
import type { Route } from "../policy/document.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { Suspect } from "../revocation/rule.ts";
import { type VerifiedToken, windowFault } from "../tokens/claims.ts";
import type { TokenFault } from "../tokens/verify.ts";
import { addressOf, constrain, isBlocked } from "./constraints.ts";
import { type Knowledge, type Refusal, type RefuseReason, refusal } from "./decision.ts";
import type { DeniedTokens } from "./denied-tokens.ts";
import type { Freshness, Staleness, WaitUntil } from "./freshness.ts";
import { holdsKey, type IdentifyDeps, identify } from "./identify.ts";
import type { Trace } from "./trace.ts";

export type AdmissionDeps = IdentifyDeps & {
  clock: Clock;
  freshness: Freshness;
  denied: DeniedTokens;
  waitUntil: WaitUntil;
  /** Work that must not come between the decision and its use, done once the token is verified. */
  prepare?: () => Promise<unknown> | undefined;
  /** Told of every check, where somebody asks why. */
  trace?: Trace;
};

/** What a request asks of its credential, as one view of the policy tells it. */
export type Demand = {
  /** Named in refusals. */
  route?: Route;
  /** The request's, where rules for addresses hold: not in the control plane, where such a rule can be lifted. */
  headers?: Pick<Headers, "get">;
  params?: Record<string, string>;
  /** The access token that was sent. */
  credential?: string;
  /** Gets the access token that stands for the session's cookie that was sent, in place of `credential`. */
  exchange?(): Result<string, Refusal> | Promise<Result<string, Refusal>>;
  /** In place of a credential: what somebody vouches for who has authenticated the subject. */
  vouched?: VerifiedToken;
  /** Refusals ask for a proof of possession. */
  dpop?: boolean;
  tokenNeeded: boolean;
  /** Rules that only constrain a token do not matter: it is to be ended. */
  unconstrained?: boolean;
  staleness: Staleness;
  /** The token is one for this place at all: whose it is, and for which audience. */
  misdirected(token: VerifiedToken): RefuseReason | undefined;
  /** Whoever sends the token may do so; a promise only where there is something to prove. */
  unproven?(token: VerifiedToken): Refusal | undefined | Promise<Refusal | undefined>;
  /** Holds what the request uses up, before the last look; a promise only where its grant is counted. */
  hold?(token: VerifiedToken): Promise<Refusal | undefined> | undefined;
  /** Counts the request, once; absent where its route has no limit, or it was counted. */
  count?(token: VerifiedToken | undefined): Promise<Refusal | undefined>;
  /** The last word on a token that is good; synchronous. */
  denied(token: VerifiedToken | undefined): Refusal | undefined;
};

/** What one request has got, that may have been taken back meanwhile: forgets it once, so that it is got anew. */
export type Renewal = { renew?(): boolean };

export type Admission<D> = { demand: D; token?: VerifiedToken; view: ReplicaView };

/** A view may change while a request waits; policies do not change often enough for this to be reached. */
const MAX_ROUNDS = 4;
/** A key that is not known may have been made a moment ago; any other refusal may wait for the default bound. */
const KEY_RECHECK_MS = 0;
const REFUSAL_RECHECK_MS = 2_000;

/** What an old view cannot be sure of: where the log does not answer, these are 503, not the client's fault. */
const UNSURE: ReadonlySet<RefuseReason> = new Set([
  "no_route",
  "method_not_allowed",
  "token_unknown_key",
  "token_unknown_issuer",
]);

/** What is wrong with a token of a session whose next one may be good. */
const RENEWED: ReadonlySet<RefuseReason> = new Set(["token_revoked", "token_expired", "token_unknown_key"]);

/**
 * Holds a credential against what is demanded: verify, audience, sender, freshness, revocation, permission. All that
 * waits comes before the last look at window, revocations and permission, which is one synchronous step on a
 * view that is as young as demanded. Where the policy or the key changed while waiting, all begins anew. Where all is
 * in memory, nothing waits: a promise that need not be there costs as much as a check.
 */
export async function admit<D extends Demand>(
  demandOf: (view: ReplicaView) => Result<D, Refusal>,
  deps: AdmissionDeps,
  renewal?: Renewal,
): Promise<Result<Admission<D>, Refusal>> {
  const first = deps.freshness.peek() ?? (await deps.freshness.first());
  if (!first) return err(refusal("no_view"));
  let view = first;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const outcome = await attempt(demandOf, view, deps);
    if (outcome.kind === "admitted") return ok(outcome.admission);
    if (outcome.kind === "changed") {
      view = outcome.view;
      continue;
    }
    const { refusal: why, recheckAfterMs } = outcome;
    if (RENEWED.has(why.reason) && renewal?.renew?.()) continue;
    const newer =
      recheckAfterMs === undefined ? undefined : await deps.freshness.recheck(view, recheckAfterMs);
    if (!newer) {
      const told = UNSURE.has(why.reason) && deps.freshness.isOutOfReach() ? refusal("stale") : why;
      return err({ ...told, ...knowledge(view, deps.clock) });
    }
    view = newer;
  }
  return err(refusal("stale", knowledge(view, deps.clock)));
}

/** What a decision was taken on. */
export function knowledge(view: ReplicaView, clock: Clock): Knowledge {
  return { seq: view.seq, replicaAgeMs: clock() - view.fetchedAtMs };
}

/** `recheckAfterMs`: a view that is younger than this may turn the refusal around. */
type Refused = { kind: "refused"; refusal: Refusal; recheckAfterMs?: number };
type Outcome<D> =
  | { kind: "admitted"; admission: Admission<D> }
  | Refused
  | { kind: "changed"; view: ReplicaView };

async function attempt<D extends Demand>(
  demandOf: (view: ReplicaView) => Result<D, Refusal>,
  view: ReplicaView,
  deps: AdmissionDeps,
): Promise<Outcome<D>> {
  const { trace } = deps;
  trace?.beginRound();
  const demanded = demandOf(view);
  if (!demanded.ok) return refused(demanded.error, REFUSAL_RECHECK_MS);
  const demand = demanded.value;
  const about: Partial<Refusal> = demand.route ? { route: demand.route } : {};
  if (demand.params) about.params = demand.params;
  if (demand.dpop) about.dpop = true;
  if (isBlocked(demand.headers, view, deps.clock() / 1000, trace)) {
    return refused(refusal("address_blocked", about), REFUSAL_RECHECK_MS);
  }
  let { credential } = demand;
  if (demand.exchange) {
    const exchanged = await demand.exchange();
    if (exchanged.ok) credential = exchanged.value;
    // A session that is over is no hindrance where none is needed.
    else if (demand.tokenNeeded || exchanged.error.reason !== "session_over") {
      trace?.note("credential", false);
      return refused({ ...exchanged.error, ...about });
    }
  }
  let token = demand.vouched;
  if (token === undefined && credential !== undefined) {
    const nowSeconds = deps.clock() / 1000;
    const identifying = identify(credential, view, nowSeconds, deps, deps.waitUntil);
    const identified = identifying instanceof Promise ? await identifying : identifying;
    trace?.note("token", identified.ok);
    if (!identified.ok) {
      const { reason, ...whose } = identified.error;
      return refused(refusal(`token_${reason}`, { ...about, ...whose }), RECHECKED[reason]);
    }
    token = identified.value;
    const wrong = misplaced(demand, token, about, trace);
    if (wrong) return refused(wrong, REFUSAL_RECHECK_MS);
    const proving = demand.unproven?.(token);
    const unproven = proving instanceof Promise ? await proving : proving;
    trace?.note("sender", !unproven);
    if (unproven) return refused({ ...unproven, ...about }, REFUSAL_RECHECK_MS);
    const preparing = deps.prepare?.();
    if (preparing) await preparing;
    const isListed = deps.denied.look(view, token.facts, nowSeconds);
    if (isListed === "unconfirmed" && !(await deps.denied.settle(view, token.facts, deps.clock() / 1000))) {
      trace?.note("freshness", false);
      return refused(refusal("stale", about));
    }
    const holding = demand.hold?.(token);
    const none = holding && (await holding);
    if (none) return refused({ ...none, ...about });
  } else if (token === undefined && demand.tokenNeeded) {
    trace?.note("credential", false);
    return refused(refusal("credential_missing", about), REFUSAL_RECHECK_MS);
  }
  const ready = deps.freshness.ready(view, demand.staleness, deps.waitUntil);
  const fresh = ready
    ? ok(ready)
    : await deps.freshness.ensure(view, demand.staleness, suspectOf(token, demand), deps.waitUntil);
  if (!fresh.ok) {
    trace?.note(fresh.error === "revoked" ? "revocation" : "freshness", false);
    return refused(refusal(fresh.error === "revoked" ? "token_revoked" : "stale", about));
  }
  trace?.note("freshness", true, { tier: demand.staleness.tier });
  const outcome = lookAt(token, demand, view, fresh.value, deps, about);
  if (outcome.kind !== "admitted" || !demand.count) return outcome;
  // What is refused anyway counts against nobody; what was let through is looked at again after the wait.
  const over = await demand.count(token);
  return over ? refused({ ...over, ...about }) : { kind: "changed", view: fresh.value };
}

/** A verified token that is not for this place. */
function misplaced(
  demand: Demand,
  token: VerifiedToken,
  about: Partial<Refusal>,
  trace: Trace | undefined,
): Refusal | undefined {
  about.token = token;
  const misdirected = demand.misdirected(token);
  trace?.note("audience", !misdirected);
  return misdirected && refusal(misdirected, about);
}

/** The last look at window, revocations and permission, on the view that is young enough: one synchronous step. */
function lookAt<D extends Demand>(
  token: VerifiedToken | undefined,
  demand: D,
  before: ReplicaView,
  view: ReplicaView,
  { clock, denied, trace }: AdmissionDeps,
  about: Partial<Refusal>,
): Outcome<D> {
  if (view.policy.version !== before.policy.version || (token && !holdsKey(token, view))) {
    return { kind: "changed", view };
  }
  const now = clock() / 1000;
  if (view !== before && isBlocked(demand.headers, view, now, undefined))
    return refused(refusal("address_blocked", about));
  const ended = token && endOf(token, view, now, trace);
  if (ended) return refused({ ...ended, ...about });
  const listed = token && denied.look(view, token.facts, now);
  if (listed === "unconfirmed") return { kind: "changed", view };
  if (token) trace?.note("revocation", listed !== "denied");
  if (listed === "denied") return refused(refusal("token_revoked", about));
  const rules = token && !demand.unconstrained && view.revocations.constraints(token.facts, now);
  const left = rules ? constrain(token, rules, now, trace) : undefined;
  if (left?.ok === false) return refused({ ...left.error, ...about });
  const good = left ? left.value : token;
  const forbidden = demand.denied(good);
  if (forbidden) return refused({ ...forbidden, ...about, ...(good ? { token: good } : {}) });
  return { kind: "admitted", admission: good ? { demand, view, token: good } : { demand, view } };
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
