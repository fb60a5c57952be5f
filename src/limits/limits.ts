import type { ExactLimit, LimitPolicy } from "../policy/limit-schema.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Take } from "./token-bucket.ts";

/** A rate limiter of the platform: near the truth, and each location's own. */
export type Limiter = {
  binding: { limit(ask: { key: string }): Promise<{ success: boolean }> };
  /** For `Retry-After`. */
  periodSeconds: number;
};

/** Where exact limits are counted. */
export type BucketPort = { take(name: string, limit: ExactLimit): Promise<Result<Take>> };

/** Why a request goes no further. `count` is there where it is exact. */
export type LimitFault =
  | { reason: "limit_reached"; retryAfterSeconds: number; count?: ExactCount }
  | { reason: "limit_unavailable" };

/** The state of an exact limit, for the RateLimit fields. */
export type ExactCount = Pick<Take, "remaining" | "resetSeconds"> & { limit: ExactLimit };

type LimitsOptions = {
  /** The deployment's limiters, by the name that the policy uses. */
  limiters: ReadonlyMap<string, Limiter>;
  /** The object for a bucket: one of 256, by the first two characters of its name. */
  bucket(name: string): BucketPort;
};

/** Counts requests against the limits of their routes. What cannot be counted is refused. */
export class Limits {
  readonly #o: LimitsOptions;

  constructor(options: LimitsOptions) {
    this.#o = options;
  }

  /** Counts one request; `key` says whose it is, for which route. The count, where it is exact. */
  async count(limit: LimitPolicy, key: string): Promise<Result<ExactCount | undefined, LimitFault>> {
    try {
      return await (limit.exact ? this.#exact(limit.exact, key) : this.#near(limit.limiter ?? "", key));
    } catch {
      return err({ reason: "limit_unavailable" });
    }
  }

  async #exact(limit: ExactLimit, key: string): Promise<Result<ExactCount, LimitFault>> {
    const name = await sha256Hex(key);
    const answer = await this.#o.bucket(name).take(name, limit);
    if (!answer.ok) return err({ reason: "limit_unavailable" });
    const { allowed, remaining, resetSeconds } = answer.value;
    const count = { limit, remaining, resetSeconds };
    return allowed ? ok(count) : err({ reason: "limit_reached", retryAfterSeconds: resetSeconds, count });
  }

  async #near(name: string, key: string): Promise<Result<undefined, LimitFault>> {
    const limiter = this.#o.limiters.get(name);
    if (!limiter) return err({ reason: "limit_unavailable" });
    const { success } = await limiter.binding.limit({ key });
    return success
      ? ok(undefined)
      : err({ reason: "limit_reached", retryAfterSeconds: limiter.periodSeconds });
  }
}

/** The object for a bucket. */
export function bucketShard(name: string): string {
  return name.slice(0, 2);
}

/**
 * What a client is told of an exact limit (draft-ietf-httpapi-ratelimit-headers-10): the policy, and what is
 * left of it. Structured fields; the names of routes need no escape in one.
 */
export function rateLimitFields(route: string, count: ExactCount): [name: string, value: string][] {
  const { limit, remaining, resetSeconds } = count;
  return [
    ["ratelimit-policy", `"${route}";q=${limit.requests};w=${limit.period_seconds}`],
    ["ratelimit", `"${route}";r=${remaining};t=${resetSeconds}`],
  ];
}
