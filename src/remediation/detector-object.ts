import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { siblingId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { objectPort } from "../platform/rpc.ts";
import { DEFAULT_DETECTIONS, detectionPolicy } from "../policy/detection-policy.ts";
import type { PolicyVersion } from "../policy/document.ts";
import type { Detection } from "../protocol/detection.ts";
import type { Json } from "../protocol/json.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import { publishEvent, publishPorts } from "../webhooks/publish.ts";
import { Detector } from "./detector.ts";
import { DETECTOR_MIGRATIONS, DetectorStore } from "./detector-store.ts";
import { detectionOfEvent } from "./event-detection.ts";
import type { MonitorNote } from "./monitor-object.ts";
import type { Report } from "./observation.ts";

type RegistryPort = { activePolicy(): Promise<Result<PolicyVersion>> };
type RemediationPort = { detected(detection: Detection): Promise<Result<null>> };
type MonitorPort = { note(id: string, note: MonitorNote): Promise<Result<null>> };

/** A change of the policy holds here after this long. */
const POLICY_KEPT_MS = 10_000;
/** A report is repeated within seconds, or never. */
const REPORT_IDS_MS = 600_000;
const PRUNE_EVERY_MS = 600_000;

/**
 * One shard of what watches tokens, subjects and addresses: counts what isolates tell of, in windows, and raises
 * detections. What it counts is written down with every report, so that a window survives the object; a detection
 * leaves from the outbox of the commit that made it.
 */
export class DetectorObject extends CausedObject {
  readonly #clock = systemClock;
  readonly #store: DetectorStore;
  readonly #durable: Durable;
  readonly #detector = new Detector(DEFAULT_DETECTIONS);
  readonly #registry: RegistryPort;
  #policy = DEFAULT_DETECTIONS;
  #policyAtMs = Number.NEGATIVE_INFINITY;
  #prunedAtMs = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const log = consoleLogger;
    const monitor = objectPort<MonitorPort>(env.MONITOR, "main", { log });
    const remediation = objectPort<RemediationPort>(env.REMEDIATION, "main", { log });
    this.#registry = objectPort<RegistryPort>(env.REGISTRY, "main", { log });
    this.#store = new DetectorStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log,
      migrations: DETECTOR_MIGRATIONS,
      deliver: {
        "webhook.publish": (row) =>
          publishEvent(row.payload as WebhookEvent & { type: EventType }, publishPorts(env)),
        "remediation.detected": async (row) =>
          expectDone(await remediation.detected(row.payload as Detection)),
        "monitor.note": async (row) => expectDone(await monitor.note(row.id, row.payload as MonitorNote)),
      },
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#prune(nowMs),
    });
    this.#store.load(this.#detector);
  }

  /** Adds what one isolate has seen; idempotent by the report's id. */
  async observe(report: Report): Promise<Result<null>> {
    await this.#adoptPolicy();
    this.#durable.commit(() => {
      if (!this.#store.insertReport(report.id, this.#clock())) return;
      const detections = this.#detector.observe(report.observations, report.isolate);
      this.#store.save(this.#detector.takeChanges());
      for (const detection of detections) this.#raise(detection);
    });
    return ok(null);
  }

  /** Looks at an event of the control plane; idempotent by the event. */
  async published(event: WebhookEvent): Promise<Result<null>> {
    await this.#adoptPolicy();
    const detection = detectionOfEvent(event, this.env.ISSUER, this.#policy);
    if (detection) this.#durable.commit(() => this.#raise(detection));
    return ok(null);
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    return ok(await this.#durable.sweep());
  }

  /** Called within the transaction that found it. All that leaves is idempotent by the detection's id. */
  #raise(detection: Detection): void {
    const { id, kind, at, count, threshold } = detection;
    const { outbox } = this.#durable;
    outbox.put({
      ...{ id: `${id}:remedy`, lane: "remediation", kind: "remediation.detected" },
      payload: detection,
    });
    outbox.put(raisedEvent(detection));
    const counters = { [`portcullis_detections_total{kind="${kind}"}`]: 1 };
    outbox.put({ id, lane: "monitor", kind: "monitor.note", payload: { counters } satisfies MonitorNote });
    consoleLogger("warn", "detection.raised", { detection: id, kind, at, count, threshold });
  }

  /** Learns what the policy in force says; where the registry does not answer, what was known holds. */
  async #adoptPolicy(): Promise<void> {
    const nowMs = this.#clock();
    if (nowMs < this.#policyAtMs + POLICY_KEPT_MS) return;
    const active = await this.#registry.activePolicy();
    if (!active.ok) return;
    this.#policyAtMs = nowMs;
    this.#policy = detectionPolicy(active.value.document);
    this.#detector.policy = this.#policy;
  }

  #nextPruneMs(): number | undefined {
    const reportMs = this.#store.earliestReportMs();
    const touchedAt = this.#store.earliestTouchedAt();
    const dues = [
      ...(reportMs === undefined ? [] : [reportMs + REPORT_IDS_MS]),
      ...(touchedAt === undefined ? [] : [(touchedAt + this.#detector.longestWindowSeconds + 1) * 1000]),
    ];
    return dues.length ? Math.max(Math.min(...dues), this.#prunedAtMs + PRUNE_EVERY_MS) : undefined;
  }

  #prune(nowMs: number): void {
    const next = this.#nextPruneMs();
    if (next === undefined || next > nowMs) return;
    this.#prunedAtMs = nowMs;
    this.#durable.commit(() => {
      this.#detector.prune(epochSeconds(nowMs));
      this.#store.save(this.#detector.takeChanges());
      this.#store.pruneReports(nowMs - REPORT_IDS_MS);
    });
  }
}

/** What webhook endpoints are told of a detection: the same event, however often it is raised. */
function raisedEvent(detection: Detection): OutboxRow {
  const payload: WebhookEvent & { type: EventType } = {
    id: siblingId("evt", detection.id),
    type: "detection.raised",
    timestamp: new Date(detection.at * 1000).toISOString(),
    data: { detection: detection as unknown as Json },
  };
  return { id: payload.id, lane: "events", kind: "webhook.publish", payload };
}

function expectDone(result: Result<null>): void {
  if (!result.ok) throw new Error(result.error.detail);
}
