import type { Config } from "../config.ts";
import type { DecisionDeps } from "../control/decision-routes.ts";
import { AssertionSigner } from "../edge/assertion.ts";
import { CountedUses } from "../edge/counted-uses.ts";
import { createDecider } from "../edge/decider.ts";
import { DecisionRecorder } from "../edge/decision-recorder.ts";
import { DeniedTokens } from "../edge/denied-tokens.ts";
import { DetectionFeed } from "../edge/detection-feed.ts";
import { explain } from "../edge/explain.ts";
import { createForwardAuth } from "../edge/forward-auth.ts";
import { Freshness, type WaitUntil } from "../edge/freshness.ts";
import { createGate } from "../edge/gate.ts";
import { Observers } from "../edge/observation.ts";
import { refusalLog } from "../edge/refusal.ts";
import { SessionTokens } from "../edge/session-tokens.ts";
import { TokenCache } from "../edge/token-cache.ts";
import { TrafficReporter } from "../edge/traffic-reporter.ts";
import { Limits } from "../limits/limits.ts";
import type { Clock } from "../platform/clock.ts";
import { newId, randomShare } from "../platform/ids.ts";
import type { Logger } from "../platform/log.ts";
import { decisionLog } from "../policy/decision-log.ts";
import { ok } from "../protocol/result.ts";
import { TRAFFIC_SHARDS } from "../remediation/traffic-shards.ts";
import { DeltaCache } from "../replication/delta-cache.ts";
import { IsolateReplica } from "../replication/isolate-replica.ts";
import { confirmDenied } from "../revocation/confirm-denied.ts";
import { isListed } from "../revocation/denylist.ts";
import { FilterLoader } from "../revocation/filter-loader.ts";
import { DpopNonces } from "../tokens/dpop-nonces.ts";
import { ProofChecker } from "../tokens/proof-checker.ts";
import { RemoteKeys } from "../tokens/remote-keys.ts";
import { SeenProofs } from "../tokens/seen-proofs.ts";
import { SharedSecrets } from "../tokens/shared-secrets.ts";
import { sessionAsk, wireBrowser } from "./browser.ts";
import type { ObjectPorts } from "./objects.ts";
import { assertionKey } from "./verifiers.ts";

export type EdgeWiring = {
  env: Env;
  config: Config;
  objects: ObjectPorts;
  clock: Clock;
  log: Logger;
  /** Of whatever request is in its turn. */
  waitUntil: WaitUntil;
};

/** What decides on requests in this isolate: the gate, and what it shares with the control plane. */
export function wireEdge({ env, config, objects, clock, log, waitUntil }: EdgeWiring) {
  const { issuer } = config;
  const deltas = new DeltaCache({
    log: objects.edge.log,
    cache: caches.default,
    url: `${issuer}/replication/v1`,
    clock,
    logger: log,
  });
  const filter = new FilterLoader({ kv: env.KV, denylist: objects.edge.denylist });
  const replica = new IsolateReplica({ log: deltas, filter, kv: env.KV, clock, logger: log });
  const denylist = (suspect: Parameters<typeof isListed>[1]) =>
    isListed(env.KV, suspect, Math.floor(clock() / 1000));
  const denied = new DeniedTokens((known, iss, jti) =>
    confirmDenied(known, iss, jti, { denylist: objects.edge.denylist, kv: env.KV }),
  );
  const tokens = new TokenCache();
  const recorder = new DecisionRecorder({
    policy: () => decisionLog(replica.peek()?.policy.document ?? {}),
    log,
    random: randomShare,
  });
  const traffic = new TrafficReporter({
    shard: objects.edge.traffic(Math.floor(randomShare() * TRAFFIC_SHARDS)),
    newIsolateId: () => newId("iso", clock()),
    cache: () => tokens.reading(),
    records: recorder,
    sleep,
  });
  const detections = new DetectionFeed({ shard: objects.edge.detector, log, sleep });
  const observer = new Observers([refusalLog(log), recorder, traffic, detections], log);
  const freshness = new Freshness({ replica, denylist, clock, log });
  const remoteKeys = new RemoteKeys({
    fetch: (url, init) => fetch(url, init),
    ...{ clock, log },
    secrets: new SharedSecrets(config.issuerSecrets),
  });
  const nonces = new DpopNonces(config.wrapping.PORTCULLIS_SECRET, clock);
  const proofs = new ProofChecker({ clock, nonces, seen: new SeenProofs(), exact: objects.edge.proof });
  const uses = new CountedUses({ counter: objects.edge.uses, clock, newId: () => newId("use", clock()) });
  const verifier = {
    ...{ issuer, clock, log, replica, freshness, denied, remoteKeys, proofs, tokens, observer },
    waitUntil,
  };
  const browser = wireBrowser({ config, objects, keys: remoteKeys, clock, log });
  const sessions = new SessionTokens(sessionAsk(browser), clock);
  const signer = new AssertionSigner({ issuer, clock, key: assertionKey(objects.keyring) });
  const limits = new Limits({ limiters: config.limiters, bucket: objects.edge.bucket });
  const decider = createDecider({ ...verifier, sessions, signer, limits, uses });
  const secrets = config.proxySecrets;
  const forwardAuth = createForwardAuth({ ...verifier, decide: decider, secrets });
  const gate = createGate({
    ...verifier,
    sessions,
    limits,
    signer,
    uses,
    fetch: (url, init) => fetch(url, init),
    services: config.services,
    pipe: () => new IdentityTransformStream(),
  });
  // A proof that is only looked at is not used up by it.
  const unused = { use: async () => ok(true) };
  const explaining =
    (isDecision: boolean): DecisionDeps["decide"] =>
    (ask, { requestId, waitUntil }) => {
      const proofs = new ProofChecker({ clock, nonces, seen: new SeenProofs(), exact: () => unused });
      const deps = { ...verifier, sessions, proofs, waitUntil };
      if (!isDecision) return explain(ask, deps, requestId);
      return explain(ask, deps, requestId, (decision) =>
        observer.decided(decision, ask, requestId, "authzen", clock(), waitUntil),
      );
    };
  const decisions = { explain: explaining(false), decide: explaining(true) };
  return { gate, forwardAuth, decider, verifier, browser, decisions };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What verifies a token as the gate does: one set for each isolate. */
export type SharedVerifier = ReturnType<typeof wireEdge>["verifier"];
