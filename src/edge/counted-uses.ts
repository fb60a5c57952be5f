import type { Clock } from "../platform/clock.ts";
import type { Problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { WaitUntil } from "./freshness.ts";

/** A grant's own object, which counts its uses. Both calls are idempotent by the lease's id. */
export type UsePort = {
  takeUses(leaseId: string): Promise<Result<{ uses: number }>>;
  settleUses(leaseId: string, unused: number): Promise<Result<null>>;
};

/** One use, which is held for one request: counted unless it is given back. */
export type HeldUse = { spend(): void; release(): void };

export type UseFault = "uses_taken" | "uses_unavailable" | "token_revoked" | "token_expired";

type Lease = { id: string; left: number; held: number; takenAtMs: number };
type Pool = {
  leases: Lease[];
  usedUp: boolean;
  /** Some request is taking a lease, unless it was cancelled. */
  takingUntilMs: number;
  /** So little is left that each request takes its own. */
  oneByOne: boolean;
};

type CountedUsesOptions = {
  counter(grant: string): UsePort;
  clock: Clock;
  newId(): string;
  /** Waits in the request's own turn; tests pass their own. */
  sleep?: (ms: number) => Promise<void>;
};

/** What is not used of a lease within this time goes back, so that others can use it. */
const LEASE_MS = 5_000;
/** A request that takes longer to get a lease is taken for cancelled. */
const LOCK_MS = 1_000;
const POLL_MS = 5;
/** Grants that this isolate knows something of. Whatever is forgotten is asked for again. */
const MAX_GRANTS = 1_000;
/** More than any lease has. */
const ALL = Number.MAX_SAFE_INTEGER;

/**
 * The uses of counted grants that this isolate may spend. A use is taken from the grant's object before the request
 * is decided for the last time, so that nothing is awaited after the decision; nothing else ever adds one.
 */
export class CountedUses {
  readonly #o: CountedUsesOptions;
  readonly #sleep: (ms: number) => Promise<void>;
  readonly #grants = new Map<string, Pool>();

  constructor(options: CountedUsesOptions) {
    this.#o = options;
    this.#sleep = options.sleep ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
  }

  async hold(grant: string, waitUntil: WaitUntil): Promise<Result<HeldUse, UseFault>> {
    const pool = this.#pool(grant);
    if (pool.usedUp) return err("uses_taken");
    const known = await this.#holdSoon(pool, grant, waitUntil);
    if (known) return ok(known);
    const takenAtMs = this.#o.clock();
    const id = this.#o.newId();
    pool.takingUntilMs = takenAtMs + LOCK_MS;
    const taken = await this.#o.counter(grant).takeUses(id);
    pool.takingUntilMs = 0;
    if (taken.ok) {
      pool.oneByOne = taken.value.uses === 1;
      const lease = { id, left: taken.value.uses, held: 0, takenAtMs };
      pool.leases.push(lease);
      waitUntil(this.#sleep(LEASE_MS).then(() => this.#settle(lease, pool, grant)));
      return ok(this.#holdOf(lease, pool, grant, waitUntil));
    }
    const fault = this.#refused(taken.error, pool, grant, id, waitUntil);
    // Requests beside this one may have got more than they need.
    const theirs = fault === "uses_taken" ? this.#holdKnown(pool, grant, waitUntil) : undefined;
    return theirs ? ok(theirs) : err(fault);
  }

  /** While another request takes uses for all of them, this one waits: isolates must not hold more than they need. */
  async #holdSoon(pool: Pool, grant: string, waitUntil: WaitUntil): Promise<HeldUse | undefined> {
    let held = this.#holdKnown(pool, grant, waitUntil);
    while (!held && !pool.oneByOne && this.#o.clock() < pool.takingUntilMs) {
      await this.#sleep(POLL_MS);
      held = this.#holdKnown(pool, grant, waitUntil);
    }
    return held;
  }

  /** Finds a use and holds it in one step: nobody else may find it in between. */
  #holdKnown(pool: Pool, grant: string, waitUntil: WaitUntil): HeldUse | undefined {
    const now = this.#o.clock();
    const lease = pool.leases.find(({ left, takenAtMs }) => left > 0 && now - takenAtMs < LEASE_MS);
    return lease && this.#holdOf(lease, pool, grant, waitUntil);
  }

  #holdOf(lease: Lease, pool: Pool, grant: string, waitUntil: WaitUntil): HeldUse {
    lease.left--;
    lease.held++;
    let settled = false;
    const once = (change: () => void) => () => {
      if (settled) return;
      settled = true;
      lease.held--;
      change();
    };
    return {
      spend: once(() => {
        if (lease.left === 0 && lease.held === 0) waitUntil(this.#settle(lease, pool, grant));
      }),
      release: once(() => {
        // Of a lease that was settled meanwhile it has been counted.
        lease.left++;
      }),
    };
  }

  /** From here on nobody finds the lease any more: what is left of it cannot be used here. */
  async #settle(lease: Lease, pool: Pool, grant: string): Promise<void> {
    const at = pool.leases.indexOf(lease);
    if (at === -1) return;
    pool.leases.splice(at, 1);
    await this.#o.counter(grant).settleUses(lease.id, lease.left);
  }

  #refused(fault: Problem, pool: Pool, grant: string, leaseId: string, waitUntil: WaitUntil): UseFault {
    const { state } = fault.extra ?? {};
    if (state === "used_up") pool.usedUp = true;
    if (state === "used_up" || state === "taken") return "uses_taken";
    if (state === "expired") return "token_expired";
    if (fault.code !== "unavailable") return "token_revoked";
    // The call may have arrived although its answer did not; nobody has used any of it.
    waitUntil(this.#o.counter(grant).settleUses(leaseId, ALL));
    return "uses_unavailable";
  }

  #pool(grant: string): Pool {
    const known = this.#grants.get(grant);
    if (known) return known;
    for (const [idle, { leases }] of this.#grants) {
      if (this.#grants.size < MAX_GRANTS) break;
      if (leases.length === 0) this.#grants.delete(idle);
    }
    const pool: Pool = { leases: [], usedUp: false, takingUntilMs: 0, oneByOne: false };
    this.#grants.set(grant, pool);
    return pool;
  }
}
