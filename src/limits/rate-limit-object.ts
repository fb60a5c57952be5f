import { CausedObject } from "../platform/caused-object.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import type { ExactLimit } from "../policy/limit-schema.ts";
import { ok, type Result } from "../protocol/result.ts";
import { BUCKET_MIGRATIONS, BucketStore } from "./bucket-store.ts";
import { fullAtMs, type Take, take } from "./token-bucket.ts";

/** Full buckets are removed in one go, this long after the first of them could be. */
const PRUNE_DELAY_MS = 60_000;

/**
 * Token buckets of exact limits, those of many callers in one shard. What was taken is durable before it is
 * answered, so that neither an eviction nor `kill -9` gives anything back. A call is not repeated by whoever
 * makes it: one whose answer is lost has counted.
 */
export class RateLimitObject extends CausedObject {
  readonly #clock: Clock;
  readonly #store: BucketStore;
  readonly #durable: Durable;

  constructor(ctx: DurableObjectState, env: Env, clock: Clock = systemClock) {
    super(ctx, env);
    this.#clock = clock;
    this.#store = new BucketStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock,
      log: consoleLogger,
      migrations: BUCKET_MIGRATIONS,
      deliver: {},
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#store.prune(nowMs),
    });
  }

  /** Takes one request out of the bucket of this name, where one is left. */
  take(name: string, limit: ExactLimit): Result<Take> {
    const { bucket, taken } = take(this.#store.find(name), limit, this.#clock());
    // What is refused changes nothing: what is left is known from the row.
    if (taken.allowed) {
      this.#durable.commit(() => this.#store.put(name, bucket, fullAtMs(bucket, limit)));
    }
    return ok(taken);
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  #nextPruneMs(): number | undefined {
    const at = this.#store.earliestFullMs();
    return at === undefined ? undefined : at + PRUNE_DELAY_MS;
  }
}
