import { PROOF_LIFE_SECONDS } from "../protocol/dpop.ts";

const MAX_IN_GENERATION = 50_000;

/**
 * Proofs that this isolate has seen, for at least as long as any of them can be used again. Two generations,
 * of which the older one goes whole: nothing is looked for and removed. Where a generation is full it goes
 * early, so that memory is bounded and single use within the isolate is not promised beyond it.
 */
export class SeenProofs {
  readonly #max: number;
  #young = new Set<string>();
  #old = new Set<string>();
  #turnsAtMs = 0;

  constructor(maxInGeneration = MAX_IN_GENERATION) {
    this.#max = maxInGeneration;
  }

  /** Takes note of a proof; false where it was seen before. */
  add(proof: string, nowMs: number): boolean {
    if (nowMs >= this.#turnsAtMs || this.#young.size >= this.#max) this.#turn(nowMs);
    if (this.#young.has(proof) || this.#old.has(proof)) return false;
    this.#young.add(proof);
    return true;
  }

  #turn(nowMs: number): void {
    const missedOne = nowMs >= this.#turnsAtMs + PROOF_LIFE_SECONDS * 1000;
    this.#old = missedOne ? new Set() : this.#young;
    this.#young = new Set();
    this.#turnsAtMs = nowMs + PROOF_LIFE_SECONDS * 1000;
  }
}
