import type { Clock } from "../platform/clock.ts";
import { faultText, type Logger } from "../platform/log.ts";
import type { Route } from "../policy/document.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaReader, ReplicaView } from "../replication/replica.ts";
import type { Revocation, TokenFacts } from "../revocation/rule.ts";

/** The revocation of a token as KV knows it: what stands where the log cannot be reached. */
export type Denylist = (facts: TokenFacts) => Promise<Result<Revocation | undefined>>;

export type WaitUntil = (work: Promise<unknown>) => void;

/** How old the view may be on which a request is accepted, and what happens where it cannot be renewed. */
export type Staleness = {
  /** Every request asks the log itself. */
  always: boolean;
  boundMs: number;
  /** Past the bound, and with the log out of reach, the KV denylist decides until this age; below 0: never. */
  denylistUntilMs: number;
  /** Until this age, the view is enough where KV cannot be read either. */
  blindUntilMs: number;
};

const EVENTUAL_BOUND_MS = 60_000;
const NEVER_MS = -1;
/** After a failure, the log is left alone for this long but for strict requests: an outage is not made worse. */
const RETRY_AFTER_MS = 1_000;
/** A request that asks for longer is taken for cancelled. */
const LOCK_MS = 1_000;
const POLL_MS = 5;
/** How often a refusal may ask whether a newer view would change it. */
const RECHECK_EVERY_MS = 1_000;

type FreshnessOptions = {
  replica: ReplicaReader;
  denylist: Denylist;
  clock: Clock;
  log: Logger;
  /** Waits in the request's own turn; tests pass their own. */
  sleep?: (ms: number) => Promise<void>;
};

/**
 * The tier of a route in numbers. `eventual` stands on KV, and on `on_stale` where KV is gone too; `bounded`
 * goes past its bound only by `on_stale`, and never for a token that KV lists; `strict` never does.
 */
export function stalenessOf(route: Pick<Route, "consistency" | "on_stale">): Staleness {
  const { consistency, on_stale: onStale } = route;
  const always = consistency.tier === "strict";
  if (always) return { always, boundMs: 0, denylistUntilMs: NEVER_MS, blindUntilMs: NEVER_MS };
  const eventual = consistency.tier === "eventual";
  const boundMs = eventual ? EVENTUAL_BOUND_MS : consistency.max_staleness_ms;
  const allowedMs = onStale === "deny" ? NEVER_MS : boundMs + onStale.allow_for_seconds * 1000;
  return eventual
    ? { always, boundMs, denylistUntilMs: Number.POSITIVE_INFINITY, blindUntilMs: allowedMs }
    : { always, boundMs, denylistUntilMs: allowedMs, blindUntilMs: NEVER_MS };
}

/**
 * Sees to it that a decision is taken on a view that is young enough. One for each isolate: where several
 * requests need a younger view at once, one asks and the others wait for what it brings, but for strict ones.
 */
