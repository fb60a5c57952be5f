import { authorize } from "../../../src/edge/authorize.ts";
import type { Decision } from "../../../src/edge/decision.ts";
import { DeniedTokens } from "../../../src/edge/denied-tokens.ts";
import { Freshness } from "../../../src/edge/freshness.ts";
import { SessionTokens } from "../../../src/edge/session-tokens.ts";
import { TokenCache } from "../../../src/edge/token-cache.ts";
import type { Logger } from "../../../src/platform/log.ts";
import { objectPort } from "../../../src/platform/rpc.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err } from "../../../src/protocol/result.ts";
import { DeltaCache } from "../../../src/replication/delta-cache.ts";
import { IsolateReplica, type LogReader } from "../../../src/replication/isolate-replica.ts";
import { confirmDenied } from "../../../src/revocation/confirm-denied.ts";
import { isListed } from "../../../src/revocation/denylist.ts";
import { FilterLoader } from "../../../src/revocation/filter-loader.ts";
import { DpopNonces } from "../../../src/tokens/dpop-nonces.ts";
import { ProofChecker } from "../../../src/tokens/proof-checker.ts";
import { RemoteKeys } from "../../../src/tokens/remote-keys.ts";
import { SeenProofs } from "../../../src/tokens/seen-proofs.ts";
import type { CacheDouble } from "./cache-double.ts";
import type { ControlPlane, DenylistCalls } from "./control-plane.ts";
import type { KvDouble } from "./kv-double.ts";
import type { Network } from "./network.ts";
import { HOST, ISSUER } from "./sim-policy.ts";
import type { Party, VirtualTime } from "./virtual-time.ts";

export type Surroundings = {
  time: VirtualTime;
  network: Network;
  control: ControlPlane;
  kv: KvDouble;
  /** By location. */
  caches: readonly CacheDouble[];
  logger: Logger;
};

/** As `worker.ts` sets it. */
const LOG_TIMEOUT_MS = 2_000;

/** One isolate of the gate in a location: the code of the product, with everything outside of it simulated. */
export class SimIsolate {
  readonly name: string;
  readonly location: number;
  readonly #around: Surroundings;
  #edge: ReturnType<SimIsolate["wire"]>;
  #life: { alive: boolean } = { alive: true };
  #frozen = false;

  constructor(name: string, location: number, around: Surroundings) {
    this.name = name;
    this.location = location;
    this.#around = around;
    this.#edge = this.wire();
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** Decides on a request. Never resolves where the request is cancelled, or the isolate dies, before it is done. */
  call(path: string, jwt: string, cancelled: () => boolean): Promise<Decision> {
    this.#frozen = false;
    this.#around.time.wake();
    const life = this.#life;
    const request: Party = { alive: () => life.alive && !cancelled(), frozen: () => this.#frozen };
    const ask = {
      method: "GET",
      url: `${HOST}${path}`,
      headers: new Headers({ authorization: `Bearer ${jwt}` }),
    };
    return this.#around.time.as(request, async () => authorize(ask, this.#edge));
  }

  /** Nothing happens in it until the next request. */
  sleep(): void {
    this.#frozen = true;
  }

  /** Its memory is gone, and everything under way in it. */
  evict(): void {
    this.#life.alive = false;
    this.#life = { alive: true };
    this.#frozen = false;
    this.#edge = this.wire();
  }

  /** As `worker.ts` wires it. */
  wire() {
    const { time, network, control, kv, caches, logger } = this.#around;
    const { clock } = time;
    const options = { log: logger, timeoutMs: LOG_TIMEOUT_MS, attempts: 2 };
    const reader = objectPort<LogReader>(network.namespace(this.name, control.log), "main", options);
    const toDenylist = network.namespace(`${this.name}/denylist`, control.denylist);
    const denylist = objectPort<DenylistCalls>(toDenylist, "main", options);
    const local = kv.at(this.location);
    const cache = caches[this.location]!.binding;
    const deltas = new DeltaCache({ log: reader, cache, url: `${ISSUER}/replication/v1`, clock, logger });
    const filter = new FilterLoader({ kv: local, denylist });
    const replica = new IsolateReplica({ log: deltas, filter, kv: local, clock, logger });
    const listed = (suspect: Parameters<typeof isListed>[1]) =>
      isListed(local, suspect, Math.floor(clock() / 1000));
    return {
      issuer: ISSUER,
      clock,
      freshness: new Freshness({ replica, denylist: listed, clock, log: logger }),
      denied: new DeniedTokens((known, iss, jti) => confirmDenied(known, iss, jti, { denylist, kv: local })),
      remoteKeys: new RemoteKeys({ fetch: () => Promise.reject(new Error("offline")), clock, log: logger }),
      // No simulated client is a browser.
      sessions: new SessionTokens(async () => err(problem("invalid_token", "There are no sessions.")), clock),
      proofs: new ProofChecker({
        clock,
        nonces: new DpopNonces("a secret of no importance to any decision", clock),
        seen: new SeenProofs(),
        exact: () => {
          throw new Error("no simulated request proves possession of a key");
        },
      }),
      tokens: new TokenCache(),
      uses: {
        hold: () => {
          throw new Error("no simulated grant is counted");
        },
      },
      waitUntil: (work: Promise<unknown>) => void work.catch(() => {}),
    };
  }
}
