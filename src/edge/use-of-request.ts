import type { VerifiedToken } from "../tokens/claims.ts";
import type { CountedUses, HeldUse } from "./counted-uses.ts";
import { type Refusal, refusal } from "./decision.ts";
import type { WaitUntil } from "./freshness.ts";

export type Uses = Pick<CountedUses, "hold">;

/** The one use of one request, however often its decision begins anew, and also while its connection stays open. */
export type Using = { use?: HeldUse };

/** Holds a use of the token's grant for the request, or says why there is none; `anew`: what can be asked for then. */
export async function holdUse(
  grant: string,
  matter: Using,
  uses: Uses,
  waitUntil: WaitUntil,
  anew: (why: Refusal) => Refusal,
): Promise<Refusal | undefined> {
  const held = await uses.hold(grant, waitUntil);
  if (!held.ok) {
    const why = refusal(held.error);
    return held.error === "uses_taken" ? anew(why) : why;
  }
  matter.use = held.value;
  return undefined;
}

/** The grant whose use a request with this token takes, where it has none yet. */
export function countedGrant(token: VerifiedToken, { use }: Using): string | undefined {
  return token.maxUses === undefined || use ? undefined : token.facts.grant;
}
