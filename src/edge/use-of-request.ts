import type { VerifiedToken } from "../tokens/claims.ts";
import type { Askable } from "./askable.ts";
import type { CountedUses, HeldUse } from "./counted-uses.ts";
import { type Refusal, refusal } from "./decision.ts";
import type { WaitUntil } from "./freshness.ts";

/** The one use of one request, however often its decision begins anew, and also while its connection stays open. */
export class UseOfRequest {
  held: HeldUse | undefined;
  readonly #uses: Pick<CountedUses, "hold">;
  readonly #waitUntil: WaitUntil;

  constructor({ uses, waitUntil }: { uses: Pick<CountedUses, "hold">; waitUntil: WaitUntil }) {
    this.#uses = uses;
    this.#waitUntil = waitUntil;
  }

  /** A token that is refused anyway takes no use. */
  counted(
    token: VerifiedToken,
    denied: (token: VerifiedToken) => Refusal | undefined,
    askFor: (token: VerifiedToken) => Askable | undefined,
  ): Promise<Refusal | undefined> | undefined {
    const { grant } = token.facts;
    if (token.maxUses === undefined || grant === undefined || this.held || denied(token)) return undefined;
    return this.#hold(grant, () => askFor(token));
  }

  async #hold(grant: string, askFor: () => Askable | undefined): Promise<Refusal | undefined> {
    const held = await this.#uses.hold(grant, this.#waitUntil);
    if (!held.ok) {
      const ask = held.error === "uses_taken" ? askFor() : undefined;
      return refusal(held.error, ask ? { ask } : {});
    }
    this.held = held.value;
    return undefined;
  }
}
