import { type Clock, epochSeconds } from "../platform/clock.ts";
import { type DpopFault, PROOF_MAX_AGE_SECONDS, verifyDpopProof } from "../protocol/dpop.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { DpopNonces } from "./dpop-nonces.ts";
import type { SeenProofs } from "./seen-proofs.ts";

export type SingleUse = "isolate" | "exact";

/** What a request's proof is held against. */
export type ProofUse = {
  method: string;
  url: string;
  /** Absent where the proof goes without an access token. */
  accessToken?: string;
  /** The thumbprint that the access token is bound to; absent where the proof is to bind a new one. */
  boundTo?: string;
  nonceNeeded: boolean;
  singleUse: SingleUse;
};

/** `binding`: another key than the token's. `unavailable`: single use cannot be told right now. */
export type ProofFault = DpopFault | "binding" | "nonce" | "replayed" | "unavailable";

/** `nextNonce`: the one to use from now on, where the proof's own is soon too old. */
export type CheckedProof = { jkt: string; nextNonce?: string };

/** Where proofs are used once and for all, whatever isolate sees them. */
export type ProofPort = {
  /** True for the first use, and for a repeat of the same call (`useId`). */
  use(proof: string, useId: string, expiresAt: number): Promise<Result<boolean>>;
};

/** The object of a key's proofs: one of 4,096, by the first two characters of its thumbprint. */
export function proofShard(jkt: string): string {
  return jkt.slice(0, 2);
}

export type ProofCheckerOptions = {
  clock: Clock;
  nonces: DpopNonces;
  seen: SeenProofs;
  /** The object for a key's proofs. */
  exact(jkt: string): ProofPort;
};

/** Checks DPoP proofs as a whole (RFC 9449 §4.3): the proof itself, its nonce, its key and that it is used once. */
export class ProofChecker {
  readonly #o: ProofCheckerOptions;

  constructor(options: ProofCheckerOptions) {
    this.#o = options;
  }

  /** What a client that used no nonce, or an old one, is told to use. */
  currentNonce(): Promise<string> {
    return this.#o.nonces.current();
  }

  async check(header: string | null, use: ProofUse): Promise<Result<CheckedProof, ProofFault>> {
    const { boundTo, nonceNeeded, singleUse, ...demand } = use;
    const nowMs = this.#o.clock();
    const proof = await verifyDpopProof(header, { ...demand, nowSeconds: nowMs / 1000 });
    if (!proof.ok) return proof;
    const { jkt, jti, iat, nonce } = proof.value;
    const nonceGood = !nonceNeeded || (nonce !== undefined && (await this.#o.nonces.isGood(nonce)));
    if (!nonceGood) return err("nonce");
    if (boundTo !== undefined && jkt !== boundTo) return err("binding");
    const name = `${jkt}.${jti}`;
    if (!this.#o.seen.add(name, nowMs)) return err("replayed");
    if (singleUse === "exact") {
      const expiresAt = epochSeconds(iat * 1000) + PROOF_MAX_AGE_SECONDS + 1;
      const used = await this.#o.exact(jkt).use(name, crypto.randomUUID(), expiresAt);
      if (!used.ok) return err("unavailable");
      if (!used.value) return err("replayed");
    }
    const next = nonceNeeded ? await this.currentNonce() : nonce;
    return ok({ jkt, ...(next === undefined || next === nonce ? {} : { nextNonce: next }) });
  }
}
