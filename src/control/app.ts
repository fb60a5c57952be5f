import { Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { accessEventRoutes } from "../access/event-routes.ts";
import { grantRoutes } from "../access/grant-routes.ts";
import { type LinkDeps, linkPageRoutes, linkRoutes } from "../access/link-routes.ts";
import { type AccessDeps, accessRequestRoutes } from "../access/routes.ts";
import { accessRuleRoutes } from "../access/rule-routes.ts";
import { type AuditDeps, auditRoutes } from "../audit/routes.ts";
import { type BackupDeps, backupRoutes } from "../backup/routes.ts";
import type { DevicePageDeps } from "../browser/device-page.ts";
import { type LogoutRouteDeps, logoutRoutes } from "../browser/logout-routes.ts";
import { browserRoutes } from "../browser/routes.ts";
import { causedBy } from "../platform/cause.ts";
import { demanding } from "../platform/demand.ts";
import { type Actor, type HttpEnv, noBody, type RequestContext, refuse } from "../platform/http.ts";
import { faultText, type Logger } from "../platform/log.ts";
import { problem, problemResponse } from "../protocol/problem.ts";
import type { Result } from "../protocol/result.ts";
import { type ClientRouteDeps, clientRoutes } from "../registry/client-routes.ts";
import { type PasskeyDeps, passkeyRoutes } from "../registry/passkey-routes.ts";
import { type PolicyRouteDeps, policyRoutes } from "../registry/policy-routes.ts";
import { type RemediationRouteDeps, remediationRoutes } from "../remediation/remediation-routes.ts";
import { IMPORT_PATH, type ImportRouteDeps, importRoutes } from "../revocation/import-routes.ts";
import { type RevocationDeps, revocationRoutes } from "../revocation/routes.ts";
import { inboundSignalRoutes, type SignalDeps, signalRoutes } from "../signals/signal-routes.ts";
import { type StatusListDeps, statusListRoutes } from "../signals/status-list-routes.ts";
import { type StreamDeps, ssfMetadataRoutes, streamRoutes } from "../signals/stream-routes.ts";
import type { TokenStateDeps } from "../tokens/introspection.ts";
import { type KeyRouteDeps, keyRoutes } from "../tokens/key-routes.ts";
import { type OAuthDeps, oauthRoutes } from "../tokens/routes.ts";
import { type SessionRouteDeps, sessionRoutes } from "../tokens/session-routes.ts";
import { tokenStateRoutes } from "../tokens/token-state-routes.ts";
import { type InboundDeps, inboundRoutes } from "../webhooks/inbound-routes.ts";
import type { ManageDeps } from "../webhooks/manage-endpoint.ts";
import { webhookRoutes } from "../webhooks/routes.ts";
import { apiRoutes } from "./api-routes.ts";
import { type AuditedCallDeps, causedByActor, causedByCall, recordRefusal } from "./audited-calls.ts";
import { type DecisionDeps, decisionMetadataRoutes, decisionRoutes } from "./decision-routes.ts";
import { type HealthDeps, healthRoutes } from "./health-routes.ts";
import { type MetricsDeps, metricsRoutes } from "./metrics-routes.ts";
import { type PropagationDeps, propagationRoutes } from "./propagation-routes.ts";
import { type RecordDeps, recordRoutes } from "./record-routes.ts";
import { type TrafficDeps, trafficRoutes } from "./traffic-routes.ts";

/** Reads who calls from the request's access token, or answers the refusal, with who it was where that is known. */
export type Authenticate = (
  request: Request,
  context: RequestContext,
) => Promise<Result<Actor, { response: Response; actor?: Actor }>>;

export type ControlDeps = {
  logger: Logger;
  authenticate: Authenticate;
  access: AccessDeps;
  audit: AuditDeps;
  auditedCalls: AuditedCallDeps;
  backup: BackupDeps;
  browser: DevicePageDeps;
  links: LinkDeps;
  clients: ClientRouteDeps;
  /** The pages for people; it knows by itself who is signed in. */
  console: (request: Request, context: RequestContext) => Response | Promise<Response>;
  decisions: DecisionDeps;
  health: HealthDeps;
  imports: ImportRouteDeps;
  inbound: InboundDeps;
  keys: KeyRouteDeps;
  logout: LogoutRouteDeps;
  metrics: MetricsDeps;
  oauth: OAuthDeps;
  passkeys: PasskeyDeps;
  policy: PolicyRouteDeps;
  propagation: PropagationDeps;
  remediation: RemediationRouteDeps;
  revocations: RevocationDeps;
  sessions: SessionRouteDeps;
  signals: SignalDeps;
  statusLists: StatusListDeps;
  streams: StreamDeps;
  tokenState: TokenStateDeps;
  records: RecordDeps;
  traffic: TrafficDeps;
  webhooks: ManageDeps;
};

/** No body of the control plane is larger; a room may allow less. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Calls of the rooms that take no body: what one says would be ignored. */
const WITHOUT_BODY = [
  "/v1/access-requests/:id/cancel",
  "/v1/access-requests/:id/token",
  "/v1/webhook-endpoints/:id/rotate-secret",
  "/v1/webhook-endpoints/:id/test",
  "/v1/deliveries/:id/redeliver",
];

/** The control plane's HTTP: what needs no access token first, then every room behind authentication. */
export function controlApp(deps: ControlDeps) {
  const app = appWithLimits(deps);
  app.route("/", healthRoutes(deps.health));
  app.route("/", apiRoutes({ issuer: deps.oauth.issuer, routes: () => app.routes }));
  app.route("/", oauthRoutes(deps.oauth));
  app.route("/", decisionMetadataRoutes(deps.decisions));
  app.route("/", tokenStateRoutes(deps.tokenState));
  app.route("/", inboundRoutes(deps.inbound));
  app.route("/", linkPageRoutes(deps.links));
  app.route("/", browserRoutes(deps.browser));
  app.all("/console", (c) => deps.console(c.req.raw, c.env));
  app.all("/console/*", (c) => deps.console(c.req.raw, c.env));
  app.route("/", logoutRoutes(deps.logout));
  app.route("/", inboundSignalRoutes(deps.signals));
  app.route("/", ssfMetadataRoutes(deps.streams));
  app.route("/", statusListRoutes(deps.statusLists));

  app.use(authenticated(deps));
  for (const path of WITHOUT_BODY) app.post(path, noBody);
  app.route("/", accessRequestRoutes(deps.access));
  app.route("/", accessEventRoutes(deps.access));
  app.route("/", accessRuleRoutes(deps.access));
  app.route("/", linkRoutes(deps.links));
  app.route("/", grantRoutes(deps.access));
  // Before the revocations, whose ids would take these paths.
  app.route("/", propagationRoutes(deps.propagation));
  app.route("/", importRoutes(deps.imports));
  app.route("/", revocationRoutes(deps.revocations));
  app.route("/", sessionRoutes(deps.sessions));
  app.route("/", signalRoutes(deps.signals));
  app.route("/", streamRoutes(deps.streams));
  app.route("/", auditRoutes(deps.audit));
  app.route("/", backupRoutes(deps.backup));
  app.route("/", keyRoutes(deps.keys));
  app.route("/", policyRoutes(deps.policy));
  app.route("/", decisionRoutes(deps.decisions));
  app.route("/", remediationRoutes(deps.remediation));
  app.route("/", clientRoutes(deps.clients));
  app.route("/", passkeyRoutes(deps.passkeys));
  app.route("/", webhookRoutes(deps.webhooks));
  app.route("/", metricsRoutes(deps.metrics));
  app.route("/", trafficRoutes(deps.traffic));
  app.route("/", recordRoutes(deps.records));
  return app;
}

/** What holds for every call: its id, how a fault is answered, how large its body may be. */
function appWithLimits(deps: ControlDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.onError((fault, c) => {
    // The validator's only exception: everything else that does not fit is a fault of the schema.
    if (fault instanceof HTTPException && fault.status === 400) {
      return refuse(c, problem("invalid_body", "The body is not well-formed JSON."));
    }
    deps.logger("error", "control.fault", { request_id: c.var.requestId, fault: faultText(fault) });
    return refuse(c, problem("internal", "The fault is in the log under this request's id."));
  });
  app.notFound((c) =>
    refuse(c, problem("not_found", `There is no ${c.req.method} ${new URL(c.req.url).pathname} here.`)),
  );
  app.use(async (c, next) => {
    c.set("requestId", c.env.requestId);
    await next();
  });
  app.use(causedByCall(deps.auditedCalls));
  const limited = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: (c) => problemResponse(problem("body_too_large", "At most 1 MiB."), c.get("requestId")),
  });
  app.use((c, next) => (c.req.path === IMPORT_PATH ? next() : limited(c, next)));
  return app;
}

function authenticated({ authenticate, auditedCalls }: ControlDeps): MiddlewareHandler<HttpEnv> {
  return demanding<MiddlewareHandler<HttpEnv>>({ token: true }, async (c, next) => {
    const caller = await authenticate(c.req.raw, c.env);
    const actor = caller.ok ? caller.value : caller.error.actor;
    return causedBy(causedByActor(actor), async () => {
      if (!caller.ok) {
        await recordRefusal(auditedCalls, caller.error.response);
        return caller.error.response;
      }
      c.set("actor", caller.value);
      await next();
      await recordRefusal(auditedCalls, c.res);
    });
  });
}
