import type { Clock } from "../platform/clock.ts";
import { faultText, type Logger } from "../platform/log.ts";
import type { Route } from "../policy/document.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaReader, ReplicaView } from "../replication/replica.ts";
import type { Tier } from "../revocation/receipt.ts";
import type { Suspect } from "../revocation/rule.ts";
import { SharedAsk } from "./shared-ask.ts";

/** Whether KV lists the request as denied: what stands where the log cannot be reached. */
export type Denylist = (suspect: Suspect) => Promise<Result<boolean>>;

export type WaitUntil = (work: Promise<unknown>) => void;

/** How old the view may be on which a request is accepted, and what happens where it cannot be renewed. */
export type Staleness = {
  tier: Tier;
  /** The view must have been asked for after the request came. */
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
/** A failure this young is an outage that goes on: long enough for one request to have tried again in vain. */
const OUTAGE_MS = 3_000;
/** A request that asks for longer is taken for cancelled. */
const LOCK_MS = 1_000;
/** What a cold isolate asks for: as old as the default bound lets a view be. */
const FIRST_MAX_AGE_MS = 2_000;
/** How often a refusal may ask whether a newer view would change it. */
const RECHECK_EVERY_MS = 1_000;
/** How often a request looks whether what another one asked for has come back. */
const POLL_MS = 5;

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
  const { tier } = consistency;
  const always = tier === "strict";
  if (always) return { tier, always, boundMs: 0, denylistUntilMs: NEVER_MS, blindUntilMs: NEVER_MS };
  const eventual = tier === "eventual";
  const boundMs = eventual ? EVENTUAL_BOUND_MS : consistency.max_staleness_ms;
  const allowedMs = onStale === "deny" ? NEVER_MS : boundMs + onStale.allow_for_seconds * 1000;
  return eventual
    ? { tier, always, boundMs, denylistUntilMs: Number.POSITIVE_INFINITY, blindUntilMs: allowedMs }
    : { tier, always, boundMs, denylistUntilMs: allowedMs, blindUntilMs: NEVER_MS };
}

/**
 * Sees to it that a decision is taken on a view that is young enough. One for each isolate: where several
 * requests need a younger view at once, one asks and the others wait for what it brings; a strict one gets what was asked for after it came.
 */
export class Freshness {
  readonly #o: FreshnessOptions;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #recheckedAtMs = Number.NEGATIVE_INFINITY;
  #lockedUntilMs = Number.NEGATIVE_INFINITY;
  #rechecking = false;
  readonly #strict: SharedAsk<ReplicaView | undefined>;

  constructor(options: FreshnessOptions) {
    this.#o = options;
    this.#strict = new SharedAsk({ clock: options.clock, sleep: (ms) => this.#sleep(ms) });
  }

  /** The view in memory. */
  peek(): ReplicaView | undefined {
    return this.#o.replica.peek();
  }

