import { ApprovalLinks } from "../access/approval-link.ts";
import { askByClient } from "../access/backchannel.ts";
import { replay } from "../access/replay.ts";
import { type AccessDeps, type RuleCheck, reviewRequest } from "../access/routes.ts";
import { simulateAsks } from "../access/simulate.ts";
import type { BrowserDeps } from "../browser/ports.ts";
import type { Config } from "../config.ts";
import { controlApp } from "../control/app.ts";
import type { DecisionDeps } from "../control/decision-routes.ts";
import type { ReplicaReading } from "../control/exposition.ts";
import { isGuarded } from "../edge/guarded.ts";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { creationIds } from "../platform/idempotency.ts";
import { newId } from "../platform/ids.ts";
import type { Logger } from "../platform/log.ts";
import { SecretBox } from "../platform/secret-box.ts";
import { auditPolicy } from "../policy/audit-policy.ts";
import { confirmAbove } from "../policy/confirm-above.ts";
import type { PolicyContext } from "../policy/cross-faults.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok } from "../protocol/result.ts";
import { siteOf } from "../registry/passkey-routes.ts";
import type { PolicyRouteDeps } from "../registry/policy-routes.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { LiveTokens } from "../revocation/live-token.ts";
import { StatusListTokens } from "../signals/status-list-token.ts";
import { RemoteKeys } from "../tokens/remote-keys.ts";
import type { OAuthDeps } from "../tokens/routes.ts";
import { SESSION_CREDENTIAL_PURPOSE, sessionOf } from "../tokens/session-credential.ts";
import type { SignedReview } from "../webhooks/decision.ts";
import { EndpointSecrets } from "../webhooks/endpoint-secret.ts";
import type { InboundDeps } from "../webhooks/inbound-routes.ts";
import { SlackSecretBox } from "../webhooks/slack-settings.ts";
import { wireBackup } from "./backup.ts";
import { confirmations } from "./confirmations.ts";
import { lazyConsole } from "./console.ts";
import type { SharedVerifier } from "./edge.ts";
import type { ObjectPorts } from "./objects.ts";
import { wireTraffic } from "./traffic.ts";
import { authenticator, callerBinding, ownTokenVerifier, subjectTokenVerifier } from "./verifiers.ts";

export type ControlWiring = {
  config: Config;
  objects: ObjectPorts;
  verifier: SharedVerifier;
  browser: BrowserDeps;
  decisions: Pick<DecisionDeps, "explain" | "decide">;
  clock: Clock;
  log: Logger;
};

