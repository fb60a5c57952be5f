import { WorkerEntrypoint, waitUntil } from "cloudflare:workers";
import type { restoreApp } from "./backup/restore-routes.ts";
import type { BrowserDeps } from "./browser/ports.ts";
import { type Config, readConfig } from "./config.ts";
import type { controlApp } from "./control/app.ts";
import { misconfiguredHealth } from "./control/misconfigured.ts";
import {
  type ForwardAuth,
  isForwardAuthPath,
  PROXY_SECRET_HEADER,
  strayProxyCall,
} from "./edge/forward-auth.ts";
import type { WaitUntil } from "./edge/freshness.ts";
import type { Gate } from "./edge/gate.ts";
import { systemClock } from "./platform/clock.ts";
import type { RequestContext } from "./platform/http.ts";
import { idSeries } from "./platform/ids.ts";
import { consoleLogger, faultText } from "./platform/log.ts";
import { controlPathOf, hostSessionPathOf } from "./policy/reserved-paths.ts";
import { problem, problemResponse } from "./protocol/problem.ts";
import { ok, type Result } from "./protocol/result.ts";
import type { PortcullisService } from "./protocol/service.ts";
import { wireEdge } from "./wiring/edge.ts";
import { objectPorts } from "./wiring/objects.ts";
import type { ServiceWiring } from "./wiring/service.ts";

export { AccessRequestObject } from "./access/access-request-object.ts";
export { DirectoryObject } from "./access/directory-object.ts";
export { AuditObject } from "./audit/audit-object.ts";
export { RateLimitObject } from "./limits/rate-limit-object.ts";
export { PasskeyObject } from "./registry/passkey-object.ts";
export { RegistryObject } from "./registry/registry-object.ts";
export { DetectorObject } from "./remediation/detector-object.ts";
export { MonitorObject } from "./remediation/monitor-object.ts";
export { RemediationObject } from "./remediation/remediation-object.ts";
export { TrafficObject } from "./remediation/traffic-object.ts";
export { LogObject } from "./replication/log-object.ts";
export { DenylistObject } from "./revocation/denylist-object.ts";
export { SignalInboxObject } from "./signals/signal-inbox-object.ts";
export { StatusListObject } from "./signals/status-list-object.ts";
export { StreamObject } from "./signals/stream-object.ts";
export { DeviceLoginObject } from "./tokens/device-login-object.ts";
export { KeyringObject } from "./tokens/keyring-object.ts";
export { ProofObject } from "./tokens/proof-object.ts";
export { SessionObject } from "./tokens/session-object.ts";
export { EndpointObject } from "./webhooks/endpoint-object.ts";

/**
 * What an isolate keeps from request to request. What only some requests need is loaded when the first of them
 * comes: an isolate that only forwards never evaluates the control plane.
 */
type Isolate = {
  config: Config;
  gate: Gate;
  browser: BrowserDeps;
  forwardAuth: ForwardAuth;
  service: ServiceWiring;
  control(): Promise<ReturnType<typeof controlApp>>;
  restore(secret: string): Promise<ReturnType<typeof restoreApp>>;
  cron(waitUntil: WaitUntil): Promise<void>;
};

const clock = systemClock;
const log = consoleLogger;
const nextRequestId = idSeries("dec");

let isolate: Result<Isolate, string[]> | undefined;

export default {
  // Not asynchronous: a promise around the gate's own costs each request some more steps.
  fetch(request, env, ctx) {
    const requestId = nextRequestId(clock());
    isolate ??= wire(env);
    const { url } = request;
    if (!isolate.ok) return misconfigured(new URL(url).pathname, isolate.error, requestId);
    const { config, gate, forwardAuth, browser } = isolate.value;
    if (!config.local && !url.startsWith("https:")) return notEncrypted(requestId);
    if (config.restoreSecret !== undefined)
      return restore(request, requestId, config.restoreSecret, isolate.value, ctx);
    const path = controlPathOf(url, config.issuer);
    if (path !== undefined && isForwardAuthPath(path)) return forwardAuth(request, requestId);
    if (request.headers.has(PROXY_SECRET_HEADER)) return strayProxyCall(requestId);
    if (hostSessionPathOf(url, config.issuer) !== undefined) return atHost(request, requestId, browser);
    return path === undefined ? gate(request, requestId) : atControl(request, requestId, isolate.value, ctx);
  },

  async scheduled(_event, env, ctx) {
    isolate ??= wire(env);
    if (!isolate.ok) return log("error", "misconfigured", { faults: isolate.error });
    // What is half restored is not looked after.
    if (isolate.value.config.restoreSecret !== undefined) return;
    await isolate.value.cron((work) => ctx.waitUntil(work));
  },
} satisfies ExportedHandler<Env>;

