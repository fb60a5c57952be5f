import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { AccessRequestLedger } from "./access-request-ledger.ts";
import type { AccessRequestStore } from "./access-request-store.ts";
import { checkUse, useUp } from "./decide.ts";
import type { UseStore } from "./use-store.ts";
import { LEASE_MEMORY_SECONDS, LEASE_SECONDS, leaseSize } from "./uses.ts";

type UsePorts = {
  store: AccessRequestStore;
  uses: UseStore;
  ledger: AccessRequestLedger;
  durable: Durable;
  clock: Clock;
};

const NOT_COUNTED = problem("not_found", "There is no grant whose uses are counted.");
const ALL_TAKEN = problem("gone", "Every use of the grant is taken.", { state: "taken" });

/**
 * The uses of one grant. They leave only as leases, each committed before it is answered, and come back only from
 * the isolate that has them and before it spent them: what gets lost on the way counts as used.
 */
export class GrantUses {
  readonly #p: UsePorts;

  constructor(ports: UsePorts) {
    this.#p = ports;
  }

  /** Idempotent by the lease's id. */
  take(leaseId: string): Result<{ uses: number }> {
    const { store, uses, durable } = this.#p;
    const request = store.read()?.request;
    if (request?.grant?.max_uses === undefined) return err(NOT_COUNTED);
    const known = uses.lease(leaseId);
    if (known) return known.open ? ok({ uses: known.uses }) : err(ALL_TAKEN);
    const now = this.#now();
    const grant = checkUse(request, now);
    if (!grant.ok) return grant;
    const left = request.grant.max_uses - uses.taken();
    if (left <= 0) return err(ALL_TAKEN);
    const size = leaseSize(left);
    durable.commit(() => {
      uses.forgetBefore(now - LEASE_MEMORY_SECONDS);
      uses.take(leaseId, size, now);
    });
    return ok({ uses: size });
  }

  /** The isolate is done with its lease and has not used so many of it. Idempotent by the lease's id. */
  settle(leaseId: string, unused: number): Result<null> {
    const { store, uses, durable } = this.#p;
    if (store.read()?.request.grant?.max_uses === undefined) return err(NOT_COUNTED);
    const known = uses.lease(leaseId);
    if (known && !known.open) return ok(null);
    const back = Math.min(Math.max(0, unused), known?.uses ?? 0);
    durable.commit(() => uses.settle(leaseId, back, this.#now()));
    this.#tellUsedUp();
    return ok(null);
  }

  /** Uses that no isolate holds; none where the grant's uses are not counted. */
  left(): number | undefined {
    const max = this.#p.store.read()?.request.grant?.max_uses;
    return max === undefined ? undefined : Math.max(0, max - this.#p.uses.taken());
  }

  /** Closes what no isolate has settled in time. */
  passTime(): void {
    const due = this.nextDueMs();
    if (due === undefined || due > this.#p.clock()) return;
    this.#p.durable.commit(() => this.#p.uses.closeBefore(this.#now() - LEASE_SECONDS + 1));
    this.#tellUsedUp();
  }

  nextDueMs(): number | undefined {
    const oldest = this.#p.uses.oldestOpen();
    return oldest === undefined ? undefined : (oldest + LEASE_SECONDS) * 1000;
  }

  /** The grant ends once every use is spent for sure. */
  #tellUsedUp(): void {
    const { store, uses, ledger } = this.#p;
    const max = store.read()?.request.grant?.max_uses;
    if (max === undefined || uses.taken() < max || uses.oldestOpen() !== undefined) return;
    ledger.change((request, now) => ok(useUp(request, now)));
  }

  #now(): number {
    return epochSeconds(this.#p.clock());
  }
}