/** The control plane's HTTP: every room's routes, each given what it needs and no more. */
export function wireControl({ config, objects, verifier, browser, decisions, clock, log }: ControlWiring) {
  const { issuer, local } = config;
  const { keyring, registry, directory, accessRequest, endpoint, monitor, remediation, session } = objects;
  const { replica } = verifier;
  const ids = creationIds(directory, clock);
  const secrets = new EndpointSecrets(config.wrapping);
  const slack = new SlackSecretBox(config.wrapping);
  const { policy } = browser;
  const confirmLimit = async () => {
    const active = await policy();
    return active.ok ? ok(confirmAbove(active.value)) : active;
  };
  const live: LiveTokens = {
    flush: () => keyring.flushMinted(),
    count: (match, issuedBefore) => objects.liveTokens.countLive(match, issuedBefore),
    among: (jtis) => objects.liveTokens.liveAmong(jtis),
  };
  const credentials = new SecretBox(config.wrapping, SESSION_CREDENTIAL_PURPOSE);
  const sessions: OAuthDeps["sessions"] = {
    newId: () => newId("ses", clock()),
    session,
    sessionOf: (kind, credential) => sessionOf(credentials, kind, credential),
  };
  const listeners: AccessDeps["listeners"] = async (type) => {
    const found = await registry.endpointsFor(type);
    return found.ok ? ok(found.value.length) : found;
  };
  const clientKeys = new RemoteKeys({ fetch: (url, init) => fetch(url, init), clock, log });
  const { proofs } = verifier;
  const binding = callerBinding(proofs);
  const waiting = objects.waitingRequest;
  const site = siteOf(issuer);
  const passkey: AccessDeps["passkey"] = (subject, confirms, answer) =>
    objects.passkeys(subject).use({ subject, confirms, answer, site });
  const access = { accessRequest, directory, policy, listeners, waiting, ids, clock, binding, passkey };
  const links = { accessRequest, policy, links: new ApprovalLinks(config.wrapping), issuer, clock };
  const reviewSigned = async (decision: SignedReview, allowed?: RuleCheck) => {
    const { access_request_id, review_id, approver, via, ...outcome } = decision;
    const given = { ...outcome, id: review_id, approver: approver.subject, via: via.endpoint_id };
    const reviewed = await reviewRequest(access, access_request_id, given, approver, {
      ...(allowed ? { allowed } : {}),
    });
    return reviewed.ok ? ok({ id: reviewed.value.id, state: reviewed.value.decided }) : reviewed;
  };
  const inbound: InboundDeps = {
    ...{ clock, log, local, registry, secrets, slack },
    access: { review: (decision) => reviewSigned(decision) },
    reviewInChat: (decision) => reviewSigned(decision, (rule) => rule.decide_in_chat),
  };
  const authenticate = authenticator(verifier);
  const context: PolicyContext = {
    issuer,
    local,
    secretRefs: new Set([...config.issuerSecrets.keys(), ...config.signInSecrets.keys()]),
    services: new Set(config.services.keys()),
    limiters: new Set(config.limiters.keys()),
  };
  const ownKeys = () => keyring.keys();
  const confirms = confirmations({ passkeys: objects.passkeys, policy, site });
  const limits = { confirmAbove: confirmLimit, confirmedBy: confirms.revocation };
  const revocations = { log: objects.log, live, ownKeys, issuer, ...limits, ids, clock };
  const traffic = wireTraffic(objects.traffic);
  const seen = async <T>(reading: (view: ReplicaView) => T) => {
    const view = await replica.refresh();
    return view.ok ? ok(reading(view.value)) : view;
  };
  const app: ReturnType<typeof controlApp> = controlApp({
    logger: log,
    authenticate,
    access,
    audit: { audit: objects.audit },
    backup: wireBackup(config, objects, clock),
    auditedCalls: {
      ...{ audit: objects.audit, clock, logger: log },
      recordsAddresses: () => {
        const document = replica.peek()?.policy.document;
        return document !== undefined && auditPolicy(document).record_addresses;
      },
    },
    browser: { ...browser, devices: objects.devices },
    links,
    clients: { registry, ids, clock, local },
    passkeys: { passkeys: objects.passkeys, issuer, logger: log },
    console: lazyConsole(browser, (request, context) => app.fetch(request, context)),
    decisions: { issuer, local, ...decisions },
    health: {
      ...{ clock, keyring, monitor: traffic.totals },
      replica: () => seen((v) => ({ seq: v.seq, policyVersion: v.policy.version })),
      replicaAgeMs: () => {
        const view = replica.peek();
        return view && clock() - view.fetchedAtMs;
      },
    },
    inbound,
    logout: { ...browser, logger: log, directory, log: objects.log },
    metrics: { monitor, traffic: traffic.totals, replica: () => seen(readingOf) },
    keys: { keyring, ids },
    oauth: {
      issuer,
      isGuarded: async (url) => {
        const view = await verifier.freshness.first();
        return view ? ok(isGuarded(url, view)) : err(problem("unavailable", "The policy is not known yet."));
      },
      clock,
      keyring,
      policy,
      clients: registry,
      clientKeys,
      proofs,
      mint: (input) => keyring.mint(input),
      verifySubject: subjectTokenVerifier(verifier),
      backchannel: {
        open: (ask) => askByClient(newId("req", clock()), ask, access, epochSeconds(clock())),
        poll: (id, clientId, confirmation) => accessRequest(id).poll(clientId, confirmation),
      },
      sessions,
      devices: objects.devices,
    },
    policy: { ...context, registry, clock, simulate: simulator(directory, clock) },
    remediation: { remediation, registry, context, clock, confirmedBy: confirms.remediation },
    propagation: { monitor, ages: traffic.ages },
    imports: {
      clock,
      logger: log,
      denylist: objects.denylist,
      revoke: revocations,
      announce: (eventId, actor) => objects.log.announceImport(eventId, actor),
      revocations: (limit, cursor) => objects.log.revocations(limit, cursor),
    },
    revocations,
    sessions: { session, directory },
    records: traffic,
    traffic: { clock, traffic: traffic.series },
    statusLists: {
      statusList: new StatusListTokens({
        ...{ issuer, clock, keyring },
        bits: (list) => objects.statusList.bits(list),
      }),
    },
    streams: { issuer, local, clock, registry, stream: objects.stream },
    signals: {
      ...{ issuer, policy, clock, logger: log, keys: verifier.remoteKeys, inbox: objects.signalInbox },
      authenticate: async (request, context) => {
        const caller = await authenticate(request, context);
        return caller.ok ? caller.value : caller.error.response;
      },
    },
    webhooks: { registry, endpoint, secrets, slack, ids, clock, local },
    tokenState: {
      issuer,
      clock,
      clients: registry,
      clientKeys,
      sessions,
      verifyOwn: ownTokenVerifier(verifier),
      log: objects.log,
    },
  });
  return app;
}

/** Tries access rules with sample people, and with the latest access requests. */
function simulator(directory: ObjectPorts["directory"], clock: Clock): PolicyRouteDeps["simulate"] {
  return async (simulation, before, after) => {
    const now = epochSeconds(clock());
    const asks = simulateAsks(simulation, before, after, now);
    if (simulation.replay === 0) return ok({ asks });
    const latest = await directory.list({ limit: simulation.replay });
    if (!latest.ok) return latest;
    const decided_otherwise = replay(latest.value, after, now);
    return ok({ asks, replayed: latest.value.length, decided_otherwise });
  };
}

function readingOf({ seq, policy, revocations, filter }: ReplicaView): ReplicaReading {
  const reading = { seq, rules: revocations.size, policyVersion: policy.version };
  return filter ? { ...reading, filterBytes: filter.bytes } : reading;
}
