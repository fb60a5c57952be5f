import type { JWK } from "jose";
import type { AccessRequestPort, DirectoryReadPort } from "../access/ports.ts";
import type { NamesQuery } from "../access/roster-store.ts";
import type { AuditReadPort } from "../audit/routes.ts";
import type { RestorationPort } from "../backup/restore.ts";
import type { LogoutDeps } from "../browser/backchannel-logout.ts";
import type { AuditedCallDeps } from "../control/audited-calls.ts";
import type { CanaryDeps } from "../control/canary.ts";
import type { HealthDeps } from "../control/health-routes.ts";
import type { MetricsDeps } from "../control/metrics-routes.ts";
import type { SweepDeps } from "../control/sweep.ts";
import type { UsePort } from "../edge/counted-uses.ts";
import type { DetectorPort } from "../edge/detection-feed.ts";
import type { TrafficPort } from "../edge/traffic-reporter.ts";
import { type BucketPort, bucketShard } from "../limits/limits.ts";
import { causedBy } from "../platform/cause.ts";
import type { Swept } from "../platform/durable.ts";
import type { ReservationPort } from "../platform/idempotency.ts";
import { siblingId } from "../platform/ids.ts";
import type { Logger } from "../platform/log.ts";
import { type Namespace, objectPort, type Port } from "../platform/rpc.ts";
import type { LoadedPart, TableCursor, TablePage } from "../platform/stored-tables.ts";
import type { AuditEntry } from "../protocol/audit-record.ts";
import type { DecisionQuery, DecisionRecord } from "../protocol/decision-trace.ts";
import type { Result } from "../protocol/result.ts";
import type { SigningAlgorithm } from "../protocol/signature-algorithm.ts";
import type { ClientPort } from "../registry/client-routes.ts";
import type { PasskeyPort } from "../registry/passkey-routes.ts";
import type { PolicyPort } from "../registry/policy-routes.ts";
import type { RemediationPort } from "../remediation/remediation-routes.ts";
import type { TrafficReading } from "../remediation/traffic-object.ts";
import type { TrafficPart, TrafficQuery } from "../remediation/traffic-series.ts";
import { TRAFFIC_SHARDS } from "../remediation/traffic-shards.ts";
import type { LogReader } from "../replication/isolate-replica.ts";
import type { DenylistPort } from "../revocation/denylist-port.ts";
import type { PartSource } from "../revocation/filter-loader.ts";
import type { ImportDeps } from "../revocation/import.ts";
import type { LiveTokens } from "../revocation/live-token.ts";
import type { RevocationLogPort } from "../revocation/routes.ts";
import type { SignalInboxPort } from "../signals/receive.ts";
import type { StatusListTokenDeps } from "../signals/status-list-token.ts";
import type { StreamPort, StreamRegistryPort } from "../signals/stream-routes.ts";
import type { StatementPort } from "../signals/stream-sender.ts";
import type { MintedToken, MintInput } from "../tokens/access-token.ts";
import type { ClientRegisterPort } from "../tokens/client-auth.ts";
import type { DeviceLoginPort } from "../tokens/device-login.ts";
import type { KeyRotationPort } from "../tokens/key-routes.ts";
import { type ProofPort, proofShard } from "../tokens/proof-checker.ts";
import type { KeyringPort } from "../tokens/routes.ts";
import type { BrowserSessionPort, SessionListPort, SessionPort } from "../tokens/session-ports.ts";
import type { RegistryPort } from "../webhooks/endpoint.ts";
import type { EndpointPort } from "../webhooks/publish.ts";

type Sweepable = { sweep(): Promise<Result<null>> };
type EndpointSweep = ReturnType<SweepDeps["endpoint"]>;
type SweptObject = { sweep(): Promise<Result<Swept>> };

const MAIN = "main";
/** An edge does not wait longer for the log than this: past it, the route's `on_stale` decides. */
const LOG_TIMEOUT_MS = 2_000;
/** Above the longest wait that a caller may prefer. */
const WAIT_TIMEOUT_MS = 75_000;
/** Millions of tokens take seconds to count. */
const COUNT_TIMEOUT_MS = 30_000;
/** A page of rows is read or written. */
const STORAGE_TIMEOUT_MS = 30_000;

