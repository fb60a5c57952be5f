import { importJWK, type JWK } from "jose";
import type { AccessRequestPort, DirectoryReadPort } from "./access/ports.ts";
import { reviewRequest } from "./access/routes.ts";
import { type Config, readConfig } from "./config.ts";
import { type Authenticate, controlApp } from "./control/app.ts";
import { misconfiguredHealth } from "./control/health-routes.ts";
import { type SweepDeps, sweep } from "./control/sweep.ts";
import type { AssertionKeyPort } from "./edge/assertion.ts";
import { authenticateOwn, authenticateSubjectToken } from "./edge/authenticate.ts";
import { Freshness, type WaitUntil } from "./edge/freshness.ts";
import { createGate, type Gate } from "./edge/gate.ts";
import { TokenCache } from "./edge/token-cache.ts";
import { systemClock } from "./platform/clock.ts";
import { creationIds, type ReservationPort } from "./platform/idempotency.ts";
import { newId } from "./platform/ids.ts";
import { consoleLogger } from "./platform/log.ts";
import { type Namespace, objectPort, type Port } from "./platform/rpc.ts";
import { isReservedPath } from "./policy/reserved-paths.ts";
import { problem, problemResponse } from "./protocol/problem.ts";
import { err, ok, type Result } from "./protocol/result.ts";
import type { ClientPort } from "./registry/client-routes.ts";
import type { PolicyPort } from "./registry/policy-routes.ts";
import { IsolateReplica, type LogReader } from "./replication/isolate-replica.ts";
import { findInDenylist } from "./revocation/denylist.ts";
import type { RevocationLogPort } from "./revocation/routes.ts";
import type { MintedToken, MintInput } from "./tokens/access-token.ts";
import { BOOTSTRAP_CLIENT_ID, bootstrapClient } from "./tokens/bootstrap-client.ts";
import { RemoteKeys } from "./tokens/remote-keys.ts";
import type { KeyringPort, OAuthDeps } from "./tokens/routes.ts";
import type { RegistryPort } from "./webhooks/endpoint.ts";
import { EndpointSecrets } from "./webhooks/endpoint-secret.ts";
import type { EndpointPort } from "./webhooks/publish.ts";

export { AccessRequestObject } from "./access/access-request-object.ts";
export { DirectoryObject } from "./access/directory-object.ts";
export { RegistryObject } from "./registry/registry-object.ts";
export { LogObject } from "./replication/log-object.ts";
export { KeyringObject } from "./tokens/keyring-object.ts";
export { EndpointObject } from "./webhooks/endpoint-object.ts";

/** What an isolate keeps from request to request. */
type Isolate = { config: Config; app: ReturnType<typeof controlApp>; gate: Gate; sweep: SweepDeps };
type Sweepable = { sweep(): Promise<Result<null>> };

const MAIN = "main";
/** An edge does not wait longer for the log than this: past it, the route's `on_stale` decides. */
const LOG_TIMEOUT_MS = 2_000;
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

  async scheduled(_event, env) {
    isolate ??= wire(env);
    if (isolate.ok) await sweep(isolate.value.sweep);
    else log("error", "misconfigured", { faults: isolate.error });
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
  const keyring = port<KeyringObjectPort & Sweepable>(env.KEYRING);
  const registry = port<RegistryPort & ClientPort & PolicyPort & Sweepable>(env.REGISTRY);
  const directory = port<DirectoryReadPort & ReservationPort & SweepDeps["directory"] & Sweepable>(
    env.DIRECTORY,
  );
  const revocationLog = port<RevocationLogPort & Sweepable>(env.LOG);
  const accessRequest = (id: string) => port<AccessRequestPort & Sweepable>(env.ACCESS_REQUEST, id);
  const endpoint = (id: string) => port<EndpointPort & Sweepable>(env.ENDPOINT, id);

  const replica = new IsolateReplica({ log: logReader, kv: env.KV, clock, logger: log });
  const denylist = (facts: Parameters<typeof findInDenylist>[1]) =>
    findInDenylist(env.KV, facts, Math.floor(clock() / 1000));
  const freshness = new Freshness({ replica, denylist, clock, log });
  const remoteKeys = new RemoteKeys({ fetch: (url, init) => fetch(url, init), clock, log });
  const shared = { issuer, clock, log, replica, freshness, remoteKeys, tokens: new TokenCache() };

  const ids = creationIds(directory, clock);
  const secrets = new EndpointSecrets(secret);
  const policy = async () => {
    const active = await registry.activePolicy();
    return active.ok ? ok(active.value.document) : active;
  };
  const client = (id: string) =>
    id === BOOTSTRAP_CLIENT_ID ? bootstrapClient(config.value.operatorSecret) : registry.client(id);
  const access = { accessRequest, directory, policy, ids, clock };

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
    revocations: { log: revocationLog, ids, clock },
    webhooks: { registry, endpoint, secrets, ids, clock, local },
  });
  const gate = createGate({
    ...shared,
    assertionKey: assertionKey(keyring),
    fetch: (request) => fetch(request),
  });
  const sweepDeps: SweepDeps = {
    logger: log,
    singletons: { keyring, registry, directory, log: revocationLog },
    keyring,
    directory,
    accessRequest,
    endpoint,
    endpoints: async () => {
      const page = await registry.listEndpoints({ limit: 200 });
      return page.ok ? ok(page.value.items.map(({ id }) => id)) : page;
    },
  };
  return ok({ config: config.value, app, gate, sweep: sweepDeps });
}

type KeyringObjectPort = KeyringPort & {
  mint(input: MintInput): Promise<Result<MintedToken>>;
  assertionKey(): Promise<Result<{ kid: string; alg: string; jwk: JWK }>>;
};

type Verifier = Omit<Parameters<typeof authenticateOwn>[1], "audience" | "requestId" | "waitUntil">;

function authenticator(verifier: Verifier): Authenticate {
  return async (request, context) => {
    const token = await authenticateOwn(request, { ...verifier, ...context, audience: verifier.issuer });
    if (!token.ok) {
      const { problem: refused, challenge } = token.error;
      return problemResponse(refused, context.requestId, challenge ? { "www-authenticate": challenge } : {});
    }
    const { facts, scopes, roles } = token.value;
    return { subject: facts.subject, clientId: facts.client_id ?? facts.subject, scopes, roles };
  };
}

function subjectTokenVerifier(verifier: Verifier): OAuthDeps["verifyExternal"] {
  return async (subjectToken, context) => {
    const token = await authenticateSubjectToken(subjectToken, { ...verifier, ...context });
    if (!token.ok) return err(token.error.problem);
    const { facts, scopes, roles, expiresAt } = token.value;
    return ok({ subject: facts.subject, scopes, roles, expiresAt });
  };
}

/** The isolate's own copy of the key for assertions, which cannot be read out of it again. */
function assertionKey(keyring: KeyringObjectPort): AssertionKeyPort {
  return async () => {
    const found = await keyring.assertionKey();
    if (!found.ok) return found;
    const { kid, jwk } = found.value;
    const key = (await importJWK(jwk, "ES256", { extractable: false })) as CryptoKey;
    return ok({ kid, alg: "ES256", key });
  };
}
