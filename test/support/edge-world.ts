import { type AssertionKey, AssertionSigner } from "../../src/edge/assertion.ts";
import { CountedUses, type UsePort } from "../../src/edge/counted-uses.ts";
import type { Allowance, Decision, Refusal } from "../../src/edge/decision.ts";
import { type ConfirmDenied, DeniedTokens } from "../../src/edge/denied-tokens.ts";
import { Freshness } from "../../src/edge/freshness.ts";
import { createGate, type Gate } from "../../src/edge/gate.ts";
import { type ObservedAsk, Observers, type Surface } from "../../src/edge/observation.ts";
import { refusalLog } from "../../src/edge/refusal.ts";
import { type SessionAsk, SessionTokens } from "../../src/edge/session-tokens.ts";
import { TokenCache } from "../../src/edge/token-cache.ts";
import { Limits } from "../../src/limits/limits.ts";
import { type Bucket, take } from "../../src/limits/token-bucket.ts";
import type { LogFields } from "../../src/platform/log.ts";
import { compilePolicy } from "../../src/policy/compiled.ts";
import { policySchema } from "../../src/policy/document.ts";
import { problem } from "../../src/protocol/problem.ts";
import { err, ok, type Result } from "../../src/protocol/result.ts";
import type { ReplicaView, VerificationKey } from "../../src/replication/replica.ts";
import type { DeniedFilter } from "../../src/revocation/filter.ts";
import type { Revocation, Suspect } from "../../src/revocation/rule.ts";
import { RuleIndex } from "../../src/revocation/rule-index.ts";
import { DpopNonces } from "../../src/tokens/dpop-nonces.ts";
import { ProofChecker } from "../../src/tokens/proof-checker.ts";
import { RemoteKeys } from "../../src/tokens/remote-keys.ts";
import { SeenProofs } from "../../src/tokens/seen-proofs.ts";
import { newKey, ownClaims, ownHeader, signToken, type TestKey } from "./token-factory.ts";

export const ISSUER = "https://auth.example.com";
export const HOST = "https://api.example.com";
export const AUDIENCE = "https://orders.internal";

const SECRET = "dGVzdC1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3RzLTAx";

export type PolicyInput = Record<string, unknown>;

/** A policy with one origin and the given routes. */
export function policyOf(routes: PolicyInput[], more: PolicyInput = {}): PolicyInput {
  return {
    origins: { orders: { url: "http://origin.internal:9000", audience: AUDIENCE, timeout_ms: 200 } },
    routes: routes.map((route, i) => ({ id: `route-${i}`, origin: "orders", ...route })),
    ...more,
  };
}

type Log = {
  seq: number;
  policyVersion: number;
  policy: PolicyInput;
  keys: Map<string, VerificationKey>;
  revocations: Revocation[];
  filter?: DeniedFilter;
};

/**
 * The edge without a runtime: a log that the test writes to, an isolate that reads it through a replica of
 * its own, an origin that is a function, and a clock that only the test moves.
 */
