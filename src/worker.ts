import type { JWK } from "jose";
import type { AccessRequestPort, DirectoryReadPort } from "./access/ports.ts";
import { reviewRequest } from "./access/routes.ts";
import { type Config, readConfig } from "./config.ts";
import { controlApp } from "./control/app.ts";
import { type CanaryDeps, runCanary } from "./control/canary.ts";
import type { ReplicaReading } from "./control/exposition.ts";
import { misconfiguredHealth } from "./control/health-routes.ts";
import type { MetricsDeps } from "./control/metrics-routes.ts";
import { type SweepDeps, sweep } from "./control/sweep.ts";
import { AgeReporter, type AgeReportPort } from "./edge/age-reporter.ts";
import { DeniedTokens } from "./edge/denied-tokens.ts";
import { Freshness, type WaitUntil } from "./edge/freshness.ts";
import { createGate, type Gate } from "./edge/gate.ts";
import { TokenCache } from "./edge/token-cache.ts";
import { systemClock } from "./platform/clock.ts";
import type { Swept } from "./platform/durable.ts";
import { creationIds, type ReservationPort } from "./platform/idempotency.ts";
import { newId } from "./platform/ids.ts";
import { consoleLogger, faultText } from "./platform/log.ts";
import { type Namespace, objectPort, type Port } from "./platform/rpc.ts";
import { confirmAbove } from "./policy/document.ts";
import { isReservedPath } from "./policy/reserved-paths.ts";
import { problem, problemResponse } from "./protocol/problem.ts";
import { ok, type Result } from "./protocol/result.ts";
import type { ClientPort } from "./registry/client-routes.ts";
import type { PolicyPort } from "./registry/policy-routes.ts";
import { DeltaCache } from "./replication/delta-cache.ts";
import { IsolateReplica, type LogReader } from "./replication/isolate-replica.ts";
import type { ReplicaView } from "./replication/replica.ts";
import { confirmDenied } from "./revocation/confirm-denied.ts";
import { isListed } from "./revocation/denylist.ts";
import type { DenylistPort } from "./revocation/denylist-port.ts";
import { FilterLoader, type PartSource } from "./revocation/filter-loader.ts";
import type { LiveTokens } from "./revocation/live-token.ts";
import type { RevocationLogPort } from "./revocation/routes.ts";
import type { MintedToken, MintInput } from "./tokens/access-token.ts";
import { BOOTSTRAP_CLIENT_ID, bootstrapClient } from "./tokens/bootstrap-client.ts";
import { RemoteKeys } from "./tokens/remote-keys.ts";
import type { KeyringPort } from "./tokens/routes.ts";
import type { RegistryPort } from "./webhooks/endpoint.ts";
import { EndpointSecrets } from "./webhooks/endpoint-secret.ts";
import type { EndpointPort } from "./webhooks/publish.ts";
import { canaryDeps } from "./wiring/canary.ts";
import { assertionKey, authenticator, subjectTokenVerifier } from "./wiring/verifiers.ts";

export { AccessRequestObject } from "./access/access-request-object.ts";
export { DirectoryObject } from "./access/directory-object.ts";
export { RegistryObject } from "./registry/registry-object.ts";
export { MonitorObject } from "./remediation/monitor-object.ts";
export { LogObject } from "./replication/log-object.ts";
export { DenylistObject } from "./revocation/denylist-object.ts";
export { KeyringObject } from "./tokens/keyring-object.ts";
export { EndpointObject } from "./webhooks/endpoint-object.ts";

/** What an isolate keeps from request to request. */
type Isolate = {
  config: Config;
  app: ReturnType<typeof controlApp>;
  gate: Gate;
  sweep: SweepDeps;
  canary: CanaryDeps;
};
type Sweepable = { sweep(): Promise<Result<null>> };
type SweptObject = { sweep(): Promise<Result<Swept>> };

const MAIN = "main";
/** An edge does not wait longer for the log than this: past it, the route's `on_stale` decides. */
const LOG_TIMEOUT_MS = 2_000;
/** Millions of tokens take seconds to count. */
const COUNT_TIMEOUT_MS = 30_000;
const clock = systemClock;
const log = consoleLogger;

let isolate: Result<Isolate, string[]> | undefined;

