import { replay } from "../access/replay.ts";
import { simulateAsks } from "../access/simulate.ts";
import type { BrowserDeps } from "../browser/ports.ts";
import type { Config } from "../config.ts";
import { type ControlDeps, controlApp } from "../control/app.ts";
import type { DecisionDeps } from "../control/decision-routes.ts";
import type { ReplicaReading } from "../control/exposition.ts";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { creationIds } from "../platform/idempotency.ts";
import type { Logger } from "../platform/log.ts";
import { auditPolicy } from "../policy/audit-policy.ts";
import type { PolicyContext } from "../policy/cross-faults.ts";
import { ok } from "../protocol/result.ts";
import type { PolicyRouteDeps } from "../registry/policy-routes.ts";
import type { ReplicaView } from "../replication/replica.ts";
import { StatusListTokens } from "../signals/status-list-token.ts";
import { EndpointSecrets } from "../webhooks/endpoint-secret.ts";
import { SlackSecretBox } from "../webhooks/slack-settings.ts";
import { wireAccess } from "./access.ts";
import { wireBackup } from "./backup.ts";
import { lazyConsole } from "./console.ts";
import type { SharedVerifier } from "./edge.ts";
import { wireOAuth } from "./oauth.ts";
import type { ObjectPorts } from "./objects.ts";
import { wireRevocations } from "./revocations.ts";
import { wireTraffic } from "./traffic.ts";
import { authenticator } from "./verifiers.ts";

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
  const { issuer, local, wrapping } = config;
  const { keyring, registry, directory, endpoint, monitor, remediation, session } = objects;
  const { policy } = browser;
  const ids = creationIds(directory, clock);
  const shared = { config, objects, verifier, policy, ids, clock };
  const { backchannel, signedReviews, ...access } = wireAccess(shared);
  const { confirmsRemediation, ...revocations } = wireRevocations({ ...shared, issuer, log });
  const endpoints = {
    ...{ clock, local, registry },
    ...{ secrets: new EndpointSecrets(wrapping), slack: new SlackSecretBox(wrapping) },
  };
  const authenticate = authenticator(verifier);
  const context = policyContext(config);
  const traffic = wireTraffic(objects.traffic);
  const app: ReturnType<typeof controlApp> = controlApp({
    ...access,
    ...revocations,
    ...wireOAuth({ ...shared, backchannel, log }),
    ...readings(verifier, objects, traffic, clock),
    ...signals({ ...shared, authenticate, log }),
    logger: log,
    authenticate,
    audit: { audit: objects.audit },
    backup: wireBackup(config, objects, clock),
    auditedCalls: {
      ...{ audit: objects.audit, clock, logger: log },
      recordsAddresses: () => recordsAddresses(verifier.replica.peek()),
    },
    browser: { ...browser, devices: objects.devices },
    clients: { registry, ids, clock, local },
    passkeys: { passkeys: objects.passkeys, issuer, logger: log },
    console: lazyConsole(browser, (request, context) => app.fetch(request, context)),
    decisions: { issuer, local, ...decisions },
    inbound: { ...endpoints, ...signedReviews, log },
    logout: { ...browser, logger: log, directory, log: objects.log },
    keys: { keyring, ids },
    policy: { ...context, registry, clock, simulate: simulator(directory, clock) },
    remediation: { remediation, registry, context, clock, confirmedBy: confirmsRemediation },
    propagation: { monitor, ages: traffic.ages },
    sessions: { session, directory },
    records: traffic,
    traffic: { clock, traffic: traffic.series },
    webhooks: { ...endpoints, endpoint, ids },
  });
  return app;
}

/** What others tell of people and tokens, and what they are told. */
function signals(
  wiring: Pick<ControlWiring, "config" | "objects" | "verifier" | "clock" | "log"> &
    Pick<BrowserDeps, "policy"> &
    Pick<ControlDeps, "authenticate">,
): Pick<ControlDeps, "signals" | "statusLists" | "streams"> {
  const { config, objects, verifier, policy, clock, authenticate, log } = wiring;
  const { issuer, local } = config;
  const { keyring, registry, signalInbox: inbox, statusList, stream } = objects;
  return {
    signals: {
      ...{ issuer, policy, clock, logger: log, keys: verifier.remoteKeys, inbox },
      authenticate: async (request, context) => {
        const caller = await authenticate(request, context);
        return caller.ok ? caller.value : caller.error.response;
      },
    },
    statusLists: {
      statusList: new StatusListTokens({
        ...{ issuer, clock, keyring },
        bits: (list) => statusList.bits(list),
      }),
    },
    streams: { issuer, local, clock, registry, stream },
  };
}

function recordsAddresses(view: ReplicaView | undefined): boolean {
  const document = view?.policy.document;
  return document !== undefined && auditPolicy(document).record_addresses;
}

/** What a policy may name of this deployment. */
function policyContext({ issuer, local, ...config }: Config): PolicyContext {
  return {
    issuer,
    local,
    secretRefs: new Set([...config.issuerSecrets.keys(), ...config.signInSecrets.keys()]),
    services: new Set(config.services.keys()),
    limiters: new Set(config.limiters.keys()),
  };
}

/** How the deployment stands, as its health and its metrics tell. */
function readings(
  { replica }: SharedVerifier,
  { keyring, monitor }: ObjectPorts,
  { totals }: ReturnType<typeof wireTraffic>,
  clock: Clock,
): Pick<ControlDeps, "health" | "metrics"> {
  const seen = async <T>(reading: (view: ReplicaView) => T) => {
    const view = await replica.refresh();
    return view.ok ? ok(reading(view.value)) : view;
  };
  return {
    health: {
      ...{ clock, keyring, monitor: totals },
      replica: () => seen((v) => ({ seq: v.seq, policyVersion: v.policy.version })),
      replicaAgeMs: () => {
        const view = replica.peek();
        return view && clock() - view.fetchedAtMs;
      },
    },
    metrics: { monitor, traffic: totals, replica: () => seen(readingOf) },
  };
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