export class EdgeWorld {
  nowMs = 1_800_000_000_000;
  readonly keys: { own: TestKey; assertion: TestKey };
  /** What the log holds. An isolate sees it only by asking. */
  readonly log: Log;
  /** Answers exactly for what the filter suspects. */
  confirm: ConfirmDenied = async () => ok(0);
  confirmed: string[] = [];
  readonly deniedTokens = new DeniedTokens((filter, iss, jti) => {
    this.confirmed.push(jti);
    return this.confirm(filter, iss, jti);
  });
  logDown = false;
  /** Runs while the isolate waits for the log: what happens meanwhile. */
  whileRefreshing: (() => void | Promise<void>) | undefined;
  refreshes = 0;
  sleep = (_ms: number) => new Promise<void>((resolve) => setTimeout(resolve, 0));
  background: Promise<unknown>[] = [];
  denied: Revocation | undefined;
  kvDown = false;
  kvAsked: Suspect[] = [];
  originCalls: Request[] = [];
  origin: (request: Request) => Response | Promise<Response> = () => new Response("hello");
  lines: { level: string; event: string; fields: LogFields }[] = [];
  keyFetches = 0;
  assertionKeyDown = false;
  jwks: (url: string) => Response | Promise<Response> = () => new Response("none", { status: 404 });
  tokens = new TokenCache();
  /** What the session's own object answers for a cookie at a host; by default no cookie is one of ours. */
  sessionAsk: SessionAsk = async () => err(problem("invalid_token", "The session is over."));
  sessionsAsked = 0;
  readonly sessions = new SessionTokens(
    async (...what) => {
      this.sessionsAsked++;
      return this.sessionAsk(...what);
    },
    () => this.nowMs,
  );
  /** Service bindings; what they are called with is in no other list. */
  readonly services = new Map<string, { fetch(url: string, init: RequestInit): Promise<Response> }>();
  /** The uses that the object for exact single use was asked about. */
  exactUses: string[] = [];
  exactDown = false;
  readonly proofs = new ProofChecker({
    clock: () => this.nowMs,
    nonces: new DpopNonces(SECRET, () => this.nowMs),
    seen: new SeenProofs(),
    exact: () => ({
      use: async (proof) => {
        if (this.exactDown) return err(problem("unavailable", "The object is down."));
        this.exactUses.push(proof);
        return ok(this.exactUses.indexOf(proof) === this.exactUses.length - 1);
      },
    }),
  });
  /** A counted grant's object; out of reach where the test has none. */
  counter: UsePort = {
    takeUses: async () => err(problem("unavailable", "The object is down.")),
    settleUses: async () => err(problem("unavailable", "The object is down.")),
  };
  readonly uses = new CountedUses({
    counter: () => this.counter,
    clock: () => this.nowMs,
    newId: () => crypto.randomUUID(),
    sleep: (ms) => this.sleep(ms),
  });
  #view: ReplicaView | undefined;
  #gate: Gate | undefined;
  #signer: AssertionSigner | undefined;
  #freshness: Freshness | undefined;
  #remoteKeys: RemoteKeys | undefined;

  private constructor(own: TestKey, assertion: TestKey, policy: PolicyInput) {
    this.keys = { own, assertion };
    const keys = new Map<string, VerificationKey>();
    for (const [key, purpose] of [
      [own, "access_token"],
      [assertion, "assertion"],
    ] as const) {
      keys.set(key.kid, { kid: key.kid, purpose, alg: key.alg, key: key.publicKey });
    }
    this.log = { seq: 1, policyVersion: 1, policy, keys, revocations: [] };
  }

  static async create(policy: PolicyInput): Promise<EdgeWorld> {
    const [own, assertion] = await Promise.all([newKey("ES256", "own-1"), newKey("ES256", "assertion-1")]);
    return new EdgeWorld(own, assertion, policy);
  }

  readonly clock = () => this.nowMs;

  readonly logger = (level: string, event: string, fields: LogFields = {}) => {
    this.lines.push({ level, event, fields });
  };

