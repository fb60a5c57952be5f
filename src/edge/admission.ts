import type { Clock } from "../platform/clock.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import { type Admission, type Attempted, attempt } from "./attempt.ts";
import { type Knowledge, type Refusal, type RefuseReason, refusal } from "./decision.ts";
import type { AdmissionDeps, Demand, Demanding } from "./demand.ts";

/** What one request has got, that may have been taken back meanwhile: forgets it once, so that it is got anew. */
export type Renewal = { renew?(): boolean };

/** A view may change while a request waits; policies do not change often enough for this to be reached. */
const MAX_ROUNDS = 4;

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
 * in memory the answer is there at once: a promise that need not be there costs as much as a check.
 */
export function admit<D extends Demand>(
  asks: Demanding<D>,
  deps: AdmissionDeps,
  renewal?: Renewal,
): Result<Admission<D>, Refusal> | Promise<Result<Admission<D>, Refusal>> {
  const view = deps.freshness.peek();
  if (!view) return admitFirst(asks, deps, renewal);
  const outcome = attempt(asks, view, deps);
  if (!(outcome instanceof Promise) && outcome.kind === "admitted") return ok(outcome.admission);
  return admitInRounds(outcome, view, asks, deps, renewal);
}

/** In an isolate that knows nothing yet. */
async function admitFirst<D extends Demand>(
  asks: Demanding<D>,
  deps: AdmissionDeps,
  renewal: Renewal | undefined,
): Promise<Result<Admission<D>, Refusal>> {
  const view = await deps.freshness.first();
  if (!view) return err(refusal("no_view"));
  return admitInRounds(attempt(asks, view, deps), view, asks, deps, renewal);
}

async function admitInRounds<D extends Demand>(
  first: Attempted<D>,
  before: ReplicaView,
  asks: Demanding<D>,
  deps: AdmissionDeps,
  renewal: Renewal | undefined,
): Promise<Result<Admission<D>, Refusal>> {
  let outcome = await first;
  let view = before;
  for (let round = 1; ; round++) {
    if (outcome.kind === "admitted") return ok(outcome.admission);
    if (outcome.kind === "changed") view = outcome.view;
    else if (!(RENEWED.has(outcome.refusal.reason) && renewal?.renew?.())) {
      const { refusal: why, recheckAfterMs } = outcome;
      const newer =
        recheckAfterMs === undefined ? undefined : await deps.freshness.recheck(view, recheckAfterMs);
      if (!newer) {
        const told = UNSURE.has(why.reason) && deps.freshness.isOutOfReach() ? refusal("stale") : why;
        return err({ ...told, ...knowledge(view, deps.clock) });
      }
      view = newer;
    }
    if (round === MAX_ROUNDS) return err(refusal("stale", knowledge(view, deps.clock)));
    outcome = await attempt(asks, view, deps);
  }
}

/** What a decision was taken on. */
export function knowledge(view: ReplicaView, clock: Clock): Knowledge {
  return { seq: view.seq, replicaAgeMs: clock() - view.fetchedAtMs };
}
