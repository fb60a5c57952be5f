import { addressBlock } from "../protocol/address-block.ts";

type Bucket = { left: number; atMs: number };
type BucketSize = { burst: number; perSecond: number; maxKeys: number };

/** Of one client, once it has authenticated. */
export const REQUEST_RATE = { burst: 500, perSecond: 50, maxKeys: 5_000 } as const satisfies BucketSize;
/** Failed authentications of one address at one client. */
export const FAILURE_RATE = { burst: 10, perSecond: 1 / 6, maxKeys: 20_000 } as const satisfies BucketSize;

/** Clients share these, so that an address fills at most as many, and an unknown client is one like the others. */
const CLIENT_SLOTS = 64;

/**
 * Token buckets by key. The key that was not used for longest is forgotten where there are too many: it is
 * full again then.
 */
class Buckets {
  readonly #size: BucketSize;
  readonly #buckets = new Map<string, Bucket>();

  constructor(size: BucketSize) {
    this.#size = size;
  }

  /** How many seconds until one is left, at least 1; undefined where one is left now. */
  waitSeconds(key: string, nowMs: number): number | undefined {
    const left = this.#leftAt(key, nowMs);
    return left >= 1 ? undefined : Math.ceil((1 - left) / this.#size.perSecond);
  }

  take(key: string, nowMs: number): void {
    const left = this.#leftAt(key, nowMs) - 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, { left: Math.max(0, left), atMs: nowMs });
    const oldest = this.#buckets.keys().next();
    if (this.#buckets.size > this.#size.maxKeys && !oldest.done) this.#buckets.delete(oldest.value);
  }

  #leftAt(key: string, nowMs: number): number {
    const { burst, perSecond } = this.#size;
    const bucket = this.#buckets.get(key);
    if (!bucket) return burst;
    return Math.min(burst, bucket.left + (Math.max(0, nowMs - bucket.atMs) / 1000) * perSecond);
  }
}

/**
 * Which authentications are looked at and which requests are let through, in the memory of one object. Losing it
 * fills every bucket once. Failures count for an address at a client, so that a stranger elsewhere cannot lock a
 * client out, and one at the client's own address only for as long as it goes on failing.
 */
export class ClientAdmission {
  readonly #failures: Buckets;
  readonly #requests: Buckets;

  constructor(failures: BucketSize = FAILURE_RATE, requests: BucketSize = REQUEST_RATE) {
    this.#failures = new Buckets(failures);
    this.#requests = new Buckets(requests);
  }

  /** Seconds for which no credential of this client is looked at from there. */
  lockedSeconds(clientId: string, address: string, nowMs: number): number | undefined {
    return this.#failures.waitSeconds(failureKey(clientId, address), nowMs);
  }

  failed(clientId: string, address: string, nowMs: number): void {
    this.#failures.take(failureKey(clientId, address), nowMs);
  }

  /** Counts a request of an authenticated client; the seconds to wait where there were too many. */
  admit(clientId: string, nowMs: number): number | undefined {
    const wait = this.#requests.waitSeconds(clientId, nowMs);
    if (wait === undefined) this.#requests.take(clientId, nowMs);
    return wait;
  }
}

function failureKey(clientId: string, address: string): string {
  let hash = 0;
  for (let i = 0; i < clientId.length; i++) hash = (Math.imul(hash, 31) + clientId.charCodeAt(i)) >>> 0;
  return `${addressBlock(address)} ${hash % CLIENT_SLOTS}`;
}