  readonly replica = {
    peek: () => this.#view,
    refresh: async (): Promise<Result<ReplicaView>> => {
      this.refreshes++;
      const fetchedAtMs = this.nowMs;
      const { seq, policyVersion: version, policy, keys, revocations, filter } = { ...this.log };
      await this.whileRefreshing?.();
      if (this.logDown) return err(problem("unavailable", "The log is down."));
      const index = new RuleIndex();
      for (const rule of revocations) index.add(rule);
      const compiled =
        this.#view?.policy.version === version
          ? this.#view.policy
          : await compilePolicy({ version, document: policySchema.parse(policy) });
      this.#view = { seq, fetchedAtMs, policy: compiled, keys, revocations: index };
      if (filter) this.#view.filter = filter;
      return ok(this.#view);
    },
    refreshInBackground: (waitUntil: (work: Promise<unknown>) => void) => waitUntil(this.replica.refresh()),
  };

  get freshness(): Freshness {
    this.#freshness ??= new Freshness({
      replica: this.replica,
      denylist: async (suspect) => {
        this.kvAsked.push(suspect);
        return this.kvDown ? err(problem("unavailable", "KV is down.")) : ok(this.denied !== undefined);
      },
      clock: this.clock,
      log: this.logger,
      sleep: (ms) => this.sleep(ms),
    });
    return this.#freshness;
  }

  get remoteKeys(): RemoteKeys {
    this.#remoteKeys ??= new RemoteKeys({
      fetch: async (url) => this.jwks(url),
      clock: this.clock,
      log: this.logger,
    });
    return this.#remoteKeys;
  }

  readonly waitUntil = (work: Promise<unknown>) => {
    this.background.push(work);
  };

  readonly assertionKey = async (): Promise<Result<AssertionKey>> => {
    this.keyFetches++;
    if (this.assertionKeyDown) return err(problem("unavailable", "The keyring is down."));
    return ok({ kid: this.keys.assertion.kid, alg: "ES256", key: this.keys.assertion.privateKey });
  };

  /** One limiter of three requests, and buckets that are asked one after another. */
  readonly limits = new Limits({
    limiters: new Map([
      ["three_10s", { binding: { limit: async ({ key }) => this.#three(key) }, periodSeconds: 10 }],
    ]),
    bucket: () => ({
      take: async (name, limit) => {
        if (this.bucketsDown) return err(problem("unavailable", "The object is down."));
        const { bucket, taken } = take(this.#buckets.get(name), limit, this.nowMs);
        this.#buckets.set(name, bucket);
        return ok(taken);
      },
    }),
  });
  readonly #buckets = new Map<string, Bucket>();
  bucketsDown = false;
  /** What was counted by the limiter, by its key. */
  readonly limited = new Map<string, number>();

  #three(key: string): { success: boolean } {
    const count = (this.limited.get(key) ?? 0) + 1;
    this.limited.set(key, count);
    return { success: count <= 3 };
  }

  get signer(): AssertionSigner {
    this.#signer ??= new AssertionSigner({ issuer: ISSUER, clock: this.clock, key: this.assertionKey });
    return this.#signer;
  }

  /** What observers are told, beside the log's. */
  readonly decided: { decision: Decision; ask: ObservedAsk; id: string; surface: Surface; atMs: number }[] =
    [];
  readonly answered: { allowance: Allowance; fault: Refusal | undefined; id: string; originMs: number }[] =
    [];
  readonly observer = new Observers(
    [
      refusalLog((...line) => this.logger(...line)),
      {
        decided: (decision, ask, id, surface, atMs) =>
          void this.decided.push({ decision, ask, id, surface, atMs }),
        answered: (allowance, fault, _ask, id, _atMs, originMs) =>
          void this.answered.push({ allowance, fault, id, originMs }),
      },
    ],
    (...line) => this.logger(...line),
  );

  /** What `authorize` and `authenticateOwn` are given. */
  get deps() {
    const {
      clock,
      deniedTokens: denied,
      freshness,
      remoteKeys,
      proofs,
      sessions,
      tokens,
      uses,
      waitUntil,
      observer,
    } = this;
    return {
      issuer: ISSUER,
      clock,
      log: this.logger,
      freshness,
      denied,
      remoteKeys,
      proofs,
      sessions,
      tokens,
      uses,
      waitUntil,
      observer,
    };
  }

  get gate(): Gate {
    this.#gate ??= createGate({
      ...this.deps,
      replica: this.replica,
      limits: this.limits,
      signer: this.signer,
      fetch: async (url, init) => {
        const request = new Request(url, init);
        this.originCalls.push(request);
        return this.origin(request);
      },
      services: this.services,
      pipe: () => new TransformStream(),
    });
    return this.#gate;
  }

  /** A token of ours for the origin; `undefined` takes a claim out. */
  token(changes: Record<string, unknown> = {}, key = this.keys.own): Promise<string> {
    const now = Math.floor(this.nowMs / 1000);
    return signToken(key, ownHeader(key), { ...ownClaims(ISSUER, AUDIENCE, now), ...changes });
  }

  /** One request through the gate; `token` becomes the Authorization header. */
  async call(
    path: string,
    options: RequestInit & { token?: string; host?: string; cf?: object } = {},
  ): Promise<Response> {
    const { token, host = HOST, cf, ...init } = options;
    const request = new Request(host + path, {
      ...init,
      ...(init.body ? { duplex: "half" } : {}),
    } as RequestInit);
    if (token !== undefined) request.headers.set("authorization", `Bearer ${token}`);
    if (cf) Object.assign(request, { cf });
    return this.gate(request, "request-1");
  }

  /** The reason that the log gives for the last refusal. */
  get lastReason(): unknown {
    return this.lines.findLast((line) => line.event === "gate.refused")?.fields.reason;
  }

  /** Appends to the log; no isolate knows of it before it asks. */
  append(change: Partial<Pick<Log, "policy" | "keys" | "revocations" | "filter">>): void {
    Object.assign(this.log, change);
    this.log.seq++;
    if (change.policy) this.log.policyVersion++;
  }

  revoke(match: Revocation["match"], more: Partial<Revocation> = {}): Revocation {
    const rule = { id: `rev_${this.log.seq}`, match, reason: "test", actor: "test", created_at: 0, ...more };
    this.append({ revocations: [...this.log.revocations, rule] });
    return rule;
  }
}