async function atControl(
  request: Request,
  requestId: string,
  { control }: Isolate,
  ctx: ExecutionContext,
): Promise<Response> {
  const app = await control();
  const response = await app.fetch(request, contextOf(requestId, ctx));
  const answered = new Response(response.body, response);
  // AuthZEN answers with the caller's own.
  if (!answered.headers.has("x-request-id")) answered.headers.set("x-request-id", requestId);
  return answered;
}

async function restore(
  request: Request,
  requestId: string,
  secret: string,
  isolate: Isolate,
  ctx: ExecutionContext,
): Promise<Response> {
  return (await isolate.restore(secret)).fetch(request, contextOf(requestId, ctx));
}

function contextOf(requestId: string, ctx: ExecutionContext): RequestContext {
  return { requestId, waitUntil: (work) => ctx.waitUntil(work) };
}

/** A browser's session at a host of the policy's routes. */
async function atHost(request: Request, requestId: string, browser: BrowserDeps): Promise<Response> {
  try {
    const { answerAtHost } = await import("./browser/host-routes.ts");
    const answer = await answerAtHost(request, requestId, browser);
    answer.headers.set("x-request-id", requestId);
    return answer;
  } catch (fault) {
    log("error", "browser.fault", { request_id: requestId, fault: faultText(fault) });
    return problemResponse(
      problem("internal", "The fault is in the log under this request's id."),
      requestId,
    );
  }
}

/** For other Workers of the account, by a service binding with the entrypoint `Portcullis`. */
export class Portcullis extends WorkerEntrypoint<Env> implements PortcullisService {
  async authorize(ask: Parameters<PortcullisService["authorize"]>[0]) {
    const service = await this.#service();
    return service.authorize(ask);
  }

  async isRevoked(ask: Parameters<PortcullisService["isRevoked"]>[0]) {
    const service = await this.#service();
    return service.isRevoked(ask);
  }

  async requestAccess(ask: Parameters<PortcullisService["requestAccess"]>[0]) {
    const service = await this.#service();
    return service.requestAccess(ask);
  }

  async #service(): Promise<PortcullisService> {
    isolate ??= wire(this.env);
    if (!isolate.ok) {
      log("error", "misconfigured", { faults: isolate.error });
      // The caller sees it as a fault of the call, and must not take it for an answer.
      throw new Error("Portcullis is not configured: /readyz and its log say what is wrong.");
    }
    if (isolate.value.config.restoreSecret !== undefined) {
      throw new Error("Portcullis is being restored from a backup, and decides nothing meanwhile.");
    }
    const { serviceFor } = await import("./wiring/service.ts");
    return serviceFor(isolate.value.service, { requestId: nextRequestId(clock()), waitUntil });
  }
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
  const read = readConfig(env);
  if (!read.ok) return read;
  const config = read.value;
  const objects = objectPorts(env, log);
  const edge = wireEdge({ env, config, objects, clock, log, waitUntil });
  const { gate, forwardAuth, browser } = edge;
  let app: ReturnType<typeof controlApp> | undefined;
  const control = async () => {
    if (app) return app;
    const { wireControl } = await import("./wiring/control.ts");
    app ??= wireControl({ ...edge, config, objects, clock, log });
    return app;
  };
  const restore = async (secret: string) => {
    const { wireRestore } = await import("./wiring/restore.ts");
    return wireRestore(config, secret, objects, clock);
  };
  const cron = async (waitUntil: WaitUntil) => {
    const { runCron } = await import("./wiring/cron.ts");
    await runCron({ verifier: edge.verifier, config, objects, clock, log }, env.KV, waitUntil);
  };
  return ok({
    ...{ config, gate, browser, forwardAuth, control, restore, cron },
    service: { issuer: config.issuer, control, edge },
  });
}
