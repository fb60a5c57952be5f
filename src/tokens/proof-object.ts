import { CausedObject } from "../platform/caused-object.ts";
import { type Clock, epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { PROOF_MIGRATIONS, ProofStore } from "./proof-store.ts";

/** Rows are removed in one go, this long after the first of them could be. */
const PRUNE_DELAY_MS = 60_000;

/**
 * DPoP proofs that were used, for routes that ask for exactly one use (RFC 9449 §11.1). A use is durable before
 * it is answered, so that not even `kill -9` makes a proof good a second time. One shard holds many keys.
 */
export class ProofObject extends CausedObject {
  readonly #clock: Clock;
  readonly #store: ProofStore;
  readonly #durable: Durable;

  constructor(ctx: DurableObjectState, env: Env, clock: Clock = systemClock) {
    super(ctx, env);
    this.#clock = clock;
    this.#store = new ProofStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock,
      log: consoleLogger,
      migrations: PROOF_MIGRATIONS,
      deliver: {},
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#store.prune(epochSeconds(nowMs)),
    });
  }

  /** True for the first use, and for a repeat of the same call; a proof that is over is refused. */
  use(proof: string, useId: string, expiresAt: number): Result<boolean> {
    if (expiresAt <= epochSeconds(this.#clock())) return err(problem("gone", "The proof is over."));
    const usedBy = this.#store.usedBy(proof);
    if (usedBy !== undefined) return ok(usedBy === useId);
    this.#durable.commit(() => this.#store.add(proof, useId, expiresAt));
    return ok(true);
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  #nextPruneMs(): number | undefined {
    const end = this.#store.earliestEnd();
    return end === undefined ? undefined : end * 1000 + PRUNE_DELAY_MS;
  }
}
