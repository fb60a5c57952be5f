/** A lease that is lost costs so many uses at most, and a tenth of what was left. */
const MAX_LEASE_USES = 100;
const LEASE_SHARE = 10;

/** How long an isolate may give back what it did not use. It does within five seconds, where it still can. */
export const LEASE_SECONDS = 30;
/** A lease is known by its id for so long: no call is repeated later. */
export const LEASE_MEMORY_SECONDS = 300;

/** How many uses an isolate gets at once: a part of what is left, and near the end one at a time. */
export function leaseSize(left: number): number {
  return Math.min(left, MAX_LEASE_USES, Math.max(1, Math.floor(left / LEASE_SHARE)));
}