/** Every Durable Object, as what the rooms need of it. Each port is what one caller may ask. */
export function objectPorts(env: Env, log: Logger) {
  const port = <P extends Port>(namespace: Namespace, name = MAIN): P =>
    objectPort<P>(namespace, name, { log });
  return {
    keyring: port<KeyringObjectPort & SweptObject>(env.KEYRING),
    registry: port<
      StreamRegistryPort & RegistryPort & ClientPort & ClientRegisterPort & PolicyPort & SweptObject
    >(env.REGISTRY),
    remediation: port<RemediationPort & SweptObject>(env.REMEDIATION),
    monitor: port<MonitorPort & SweptObject>(env.MONITOR),
    traffic: Array.from({ length: TRAFFIC_SHARDS }, (_, shard) =>
      port<TrafficReadPort>(env.TRAFFIC, String(shard)),
    ),
    directory: port<
      DirectoryReadPort & SessionListPort & ReservationPort & SweepDeps["directory"] & NamesPort & SweptObject
    >(env.DIRECTORY),
    liveTokens: objectPort<LiveTokenPort>(env.DIRECTORY, MAIN, { log, timeoutMs: COUNT_TIMEOUT_MS }),
    audit: port<AuditReadPort & AuditedCallDeps["audit"] & AuditWritePort & SweptObject>(env.AUDIT),
    denylist: port<DenylistPort & SweptObject>(env.DENYLIST),
    devices: port<DeviceLoginPort & SweptObject>(env.DEVICE_LOGIN),
    log: port<RevocationLogPort & EmergencyPort & SweepDeps["log"] & SweptObject>(env.LOG),
    restoration: port<RestorationPort>(env.LOG),
    storage: (binding: string, name: string): StoragePort => storagePort(env, binding, name, log),
    edge: edgePorts(env, log),
    detector: (shard: number) => port<SweptObject>(env.DETECTOR, String(shard)),
    accessRequest: (id: string) => port<AccessRequestPort & Sweepable>(env.ACCESS_REQUEST, id),
    passkeys: (subject: string) => port<PasskeyPort>(env.PASSKEY, subject),
    session: (id: string) => port<SessionPort & BrowserSessionPort & Sweepable>(env.SESSION, id),
    signalInbox: (issuer: string) => port<SignalInboxPort & EndpointSweep>(env.SIGNAL_INBOX, issuer),
    statusList: port<StatusListPort & SweptObject>(env.STATUS_LIST),
    stream: (id: string) =>
      objectPort<StreamPort & EndpointSweep>(env.STREAM, id, { log, timeoutMs: WAIT_TIMEOUT_MS }),
    waitingRequest: (id: string) =>
      objectPort<AccessRequestPort>(env.ACCESS_REQUEST, id, { log, timeoutMs: WAIT_TIMEOUT_MS, attempts: 1 }),
    endpoint: (id: string) => port<EndpointPort & EndpointSweep>(env.ENDPOINT, id),
  };
}

/** What a request may wait for at the gate, and what is told beside it. */
function edgePorts(env: Env, log: Logger) {
  const options = { log, timeoutMs: LOG_TIMEOUT_MS };
  const port = <P extends Port>(namespace: Namespace, name = MAIN): P =>
    objectPort<P>(namespace, name, { ...options, attempts: 2 });
  const once = <P extends Port>(namespace: Namespace, name: string): P =>
    objectPort<P>(namespace, name, { ...options, attempts: 1 });
  return {
    log: port<LogReader>(env.LOG),
    denylist: port<EdgeDenylistPort>(env.DENYLIST),
    uses: (grant: string) => port<UsePort>(env.ACCESS_REQUEST, siblingId("req", grant)),
    proof: (jkt: string) => port<ProofPort>(env.PROOF, proofShard(jkt)),
    // What is asked again would count again.
    bucket: (name: string) => once<BucketPort>(env.RATE_LIMIT, bucketShard(name)),
    // What was not told is told with the next report.
    traffic: (shard: number) => once<TrafficPort>(env.TRAFFIC, String(shard)),
    // What could not be told is told once more by whoever tells it.
    detector: (shard: number) => once<DetectorPort>(env.DETECTOR, String(shard)),
  };
}

export type ObjectPorts = ReturnType<typeof objectPorts>;

/** What every object answers for a backup. */
type StoragePort = {
  readStorage(maxChars: number, cursor?: TableCursor): Promise<Result<TablePage>>;
  loadStorage(part: LoadedPart): Promise<Result<null>>;
  storageSchema(): Promise<Result<string>>;
  wake(): Promise<Result<null>>;
  restart(): Promise<Result<never>>;
};

function storagePort(env: Env, binding: string, name: string, log: Logger): StoragePort {
  const namespace = env[binding as keyof Env] as unknown as Namespace;
  const port = objectPort<StoragePort>(namespace, name, { log, timeoutMs: STORAGE_TIMEOUT_MS });
  // They change nothing that anybody could be the cause of, and are none of an object's own methods.
  return {
    readStorage: (...args) => causedBy(undefined, () => port.readStorage(...args)),
    loadStorage: (part) => causedBy(undefined, () => port.loadStorage(part)),
    storageSchema: () => causedBy(undefined, () => port.storageSchema()),
    wake: () => causedBy(undefined, () => port.wake()),
    // That there is no answer is what it does.
    restart: () =>
      causedBy(undefined, () => objectPort<StoragePort>(namespace, name, { attempts: 1 }).restart()),
  };
}

type NamesPort = { names(query: NamesQuery): Promise<Result<string[]>> };

type AuditWritePort = { append(entries: AuditEntry[]): Promise<Result<null>> };

type EmergencyPort = { announceImport: ImportDeps["announce"] } & Pick<LogoutDeps["log"], "revocation">;

type MonitorPort = MetricsDeps["monitor"] & CanaryDeps["monitor"] & SweepDeps["monitor"];

type TrafficReadPort = {
  read(): Promise<Result<TrafficReading>>;
  series(query: TrafficQuery): Promise<Result<TrafficPart>>;
  decision(id: string): Promise<Result<DecisionRecord | null>>;
  decisions(query: DecisionQuery): Promise<Result<DecisionRecord[]>>;
};

type StatusListPort = { bits: StatusListTokenDeps["bits"] };

type EdgeDenylistPort = PartSource & Pick<DenylistPort, "contains">;

type KeyringObjectPort = KeyringPort &
  KeyRotationPort &
  StatementPort &
  HealthDeps["keyring"] & {
    mint(input: MintInput): Promise<Result<MintedToken>>;
    assertionKey(): Promise<Result<{ kid: string; alg: SigningAlgorithm; jwk: JWK }>>;
    flushMinted(): Promise<Result<null>>;
  };

type LiveTokenPort = { countLive: LiveTokens["count"]; liveAmong: LiveTokens["among"] };
