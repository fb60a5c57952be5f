import { DurableObject } from "cloudflare:workers";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { AccessRequest } from "./access-request.ts";
import { DIRECTORY_MIGRATIONS, type DirectoryQuery, DirectoryStore } from "./directory-store.ts";

/** The index of access requests and grants (`main`), for lists. The truth is in each request's own object. */
export class DirectoryObject extends DurableObject<Env> {
  readonly #clock = systemClock;
  readonly #store: DirectoryStore;
  readonly #durable: Durable;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new DirectoryStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: DIRECTORY_MIGRATIONS,
      deliver: {},
    });
  }

  put(request: AccessRequest, version: number): Result<null> {
    this.#durable.commit(() => this.#store.put(request, version));
    return ok(null);
  }

  list(query: DirectoryQuery): Result<AccessRequest[]> {
    return ok(this.#store.list(query, this.#now()));
  }

  /** Requests that time should have changed more than `seconds` ago: the cron wakes them. */
  overdue(seconds: number, limit: number): Result<string[]> {
    return ok(this.#store.overdue(this.#now() - seconds, limit));
  }

  reserve(key: string, bodyHash: string, candidateId: string): Result<string> {
    const known = this.#store.reservation(key);
    if (known) {
      if (known.bodyHash === bodyHash) return ok(known.id);
      return err(problem("idempotency_mismatch", "Use a new Idempotency-Key for a new body."));
    }
    this.#durable.commit(() => this.#store.reserve(key, bodyHash, candidateId, this.#now()));
    return ok(candidateId);
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<null>> {
    await this.#durable.sweep();
    return ok(null);
  }

  #now(): number {
    return epochSeconds(this.#clock());
  }
}