export default {
  async fetch(request, env, ctx) {
    const requestId = newId("dec", clock());
    isolate ??= wire(env);
    if (!isolate.ok) return misconfigured(new URL(request.url).pathname, isolate.error, requestId);
    const { config, app, gate } = isolate.value;
    const waitUntil: WaitUntil = (work) => ctx.waitUntil(work);
    if (!config.local && !request.url.startsWith("https:")) return notEncrypted(requestId);
    const path = pathAtIssuer(request.url, config.issuer);
    if (path === undefined || !isReservedPath(path)) return gate(request, requestId, waitUntil);
    const response = await app.fetch(request, { requestId, waitUntil });
    const answered = new Response(response.body, response);
    answered.headers.set("x-request-id", requestId);
    return answered;
  },

  async scheduled(_event, env, ctx) {
    isolate ??= wire(env);
    if (!isolate.ok) return log("error", "misconfigured", { faults: isolate.error });
    await sweep(isolate.value.sweep);
    ctx.waitUntil(
      runCanary(isolate.value.canary).catch((fault) =>
        log("error", "canary.fault", { fault: faultText(fault) }),
      ),
    );
  },
} satisfies ExportedHandler<Env>;

/** The raw path of a URL on the issuer's own origin, else undefined. */
function pathAtIssuer(url: string, issuer: string): string | undefined {
  if (!url.startsWith(issuer) || url[issuer.length] !== "/") return undefined;
  const end = url.slice(issuer.length).search(/[?#]/);
  return end === -1 ? url.slice(issuer.length) : url.slice(issuer.length, issuer.length + end);
}

/** A token that came in the clear is not used, and not redirected: it is known to others already. */
function notEncrypted(requestId: string): Response {
  const headers = { "x-request-id": requestId };
  return problemResponse(
    problem("invalid_target", "Use https. Replace the token, if you sent one."),
    requestId,
    headers,
  );
}

function misconfigured(path: string, faults: string[], requestId: string): Response {
  log("error", "misconfigured", { request_id: requestId, faults });
  const detail =
    "This deployment is not configured, so every request is refused. /readyz and the log say what is wrong.";
  return misconfiguredHealth(path, faults) ?? problemResponse(problem("misconfigured", detail), requestId);
}

/** Wires the rooms together, once for each isolate. */
function wire(env: Env): Result<Isolate, string[]> {
  const config = readConfig(env as unknown as Record<string, unknown>);
  if (!config.ok) return config;
  const { issuer, local, secret } = config.value;
  const port = <P extends Port>(namespace: Namespace, name = MAIN): P =>
    objectPort<P>(namespace, name, { log });

  const logReader = objectPort<LogReader>(env.LOG, MAIN, { log, timeoutMs: LOG_TIMEOUT_MS, attempts: 2 });
  const keyring = port<KeyringObjectPort & SweptObject>(env.KEYRING);
  const registry = port<RegistryPort & ClientPort & PolicyPort & SweptObject>(env.REGISTRY);
  const monitor = port<MonitorPort & SweptObject>(env.MONITOR);
  const directory = port<DirectoryReadPort & ReservationPort & SweepDeps["directory"] & SweptObject>(
    env.DIRECTORY,
  );
  const denials = port<DenylistPort & SweptObject>(env.DENYLIST);
  const revocationLog = port<RevocationLogPort & SweepDeps["log"] & SweptObject>(env.LOG);
  const accessRequest = (id: string) => port<AccessRequestPort & Sweepable>(env.ACCESS_REQUEST, id);
  const endpoint = (id: string) => port<EndpointPort & Sweepable>(env.ENDPOINT, id);

  const deltas = new DeltaCache({
    log: logReader,
    cache: caches.default,
    url: `${issuer}/replication/v1`,
    clock,
    logger: log,
  });
  const edgeDenylist = objectPort<EdgeDenylistPort>(env.DENYLIST, MAIN, {
    log,
    timeoutMs: LOG_TIMEOUT_MS,
    attempts: 2,
  });
  const filter = new FilterLoader({ kv: env.KV, denylist: edgeDenylist });
  const replica = new IsolateReplica({ log: deltas, filter, kv: env.KV, clock, logger: log });
  const denylist = (facts: Parameters<typeof isListed>[1]) =>
    isListed(env.KV, facts, Math.floor(clock() / 1000));
  const denied = new DeniedTokens((known, iss, jti) =>
    confirmDenied(known, iss, jti, { denylist: edgeDenylist, kv: env.KV }),
  );
  const ages = new AgeReporter(monitor, clock);
  const observe: AgeReporter["observe"] = (...decision) => ages.observe(...decision);
  const freshness = new Freshness({ replica, denylist, clock, log, observe });
  const remoteKeys = new RemoteKeys({ fetch: (url, init) => fetch(url, init), clock, log });
  const shared = { issuer, clock, log, replica, freshness, denied, remoteKeys, tokens: new TokenCache() };

  const ids = creationIds(directory, clock);
  const secrets = new EndpointSecrets(secret);
  const policy = async () => {
    const active = await registry.activePolicy();
    return active.ok ? ok(active.value.document) : active;
  };
  const confirmLimit = async () => {
    const active = await policy();
    return active.ok ? ok(confirmAbove(active.value)) : active;
  };
  const liveTokens = objectPort<LiveTokenPort>(env.DIRECTORY, MAIN, { log, timeoutMs: COUNT_TIMEOUT_MS });
  const live: LiveTokens = {
    flush: () => keyring.flushMinted(),
    count: (match, issuedBefore) => liveTokens.countLive(match, issuedBefore),
  };
  const client = (id: string) =>
    id === BOOTSTRAP_CLIENT_ID ? bootstrapClient(config.value.operatorSecret) : registry.client(id);
  const access = { accessRequest, directory, policy, ids, clock };

  const revocations = { log: revocationLog, live, issuer, confirmAbove: confirmLimit, ids, clock };
  const app = controlApp({
    logger: log,
    authenticate: authenticator(shared),
    access,
    clients: { registry, ids, clock },
    health: {
      clock,
      keyring,
      replica: async () => {
        const view = await replica.refresh();
        return view.ok ? ok({ seq: view.value.seq, policyVersion: view.value.policy.version }) : view;
      },
    },
    inbound: {
      clock,
      registry,
      secrets,
      access: {
        review: async ({ access_request_id, review_id, approver, via, ...review }) => {
          const given = { ...review, id: review_id, approver: approver.subject, via: via.endpoint_id };
          const reviewed = await reviewRequest(access, access_request_id, given, approver);
          return reviewed.ok ? ok({ id: reviewed.value.id, state: reviewed.value.decided }) : reviewed;
        },
      },
    },
    metrics: {
      monitor,
      replica: async () => {
        const view = await replica.refresh();
        return view.ok ? ok(readingOf(view.value)) : view;
      },
    },
    oauth: {
      issuer,
      clock,
      keyring,
      policy,
      client,
      mint: (input) => keyring.mint(input),
      verifyExternal: subjectTokenVerifier(shared),
    },
    policy: { registry, clock, issuer, local },
    propagation: { monitor },
    imports: {
      clock,
      logger: log,
      denylist: denials,
      revoke: revocations,
      revocations: (limit, cursor) => revocationLog.revocations(limit, cursor),
    },
    revocations,
    webhooks: { registry, endpoint, secrets, ids, clock, local },
  });
  const gate = createGate({
    ...shared,
    assertionKey: assertionKey(keyring),
    fetch: (request) => fetch(request),
  });
  const sweepDeps: SweepDeps = {
    logger: log,
    clock,
    singletons: { keyring, registry, directory, log: revocationLog, denylist: denials, monitor },
    monitor,
    log: revocationLog,
    keyring,
    directory,
    accessRequest,
    endpoint,
    endpoints: async () => {
      const page = await registry.listEndpoints({ limit: 200 });
      return page.ok ? ok(page.value.items.map(({ id }) => id)) : page;
    },
  };
  const canary = canaryDeps({ ...shared, keyring, revocations: revocationLog, monitor, kv: env.KV });
  return ok({ config: config.value, app, gate, sweep: sweepDeps, canary });
}

type MonitorPort = AgeReportPort & MetricsDeps["monitor"] & CanaryDeps["monitor"] & SweepDeps["monitor"];

function readingOf({ seq, policy, revocations, filter }: ReplicaView): ReplicaReading {
  const reading = { seq, rules: revocations.size, policyVersion: policy.version };
  return filter ? { ...reading, filterBytes: filter.bytes } : reading;
}

type EdgeDenylistPort = PartSource & Pick<DenylistPort, "contains">;

type KeyringObjectPort = KeyringPort & {
  mint(input: MintInput): Promise<Result<MintedToken>>;
  assertionKey(): Promise<Result<{ kid: string; alg: string; jwk: JWK }>>;
  flushMinted(): Promise<Result<null>>;
};

type LiveTokenPort = { countLive: LiveTokens["count"] };
