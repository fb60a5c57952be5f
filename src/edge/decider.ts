import type { Limits } from "../limits/limits.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { ReplicaReader } from "../replication/replica.ts";
import type { AssertionSigner } from "./assertion.ts";
import { authorize } from "./authorize.ts";
import type { Allowance, Refusal } from "./decision.ts";
import type { Identity } from "./headers.ts";
import { identityOf } from "./identity.ts";
import type { AuthorizeDeps } from "./route-demand.ts";
import type { Uses } from "./use-of-request.ts";

/**
 * A request that somebody else forwards or answers; of its headers only those that the gate reads too. `cf` is
 * for whoever has the client's connection: a proxy's own says nothing of the client.
 */
export type RequestAsk = {
  method: string;
  url: string;
  headers: Pick<Headers, "get">;
  cf?: unknown;
};

/** The gate's decision without the gate: for proxies and Workers that ask. */
export type Decider = (ask: RequestAsk) => Promise<Result<Decided, Refusal>>;
export type Decided = { allowance: Allowance; identity: Identity };

export type DeciderDeps = Omit<AuthorizeDeps, "prepare"> & {
  limits: Limits;
  uses: Uses;
  replica: Pick<ReplicaReader, "peek">;
  signer: AssertionSigner;
};

export function createDecider(given: DeciderDeps): Decider {
  const { signer, replica, waitUntil } = given;
  const deps = { ...given, prepare: () => signer.prepare(replica.peek(), waitUntil) };
  return async function decide(ask) {
    const decision = await authorize(ask, deps);
    if (decision.outcome === "refuse") return { ok: false, error: decision };
    const naming = identityOf(decision, deps);
    const identity = naming instanceof Promise ? await naming : naming;
    if (!identity.ok) {
      decision.use?.release();
      return identity;
    }
    // Whoever asked may do with the decision what it likes: it counts.
    decision.use?.spend();
    return ok({ allowance: decision, identity: identity.value });
  };
}