export class Freshness {
  readonly #o: FreshnessOptions;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #recheckedAtMs = Number.NEGATIVE_INFINITY;
  #lockedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: FreshnessOptions) {
    this.#o = options;
  }

  /**
   * The view in memory, or in a cold isolate the first one, which may be an old snapshot where the log is
   * out of reach; undefined where there is none.
   */
  async first(): Promise<ReplicaView | undefined> {
    const { replica } = this.#o;
    return replica.peek() ?? (await this.#refresh(false)) ?? replica.peek();
  }

  /**
   * A view that may turn a refusal around: a key or a route may be newer than the view it was not found in.
   * At most one request a second asks, so that junk cannot be used to load the log.
   */
  async recheck(view: ReplicaView, olderThanMs: number): Promise<ReplicaView | undefined> {
    const latest = this.#o.replica.peek();
    if (latest && latest.seq > view.seq) return latest;
    const now = this.#o.clock();
    if (within(now - view.fetchedAtMs, olderThanMs)) return undefined;
    if (within(now - this.#recheckedAtMs, RECHECK_EVERY_MS)) return undefined;
    this.#recheckedAtMs = now;
    return this.#refresh(false);
  }

  /**
   * The view to decide on. `revoked` where only the KV denylist could be asked and lists the token. After
   * this nothing may be awaited before the decision.
   *
   * @param facts the verified token; undefined where the request has none, and nothing could be revoked
   */
  async ensure(
    view: ReplicaView,
    staleness: Staleness,
    facts: TokenFacts | undefined,
    waitUntil: WaitUntil,
  ): Promise<Result<ReplicaView, "stale" | "revoked">> {
    const { replica } = this.#o;
    const latest = replica.peek() ?? view;
    const ageMs = this.#ageMs(latest);
    if (!staleness.always && within(ageMs, staleness.boundMs)) {
      if (ageMs > staleness.boundMs / 2) replica.refreshInBackground(waitUntil);
      return ok(latest);
    }
    const refreshed = await this.#refresh(staleness.always);
    if (refreshed && (staleness.always || within(this.#ageMs(refreshed), staleness.boundMs))) {
      return ok(refreshed);
    }
    return this.#withoutLog(latest, staleness, facts);
  }

  async #withoutLog(
    view: ReplicaView,
    staleness: Staleness,
    facts: TokenFacts | undefined,
  ): Promise<Result<ReplicaView, "stale" | "revoked">> {
    if (!within(this.#ageMs(view), staleness.denylistUntilMs)) return err("stale");
    const listed = facts ? await this.#listed(facts) : "no";
    if (listed === "yes") return err("revoked");
    const limitMs = listed === "no" ? staleness.denylistUntilMs : staleness.blindUntilMs;
    return within(this.#ageMs(view), limitMs) ? ok(this.#o.replica.peek() ?? view) : err("stale");
  }

  #ageMs(view: ReplicaView): number {
    return this.#o.clock() - view.fetchedAtMs;
  }

  async #listed(facts: TokenFacts): Promise<"yes" | "no" | "unknown"> {
    try {
      const found = await this.#o.denylist(facts);
      if (!found.ok) return "unknown";
      return found.value ? "yes" : "no";
    } catch (fault) {
      this.#o.log("error", "denylist.failed", { fault: faultText(fault) });
      return "unknown";
    }
  }

  async #refresh(always: boolean): Promise<ReplicaView | undefined> {
    if (always) return this.#ask();
    const { clock, replica } = this.#o;
    const sleep = this.#o.sleep ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
    const before = replica.peek();
    while (clock() < this.#lockedUntilMs) {
      // The last answer was a failure, and another request finds out whether that is over.
      if (this.#failedAtMs !== Number.NEGATIVE_INFINITY) return undefined;
      await sleep(POLL_MS);
    }
    // From here to the lock nothing is awaited: of many that waited, one asks.
    const latest = replica.peek();
    if (latest && latest.fetchedAtMs !== before?.fetchedAtMs) return latest;
    if (within(clock() - this.#failedAtMs, RETRY_AFTER_MS)) return undefined;
    this.#lockedUntilMs = clock() + LOCK_MS;
    try {
      return await this.#ask();
    } finally {
      this.#lockedUntilMs = Number.NEGATIVE_INFINITY;
    }
  }

  async #ask(): Promise<ReplicaView | undefined> {
    try {
      const view = await this.#o.replica.refresh();
      if (view.ok) {
        this.#failedAtMs = Number.NEGATIVE_INFINITY;
        return view.value;
      }
      this.#o.log("warn", "replica.refresh_failed", { code: view.error.code });
    } catch (fault) {
      this.#o.log("error", "replica.refresh_failed", { fault: faultText(fault) });
    }
    this.#failedAtMs = this.#o.clock();
    return undefined;
  }
}

/** An age below zero is a clock that was set back: it tells nothing. */
function within(ageMs: number, limitMs: number): boolean {
  return ageMs >= 0 && ageMs <= limitMs;
}