  /**
   * The view in memory, or in a cold isolate the first one, which may be an old snapshot where the log is
   * out of reach; undefined where there is none.
   */
  async first(): Promise<ReplicaView | undefined> {
    const { replica } = this.#o;
    return replica.peek() ?? (await this.#refresh(false, FIRST_MAX_AGE_MS)) ?? replica.peek();
  }

  /**
   * A view that may turn a refusal around: a key or a route may be newer than the view it was not found in.
   * At most one request a second asks, so that junk cannot be used to load the log; those that come while it
   * does wait for what it brings.
   */
  async recheck(view: ReplicaView, olderThanMs: number): Promise<ReplicaView | undefined> {
    const latest = this.#o.replica.peek();
    if (latest && latest.seq > view.seq) return latest;
    const now = this.#o.clock();
    if (within(now - view.fetchedAtMs, olderThanMs)) return undefined;
    if (within(now - this.#recheckedAtMs, RECHECK_EVERY_MS)) {
      const theirs = await this.#othersRecheck(view);
      // Whoever asked was cancelled and will never tell: another one asks.
      return theirs || !this.#rechecking ? theirs : this.recheck(view, olderThanMs);
    }
    this.#recheckedAtMs = now;
    this.#rechecking = true;
    const newer = await this.#refresh(false, olderThanMs);
    this.#rechecking = false;
    return newer;
  }

  /** No promise is shared: the request that asks may be cancelled, and then the second is over some time. */
  async #othersRecheck(view: ReplicaView): Promise<ReplicaView | undefined> {
    while (this.#rechecking && within(this.#o.clock() - this.#recheckedAtMs, RECHECK_EVERY_MS)) {
      await this.#sleep(POLL_MS);
    }
    const latest = this.#o.replica.peek();
    return latest && latest.seq > view.seq ? latest : undefined;
  }

  /** Whether the log did not answer when it was last asked, a moment ago. */
  isOutOfReach(): boolean {
    return within(this.#o.clock() - this.#failedAtMs, OUTAGE_MS);
  }

  /** The view to decide on where the one in memory is young enough. Undefined: {@link ensure} is to be waited for. */
  ready(view: ReplicaView, staleness: Staleness, waitUntil: WaitUntil): ReplicaView | undefined {
    const { replica } = this.#o;
    const latest = replica.peek() ?? view;
    const ageMs = this.#ageMs(latest);
    if (staleness.always || !within(ageMs, staleness.boundMs)) return undefined;
    if (ageMs > staleness.boundMs / 2) replica.refreshInBackground(waitUntil, staleness.boundMs);
    return latest;
  }

  /**
   * The view to decide on. `revoked` where only the KV denylist could be asked and lists the request. After
   * this nothing may be awaited before the decision.
   *
   * @param suspect the verified token and the address, as far as there are any: without both nothing is looked up
   */
  async ensure(
    view: ReplicaView,
    staleness: Staleness,
    suspect: Suspect,
    waitUntil: WaitUntil,
  ): Promise<Result<ReplicaView, "stale" | "revoked">> {
    const ready = this.ready(view, staleness, waitUntil);
    if (ready) return ok(ready);
    const latest = this.#o.replica.peek() ?? view;
    const refreshed = await this.#refresh(staleness.always, staleness.always ? 0 : staleness.boundMs);
    if (refreshed && (staleness.always || within(this.#ageMs(refreshed), staleness.boundMs))) {
      return ok(refreshed);
    }
    return this.#withoutLog(latest, staleness, suspect);
  }

  async #withoutLog(
    view: ReplicaView,
    staleness: Staleness,
    suspect: Suspect,
  ): Promise<Result<ReplicaView, "stale" | "revoked">> {
    if (!within(this.#ageMs(view), staleness.denylistUntilMs)) return err("stale");
    const nobody = suspect.facts === undefined && suspect.address === undefined;
    const listed = nobody ? "no" : await this.#listed(suspect);
    if (listed === "yes") return err("revoked");
    const limitMs = listed === "no" ? staleness.denylistUntilMs : staleness.blindUntilMs;
    return within(this.#ageMs(view), limitMs) ? ok(this.#o.replica.peek() ?? view) : err("stale");
  }

  #sleep(ms: number): Promise<void> {
    return this.#o.sleep?.(ms) ?? new Promise((resolve) => setTimeout(resolve, ms));
  }

  #ageMs(view: ReplicaView): number {
    return this.#o.clock() - view.fetchedAtMs;
  }

  async #listed(suspect: Suspect): Promise<"yes" | "no" | "unknown"> {
    try {
      const found = await this.#o.denylist(suspect);
      if (!found.ok) return "unknown";
      return found.value ? "yes" : "no";
    } catch (fault) {
      this.#o.log("error", "denylist.failed", { fault: faultText(fault) });
      return "unknown";
    }
  }

  async #refresh(always: boolean, maxAgeMs = 0): Promise<ReplicaView | undefined> {
    if (always) return this.#strict.ask(() => this.#ask(0));
    const { clock, replica } = this.#o;
    const before = replica.peek();
    while (clock() < this.#lockedUntilMs) {
      // The log has just failed, and another request finds out whether that is over.
      if (this.isOutOfReach()) return undefined;
      await this.#sleep(POLL_MS);
    }
    // From here to the lock nothing is awaited: of many that waited, one asks.
    const latest = replica.peek();
    const renewed = latest && latest.fetchedAtMs !== before?.fetchedAtMs;
    if (renewed && within(clock() - latest.fetchedAtMs, maxAgeMs)) return latest;
    if (within(clock() - this.#failedAtMs, RETRY_AFTER_MS)) return undefined;
    this.#lockedUntilMs = clock() + LOCK_MS;
    try {
      return await this.#ask(maxAgeMs);
    } finally {
      this.#lockedUntilMs = Number.NEGATIVE_INFINITY;
    }
  }

  async #ask(maxAgeMs: number): Promise<ReplicaView | undefined> {
    try {
      const view = await this.#o.replica.refresh(maxAgeMs);
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
